"""Comparing what is wanted with the picture: steps, their effect on paid seats, their order, limits, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from connector_core.errors import GuardRefused, UsageError
from connector_core.model import AccessRow, Entitlement, EntitlementKey, Key, Status
from connector_core.provision.people_file import Wanted
from connector_core.provision.plan import Limits, Plan, Step
from connector_core.provision.planner import Past, Planner, accounts_in
from connector_core_whimsical import roles

EDITOR, VIEWER = roles.EDITOR, roles.VIEWER
ROLES = {"editor": EDITOR, "viewer": VIEWER, None: None}
GROUP = Entitlement(resource=Key("group", "g1"), slug="member", name="Group")


def row(login: str, role: str | None, status: Status = "enabled", **facts: Any) -> AccessRow:
    key = ROLES[role]
    held = {"resource_type": key and key.type, "role": key and key.id, "entitlement": key and key.slug}
    plain = {"user_id": f"id-{login}", "user": login, "email": login, "name": None, "via": None, "since": None}
    return AccessRow(**{"connection": "c", "status": status, "confirmed": True, **plain, **held, **facts})


def planner(*rows: AccessRow, protected: Callable[[str], bool] = lambda name: False) -> Planner:
    return Planner((*roles.entitlements("deactivate"), GROUP), accounts_in(rows), protected)


def want(login: str, role: str | None = None) -> Wanted:
    return Wanted(login=login, role=ROLES[role])


def brief(step: Step) -> tuple[str, str, str, int | None]:
    return (step.kind, step.user, step.effect, step.seats)


def steps(planning: Planner, *people: Wanted, prune: bool = False) -> list[tuple[str, str, str, int | None]]:
    return [brief(step) for step in planning.compare(people, prune=prune).steps]


def plan_of(*steps: Step, accounts: int = 100) -> Plan:
    return Plan(
        connection="c", connector="whimsical", address="a", picture=1, created="2026-01-01T00:00:00Z",
        accounts=accounts, steps=steps,
    ).sealed()  # fmt: skip


# -- steps and seats -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        ("viewer", "editor", [("grant", "a@x.example", "upgrade", 1)]),
        ("editor", "viewer", [("grant", "a@x.example", "downgrade", -1)]),
        ("editor", "editor", []),
        ("editor", None, []),
        (None, "editor", [("grant", "a@x.example", "upgrade", 1)]),
        (None, "viewer", [("grant", "a@x.example", "change", None)]),
    ],
)
def test_a_role_is_absolute(held: str | None, wanted: str | None, expected: list[Any]) -> None:
    """One grant where the role differs; with an unreadable one, what it does to seats is not known (P19)."""
    assert steps(planner(row("a@x.example", held)), want("A@X.example".lower(), wanted)) == expected


def test_w8_who_is_not_there_is_created_and_the_default_role_may_cost() -> None:
    """With no role asked for, the application decides whether it takes a paid seat."""
    found = steps(planner(), want("a@x.example", "editor"), want("b@x.example", "viewer"), want("c@x.example"))
    assert found == [
        ("create_account", "a@x.example", "create", 1),
        ("create_account", "b@x.example", "create", 0),
        ("create_account", "c@x.example", "create", None),
    ]


def test_a_disabled_account_comes_back() -> None:
    """By its id, and with the role asked for, or the one it will turn out to have."""
    planning = planner(row("a@x.example", None, "disabled"), row("b@x.example", None, "disabled"))
    back, as_was = planning.compare([want("a@x.example", "editor"), want("b@x.example")], prune=False).steps
    assert (back.kind, back.user_id, back.before, back.effect, back.seats) == (
        "grant",
        "id-a@x.example",
        None,
        "create",
        1,
    )
    assert (as_was.kind, as_was.user_id, as_was.seats) == ("create_account", "id-b@x.example", None)


def test_a_name_is_compared_in_any_case_and_by_email_too() -> None:
    """The application may write it otherwise (P28)."""
    planning = planner(row("ADA", "viewer", email="Ada@X.example"))
    assert steps(planning, want("ada@x.example", "viewer"), prune=True) == []


def test_absent_people_are_left_alone_unless_pruned() -> None:
    """A disabled account is gone already."""
    rows = row("a@x.example", "editor"), row("b@x.example", "viewer"), row("c@x.example", None, "disabled")
    assert steps(planner(*rows), want("b@x.example")) == []
    assert steps(planner(*rows), want("b@x.example"), prune=True) == [("delete_account", "a@x.example", "remove", -1)]


def test_p69_two_accounts_of_one_name_are_not_touched() -> None:
    """Neither is guessed at, nor pruned: the line is an error that names both ids."""
    planning = planner(row("a@x.example", "viewer", user_id="1"), row("A@X.example", "viewer", user_id="2"))
    with pytest.raises(UsageError, match=r"a@x.example \(id 1\), A@X.example \(id 2\)"):
        planning.compare([want("a@x.example", "editor")], prune=True)


def test_p60_an_old_disabled_account_does_not_stand_in_the_way_of_its_successor() -> None:
    """Somebody created again has a new id; the old row says nothing about them."""
    for rows in ([0, 1], [1, 0]):
        both = row("a@x.example", None, "disabled", user_id="old"), row("a@x.example", "viewer", user_id="new")
        (step,) = planner(*(both[n] for n in rows)).compare([want("a@x.example", "editor")], prune=False).steps
        assert (step.user_id, step.before) == ("new", (VIEWER,))


def test_two_lines_for_one_account_are_an_error() -> None:
    """An address that is only the e-mail of an account stands for no other person, and never for that account twice."""
    planning = planner(
        row("ada", "viewer", email="a.king@x.example"), row("bo@x.example", "viewer", email="b@x.example")
    )
    for lines in (["b@x.example"], ["bo@x.example", "b@x.example"]):
        with pytest.raises(UsageError, match=r"b@x.example is the e-mail of another account, .* bo@x.example \(id"):
            planning.compare([want(line, "editor") for line in lines], prune=False)
    assert steps(planning, want("a.king@x.example", "editor")) == [("grant", "ada", "upgrade", 1)]
    with pytest.raises(UsageError, match="are both the account with the id id-ada"):
        planning.compare([want("a.king@x.example", "editor"), want("ADA", "editor")], prune=False)


def test_what_is_inherited_is_not_held() -> None:
    """A role that comes by a group is the group's to give."""
    (step,) = (
        planner(row("a@x.example", "viewer", via="group:g1"))
        .compare([want("a@x.example", "viewer")], prune=False)
        .steps
    )
    assert step.before == ()


