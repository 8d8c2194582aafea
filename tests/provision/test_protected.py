"""Protected accounts: entries are read strictly and in any spelling, and hold for an account under its next login."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from kit.cli import Home
from kit.provision import ADA, BOB, Scene, scene

from connector_core.errors import ConfigurationError, GuardRefused
from connector_core.protection import Protection

NO_ENTRIES = [
    "ann@example.com;bob@example.com", "ann@example.com bob@example.com", "ann@example.com\nbob@example.com",
    '["ann@example.com"]', "Ann <ann@example.com>", "<ann@example.com>", "mailto:ann@example.com", '"ann@example.com"',
    "@example.com", "*", "*@", "*@*.example.com", "*.example.com", "an*@example.com", "ann bob", "", "ann|bob",
    "mi\u212ae@example.com", "ann\u200b",
]  # fmt: skip


def rename(here: Scene, old: str, new: str) -> None:
    user = here.workspace.find(old)
    assert user is not None
    here.workspace.replace(evolve(user, login=new, email=new))


def refused(here: Scene, user: str) -> bool:
    """Whether the account is protected from each way of taking something from it."""
    before = here.faults.writes()
    with pytest.raises(GuardRefused, match="is protected"):
        here.connection.delete_account(user, yes=True)
    people = here.folder / "people.csv"
    people.write_text("email\n")
    kept = [step.user for step in here.connection.plan(people, prune=True).kept]
    return here.faults.writes() == before and user in kept


@pytest.mark.parametrize("entry", NO_ENTRIES)
def test_what_is_no_entry_is_an_error(tmp_path: Path, entry: str) -> None:
    """It is named, with where it stands; nothing is asked of the application."""
    with scene(tmp_path) as here:
        here.settings["protected"] = (entry,)
        with pytest.raises(ConfigurationError, match=r"protected .*: the entry .* names no account") as raised:
            here.connection.delete_account(ADA, yes=True)
        assert raised.value.exit_code == 3
        assert here.faults.requests == []


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        (" Ann@Example.com", ["ann@example.com"]), ("jose\u0301@example.com", ["Jos\u00e9@example.com"]),
        ("ann@b\u00fccher.example", ["ann@xn--bcher-kva.example"]),
        ("*@Example.com", ["ann@example.com", "x@EXAMPLE.com"]),
        ("*@b\u00fccher.example", ["ann@xn--bcher-kva.example"]), ("id-7", ["ID-7"]), ("the.chief", ["The.Chief"]),
    ],
)  # fmt: skip
def test_an_entry_covers_every_spelling(entry: str, names: list[str]) -> None:
    """Of a login, an e-mail or an id; `*@domain` covers that domain, and none below it or like it."""
    protection = Protection.of([entry])
    assert [protection.entry_for(None, name) for name in names] == [entry.strip()] * len(names)
    others = ["bo@sub.example.com", "bo@notexample.com", "wei\u00df@example.org", "example.com"]
    assert [name for name in others if protection.entry_for(name)] == []


def test_a_pattern_protects_everyone_of_a_domain(tmp_path: Path) -> None:
    """From single commands and from plans alike."""
    with scene(tmp_path, {ADA: True, "bob@other.example": False}) as here:
        here.settings["protected"] = ["*@example.com"]
        assert refused(here, ADA)
        assert here.connection.delete_account("bob@other.example", yes=True).outcome == "changed"


@pytest.mark.parametrize("known_by", ["sync", "refusal"])
def test_an_account_stays_protected_under_another_login(tmp_path: Path, known_by: str) -> None:
    """Once an entry named it, in the picture or by a refusal, until the entry is taken out of the configuration."""
    with scene(tmp_path) as here:
        here.settings["protected"] = (ADA,)
        if known_by == "sync":
            here.connection.sync()
        else:
            with pytest.raises(GuardRefused, match="is protected"):
                here.connection.delete_account(ADA, yes=True)
        rename(here, ADA, "ada.jones@example.com")
        assert refused(here, "ada.jones@example.com")
        here.connection.sync()
        here.connection.sync()
        assert refused(here, "ada.jones@example.com")
        here.settings["protected"] = ()
        assert here.connection.revoke("editor", "ada.jones@example.com").outcome == "changed"
        here.settings["protected"] = (ADA,)
        assert here.connection.delete_account("ada.jones@example.com", yes=True).outcome == "changed"


@pytest.mark.parametrize("entries", [("ADA@example.com", ADA), ("*@Example.com", "*@example.com")])
def test_another_spelling_of_an_entry_is_the_same_entry(tmp_path: Path, entries: tuple[str, str]) -> None:
    """What it named once stays protected when only its case changes in the configuration, and no warning says idle."""
    with scene(tmp_path) as here:
        here.settings["protected"] = entries[:1]
        here.connection.sync()
        rename(here, ADA, "chief@other.example")
        here.connection.sync()
        here.settings["protected"] = entries[1:]
        assert refused(here, "chief@other.example")
        assert here.connection.sync().warnings == ()
        assert refused(here, "chief@other.example")


def test_an_entry_that_names_no_account_is_told(tmp_path: Path) -> None:
    """By `check`, with a picture and without, and by each sync; not where it named one that has another login now."""
    with scene(tmp_path) as here:
        here.settings["protected"] = (ADA, "ceo@example.com", "*@nowhere.example")
        expected = {"protected: ceo@example.com names no account", "protected: *@nowhere.example names no account"}

        def told() -> set[str]:
            return {f.message for f in here.connection.check() if f.code == "protected_nobody"}

        assert told() == {"protected: ceo@example.com names no account"}
        assert set(here.connection.sync().warnings) == expected
        assert told() == expected
        rename(here, ADA, "ada.jones@example.com")
        assert set(here.connection.sync().warnings) == expected
        assert told() == expected


def test_a_setting_that_is_set_twice_is_an_error(tmp_path: Path) -> None:
    """The first value would be lost without a word."""
    home = Home(tmp_path)
    token = tmp_path / "token"
    token.write_text("t0k")
    done = home("add", "whimsical", "--no-check", "--set", f"protected={ADA}", "--set", f"protected={BOB}", timeout=60)
    assert (done.code, "protected is set twice" in done.err) == (3, True)
