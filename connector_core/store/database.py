"""Opening the state file: modes, pragmas, migrations, transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector_core.errors import StateError, UsageError
from connector_core.files import make_private_folder
from connector_core.names import normalized
from connector_core.store.schema import NEWEST, migrations
from connector_core.trust import trusted

APPLICATION_ID = 0x1DC0_0DE5  # marks our files in SQLite's header

_IDENTITIES = 7  # the migration that gave connections identities
OLDEST_SQLITE = (3, 37)  # strict tables


def open_writer(path: Path) -> sqlite3.Connection:
    """The state file for writing, created (0600) or brought up to date first.

    :raises StateError: not a state file, made by a newer version, or not writable.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StateError(f"SQLite {sqlite3.sqlite_version} is too old", hint="3.37 or newer is needed")
    with _accessible(path):
        _create_private(path)
        db, version = _opened(path)
        if version < NEWEST:
            db.close()
            _migrate(path)
            db, _ = _opened(path)
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = NORMAL")
        return db


def open_reader(path: Path, *, migrate: bool = True) -> sqlite3.Connection | None:
    """The state file for reading, or None where there is none yet.

    :param migrate: bring an older file up to date first; else it is read as it is.
    :raises StateError: as `open_writer`.
    """
    with _accessible(path):
        if not path.exists() or path.stat().st_size == 0:
            return None
        # a long answer may be read in another thread than that of the question, and is given up in any
        db, version = _opened(path, any_thread=True)
        if version < NEWEST and migrate:
            db.close()
            open_writer(path).close()
            db, _ = _opened(path, any_thread=True)
        db.execute("PRAGMA query_only = ON")
        return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing. Takes the write lock at once, so that what it reads stays true until it commits."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's own errors said as what they mean for the state file at ``path``; others are none of its business."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _unusable(path, error) from error
    except OverflowError as error:
        if "SQLite" not in str(error):  # Python's own words where a number is bound
            raise
        raise UsageError("a number is larger than any that the state can hold") from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # its subclasses are faults of this program
            raise
        raise StateError(f"{path} is not a usable state file: {error}", hint="name another one with --db") from error


@contextmanager
def _accessible(path: Path) -> Iterator[None]:
    """The same, and what the operating system says to opening it."""
    try:
        with explained(path):
            yield
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> StateError:
    hint = "look at its folder's permissions and free space"
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        hint = "another program has it open and writes to it, or has not ended its transaction: close it, and try again"
    return StateError(f"cannot use the state file {path}: {error}", hint=hint)


def _opened(path: Path, *, any_thread: bool = False) -> tuple[sqlite3.Connection, int]:
    """The file and its version, once it is known to be ours. ``any_thread``: one at a time, but any may use it."""
    trusted(path, "the state file")(path.stat())
    was_copied = _set_foreign_log_aside(path)
    db = _connect(f"{path.absolute().as_uri()}?mode=rw", any_thread=any_thread)
    try:
        version = _version(db, path)
        if was_copied:
            db.execute("PRAGMA journal_mode = WAL")
        return db, version
    except BaseException:
        db.close()
        raise


def _set_foreign_log_aside(path: Path) -> bool:
    """Rename a write-ahead log that belongs to an earlier file of this name; whether there was one.

    SQLite knows a log by its name alone. Where a backup was copied over the state by hand, the earlier log would be
    written into it. A backup says in its header that it has no log; a state file never does.
    """
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() or log.stat().st_size == 0 or not _has_no_log(path):
        return False
    from filelock import FileLock

    with FileLock(f"{path}.lock", mode=0o600):
        if log.exists() and _has_no_log(path):
            log.replace(path.with_name(f"{path.name}-wal.of-an-earlier-file"))
            path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    return True


def _has_no_log(path: Path) -> bool:
    """Whether the header says so: bytes 18 and 19 are 2 for a file with a write-ahead log, else 1."""
    with path.open("rb") as file:
        return file.read(20)[18:20] == b"\x01\x01"


def _connect(uri: str, *, any_thread: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30, check_same_thread=not any_thread)
    db.row_factory = sqlite3.Row
    # by which `login_key` and `email_key` are made and looked up: one rule of names, here and outside of SQL
    db.create_function("name_key", 1, lambda name: name and normalized(name), deterministic=True)
    return db


def _create_private(path: Path) -> None:
    """Create the file before SQLite does, readable by its owner only; its -wal and -shm take over the mode."""
    make_private_folder(path.parent)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _version(db: sqlite3.Connection, path: Path) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    # In this order: who makes the file at this moment marks it first, and fills it then.
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    mark = db.execute("PRAGMA application_id").fetchone()[0]
    if mark != APPLICATION_ID and not empty:
        raise StateError(f"{path} is a database, but not a state file", hint="name another one with --db")
    if version > NEWEST:
        raise StateError(
            f"{path} was written by a newer version of connector-core (its format is {version}, ours {NEWEST})",
            hint="upgrade connector-core, or name another file with --db",
        )
    return version


def _migrate(path: Path) -> None:
    """Bring the file up to date."""
    from filelock import FileLock
    from sqlite_utils import Database

    from connector_core.store.companions import move_named_vaults
    from connector_core.store.views import drop_views, make_views

    with FileLock(f"{path}.lock", mode=0o600):
        db = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")  # first: a half-made file is still ours
            db.execute("PRAGMA journal_mode = WAL")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == NEWEST:
                return  # another process has done it meanwhile
            drop_views(db)
            migrations().apply(Database(db, execute_plugins=False))
            if version < _IDENTITIES:
                move_named_vaults(path, db)
            with transaction(db):
                make_views(db)
                db.execute(f"PRAGMA user_version = {NEWEST}")
        finally:
            db.close()
