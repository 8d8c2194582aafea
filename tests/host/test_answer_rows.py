"""`AnswerRows`: an answer of any size that holds a page, of one moment, whatever becomes of it."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from kit.sync import Script, first, opened, user, viewer

from connector_core.errors import UnknownName
from connector_core.host.answer_rows import AnswerRows
from connector_core.host.connection import Connection
from connector_core.model import Page

FEW, MANY = 1000, 4000


def synced(db: Path, people: int, *, grants: bool = True) -> Connection:
    names = [f"u{n:05}" for n in range(people)]
    held = tuple(viewer(name) for name in names) if grants else ()
    page = Page(resources=tuple(user(name) for name in names), grants=held)
    connection = Script({None: first("users"), ("users", 0): page}).connect(db)
    connection.sync(accept_removals=True)
    return connection


@pytest.fixture(scope="module")
def connections(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Connection]:
    """Everybody joined in the second sync and got a role in the third."""
    made = {}
    for people in (FEW, MANY):
        db = tmp_path_factory.mktemp("rows") / f"{people}.db"
        synced(db, 1)
        synced(db, people, grants=False)
        made[people] = synced(db, people)
    return made


@pytest.mark.parametrize(
    "ask",
    [
        lambda connection: connection.access(),
        lambda connection: connection.access(role="viewer"),
        lambda connection: connection.access(at="2"),
        lambda connection: connection.changes(since="1"),
        lambda connection: connection.changes(since="1", by_person=True),
    ],
    ids=["access", "access --role", "access --at", "changes", "changes by person"],
)
def test_an_answer_of_any_size_holds_a_page(
    connections: dict[int, Connection], ask: Callable[[Connection], Iterable[object]]
) -> None:
    """Four times the rows take no more memory, give or take a tenth."""
    peaks = {}
    for people in (FEW, MANY):
        sum(1 for _ in ask(connections[people]))  # imports and caches
        tracemalloc.start()
        read = sum(1 for _ in ask(connections[people]))
        peaks[people] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert read >= people - 1
    assert peaks[MANY] <= 1.1 * peaks[FEW]


def test_an_answer_is_of_the_moment_of_the_question(tmp_path: Path) -> None:
    """A sync that publishes in the middle shows when the question is asked again, and not before."""
    connection = synced(tmp_path / "s.db", FEW)
    picture, rows = connection.view()
    reading = iter(rows)
    next(reading)
    synced(tmp_path / "s.db", FEW + 1)
    assert sum(1 for _ in reading) == FEW - 1
    assert connection.picture().event != picture.event
    assert len(rows) == FEW + 1


def test_a_long_answer_is_like_a_tuple(connections: dict[int, Connection]) -> None:
    """Indices, slices, `in`, `==`, `len`, `reversed` and truth."""
    rows = connections[FEW].access()
    all_rows = tuple(rows)
    assert (rows[0], rows[-1], rows[700], rows[5:7]) == (all_rows[0], all_rows[-1], all_rows[700], all_rows[5:7])
    assert rows == all_rows == connections[FEW].access()
    assert all_rows[-1] in rows
    assert next(reversed(rows)) == all_rows[-1]
    assert (len(rows), bool(rows), bool(connections[FEW].changes(since="3"))) == (FEW, True, False)
    assert connections[FEW].changes(since="3") == ()


def test_a_question_that_cannot_be_answered_is_refused_when_it_is_asked(connections: dict[int, Connection]) -> None:
    """An unknown name is an error at once, and not at the first row."""
    with pytest.raises(UnknownName):
        connections[FEW].access(user="zoe@example.com")
    with pytest.raises(UnknownName):
        connections[FEW].changes(since="99")


def test_an_answer_given_up_lets_go_of_the_file(tmp_path: Path) -> None:
    """Nothing keeps reading once nobody can ask for the next row: the write-ahead log can be emptied."""
    connection = synced(tmp_path / "s.db", FEW)
    reading = iter(connection.access())
    next(reading)
    synced(tmp_path / "s.db", FEW + 1)
    with opened(tmp_path / "s.db") as db:
        db.execute("PRAGMA busy_timeout = 0")
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 1
        del reading
        assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_an_answer_may_be_read_in_another_thread(connections: dict[int, Connection]) -> None:
    """Asked for in one, read in another, given up in a third."""
    rows = connections[FEW].access()
    read: list[int] = []
    thread = threading.Thread(target=lambda: read.append(sum(1 for _ in rows)))
    thread.start()
    thread.join()
    assert read == [FEW]


def test_rows_that_come_while_they_are_read() -> None:
    """A page is asked for, and no row more before it is wanted."""
    asked = []

    def ask() -> Iterator[int]:
        for number in range(2000):
            asked.append(number)
            yield number

    rows = AnswerRows(ask)
    assert len(asked) == 500
    reading = iter(rows)
    assert [next(reading) for _ in range(501)][-1] == 500
    assert len(asked) == 501
