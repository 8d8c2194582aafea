"""A connection is told apart by its identity; its name is a label that may go to another one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kit.sync import Script, first, user

from connector_core.connectors.vault import ConnectionVault, FileVault
from connector_core.errors import Busy
from connector_core.model import Page
from connector_core.store.companions import lock_file, vault_file
from connector_core.store.connections import (
    ConnectionRef,
    connection_id,
    find_connection,
    identity_of,
    new_identity,
    rename_connection,
)
from connector_core.store.database import APPLICATION_ID, open_writer
from connector_core.store.lock import exclusive, is_held
from connector_core.testing import FakeClock

EARLIER = Path(__file__).parents[1] / "earlier" / "m005.sql"
ONE, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_writer(tmp_path / "s.db")) as db:
        yield db


def ref(name: str, identity: str | None = None) -> ConnectionRef:
    return ConnectionRef(name=name, connector="own", identity=identity)


def labels(db: sqlite3.Connection) -> list[str]:
    return [row["name"] for row in db.execute("SELECT name FROM connections ORDER BY id")]


def test_what_is_renamed_in_the_file_is_the_same_connection(db: sqlite3.Connection) -> None:
    """The row follows the identity, and takes over the new label by itself."""
    row = connection_id(db, ref("whimsical", ONE))
    assert connection_id(db, ref("design", ONE)) == row
    assert labels(db) == ["design"]
    assert find_connection(db, ref("whimsical", OTHER)) is None


def test_a_name_that_goes_to_another_connection_takes_no_history_along(db: sqlite3.Connection) -> None:
    """The earlier one keeps its rows under a label of its own, also when it is used again."""
    earlier, later = connection_id(db, ref("whimsical", ONE)), connection_id(db, ref("whimsical", OTHER))
    assert earlier != later
    assert labels(db) == ["whimsical (11111111)", "whimsical"]
    assert [connection_id(db, ref("whimsical", i)) for i in (ONE, OTHER, ONE)] == [earlier, later, earlier]
    assert labels(db) == ["whimsical (11111111)", "whimsical"]


def test_without_an_identity_in_the_file_the_state_keeps_one(db: sqlite3.Connection) -> None:
    """It is made once, random, and found by the name."""
    made = identity_of(db, ref("whimsical"))
    assert identity_of(db, ref("whimsical")) == made != identity_of(db, ref("design"))
    assert len(made) == len(new_identity()) == 32


def test_a_removed_connection_is_not_found_by_its_name(db: sqlite3.Connection) -> None:
    """What is run under that name afterwards is another one; the removed one itself may come back."""
    row = connection_id(db, ref("whimsical", ONE))
    db.execute("UPDATE connections SET removed = '2027-01-15T08:00:00.000Z'")
    assert find_connection(db, ref("whimsical")) is None
    assert connection_id(db, ref("whimsical")) != row
    assert connection_id(db, ref("whimsical", ONE)) == row
    assert db.execute("SELECT count(*) FROM connections WHERE removed IS NOT NULL").fetchone()[0] == 0


def test_the_label_of_a_removed_connection_is_free(db: sqlite3.Connection) -> None:
    """The connection that is called so from then on bears it, also in the views."""
    connection_id(db, ref("whimsical", ONE))
    connection_id(db, ref("whimsical", OTHER))
    db.execute("UPDATE connections SET removed = '2027-01-15T08:00:00.000Z' WHERE identity = ?", (OTHER,))
    connection_id(db, ref("whimsical", ONE))
    assert labels(db) == ["whimsical", "whimsical (22222222)"]


def test_the_file_is_given_an_identity_later_than_the_state(db: sqlite3.Connection, tmp_path: Path) -> None:
    """As with another state, or a backup of an earlier version: history and vault go along, and only once."""
    state = tmp_path / "s.db"
    row = connection_id(db, ref("whimsical"))
    ConnectionVault(state, ref("whimsical")).put("token", "rotated")
    assert ConnectionVault(state, ref("whimsical", ONE)).get("token") == "rotated"
    assert connection_id(db, ref("whimsical", ONE)) == row
    assert ConnectionVault(state, ref("whimsical", ONE)).get("token") == "rotated"
    assert [p.name for p in tmp_path.glob("*.vault")] == [f"s.db.{ONE}.vault"]
    assert connection_id(db, ref("whimsical", OTHER)) != row
    assert ConnectionVault(state, ref("whimsical", OTHER)).get("token") is None


def test_the_vault_of_a_renamed_connection_is_found(db: sqlite3.Connection, tmp_path: Path) -> None:
    """And what is called by the old name then does not see it."""
    state = tmp_path / "s.db"
    ConnectionVault(state, ref("whimsical")).put("token", "rotated")
    assert rename_connection(db, ref("whimsical"), "design")
    assert ConnectionVault(state, ref("design")).get("token") == "rotated"
    assert ConnectionVault(state, ref("whimsical")).get("token") is None


def test_the_lock_hangs_on_the_identity(db: sqlite3.Connection, tmp_path: Path) -> None:
    """Whatever it is called, a connection is synced once at a time; another of its earlier name is not kept waiting."""
    state, clock = tmp_path / "s.db", FakeClock()
    with exclusive(state, db, ref("whimsical", ONE), clock):
        with pytest.raises(Busy, match="design"), exclusive(state, db, ref("design", ONE), clock):
            pass
        with exclusive(state, db, ref("whimsical", OTHER), clock):
            assert is_held(state, ONE)
    assert not is_held(state, ONE)
    assert lock_file(state, ONE).exists()


def test_an_earlier_state_is_given_identities(tmp_path: Path) -> None:
    """At the first opening, and the vault that was named after the connection goes along."""
    state = tmp_path / "s.db"
    with closing(sqlite3.connect(state)) as earlier:
        earlier.executescript(EARLIER.read_text("utf-8"))
        earlier.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        earlier.execute("PRAGMA user_version = 5")
    FileVault(state.with_name("s.db.script.vault")).put("token", "rotated")
    with closing(open_writer(state)) as db:
        identity = identity_of(db, ref("script"))
    assert [p.name for p in tmp_path.glob("*.vault")] == [f"s.db.{identity}.vault"]
    assert FileVault(vault_file(state, identity)).get("token") == "rotated"


def test_a_connection_says_its_identity(tmp_path: Path) -> None:
    """The same at each opening, before and after its first sync."""
    script = Script({None: first("users"), ("users", 0): Page(resources=(user("ada"),))})
    identity = script.connect(tmp_path / "s.db").identity
    script.connect(tmp_path / "s.db").sync()
    assert script.connect(tmp_path / "s.db").identity == identity
    assert script.connect(tmp_path / "other.db").identity != identity
