"""What real servers do, by number: those that no other test bears in its name, and that no number is left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.stage import ChaosCase, Stage, State
from chaos.syncing import sync

from connector_core.testing.faults import Exchange, fault

TESTS = Path(__file__).parents[1]
RELIABILITY = TESTS.parent / "docs" / "reliability.md"
NUMBERS = [*(f"P{number:02}" for number in range(1, 79)), "P19b"]
VIEWER, EDITOR = "5", "6"


def _number(letters: str) -> set[str]:
    """The numbers in a test's name: ``test_p02_p19b_what`` bears two."""
    return {f"P{digits}{letter}" for digits, letter in re.findall(r"_p(\d\d)(b?)(?=_)", letters.replace("_", "__"))}


def test_every_number_is_borne_by_a_test_or_explained() -> None:
    """P01 to P78 and P19b: a test has it in its name, or docs/reliability.md says why it cannot apply."""
    borne: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE):
            borne |= _number(name)
    explained = set(re.findall(r"\bP\d\db?\b", RELIABILITY.read_text("utf-8").partition("## Servers\n")[2]))
    assert [number for number in NUMBERS if number not in borne | explained] == []
    assert "P79" not in borne


@pytest.fixture
def scene(stage: Stage) -> Iterator[ChaosCase]:
    """Twelve people, synced once while nothing was wrong."""
    with stage.scene(12, page_size=5) as scene:
        scene.workspace.add("vera@example.com", id=VIEWER, email="vera@example.com", role=False)
        scene.workspace.add("ed@example.com", id=EDITOR, email="ed@example.com", role=True)
        scene.ledger.begin()
        yield scene


def as_it_is(scene: ChaosCase, name: str) -> None:
    """Under that fault a sync is complete, and what it shows is the truth."""
    over = fault(name)
    scene.lay([over])
    assert sync(scene)[0].status == "complete"
    assert scene.picture() == scene.ledger.now
    assert over.fired


def test_p04_a_page_that_claims_more_rows_than_it_has(scene: ChaosCase) -> None:
    """``itemsPerPage`` as it was asked for leads nobody past a row."""
    as_it_is(scene, "p04_items_per_page_echoed")


def test_p09_an_index_that_is_echoed_as_zero(scene: ChaosCase) -> None:
    """What a server says of ``startIndex`` is not looked at."""
    as_it_is(scene, "p09_start_echoed_as_zero")


def test_p09_rows_that_are_counted_from_zero(scene: ChaosCase) -> None:
    """The first row is missed for good, which the total shows: incomplete, and nobody ends."""
    before = scene.picture() or {}
    scene.lay([fault("p09_counted_from_zero")])
    outcome, _ = sync(scene)
    assert outcome.status == "incomplete" and "counts 14" in outcome.reason
    assert set(before) <= set(scene.picture() or {})


def test_p15_who_is_listed_may_be_disabled(scene: ChaosCase) -> None:
    """Somebody inactive in the list is a disabled account that holds nothing."""
    scene.change("disable", 0.999)
    assert sync(scene)[0].status == "complete"
    assert (scene.picture() or {})[EDITOR] == State("ed@example.com", "disabled", None)


def test_p15_who_is_inactive_and_left_out_is_not_gone(scene: ChaosCase) -> None:
    """A list that drops who is inactive: they are read by id, and stay as disabled accounts."""
    sync(scene)
    scene.change("disable", 0.999)
    scene.lay([over := fault("p15_inactive_left_out")])
    assert sync(scene)[0].status == "complete"
    assert (scene.picture() or {})[EDITOR] == State("ed@example.com", "disabled", None)
    assert over.fired


@pytest.mark.parametrize("name", ["p18_schemas_absent", "p18_schemas_as_text"])
def test_p18_schemas_are_not_needed(scene: ChaosCase, name: str) -> None:
    """The address says what a row is."""
    as_it_is(scene, name)


def test_p19b_what_nobody_knows_is_passed_over(scene: ChaosCase) -> None:
    """Extensions and attributes of somebody else's change nothing."""
    as_it_is(scene, "p19b_unknown_attributes")


