"""The guard's table in docs/completeness.md, at each border: by figures, and by syncs that publish or are held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kit.sync import VIEWER, Script, editor, first, opened, picture, user, users, viewer

from connector_core.clock import rfc3339
from connector_core.model import Entitlement, EntitlementKey, Page, Resource, SyncReport
from connector_core.store.connections import new_event
from connector_core.store.losses import Losses
from connector_core.sync.guard import Guard
from connector_core.testing import FakeClock

DAY = 86_400.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


# -- figures --------------------------------------------------------------------------------------------------------

BORDERS = [  # lost, there, held
    (0, 0, False), (0, 100, False),
    (2, 2, False), (3, 3, True), (3, 4, False),  # all of at least 3
    (9, 9, True), (9, 10, False), (10, 49, True), (10, 50, False), (11, 50, True),  # over 20 %, and at least 10
    (500, 10_000, False), (501, 10_000, True),  # over 500
]  # fmt: skip
KINDS = {"unseen": "accounts", "disabled": "enabled", "renamed": "accounts", "ended": "grants"}


def is_held(now: Losses, earlier: Losses | None = None, guard: Guard | None = None) -> bool:
    return (guard or Guard()).objection(now, earlier=earlier, address_changed=False) is not None


@pytest.mark.parametrize("lost, there, held", BORDERS)
@pytest.mark.parametrize("kind, of", KINDS.items(), ids=KINDS)
def test_each_kind_of_loss_has_the_same_limits(kind: str, of: str, lost: int, there: int, held: bool) -> None:
    """Accounts unseen, disabled or renamed, and grants ended, each of how many there are."""
    assert is_held(Losses(**{kind: lost, of: there})) == held


@pytest.mark.parametrize("lost, there, held", BORDERS)
@pytest.mark.parametrize("kind, of", KINDS.items(), ids=KINDS)
def test_the_last_24_hours_count_with_this_sync(kind: str, of: str, lost: int, there: int, held: bool) -> None:
    """Lost one by one or at once is the same, and without a new loss nothing is held."""
    if lost < 2:
        return
    left = 0 if kind == "renamed" else lost - 1
    now, earlier = Losses(**{kind: 1, of: there - left}), Losses(**{kind: lost - 1, of: there})
    assert is_held(now, earlier) == held
    assert not is_held(Losses(**{of: there}), earlier)


@pytest.mark.parametrize(
    "ended, grants, held",
    [(500, 25_000, False), (501, 25_000, True), (600, 30_000, False), (601, 30_000, True), (4_000, 200_000, False)],
)
def test_of_many_grants_two_in_a_hundred_may_end(ended: int, grants: int, held: bool) -> None:
    """500 of two hundred thousand memberships are an ordinary day."""
    assert is_held(Losses(ended=ended, grants=grants)) == held
    assert is_held(Losses(unseen=ended, accounts=grants)) == (ended > 500)


@pytest.mark.parametrize("moved, accounts, held", [(2, 3, False), (3, 6, False), (3, 5, True), (4, 7, True)])
def test_most_logins_under_other_ids_may_be_another_workspace(moved: int, accounts: int, held: bool) -> None:
    """More than half of the accounts, and at least 3."""
    losses = Losses(unseen=moved, moved=moved, accounts=accounts)
    assert ("another workspace" in str(Guard().objection(losses, address_changed=False))) == held


@pytest.mark.parametrize(
    "limits, lost, there, held",
    [
        ({"share": 0.5}, 50, 100, False), ({"share": 0.5}, 51, 100, True),
        ({"share": 0.29}, 29, 100, False), ({"share": 0.29}, 30, 100, True),
        ({"share": 0}, 9, 1000, False), ({"share": 0}, 10, 1000, True),
        ({"share": 1}, 99, 100, False), ({"share": 1}, 100, 100, True),
        ({"most": 20}, 20, 1000, False), ({"most": 20}, 21, 1000, True),
        ({"most": 0}, 1, 1000, True), ({"most": 9000, "share": 1}, 9000, 10_000, False),
    ],
)  # fmt: skip
def test_a_connection_moves_the_limits(limits: dict[str, Any], lost: int, there: int, held: bool) -> None:
    """`share` and `most` are its own; all of at least 3 stays."""
    assert is_held(Losses(unseen=lost, accounts=there), guard=Guard(**limits)) == held


# -- syncs ----------------------------------------------------------------------------------------------------------

NAMES = [f"u{n}" for n in range(50)]
EVERYTHING = Entitlement(resource=VIEWER.resource, slug="everything", name="Everything", on_revoke="removes_account")


def sync(
    db: Path,
    clock: FakeClock,
    people: list[Resource],
    roles: tuple[Any, ...] = (),
    *,
    accept: bool = False,
    **more: Any,
) -> SyncReport:
    page = Page(resources=tuple(people), grants=roles, total=len(people), entitlements=(EVERYTHING,))
    return Script({None: first("users"), ("users", 0): page}).connect(db, clock=clock, **more).sync(
        accept_removals=accept
    )  # fmt: skip


def gone(n: int) -> list[Resource]:
    return [user(name) for name in NAMES[n:]]


def off(n: int) -> list[Resource]:
    return [user(name, status="disabled" if i < n else "enabled") for i, name in enumerate(NAMES)]


def renamed(n: int) -> list[Resource]:
    return [user(name, login=f"{name}@{'new' if i < n else 'example'}.com") for i, name in enumerate(NAMES)]


WAYS = {"unseen": gone, "disabled": off, "renamed": renamed}
SAID = {"unseen": "no longer listed", "disabled": "are disabled now", "renamed": "bear another login"}


@pytest.mark.parametrize("kind", WAYS)
def test_ten_of_fifty_may_leave_and_eleven_are_held(db: Path, clock: FakeClock, kind: str) -> None:
    """By each way; what is held says how many of what, and changes nothing."""
    sync(db, clock, gone(0))
    report = sync(db, clock, WAYS[kind](11))
    assert report.sync.status == "held" and f"11 of 50 {'enabled ' * (kind == 'disabled')}accounts" in str(
        report.sync.reason
    )
    assert SAID[kind] in str(report.sync.reason)
    assert sync(db, clock, gone(0)).changes.total == 0
    assert sync(db, clock, WAYS[kind](10)).sync.status == "complete"


@pytest.mark.parametrize("kind", WAYS)
@pytest.mark.parametrize("hours, held", [(0, True), (23.99, True), (24, False)])
def test_losses_of_a_day_count_together(db: Path, clock: FakeClock, kind: str, hours: float, held: bool) -> None:
    """Six and then five of fifty are eleven, within 24 hours."""
    sync(db, clock, gone(0))
    clock.advance(DAY * 2)
    assert sync(db, clock, WAYS[kind](6)).sync.status == "complete"
    clock.advance(hours * 3600)
    report = sync(db, clock, WAYS[kind](11))
    assert (report.sync.status == "held") == held
    assert ("6 of them" in str(report.sync.reason) and "24 hours" in str(report.sync.reason)) == held


@pytest.mark.parametrize("hours, held", [(0, True), (24, False)])
def test_grants_of_a_day_count_together(db: Path, clock: FakeClock, hours: float, held: bool) -> None:
    """As accounts do: six and then five of fifty."""

    def grants(ended: int) -> SyncReport:
        return sync(db, clock, gone(0), tuple(viewer(n) if i < ended else editor(n) for i, n in enumerate(NAMES)))

    grants(0)
    assert grants(6).sync.status == "complete"
    clock.advance(hours * 3600)
    assert (grants(11).sync.status == "held") == held


def test_what_has_come_back_counts_no_more(db: Path, clock: FakeClock) -> None:
    """The losses of a day are those that are lost still."""
    sync(db, clock, gone(0))
    for way in WAYS.values():
        for n in (10, 0, 10, 0):
            assert sync(db, clock, way(n)).sync.status == "complete" or way is renamed


@pytest.mark.parametrize("kind", WAYS)
def test_accepting_accepts_what_was_named_and_nothing_else(db: Path, clock: FakeClock, kind: str) -> None:
    """Of each kind; and what was accepted counts no more in the day that follows."""
    sync(db, clock, gone(0))
    assert sync(db, clock, WAYS[kind](20)).sync.status == "held"
    report = sync(db, clock, WAYS[kind](31), accept=True)
    assert report.sync.status == "held" and "11 of 50" in str(report.sync.reason)
    assert sync(db, clock, WAYS[kind](31), accept=True).sync.status == "complete"
    assert sync(db, clock, WAYS[kind](32)).sync.status == "complete"


def test_a_login_that_is_another_one_again_was_not_accepted(db: Path, clock: FakeClock) -> None:
    """A name that was accepted is that name, not any."""
    sync(db, clock, gone(0))
    assert sync(db, clock, renamed(20)).sync.status == "held"
    other = [user(n, login=f"{n}@other.com") for n in NAMES[:20]] + [user(n) for n in NAMES[20:]]
    assert sync(db, clock, other, accept=True).sync.status == "held"


def test_a_login_in_another_case_is_the_same(db: Path, clock: FakeClock) -> None:
    """Who is who is decided as everywhere else."""
    sync(db, clock, gone(0))
    shouted = [user(n, login=f" {n}@EXAMPLE.com") for n in NAMES]
    assert sync(db, clock, shouted).sync.status == "complete"


def test_people_who_were_disabled_before_do_not_count(db: Path, clock: FakeClock) -> None:
    """The share is one of those that were enabled."""
    sync(db, clock, [user("a"), user("b"), user("c"), *(user(n, status="disabled") for n in NAMES)])
    everybody = [user(n, status="disabled") for n in ("a", "b", "c", *NAMES)]
    report = sync(db, clock, everybody)
    assert report.sync.status == "held" and "3 of 3 enabled accounts" in str(report.sync.reason)


def test_the_same_people_under_other_ids_are_held(db: Path, clock: FakeClock) -> None:
    """Too few for the other limits; the sync says that it may be another workspace, and a person can accept it."""
    sync(db, clock, [user(n) for n in NAMES[:8]])
    other = [user(f"x{n}", login=f"{n}@example.com") for n in NAMES[:5]] + [user(n) for n in NAMES[5:8]]
    report = sync(db, clock, other)
    assert report.sync.status == "held" and "5 of 8 accounts are listed under another id" in str(report.sync.reason)
    assert "another workspace" in str(report.sync.reason)
    assert sync(db, clock, other, accept=True).sync.status == "complete"


def test_what_operations_asked_for_is_no_loss(db: Path, clock: FakeClock) -> None:
    """A list that still showed people after they were deleted or disabled here may lose them all at once."""
    sync(db, clock, gone(0))
    ask(db, clock, "delete_account", NAMES[:20])
    assert sync(db, clock, gone(20)).sync.status == "complete"
    ask(db, clock, "revoke", NAMES[20:40], EVERYTHING.key)
    people = [user(n, status="disabled" if 20 <= i < 40 else "enabled") for i, n in enumerate(NAMES)][20:]
    assert sync(db, clock, people).sync.status == "complete"
    assert sync(db, clock, [user(n, status="disabled") for n in NAMES[20:]]).sync.status == "held"


def test_an_operation_excuses_no_loss_that_it_did_not_ask_for(db: Path, clock: FakeClock) -> None:
    """Whose viewer role was revoked here may lose that grant, and neither be disabled nor lose another role."""
    both = (*(editor(n) for n in NAMES), *(viewer(n) for n in NAMES))
    sync(db, clock, gone(0), both)
    ask(db, clock, "revoke", NAMES[:25], VIEWER)
    assert sync(db, clock, off(25), both).sync.status == "held"
    report = sync(db, clock, gone(0), both[25:])
    assert report.sync.status == "held" and "25 of 100 grants" in str(report.sync.reason)
    assert sync(db, clock, gone(0), (*both[:50], *both[75:])).sync.status == "complete"
    ask(db, clock, "grant", NAMES, VIEWER)
    assert sync(db, clock, gone(0), both[75:]).sync.status == "complete"  # of one exclusive group


def test_a_grant_made_here_excuses_no_other(db: Path, clock: FakeClock) -> None:
    """What was granted within the day may be lost no more easily than anything else."""
    sync(db, clock, gone(0), tuple(editor(n) for n in NAMES))
    ask(db, clock, "grant", NAMES, EVERYTHING.key)
    assert sync(db, clock, gone(0)).sync.status == "held"


def ask(db: Path, clock: FakeClock, kind: str, names: list[str], what: EntitlementKey | None = None) -> None:
    """As the journal stands after these operations."""
    now = rfc3339(clock.now())
    with opened(db) as connection:
        for name in names:
            connection.execute(
                "INSERT INTO journal (id, connection, kind, state, outcome, type, account, login, who, created, "
                "finished, holder, resource_type, role, entitlement) "
                "VALUES (?, 1, ?, 'done', 'changed', 'user', ?, ?, 'me', ?, ?, '', ?, ?, ?)",
                (
                    new_event(connection, 1, "operation"), kind, name, f"{name}@example.com", now, now,
                    *(what or (None, None, None)),
                ),
            )  # fmt: skip


@pytest.mark.parametrize("status", ["unknown", "pending"])
def test_disabled_in_two_steps_is_disabled(db: Path, clock: FakeClock, status: str) -> None:
    """Accounts that were enabled within the day and are disabled now count, whatever they were in between."""
    sync(db, clock, gone(0))
    sync(db, clock, [user(n, status=status) for n in NAMES])
    report = sync(db, clock, off(50))
    assert report.sync.status == "held" and "50 of 50 enabled accounts are disabled now" in str(report.sync.reason)
    clock.sleep(DAY + 1)
    assert sync(db, clock, off(50)).sync.status == "complete"


def test_who_was_renamed_back_has_come_back(db: Path, clock: FakeClock) -> None:
    """Logins that were changed and changed back within the day do not count with those that are changed later."""
    for people in (gone(0), renamed(9), gone(0)):
        assert sync(db, clock, people).sync.status == "complete"
    others = [user(n, login=f"{n}@{'new' if i > 46 else 'example'}.com") for i, n in enumerate(NAMES)]
    assert sync(db, clock, others).sync.status == "complete"


def test_the_share_is_one_of_what_was_there_before_the_day(db: Path, clock: FakeClock) -> None:
    """Of 50 accounts 10 may leave in two syncs, also where the first sync ever was on the same day."""
    for people in (gone(0), gone(9), gone(10)):
        assert sync(db, clock, people).sync.status == "complete"
    assert sync(db, clock, gone(11)).sync.status == "held"


def test_a_connections_own_limits_are_in_force(db: Path, clock: FakeClock) -> None:
    """`guard` of a connection, here as an argument of `Host.connection`."""
    script = Script({None: first("users"), ("users", 0): users(*NAMES)})
    host = script.connect(db, clock=clock).host  # type: ignore[attr-defined]
    host.connection("script").sync()
    script.pages["users", 0] = users(*NAMES[2:], total=48)
    assert host.connection("script", guard={"most": 1}).sync().sync.status == "held"
    script.pages["users", 0] = users(*NAMES[20:], total=30)
    assert host.connection("script", guard={"share": 0.4}).sync().sync.status == "complete"
    assert len(picture(host.connection("script"))) == 30
