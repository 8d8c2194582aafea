"""An application of any shape, planned, changed, audited and killed, and compared with its own truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.anyapp import company, connect, connected, killed, reached, serving
from kit.sync import Forks

from connector_core.errors import GuardRefused
from connector_core.provision.plan import write_plan

SYNC_REQUESTS = 20  # as many as a sync takes, or more
APPLY_REQUESTS = 20
WANTED = "email,role\nben@example.com,apollo.viewer\nrobot@example.com,admin\n"
GRANTS = ["PUT roles/admin/holders/user:robot", "PUT roles/apollo.viewer/holders/user:ben"]


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks("kit.anyapp") as forks:
        yield forks


def test_an_application_of_any_shape_is_planned_changed_and_audited(tmp_path: Path) -> None:
    """After a plan, a grant and a revocation the picture is the truth, and the journal holds each write once."""
    app = company()
    people = tmp_path / "people.csv"
    people.write_text(WANTED)
    with connected(app, tmp_path) as connection:
        assert connection.apply(connection.plan(people), yes=True).status == "complete"
        connection.revoke("admin", "ada@example.com", yes=True)
        connection.grant("gemini.viewer", "ada@example.com")
        changes = ["DELETE roles/admin/holders/user:ada", "PUT roles/gemini.viewer/holders/user:ada"]
        assert sorted(app.writes()) == sorted([*GRANTS, *changes])
        assert reached(connection) == app.reach()
        journal = [(o.kind, o.user_id, o.role, o.state, o.verified) for o in connection.operations()]
        assert sorted(journal) == [
            ("grant", "ada", "gemini.viewer", "done", True), ("grant", "ben", "apollo.viewer", "done", True),
            ("grant", "robot", "admin", "done", True), ("revoke", "ada", "admin", "done", True),
        ]  # fmt: skip
        assert not connection.plan(people).steps
        assert reached(connection) == app.reach()


@pytest.mark.parametrize("at", [1, 9, 19])
def test_a_sync_killed_at_a_page_is_resumed(tmp_path: Path, forks: Forks, at: int) -> None:
    """A sync whose process was killed at a page is resumed, asks for no page twice that it had, and shows the truth."""
    resumes(tmp_path, forks, at)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, SYNC_REQUESTS + 1))
def test_a_sync_killed_at_every_page_is_resumed(tmp_path: Path, forks: Forks, at: int) -> None:
    """The same at each page."""
    resumes(tmp_path, forks, at)


def resumes(folder: Path, forks: Forks, at: int) -> None:
    app = company()
    with serving(app) as url:
        died = killed(forks, app, {"folder": str(folder), "url": url}, at)
        report = connect(folder, url).sync()
        assert (report.sync.status, report.sync.resumed) == ("complete", died)
        assert reached(connect(folder, url)) == app.reach()
        assert not died or len(app.asked) <= SYNC_REQUESTS + 1 + len(app.refused)


@pytest.mark.parametrize("at", [5, 12])
def test_an_apply_killed_at_a_request_is_finished(tmp_path: Path, forks: Forks, at: int) -> None:
    """An apply whose process was killed is finished by the same call, which sends no write twice."""
    finishes(tmp_path, forks, at)


@pytest.mark.slow
@pytest.mark.parametrize("at", range(1, APPLY_REQUESTS + 1))
def test_an_apply_killed_at_every_request_is_finished(tmp_path: Path, forks: Forks, at: int) -> None:
    """The same at each request, reads and writes."""
    finishes(tmp_path, forks, at)


def finishes(folder: Path, forks: Forks, at: int) -> None:
    app = company()
    people, file = folder / "people.csv", folder / "plan.json"
    people.write_text(WANTED)
    with serving(app) as url:
        plan = connect(folder, url).plan(people)
        write_plan(plan, file)
        killed(forks, app, {"folder": str(folder), "url": url, "plan": str(file)}, at)
        try:
            assert connect(folder, url).apply(plan, yes=True).status == "complete"
        except GuardRefused as error:
            assert error.guard == "plan_repeated"  # carried out in full before it died
        assert sorted(app.writes()) == GRANTS
        assert reached(connect(folder, url)) == app.reach()
        assert connect(folder, url).sync().sync.status == "complete"
        assert reached(connect(folder, url)) == app.reach()
