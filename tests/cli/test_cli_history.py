"""`history`, who is behind a change, and which seats are taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from kit.cli import Done, Home, workspace
from kit.served import ServedWorkspace
from test_cli_commands import still


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def lived(home: Home) -> Home:
    """Ada is upgraded by an operation, ben leaves and comes back under a new id, eve joins and is renamed."""
    with workspace(["ada@example.com", "ben@example.com"]) as there:
        home.connect(there.url, managed="true")
        published(home)
        assert home("grant", "whimsical", "editor", "ada@example.com", "--reason", "TICKET-7").code == 0
        ben = there.workspace.find("ben@example.com")
        assert ben is not None
        there.workspace.remove(ben.id)
        there.workspace.add("eve@example.com", given_name="Eve", email="eve@example.com", role=True)
        published(home)
        there.workspace.add("ben@example.com", given_name="Ben", email="ben@example.com", role=True)
        rename(there, "eve@example.com", "eva@example.com")
        published(home)
    return home


def published(home: Home) -> None:
    assert home("run", "whimsical").code == 0


def rename(there: ServedWorkspace, login: str, new: str) -> None:
    user = there.workspace.find(login)
    assert user is not None
    there.workspace.replace(evolve(user, login=new, email=new))


def shown(done: Done) -> str:
    assert done.code == 0, done
    return still(done.out)


def test_history_begins_where_somebody_was_first_seen_and_says_who_changed_what_and_why(lived: Home) -> None:
    """Of somebody who was there from the beginning."""
    done = lived("history", "whimsical", "ADA@example.com")
    me = lived("operations", "whimsical", "--json").document["operations"][0]["requested_by"]
    assert shown(done) == (
        "WHEN (UTC)        WHAT        BEFORE  AFTER   BY\n"
        "TIME  first seen          viewer\n"
        f"TIME  role        viewer  editor  {me}: TICKET-7 (2)\n"
    )
    assert done.err.startswith("ada@example.com (")
    assert done.err.endswith("): enabled, editor\n")


def test_history_knows_who_has_left_and_who_came_back_as_somebody_else(lived: Home) -> None:
    """Two accounts of one name, the longer known first; the new one is not the old one (P60)."""
    old, new = lived("history", "whimsical", "ben@example.com", "--json").document["history"]
    assert (old["baseline"], old["held"], old["now"]) == (True, ["role:editor:assigned"], [])
    assert [(c["what"], c["kind"], c["sync"]) for c in old["changes"]] == [
        ("account", "removed", 3), ("grant", "removed", 3),
    ]  # fmt: skip
    assert (new["baseline"], new["user_id"] != old["user_id"], new["now"][0]["role"]) == (False, True, "editor")
    assert "has left" in lived("history", "whimsical", old["user_id"]).err


def test_history_follows_a_change_of_name(lived: Home) -> None:
    """Found by the name that somebody had, and by the one they have."""
    before, after = (
        lived("history", "whimsical", login, "--json").document["history"]
        for login in ("eve@example.com", "EVA@example.com")
    )
    assert before == after
    assert {(c["what"], c["before"], c["after"]) for c in before[0]["changes"]} >= {
        ("login", "eve@example.com", "eva@example.com"), ("email", "eve@example.com", "eva@example.com"),
    }  # fmt: skip


def test_history_of_nobody(lived: Home) -> None:
    """Exit 2, with near names; without any picture exit 6."""
    done = lived("history", "whimsical", "adda@example.com")
    assert (done.code, "did you mean ada@example.com" in done.err) == (2, True)
    assert lived("history", "whimsical-sandbox", "ada@example.com").code == 6


def test_changes_name_who_asked_only_where_somebody_did(lived: Home) -> None:
    """A column BY appears with the first change that an operation made."""
    assert "BY" not in lived("changes", "whimsical").out.splitlines()[0]
    asked = lived("changes", "whimsical", "--from", "1")
    head, *rows = asked.out.splitlines()
    assert head.split()[-1] == "BY"
    assert [row.split()[-2] for row in rows if "TICKET-7" in row] == ["TICKET-7"]
    assert any(row.endswith("sync 3") for row in rows)


def test_access_counts_the_seats_that_cost_money(lived: Home) -> None:
    """In words at the end, and as numbers where everybody is asked for."""
    assert lived("access", "whimsical").err == "3 users: 3 editor (paid)\n"
    document = lived("access", "whimsical", "--json").document
    assert list(document) == ["format_version", "picture", "access", "seats"]
    assert document["seats"] == [
        {"resource_type": "role", "role": "editor", "entitlement": "assigned", "held": 3, "paid": True}
    ]
    assert "seats" not in lived("access", "whimsical", "--role", "editor", "--json").document


def test_a_name_of_two_accounts_is_the_same_error_in_every_command(tmp_path: Path) -> None:
    """One's login and another's id: each is named with its id, and `access` shows what each holds (exit 2)."""
    home = Home(tmp_path)
    with workspace(1) as there:
        (bob,) = there.workspace.users()
        there.workspace.add("alice@example.com", id=bob.login, email="alice@example.com", role=True)
        home.connect(there.url, managed="true")
        assert home("run", "whimsical").code == 0
        asking = [[name, "whimsical", "--user"] for name in ("access", "operations")]
        for command in [*asking, ["delete-user", "whimsical"]]:
            done, plain = home(*command, bob.login), home("--json", *command, bob.login)
            assert (done.code, plain.code, plain.document["error"]["code"]) == (2, 2, "ambiguous_name")
            assert f"{bob.login} (id {bob.id}), alice@example.com (id {bob.login})" in done.err
        shown = home("access", "whimsical", "--user", bob.login).out
        assert bob.login in shown and "alice@example.com" in shown
        assert "alice@example.com" not in home("access", "whimsical", "--user", f"user:{bob.id}").out
