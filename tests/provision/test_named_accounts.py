"""Which account a command changes: by login in any spelling, by id, by e-mail; and none where that cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from kit.provision import ADA, BOB, Scene, answer, scene

from connector_core.errors import AmbiguousName, ApplicationError, UnknownName, UsageError

ALICE = "alice@example.com"
SHARP, PLAIN = "anna.wei\u00df@example.com", "anna.weiss@example.com"

synced = pytest.mark.parametrize("synced", [False, True])


def by_letters(login: str) -> str:
    """How a server compares logins that knows upper from lower case."""
    return login


def begin(here: Scene, synced: bool) -> None:
    if synced:
        here.connection.sync()


def every_command(here: Scene) -> list[Callable[[str], object]]:
    connection = here.connection
    return [
        lambda user: connection.delete_account(user, yes=True),
        lambda user: connection.grant("editor", user),
        lambda user: connection.revoke("viewer", user, yes=True),
    ]


@synced
@pytest.mark.parametrize(
    ("typed", "stored"), [(SHARP, PLAIN), (PLAIN, SHARP), ("mi\u212ae@x.example", "mike@x.example")]
)
def test_another_name_is_another_account(tmp_path: Path, synced: bool, typed: str, stored: str) -> None:
    """What only case folding makes the same is never written to, whether the filter or the list is read."""
    with scene(tmp_path, {stored: False, BOB: False}) as here:
        begin(here, synced)
        for filters in (True, False):
            if not filters:
                here.faults.on("GET", answer(400, {"detail": "no filters"}), path="filter")
            for ask in every_command(here):
                with pytest.raises(UnknownName):
                    ask(typed)
        assert here.faults.writes() == {}


@synced
@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("Ann.Smith@Example.com", "ann.smith@example.com"), ("ann@example.com", "Ann@Example.com"),
        ("jose\u0301@example.com", "Jos\u00e9@example.com"), ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@B\u00fccher.example"),
    ],
)  # fmt: skip
def test_an_account_is_found_in_any_spelling(tmp_path: Path, synced: bool, stored: str, typed: str) -> None:
    """Also where the filter compares letter by letter: then the list is read, and nobody is created a second time."""
    with scene(tmp_path, {BOB: False, stored: False}, same=by_letters) as here:
        begin(here, synced)
        assert here.connection.grant("editor", typed).user_id == here.id(stored)
        assert here.connection.create_account(typed).outcome == "unchanged"
        assert len(here.workspace.users()) == 2


def test_a_filter_that_knows_upper_case_is_found_out_once(tmp_path: Path) -> None:
    """The list is read once in a command, for as many creations as there are."""
    with scene(tmp_path, {"Bob@example.com": False}, same=by_letters) as here:
        here.connection.sync()
        people = tmp_path / "people.csv"
        people.write_text("email\nbob@example.com\n" + "".join(f"new{n}@example.com\n" for n in range(4)))
        plan = here.connection.plan(people)
        here.faults.requests.clear()
        here.connection.apply(plan)
        listings = [path for _, path in here.faults.requests if "startIndex=1&count=100" in path]
        assert len(here.workspace.users()) == 5
        assert len(listings) <= 2  # the sync's, and that of the spellings


@synced
def test_an_id_that_is_anothers_login_is_ambiguous(tmp_path: Path, synced: bool) -> None:
    """Each is named with its id, and nothing is written; `type:id` names the account of that id."""
    with scene(tmp_path) as here:
        here.workspace.add(ALICE, id=BOB, email=ALICE, role=False)
        begin(here, synced)
        for ask in every_command(here):
            with pytest.raises(AmbiguousName, match=rf"\(id {here.id(BOB)}\), .*\(id {BOB}\)"):
                ask(BOB)
        assert here.faults.writes() == {}
        assert here.connection.grant("editor", f"user:{BOB}").user == ALICE
        assert here.connection.grant("editor", f"user:{here.id(BOB)}").user == BOB


def test_an_id_of_an_account_that_left_stands_in_no_ones_way(tmp_path: Path) -> None:
    """Its login is another account's now, which is the one that is meant."""
    with scene(tmp_path) as here:
        here.workspace.add(ALICE, id=BOB, email=ALICE, role=False)
        here.connection.sync()
        here.workspace.remove(BOB)
        here.connection.sync()
        assert here.connection.grant("editor", BOB).user_id == here.id(BOB)
        assert here.connection.delete_account(BOB, yes=True).outcome == "changed"


