"""What an answer takes grows with the accounts, not with their square: counted in steps of SQLite's machine.

Steps are the same on every machine, and take no time to measure.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kit.sync import Script, editor, first, user, viewer

from connector_core.model import Page
from connector_core.store.connections import ConnectionRef
from connector_core.store.database import open_reader
from connector_core.store.queries import Reader

FEW, MANY = 200, 800
STEP = 50  # SQLite counts in steps of so many


def store(db: Path, people: int) -> Path:
    """Two syncs; in the second every tenth has another role."""
    for odd in (False, True):
        names = [f"u{n}" for n in range(people)]
        grants = tuple(editor(name) if odd and name.endswith("7") else viewer(name) for name in names)
        page = Page(resources=tuple(user(name) for name in names), grants=grants)
        Script({None: first("users"), ("users", 0): page}).connect(db).sync(accept_removals=True)
    return db


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    return {people: store(tmp_path_factory.mktemp("steps") / f"{people}.db", people) for people in (FEW, MANY)}


@pytest.mark.parametrize(
    "ask",
    [
        lambda reader: list(reader.access()),
        lambda reader: list(reader.access(at=1)),
        lambda reader: list(reader.access(role="viewer")),
        lambda reader: list(reader.changes(since=0)),
        lambda reader: reader.counts(),
        lambda reader: reader.db.execute("SELECT * FROM access").fetchall(),
        lambda reader: reader.db.execute("SELECT * FROM accounts").fetchall(),
    ],
    ids=["access", "access --at", "access --role", "changes", "counts", "the view access", "the view accounts"],
)
def test_answers_grow_with_the_accounts(stores: dict[int, Path], ask: Callable[[Reader], object]) -> None:
    """Four times the accounts take at most six times the steps."""
    assert steps(stores[MANY], ask) <= 6 * steps(stores[FEW], ask)


@pytest.mark.parametrize("at", [None, 1])
def test_one_person_is_found_without_going_through_what_everybody_holds(
    stores: dict[int, Path], at: int | None
) -> None:
    """Asking for one takes at most a fifth of the steps of asking for all, also of a past picture."""
    one = steps(stores[MANY], lambda reader: list(reader.access(user="u7@example.com", at=at)))
    assert one <= steps(stores[MANY], lambda reader: list(reader.access(at=at))) / 5


@pytest.mark.parametrize("at", [None, 1])
def test_the_first_row_comes_long_before_the_last(stores: dict[int, Path], at: int | None) -> None:
    """The first of 800 accounts takes less than half of the steps of all, also of a past picture."""
    one = steps(stores[MANY], lambda reader: next(reader.access(at=at)))
    assert one <= steps(stores[MANY], lambda reader: list(reader.access(at=at))) / 2


def test_a_role_is_found_without_going_through_what_everybody_else_holds(tmp_path: Path) -> None:
    """A role that one of 800 holds takes at most a fifth of the steps of all access."""
    names = [f"u{n}" for n in range(MANY)]
    grants = (editor("u7"), *(viewer(name) for name in names))
    page = Page(resources=tuple(user(name) for name in names), grants=grants)
    Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db").sync()
    one = steps(tmp_path / "s.db", lambda reader: list(reader.access(role="editor")))
    assert one <= steps(tmp_path / "s.db", lambda reader: list(reader.access())) / 5


def steps(db: Path, ask: Callable[[Reader], object]) -> int:
    """How many steps of SQLite an answer takes."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += STEP
        return 0

    connection = open_reader(db)
    assert connection is not None
    connection.set_progress_handler(count, STEP)
    try:
        assert ask(Reader(connection, ConnectionRef(name="script", connector="script"))) is not None
    finally:
        connection.close()
    return max(counted, STEP)