def test_the_order_frees_seats_before_it_takes_them_and_removes_last() -> None:
    """Whatever the order of the lines."""
    planning = planner(row("up@x.example", "viewer"), row("down@x.example", "editor"), row("out@x.example", "editor"))
    people = [want("new@x.example", "editor"), want("up@x.example", "editor"), want("down@x.example", "viewer")]
    plan = plan_of(*planning.compare(people, prune=True).steps)
    assert [step.user.partition("@")[0] for step in plan.ordered()] == ["down", "new", "up", "out"]
    assert (plan.seats, plan.upgrades, plan.removals) == (0, 2, 1)


# -- protected -------------------------------------------------------------------------------------------------


def test_protected_accounts_are_kept_and_shown() -> None:
    """Neither pruned nor downgraded, not where the role cannot be read either; an upgrade takes nothing."""
    rows = [row(f"{n}@x.example", role) for n, role in enumerate(["editor", "editor", None, "viewer"])]
    planning = planner(*rows, protected=lambda name: name.endswith("@x.example"))
    people = [want("1@x.example", "viewer"), want("2@x.example", "viewer"), want("3@x.example", "editor")]
    found = planning.compare(people, prune=True)
    assert [step.user for step in found.steps] == ["3@x.example"]
    assert [step.user for step in found.kept] == ["1@x.example", "2@x.example", "0@x.example"]
    allowed = planning.compare(people, prune=True, include_protected=True)
    assert (len(allowed.steps), allowed.kept) == (4, ())