def test_p23_an_op_is_sent_in_lower_case_and_a_refusal_is_told(scene: ChaosCase) -> None:
    """As RFC 7644 spells it; a server that wants it otherwise refuses, in its own words, and nothing is changed."""
    sent: list[Any] = []
    scene.lay([over := fault("p23_op_in_capitals_wanted")], lambda exchange: sent.append(exchange.document))
    operation = scene.connection.grant("editor", VIEWER)
    assert operation.state == "failed" and operation.error is not None and "op is unknown" in operation.error.message
    assert [document["Operations"][0]["op"] for document in sent if document] == ["replace"]
    user = scene.workspace.get(VIEWER)
    assert user is not None and user.role is False and over.fired == 1


@pytest.mark.parametrize("name", ["p28_login_in_capitals", "p28_login_prefixed"])
def test_p28_a_login_that_comes_back_otherwise(scene: ChaosCase, name: str) -> None:
    """It is kept as it came; the person is the same by id, and found by e-mail in any case where that is as it was.

    Where all of them are other names, a person has to accept them.
    """
    scene.lay([over := fault(name)])
    outcome, _ = sync(scene)
    assert outcome.status == ("held" if name == "p28_login_prefixed" else "complete")
    assert sync(scene, accept_removals=True)[0].status == "complete"
    shown = (scene.picture() or {})[VIEWER]
    assert shown.login in ("VERA@EXAMPLE.COM", "PRIMARY/vera@example.com")
    assert scene.connection.grant("editor", VIEWER).state == "done"
    assert scene.connection.access(user="Vera@Example.com")[0].user_id == VIEWER
    assert over.fired


@pytest.mark.parametrize("name", ["p31_roles_as_an_object", "p31_roles_as_texts"])
def test_p31_roles_of_the_core_schema_say_nothing(scene: ChaosCase, name: str) -> None:
    """The role is the extension's: what ``roles`` says beside it is not read."""
    as_it_is(scene, name)


@pytest.mark.parametrize("name", ["p33_dates_are_garbage", "p33_meta_absent"])
def test_p33_dates_are_not_looked_at(scene: ChaosCase, name: str) -> None:
    """No row fails on a date."""
    as_it_is(scene, name)


@pytest.mark.parametrize("name", ["p65_json_as_html", "p65_type_reversed", "p65_type_absent"])
def test_p65_json_is_told_by_its_content(scene: ChaosCase, name: str) -> None:
    """Whatever the header says, a body that is JSON is read as such: in syncs and after writes."""
    as_it_is(scene, name)
    assert scene.connection.grant("editor", VIEWER).verified


def test_p70_an_etag_is_neither_needed_nor_sent(scene: ChaosCase) -> None:
    """Tags that make no sense hinder nothing, as no condition is ever sent."""
    conditions: list[str] = []
    scene.lay([over := fault("p70_etag_makes_no_sense")], lambda e: conditions.append(e.header("If-Match")))
    assert scene.connection.grant("editor", VIEWER).verified
    assert set(conditions) == {""} and over.fired


def test_p70_a_412_is_a_failure_that_can_be_repeated(scene: ChaosCase) -> None:
    """Refused because somebody else was quicker, it says: nothing is done, and the same command tries again."""
    scene.lay([fault("p70_412_once")])
    operation = scene.connection.grant("editor", VIEWER)
    assert operation.state == "failed" and operation.error is not None and operation.error.code == "conflict"
    assert scene.connection.grant("editor", VIEWER).state == "done"


@pytest.mark.parametrize("name", ["p71_no_discovery", "p71_discovery_lies"])
def test_p71_what_a_server_says_of_itself_is_not_asked(scene: ChaosCase, name: str) -> None:
    """Neither ServiceProviderConfig nor Schemas nor ResourceTypes: nothing hangs on what they say."""
    asked: list[str] = []

    def before(exchange: Exchange) -> None:
        asked.append(exchange.kind)

    scene.lay([over := fault(name)], before)
    scene.connection.check()
    assert sync(scene)[0].status == "complete"
    assert scene.connection.create_account("new@example.com", role="editor").verified
    assert scene.connection.delete_account("new@example.com", yes=True).verified
    assert "other" not in asked and over.fired == 0