@synced
def test_an_email_names_an_account_where_no_login_does(tmp_path: Path, synced: bool) -> None:
    """Of the picture, and as it reads now; where two have it, both are named."""
    with scene(tmp_path, {ADA: True}) as here:
        here.workspace.add("cy", email="cyrus@example.com", role=False)
        here.connection.sync()
        assert here.connection.grant("editor", "Cyrus@example.com").user == "cy"
        here.workspace.add("cyril", email="cyrus@example.com", role=False)
        here.connection.sync()
        with pytest.raises(AmbiguousName, match="cyril"):
            here.connection.grant("viewer", "cyrus@example.com")


def test_the_old_login_says_who_bears_it_now(tmp_path: Path) -> None:
    """Not that there is no account, which a new one would be made for."""
    with scene(tmp_path) as here:
        here.connection.sync()
        bob = here.workspace.find(BOB)
        assert bob is not None
        here.workspace.replace(evolve(bob, login="robert@example.com", email="robert@example.com"))
        for after_a_sync in (False, True):
            begin(here, after_a_sync)
            for ask in every_command(here):
                with pytest.raises(AmbiguousName, match=rf"{BOB} is called robert@example.com now \(id {bob.id}\)"):
                    ask(BOB)
        assert here.faults.writes() == {}


def test_an_account_under_a_login_of_earlier_is_made_with_a_warning(tmp_path: Path) -> None:
    """The person may be there already: by the command and in a plan the account that had the login is named."""
    with scene(tmp_path) as here:
        here.connection.sync()
        bob = here.workspace.find(BOB)
        assert bob is not None
        here.workspace.replace(evolve(bob, login="robert@example.com", email="robert@example.com"))
        people = tmp_path / "people.csv"
        people.write_text(f"email\n{BOB}\n")
        told = f"{BOB} is called robert@example.com (id {bob.id}) now"
        assert here.connection.plan(people).warnings == (f"{told}; a new account is planned",)
        assert told in here.connection.create_account(BOB).warnings
        assert here.connection.plan(people).warnings == ()


def test_what_is_made_again_bears_the_name_that_it_had(tmp_path: Path) -> None:
    """No letter outside ASCII is sent as one inside: the Kelvin sign is never written as a k."""
    kelvin = "mi\u212ae@example.com"
    with scene(tmp_path, {ADA: True, kelvin: False}, same=by_letters) as here:
        people = tmp_path / "people.csv"
        people.write_text(f"email\n{ADA}\n")
        here.connection.apply(here.connection.plan(people, prune=True), yes=True)
        assert here.truth() == {ADA: "editor"}
        here.connection.apply(here.connection.plan(), yes=True)
        assert here.truth() == {ADA: "editor", kelvin: "viewer"}


@synced
def test_disabled_twins(tmp_path: Path, synced: bool) -> None:
    """The enabled one is meant where only one is; where none is, each is named with its id."""
    with scene(tmp_path, {BOB: False}, same=by_letters) as here:
        old = [here.workspace.add(login, active=False).id for login in ("Cy@example.com", "cy@example.com")]
        begin(here, synced)
        with pytest.raises(AmbiguousName, match=rf"id ({old[0]}|{old[1]})\), .*id ({old[0]}|{old[1]})\)"):
            here.connection.grant("editor", "Cy@example.com")
        new = here.workspace.add("CY@example.com", role=False)
        begin(here, synced)
        assert here.connection.grant("editor", "CY@example.com").user_id == new.id


@pytest.mark.parametrize(
    "text", ["ann@example.com;", "<ann@example.com>", "mailto:ann@example.com", "ann@exa mple.com"]
)
def test_what_is_no_address_is_not_created(tmp_path: Path, text: str) -> None:
    """Neither by the command nor by a line of a file, which is named; nothing is asked of the application."""
    with scene(tmp_path) as here:
        with pytest.raises(UsageError, match="is no e-mail address"):
            here.connection.create_account(text)
        assert here.faults.requests == []
        people = tmp_path / "people.csv"
        people.write_text(f"email\n{ADA}\n{text}\n")
        with pytest.raises(UsageError, match=r"line 3: .* is no e-mail address"):
            here.connection.plan(people)


def test_a_plan_takes_two_spellings_for_one_person(tmp_path: Path) -> None:
    """White space around a login, another composition, another writing of the domain: one account, no step."""
    stored = "ann@example.com\u00a0", "jose\u0301@example.com", "d@b\u00fccher.example"
    typed = "Ann@example.com", "Jos\u00e9@example.com", "d@xn--bcher-kva.example"
    with scene(tmp_path, dict.fromkeys(stored, False)) as here:
        people = tmp_path / "people.csv"
        people.write_text("email,role\n" + "".join(f"{login},viewer\n" for login in typed), "utf-8")
        plan = here.connection.plan(people, prune=True)
        assert (plan.steps, plan.kept, plan.unchanged) == ((), (), 3)