@pytest.mark.parametrize("name", ["login@x.example", "mail@x.example", "id-login@x.example"])
def test_protection_is_by_login_email_or_id(name: str) -> None:
    """Whichever of them the setting names."""
    planning = planner(row("login@x.example", "editor", email="mail@x.example"), protected=lambda n: n == name)
    assert planning.compare([], prune=True).steps == ()


# -- limits ----------------------------------------------------------------------------------------------------


def removals(count: int, accounts: int) -> Plan:
    planning = planner(*(row(f"{n}@x.example", "viewer") for n in range(count)))
    return plan_of(*planning.compare([], prune=True).steps, accounts=accounts)


@pytest.mark.parametrize(("count", "accounts"), [(1, 1), (1, 2), (2, 10), (10, 50), (10, 9_000)])
def test_removals_within_the_limits(count: int, accounts: int) -> None:
    """One always; up to ten, and up to a fifth of all."""
    Limits().check(removals(count, accounts))


@pytest.mark.parametrize(("count", "accounts"), [(2, 2), (2, 9), (3, 14), (11, 9_000)])
def test_removals_above_a_limit(count: int, accounts: int) -> None:
    """Refused with the switch that allows it, which then is the only limit."""
    plan = removals(count, accounts)
    with pytest.raises(GuardRefused) as caught:
        Limits().check(plan)
    assert f"--max-removals {count}" in str(caught.value.hint)
    Limits(max_removals=count).check(plan)
    with pytest.raises(GuardRefused):
        Limits(max_removals=count - 1).check(plan)


def test_paid_upgrades_have_a_limit_of_their_own() -> None:
    """Ten, creations as editors included; `--max-upgrades` raises it."""
    planning = planner(*(row(f"{n}@x.example", "viewer") for n in range(6)))
    people = [want(f"{n}@x.example", "editor") for n in range(11)]
    plan = plan_of(*planning.compare(people, prune=False).steps)
    with pytest.raises(GuardRefused, match="takes 11 paid seats"):
        Limits().check(plan)
    Limits(max_upgrades=11).check(plan)
    Limits().check(plan_of(*plan.steps[:10]))


# -- whether a plan still fits ---------------------------------------------------------------------------------


def difference(step: Step, *rows: AccessRow, came_back: bool = False) -> str | None:
    return planner(*rows).difference(step, lambda _: came_back)


def step_for(person: Wanted, *rows: AccessRow) -> Step:
    (step,) = planner(*rows).compare([person], prune=False).steps
    return step


def test_an_account_as_planned_or_as_wanted_fits() -> None:
    """As when the plan was made, or as it is to become."""
    step = step_for(want("a@x.example", "editor"), row("a@x.example", "viewer"))
    assert difference(step, row("a@x.example", "viewer")) is None
    assert difference(step, row("a@x.example", "editor")) is None
    assert "holds no role, planned for viewer" in str(difference(step, row("a@x.example", None)))
    assert "is gone" in str(difference(step))
    assert "is gone" in str(difference(step, row("a@x.example", None, "disabled")))
    assert "another account now" in str(difference(step, row("a@x.example", "viewer", user_id="new")))


def test_a_creation_fits_where_nobody_is_or_somebody_as_wanted() -> None:
    """Somebody there with another role is neither."""
    step = step_for(want("a@x.example", "viewer"))
    assert difference(step) is None
    assert difference(step, row("a@x.example", "viewer")) is None
    assert difference(step, row("a@x.example", None)) is None, "what cannot be read may be ours"
    assert "holds editor" in str(difference(step, row("A@x.example", "editor")))
    assert "disabled" in str(difference(step, row("a@x.example", None, "disabled")))
    assert difference(step_for(want("a@x.example")), row("a@x.example", "editor")) is None


def test_a_removal_fits_where_they_are_gone_already() -> None:
    """But not where somebody else has the name now, nor where their role changed."""
    (step,) = planner(row("a@x.example", "viewer")).compare([], prune=True).steps
    assert difference(step) is None
    assert difference(step, row("a@x.example", "viewer")) is None
    assert "holds editor" in str(difference(step, row("a@x.example", "editor")))
    assert "another account now" in str(difference(step, row("a@x.example", "viewer", user_id="new")))


