"""A copy of the state file, taken while others read and write it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from connector_core.errors import NoPicture, StateError, UsageError
from connector_core.store.database import explained, open_reader

_PAGES = 1024  # copied at a time: between two portions others may write


def backup(source: Path, target: Path, *, force: bool = False) -> int:
    """Copy the state as of one moment, look the copy over, and only then give it its name, mode 0600; its bytes.

    :param force: put it in the place of a file that is there.
    :raises NoPicture: there is no state yet.
    :raises UsageError: there is a file at ``target``, or it is the state itself.
    :raises StateError: the copy cannot be written, or the state is damaged; what was at ``target`` stays.
    """
    with explained(source):
        db = open_reader(source)
        if db is None:
            raise NoPicture(f"there is no state in {source} yet", hint="connector-core run makes one")
        with closing(db):
            _refuse_clash(source, target, force)
            draft = target.with_name(f".{target.name}.{os.getpid()}")
            try:
                copy_whole(db, draft)
                size = draft.stat().st_size
                draft.replace(target)
            except OSError as error:
                raise StateError(
                    f"cannot write {target}: {error}", hint="look at permissions and free space"
                ) from error
            finally:
                with suppress(OSError):
                    draft.unlink()
    return size


def _refuse_clash(source: Path, target: Path, force: bool) -> None:
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is the state itself", hint="name another file")
    if target.exists() and not force:
        raise UsageError(f"there is a file {target} already", hint="name another one, or add --force")
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is something else than a file", hint="name a file, in a folder of your own")


def copy_whole(db: sqlite3.Connection, draft: Path) -> None:
    """Copy a state into a new file, mode 0600, as of one moment, without a log, and look the copy over.

    :raises StateError: it cannot be written, or is damaged.
    """
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as copy:
            db.backup(copy, pages=_PAGES, sleep=0.01)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing next to it
            (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.OperationalError as error:  # full, or not writable: the state itself was opened before
        raise StateError(f"cannot write the copy: {error}", hint="look at permissions and free space") from error
    if found != "ok":
        raise StateError(f"the state is damaged: {found}", hint="keep the backups that you have")
    with draft.open("rb") as file:
        os.fsync(file.fileno())
