"""An application of any shape, synced and compared with its own truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.anyapp import company, connected, reached

CHILDREN = company().listings()
FAULTS = ("403", "404", "500", "silence", "half", "rejected", "warning")


def test_the_picture_shows_what_each_account_reaches(tmp_path: Path) -> None:
    """Groups in a circle, child roles, permissions by roles and service accounts: the picture is the truth."""
    app = company()
    with connected(app, tmp_path) as connection:
        assert connection.sync().sync.status == "complete"
        assert reached(connection) == app.reach()
        app.holders["group:crew"].discard("group:pilots")
        app.holders["role:gemini.viewer"] = {"user:cleo"}
        assert connection.sync().sync.status == "complete"
        assert reached(connection) == app.reach()
        assert app.refused, "the rate limit never struck"


def test_a_group_that_is_empty_loses_its_members(tmp_path: Path) -> None:
    """A listing that was read whole and is empty ends what it gave."""
    app = company()
    with connected(app, tmp_path) as connection:
        connection.sync()
        app.holders["group:staff"] = set()
        assert connection.sync().sync.status == "complete"
        assert reached(connection) == app.reach()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_child_listing_that_fails_ends_no_true_grant(tmp_path: Path, fault: str) -> None:
    """However a child listing fails, its grants stand, the others are read, and the sync names it."""
    judge(tmp_path, "groups/staff/holders", fault)


@pytest.mark.slow
@pytest.mark.parametrize("listing", CHILDREN)
@pytest.mark.parametrize("fault", FAULTS)
def test_every_child_listing_may_fail_in_every_way(tmp_path: Path, listing: str, fault: str) -> None:
    """The same of each listing, those of roles in a project among them."""
    judge(tmp_path, listing, fault)


def judge(folder: Path, listing: str, fault: str) -> None:
    app = company()
    with connected(app, folder) as connection:
        connection.sync()
        before = app.reach()
        elsewhere = "role:admin" if listing != "roles/admin/holders" else "group:staff"
        app.holders[elsewhere].add("user:robot")
        app.faults[listing] = fault
        report = connection.sync()
        shown = reached(connection)
        assert before <= shown <= app.reach(), fault
        assert ("robot", elsewhere) in shown, "another stream was not read"
        assert report.sync.status == "incomplete", (fault, report)
        assert any(listing in text for text in (report.sync.reason or "", *report.warnings)), report
        app.faults.clear()
        assert connection.sync().sync.status == "complete"
        assert reached(connection) == app.reach()
