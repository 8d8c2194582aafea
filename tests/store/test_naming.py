"""Accounts by their names: found by an index, in the picture of any moment, and after a rename."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve
from kit.provision import ADA, BOB, Scene, scene

from connector_core.errors import AmbiguousName, UnknownName
from connector_core.store.naming import AccountNames


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as made:
        yield made


def rename(here: Scene, old: str, new: str) -> None:
    user = here.workspace.find(old)
    assert user is not None
    here.workspace.replace(evolve(user, login=new, email=new))


def held_by(here: Scene, user: str, at: str | None = None) -> list[str]:
    return [row.user_id for row in here.connection.access(user=user, at=at)]


def test_a_name_is_found_in_any_spelling(here: Scene) -> None:
    """White space around a stored login, another composition, another writing of the domain: one account."""
    stored = " cy@example.com\u00a0", "jose\u0301@example.com", "d@b\u00fccher.example"
    ids = [here.workspace.add(login).id for login in stored]
    here.connection.sync()
    for spelled, id in zip(("Cy@Example.com", "JOS\u00c9@example.com", "d@xn--bcher-kva.example"), ids, strict=True):
        assert held_by(here, spelled) == [id]
        assert here.connection.history(spelled)[0].user_id == id


def test_an_id_that_is_anothers_login_is_ambiguous(here: Scene) -> None:
    """In every answer; and `type:id` names the id."""
    here.workspace.add("alice@example.com", id=BOB, email="alice@example.com")
    here.connection.sync()
    for ask in (here.connection.access, here.connection.operations):
        with pytest.raises(AmbiguousName, match=rf"{BOB} \(id {here.id(BOB)}\), alice@example.com \(id {BOB}\)"):
            ask(user=BOB)
    assert held_by(here, f"user:{BOB}") == [BOB]
    assert held_by(here, f"user:{here.id(BOB)}") == [here.id(BOB)]
    assert {person.user_id for person in here.connection.history(BOB)} == {BOB, here.id(BOB)}
    assert [person.user_id for person in here.connection.history(f"user:{BOB}")] == [BOB]


def test_the_old_login_says_who_bears_it_now(here: Scene) -> None:
    """Not that there is no such account; in the picture of before, it is the account."""
    here.connection.sync()
    id = here.id(ADA)
    rename(here, ADA, "ada.jones@example.com")
    here.connection.sync()
    with pytest.raises(UnknownName, match=rf"{ADA} is called ada.jones@example.com \(id {id}\) now"):
        here.connection.access(user=ADA)
    assert held_by(here, ADA, at="1") == [id]


def test_disabled_twins(here: Scene) -> None:
    """The enabled one is meant where only one is; else all are named with their ids."""
    old, older = (here.workspace.add(f"cy@example.com{' ' * n}", active=False).id for n in (0, 1))
    here.connection.sync()
    with pytest.raises(AmbiguousName, match=rf"id ({old}|{older})\), .*id ({old}|{older})\)"):
        held_by(here, "cy@example.com")
    new = here.workspace.add("Cy@example.com\u00a0").id
    here.connection.sync()
    assert held_by(here, "cy@example.com") == [new]


def test_the_journal_finds_operations_by_any_spelling(here: Scene) -> None:
    """Of the account that a text names, by its id and under earlier logins, too."""
    here.connection.sync()
    here.connection.grant("editor", BOB)
    rename(here, BOB, "robert@example.com")
    here.connection.sync()
    for user in ("ROBERT@example.com", BOB.upper(), here.id("robert@example.com")):
        assert [operation.kind for operation in here.connection.operations(user=user)] == ["grant"]


def test_look_ups_use_the_indexes(here: Scene) -> None:
    """Of a hundred thousand accounts as of ten: no look-up by name reads the whole table."""
    here.connection.sync()
    queries: list[str] = []
    with here.connection._reading() as reader:
        reader.db.set_trace_callback(queries.append)
        reader.account_named(ADA)
        reader.account_named(ADA, 1)
        names = AccountNames(reader.db, reader.id)
        names.ever_named(ADA)
        names.ever_called(ADA)
        reader.db.set_trace_callback(None)
        plans = [row[3] for query in queries for row in reader.db.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert [
        line for line in plans if line.startswith("SCAN") and "SUBQUERY" not in line and "CONSTANT" not in line
    ] == []


def test_other_tools_can_read_the_file(here: Scene) -> None:
    """The keys are plain columns: no function of this program is needed."""
    here.connection.sync()
    with closing(sqlite3.connect(here.state)) as db:
        assert db.execute("SELECT count(*) FROM current_resources WHERE login_key = ?", (ADA,)).fetchone() == (1,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