def test_coming_back_fits_where_they_are_disabled_or_came_back_by_us() -> None:
    """Between enabling and granting the role may be the old one: only the journal knows whose work that is."""
    step = step_for(want("a@x.example", "viewer"), row("a@x.example", None, "disabled"))
    assert difference(step, row("a@x.example", None, "disabled")) is None
    assert difference(step, row("a@x.example", "viewer")) is None
    assert "is enabled and holds editor" in str(difference(step, row("a@x.example", "editor")))
    assert difference(step, row("a@x.example", "editor"), came_back=True) is None
    assert "is gone" in str(difference(step))


# -- taking back -----------------------------------------------------------------------------------------------


def undo(planning: Planner, **past: Any) -> list[tuple[str, str, str, int | None]]:
    return [brief(step) for step in planning.undo([Past(user="a@x.example", user_id="id-a@x.example", **past)]).steps]


def test_a_creation_is_taken_back_by_removal() -> None:
    """As long as the account is there."""
    assert undo(planner(row("a@x.example", "editor"))) == [("delete_account", "a@x.example", "remove", -1)]
    assert undo(planner()) == []
    assert undo(planner(row("a@x.example", None, "disabled"))) == []


def test_a_deletion_is_taken_back_with_names_and_role() -> None:
    """Created again, unless somebody did that already."""
    past = Past(user="a@x.example", user_id="old", held=frozenset({EDITOR}), given_name="Ada", family_name="King")
    (step,) = planner().undo([past]).steps
    assert (step.kind, step.role, step.given_name, step.family_name) == ("create_account", EDITOR, "Ada", "King")
    assert planner(row("a@x.example", "viewer")).undo([past]).steps == ()


def test_a_grant_is_taken_back_while_it_is_in_force() -> None:
    """To what it replaced; whoever holds something else by now was changed by somebody since."""
    past = {"held": frozenset({VIEWER}), "granted": EDITOR}
    assert undo(planner(row("a@x.example", "editor")), **past) == [("grant", "a@x.example", "downgrade", -1)]
    assert undo(planner(row("a@x.example", "viewer")), **past) == []


def test_a_grant_that_replaced_nothing() -> None:
    """One beside others is revoked; of an exclusive one nobody knows what was before, and it stays."""
    member = evolve(row("a@x.example", None), resource_type="group", role="g1", entitlement="member")
    assert undo(planner(member), held=frozenset(), granted=GROUP.key) == [("revoke", "a@x.example", "downgrade", 0)]
    planning = planner(row("a@x.example", "editor"))
    found = planning.undo([Past(user="a@x.example", held=frozenset(), granted=EDITOR)])
    assert found.steps == ()
    assert "is not known; it stays" in found.warnings[0]


def test_a_revocation_is_taken_back() -> None:
    """By granting again what was taken."""
    past = {"held": frozenset({EDITOR}), "revoked": EDITOR}
    assert undo(planner(row("a@x.example", "viewer")), **past) == [("grant", "a@x.example", "upgrade", 1)]
    assert undo(planner(row("a@x.example", "editor")), **past) == []


def test_a_step_that_says_less_than_it_does_is_told_apart() -> None:
    """Effect and seats follow from what a step does: a file made by hand cannot claim others."""
    planning = planner(row("a@x.example", "editor"))
    (step,) = planning.compare([], prune=True).steps
    assert planning.weigh(step) == ("remove", -1)
    assert planning.weigh(evolve(step, effect="change", seats=0)) == ("remove", -1)


def test_an_unknown_entitlement_costs_nothing_that_is_known() -> None:
    """A role that the connector does not describe is granted all the same."""
    other = EntitlementKey("role", "other", "assigned")
    (step,) = (
        planner(row("a@x.example", "viewer")).compare([Wanted(login="a@x.example", role=other)], prune=False).steps
    )
    assert (step.effect, step.seats) == ("upgrade", 0)
