"""Plans for people with several roles, groups or projects: what is read, planned, carried out and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.directory import CheckingConnector, Directory, directory, membership

from connector_core import hookimpl
from connector_core.errors import GuardRefused, OperationRefused, UsageError
from connector_core.host.connection import Connection
from connector_core.model import AccessRow, Entitlement, EntitlementKey, Grant, Key, NewAccount, Outcome, Resource
from connector_core.provision.people_file import Wanted, read_people
from connector_core.provision.plan import Limits, Plan
from connector_core.provision.planner import Planner, accounts_in

PLENTY = Limits(max_removals=999, max_upgrades=999, max_downgrades=999)
ADA, BOB = "ada@example.com", "bob@example.com"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "people.csv"
    path.write_text("".join(f"{line}\n" for line in ("email,role", *lines)))
    return path


def known(name: str) -> EntitlementKey:
    return membership(name)


class Creating(CheckingConnector):
    """The same, which makes accounts, too. It refuses what ``refused`` names."""

    def __init__(self, app: Directory) -> None:
        super().__init__()
        self.app = app
        self.refused: str | None = None

    @hookimpl
    def provision_grant(self, client: Any, grant: Grant) -> Outcome:
        self._refuse(grant.entitlement)
        return super().provision_grant(client, grant)

    @hookimpl
    def provision_enable_account(self, client: Any, resource: Resource) -> Outcome:
        self.app.things[f"{resource.type}/{resource.id}"]["status"] = "enabled"
        return Outcome()

    def _refuse(self, role: EntitlementKey) -> None:
        if role.id == self.refused:
            raise OperationRefused(f"{role.id} is not to be had")

    @hookimpl
    def provision_create_account(self, client: Any, account: NewAccount) -> Outcome:
        for role in account.roles:
            self._refuse(role)
        self.app.add("user", account.login.partition("@")[0], login=account.login)
        for role in account.roles:
            self.app.members[role.id].add(f"user:{account.login.partition('@')[0]}")
        return Outcome()


@pytest.fixture
def app() -> Directory:
    app = Directory("red", "green", "blue")
    app.add("user", "ada", login=ADA)
    app.add("user", "bob", login=BOB)
    app.members["red"] |= {"user:ada", "user:bob"}
    app.members["blue"].add("user:ada")
    return app


@pytest.fixture
def connection(app: Directory, tmp_path: Path) -> Iterator[Connection]:
    with directory(app, tmp_path, Creating(app)) as connection:
        yield connection


def brief(plan: Plan) -> list[tuple[str, str, str | None]]:
    return [(step.kind, step.user, step.role.id if step.role else None) for step in plan.ordered()]


# -- the file --------------------------------------------------------------------------------------------------


def test_lines_and_semicolons_give_a_set_of_roles(tmp_path: Path) -> None:
    """In the order of the file; empty parts of a cell are none."""
    path = written(tmp_path, f"{ADA},red; green;", f"{BOB},blue", "ADA@example.com,blue")
    ada, bob = read_people(path, known)
    assert [key.id for key in ada.roles] == ["red", "green", "blue"]
    assert [key.id for key in bob.roles] == ["blue"]
    assert ada.lines[membership("blue")] == 4


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((f"{ADA},red", f"{ADA},green;red"), f"line 3: {ADA} is on line 2 already with red"),
        ((f"{ADA},red", f"{ADA},"), f"line 3: {ADA} is on line 2 already"),
        ((f"{ADA},", f"{ADA},red"), f"line 3: {ADA} is on line 2 already"),
    ],
)
def test_a_second_line_says_something_more(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    """What repeats or contradicts an earlier line is a mistake of its line."""
    with pytest.raises(UsageError, match=message):
        read_people(written(tmp_path, *lines), known)


def test_two_lines_of_one_person_have_the_same_names(tmp_path: Path) -> None:
    """Another given name is another person, or a mistake."""
    path = tmp_path / "people.csv"
    path.write_text(f"email,role,given_name\n{ADA},red,Ada\n{ADA},blue,Adele\n")
    with pytest.raises(UsageError, match=f"line 3: {ADA} has another given_name on line 2"):
        read_people(path, known)


def test_roles_that_exclude_each_other_are_an_error_of_their_line(tmp_path: Path) -> None:
    """Both are named, with the lines on which they stand."""
    levels = tuple(
        Entitlement(resource=Key("group", name), slug="member", name=name, exclusive="level")
        for name in ("low", "high")
    )
    people = read_people(written(tmp_path, f"{ADA},low", f"{BOB},low", f"{ADA},high"), known)
    with pytest.raises(UsageError, match=r"line 4: ada@example.com can hold only one of low \(line 2\) and high"):
        Planner(levels, ()).compare(people, prune=False)


# -- steps -----------------------------------------------------------------------------------------------------


def test_each_missing_role_is_a_step_and_groups_are_named_as_people_name_them(
    connection: Connection, app: Directory, tmp_path: Path
) -> None:
    """By name, id or type:id; what is held already takes none. Applied, nothing is left to plan."""
    people = written(tmp_path, f"{ADA},Red;group:green", f"{BOB},green", f"{BOB},BLUE")
    plan = connection.plan(people)
    assert brief(plan) == [("grant", ADA, "green"), ("grant", BOB, "green"), ("grant", BOB, "blue")]
    assert connection.apply(plan, limits=PLENTY).count("changed") == 3
    assert {name: len(members) for name, members in app.members.items()} == {"red": 2, "green": 2, "blue": 2}
    assert connection.plan(people).steps == ()


def test_a_new_account_gets_all_its_roles(connection: Connection, app: Directory, tmp_path: Path) -> None:
    """It is created with the first one, and granted the others."""
    people = written(tmp_path, "eve@example.com,red;green", "eve@example.com,blue")
    plan = connection.plan(people)
    assert brief(plan) == [
        ("create_account", "eve@example.com", "red"),
        ("grant", "eve@example.com", "green"),
        ("grant", "eve@example.com", "blue"),
    ]
    assert connection.apply(plan, limits=PLENTY).count("changed") == 3
    assert all("user:eve" in members for members in app.members.values())
    assert connection.plan(people).steps == ()


def test_a_step_that_was_done_elsewhere_does_not_stop_the_others_of_its_account(
    connection: Connection, app: Directory, tmp_path: Path
) -> None:
    """It is as wanted already, and the rest is carried out."""
    plan = connection.plan(written(tmp_path, f"{BOB},red;green;blue"))
    app.members["green"].add("user:bob")
    assert connection.apply(plan, limits=PLENTY).count("unchanged") == 1
    assert "user:bob" in app.members["blue"]


def test_something_else_given_since_stops_all_steps_of_an_account(
    connection: Connection, app: Directory, tmp_path: Path
) -> None:
    """Nothing is written: it is no longer as it was planned for."""
    plan = connection.plan(written(tmp_path, f"{BOB},green;blue"))
    app.members["red"].discard("user:bob")
    with pytest.raises(GuardRefused, match=r"bob@example\.com holds no role, planned for red"):
        connection.apply(plan, limits=PLENTY)
    assert app.writes() == []


def test_a_role_that_failed_is_given_by_the_same_apply_again(app: Directory, tmp_path: Path) -> None:
    """Whether its account was there or is made by the plan; what was given is not given twice."""
    connector = Creating(app)
    with directory(app, tmp_path, connector) as connection:
        plan = connection.plan(written(tmp_path, f"{BOB},green;blue", "eve@example.com,red;green;blue"))
        connector.refused = "green"
        assert connection.apply(plan, limits=PLENTY).count("failed") == 2
        assert app.members["blue"] == {"user:ada", "user:bob", "user:eve"}
        connector.refused = None
        again = connection.apply(plan, limits=PLENTY)
        assert (again.status, again.count("changed"), app.members["green"]) == ("complete", 2, {"user:bob", "user:eve"})


def test_a_disabled_account_comes_back_once_with_all_its_roles(app: Directory, tmp_path: Path) -> None:
    """What failed is given by the same apply again."""
    connector = Creating(app)
    app.things["user/bob"]["status"] = "disabled"
    with directory(app, tmp_path, connector) as connection:
        plan = connection.plan(written(tmp_path, f"{BOB},red;green;blue"))
        assert brief(plan) == [("grant", BOB, "red"), ("grant", BOB, "green"), ("grant", BOB, "blue")]
        connector.refused = "green"
        assert connection.apply(plan, limits=PLENTY).count("failed") == 1
        connector.refused = None
        assert connection.apply(plan, limits=PLENTY).status == "complete"
        assert all("user:bob" in members for members in app.members.values())


def test_without_an_account_nothing_more_is_granted(app: Directory, tmp_path: Path) -> None:
    """Where the creation failed, further roles are not given to another account of that name."""
    connector = Creating(app)
    with directory(app, tmp_path, connector) as connection:
        plan = connection.plan(written(tmp_path, "eve@example.com,red;green"))
        connector.refused = "red"
        report = connection.apply(plan, limits=PLENTY)
        assert [line.ended for line in report.lines] == ["failed", "differs"]
        assert app.writes() == []


def test_an_undo_takes_each_grant_back(connection: Connection, app: Directory, tmp_path: Path) -> None:
    """And what was held before stays; an account that was made goes."""
    before = {name: set(members) for name, members in app.members.items()}
    people = written(tmp_path, f"{BOB},green;blue", "eve@example.com,red;green")
    connection.apply(connection.plan(people), limits=PLENTY)
    undo = connection.plan()
    assert brief(undo) == [
        ("revoke", BOB, "blue"),
        ("revoke", BOB, "green"),
        ("delete_account", "eve@example.com", None),
    ]
    app.members["red"].discard("user:eve")
    app.members["green"].discard("user:eve")
    assert app.members == {**before, "green": {"user:bob"}, "blue": {"user:ada", "user:bob"}}


def test_a_further_role_of_a_new_account_takes_nothing_from_it(tmp_path: Path) -> None:
    """It is no downgrade, though others exclude it: the account holds only what it was created with."""
    defined = tuple(
        Entitlement(resource=Key("group", name), slug="member", name=name, exclusive=group)
        for name, group in (("low", "level"), ("high", "level"), ("team", None))
    )
    people = read_people(written(tmp_path, f"{ADA},team;low"), known)
    created, granted = Planner(defined, ()).compare(people, prune=False).steps
    assert [(step.effect, step.seats) for step in (created, granted)] == [("create", 0), ("upgrade", 0)]


def test_a_default_role_costs_nothing_where_no_seat_is_paid() -> None:
    """Whether the application decides the role or not."""
    (step,) = Planner((), ()).compare([Wanted(login=ADA)], prune=False).steps
    assert step.seats == 0


# -- exact -----------------------------------------------------------------------------------------------------


def test_exact_takes_away_what_the_file_does_not_name(connection: Connection, app: Directory, tmp_path: Path) -> None:
    """Of the people that it names with a role; the others keep what they have."""
    people = written(tmp_path, f"{ADA},green")
    assert brief(connection.plan(people)) == [("grant", ADA, "green")]
    plan = connection.plan(people, exact=True)
    assert brief(plan) == [("revoke", ADA, "blue"), ("revoke", ADA, "red"), ("grant", ADA, "green")]
    assert connection.apply(plan, limits=PLENTY).count("changed") == 3
    assert app.members == {"red": {"user:bob"}, "green": {"user:ada"}, "blue": set()}
    undo = connection.plan()
    assert connection.apply(undo, limits=PLENTY).count("changed") == 3
    assert app.members == {"red": {"user:ada", "user:bob"}, "green": set(), "blue": {"user:ada"}}


def test_exact_leaves_a_person_without_a_role_in_the_file_alone(connection: Connection, tmp_path: Path) -> None:
    """An empty role still means: as it is. A warning says so."""
    plan = connection.plan(written(tmp_path, f"{ADA},"), exact=True)
    assert (plan.steps, plan.warnings) == ((), (f"no role is named for {ADA}: what is held stays",))


def row(role: str, via: str | None = None) -> AccessRow:
    return AccessRow(
        connection="c", user_id="1", user=ADA, name=None, email=None, status="enabled", resource_type="group",
        role=role, entitlement="member", via=via, confirmed=True, since=None,
    )  # fmt: skip


def test_exact_takes_neither_what_is_inherited_nor_what_cannot_be_revoked(tmp_path: Path) -> None:
    """What stays is named, with the person and the reason; a role that a grant replaces is not revoked besides."""
    own: dict[str, dict[str, Any]] = {
        "low": {"exclusive": "level"}, "high": {"exclusive": "level"}, "base": {"on_revoke": "refused"},
        "seat": {"on_revoke": "removes_account"}, "team": {}, "more": {},
    }  # fmt: skip
    defined = tuple(Entitlement(resource=Key("group", n), slug="member", name=n, **facts) for n, facts in own.items())
    held = accounts_in([row("low"), row("base"), row("seat"), row("team"), row("more", via="group:team")])
    people = read_people(written(tmp_path, f"{ADA},high"), known)
    found = Planner(defined, held).compare(people, prune=False, exact=True)
    assert [(s.kind, s.role and s.role.id) for s in found.steps] == [("grant", "high"), ("revoke", "team")]
    assert found.warnings == (
        f"base stays with {ADA}: it cannot be revoked here",
        f"seat stays with {ADA}: revoking it would remove the account",
    )
    none = Planner(defined, held, can_revoke=False).compare(people, prune=False, exact=True)
    assert [s.kind for s in none.steps] == ["grant"]


def test_exact_keeps_to_limits_and_to_the_protected(tmp_path: Path) -> None:
    """A revocation is a downgrade, and a protected account loses nothing by it."""
    defined = (Entitlement(resource=Key("group", "team"), slug="member", name="Team"),)
    held = accounts_in([row("team")])
    people = read_people(written(tmp_path, f"{ADA},other"), known)
    found = Planner(defined, held, lambda name: name == ADA).compare(people, prune=False, exact=True)
    assert [(s.kind, s.effect) for s in found.kept] == [("revoke", "downgrade")]
    assert [s.kind for s in found.steps] == ["grant"]


# -- size ------------------------------------------------------------------------------------------------------


def test_a_plan_asks_for_pages_only(connection: Connection, app: Directory, tmp_path: Path) -> None:
    """Many people with many groups cost the requests of a sync, and not one for each."""
    for number in range(20):
        app.add("group", f"g{number}")
        app.members[f"g{number}"] = set()
    for number in range(50):
        app.add("user", f"u{number}", login=f"u{number}@example.com")
    groups = ";".join(f"g{number}" for number in range(20))
    people = written(tmp_path, *(f"u{number}@example.com,{groups}" for number in range(50)))
    connection.sync()
    app.asked.clear()
    connection.sync()
    pages = len(app.asked)
    app.asked.clear()
    assert len(connection.plan(people, exact=True).steps) == 1_000
    assert len(app.asked) == pages