def test_a_line_that_means_two_accounts_is_an_error(tmp_path: Path) -> None:
    """Of one the login and of another the id or the e-mail: the line is named, and nobody is guessed at."""
    with scene(tmp_path) as here:
        here.workspace.add(ALICE, id=BOB, email=ALICE, role=False)
        here.workspace.add("carl@example.com", email="ann@example.com", role=False)
        people = tmp_path / "people.csv"
        for line, message in ((BOB, rf"line 2: .*\(id {BOB}\)"), ("ann@example.com", "line 2: .* carl@example.com")):
            people.write_text(f"email,role\n{line},editor\n")
            with pytest.raises(UsageError, match=message):
                here.connection.plan(people, prune=True)


@synced
def test_a_key_names_an_id_and_never_a_login(tmp_path: Path, synced: bool) -> None:
    """`type:LOGIN` is an unknown id, and no proof that the account of that login is gone."""
    with scene(tmp_path) as here:
        begin(here, synced)
        for ask in every_command(here):
            with pytest.raises(UnknownName, match=f"no account with the id '{BOB}'") as refused:
                ask(f"user:{BOB}")
            assert refused.value.hint is not None
            assert "without user:" in refused.value.hint
        assert here.truth()[BOB] == "viewer"
        assert here.states() == []


def test_white_space_at_the_end_of_an_id_belongs_to_it(tmp_path: Path) -> None:
    """Two ids that only differ in that are two accounts, and `type:id` names exactly one."""
    with scene(tmp_path) as here:
        here.workspace.add(ALICE, id="42 ", email=ALICE, role=False)
        here.workspace.add("other@example.com", id="42", email="other@example.com", role=False)
        here.connection.sync()
        assert [row.user for row in here.connection.access(user="user:42 ")] == [ALICE]
        assert here.connection.delete_account("user:42 ", yes=True).user == ALICE
        assert "other@example.com" in here.truth()
        with pytest.raises(UnknownName):
            here.connection.grant("editor", "user:42  ")


def test_an_email_names_the_only_account_that_has_it_now(tmp_path: Path) -> None:
    """One that joined since the last sync counts: two of one e-mail are ambiguous, and nothing is written."""
    with scene(tmp_path) as here:
        here.workspace.add("xavier@example.com", email="lead@example.com", role=False)
        here.connection.sync()
        here.workspace.add("yves@example.com", email="Lead@example.com", role=False)
        for ask in every_command(here):
            with pytest.raises(AmbiguousName, match=r"xavier.*yves"):
                ask("lead@example.com")
        assert here.faults.writes() == {}


@synced
def test_an_email_names_an_account_without_a_sync(tmp_path: Path, synced: bool) -> None:
    """As after one, and also one that joined since: the application's list shows it."""
    with scene(tmp_path) as here:
        begin(here, synced)
        here.workspace.add("jsmith", email="j.smith@example.com", role=False)
        assert here.connection.grant("editor", "J.Smith@example.com").user == "jsmith"


def test_an_id_goes_before_an_email(tmp_path: Path) -> None:
    """Also the id of an account that joined since the last sync, where it is an address."""
    with scene(tmp_path) as here:
        here.workspace.add("xavier", email="lead@example.com", role=True)
        here.connection.sync()
        here.workspace.add("yves", id="lead@example.com", email="yves@example.com", role=True)
        assert here.connection.delete_account("lead@example.com", yes=True).user == "yves"
        assert here.workspace.find("xavier") is not None


def test_a_list_that_cannot_be_read_names_no_account(tmp_path: Path) -> None:
    """Which account has an e-mail now is not known then, and nothing is written."""
    with scene(tmp_path) as here:
        here.workspace.add("xavier", email="lead@example.com", role=True)
        here.connection.sync()
        here.faults.on("GET", answer(400, {"detail": "no"}), path="count=")
        for ask in every_command(here):
            with pytest.raises(ApplicationError):
                ask("lead@example.com")
        assert here.faults.writes() == {}


def test_no_second_account_is_made_for_an_email(tmp_path: Path) -> None:
    """The account that has it under another login is named, with its id; a new address is created as ever."""
    with scene(tmp_path) as here:
        user = here.workspace.add("jsmith", email="j.smith@example.com", role=False)
        here.connection.sync()
        with pytest.raises(UsageError, match=rf"whose login is jsmith \(id {user.id}\)"):
            here.connection.create_account("J.Smith@example.com")
        assert here.faults.writes() == {}
        assert here.connection.create_account("new@example.com").outcome == "changed"
