"""Restore a backup: replace the state, and keep the earlier one under another name."""

from __future__ import annotations

import glob
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from connector_core.clock import Clock
from connector_core.errors import Busy, StateError, UsageError
from connector_core.files import make_private_folder
from connector_core.store.backup import copy_whole
from connector_core.store.database import explained, open_reader, open_writer


def restore(source: Path, target: Path, clock: Clock) -> Path | None:
    """Replace the state at ``target`` by a copy of ``source``, in one step; where the earlier state is kept.

    The backup is checked first. What was at ``target``, with its log, is kept under another name.

    :raises Busy: a connection of the state is being synced or changed.
    :raises StateError: the backup is no state file, damaged or newer, or the state cannot be written.
    """
    _refuse_unfit(source, target)
    draft = target.with_name(f".{target.name}.restored.{os.getpid()}")
    try:
        make_private_folder(target.parent)
        with _all_locks(target), explained(target):
            try:
                _copy(source, draft)
                kept = _keep(target, clock)
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
        with explained(target), closing(open_writer(target)) as db:
            db.execute("PRAGMA journal_mode = WAL")
    except OSError as error:
        raise StateError(f"cannot write {target}: {error}", hint="look at permissions and free space") from error
    return kept


def _refuse_unfit(source: Path, target: Path) -> None:
    if not source.exists():
        raise UsageError(f"there is no file {source}")
    if target.exists() and source.samefile(target):
        raise UsageError(f"{source} is the state itself", hint="name a backup of it")


def _copy(source: Path, draft: Path) -> None:
    with explained(source):
        db = open_reader(source, migrate=False)
        if db is None:
            raise StateError(f"{source} is empty", hint="name a file that connector-core backup made")
        with closing(db):
            copy_whole(db, draft)


def _keep(target: Path, clock: Clock) -> Path | None:
    """Give the earlier state another name in addition to its own, as a second link: there is a state at any moment.

    Its log is written into it first; where that cannot be done, the log is kept next to it under the fitting name.
    """
    if not target.exists():
        return None
    moment = datetime.fromtimestamp(clock.now(), UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = target.with_name(f"{target.name}.before-restore-{moment}")
    with suppress(sqlite3.Error), closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    os.link(target, kept)
    log = target.with_name(f"{target.name}-wal")
    if log.exists():
        log.replace(kept.with_name(f"{kept.name}-wal"))
    target.with_name(f"{target.name}-shm").unlink(missing_ok=True)
    return kept


@contextmanager
def _all_locks(target: Path) -> Iterator[None]:
    """Hold every lock there is next to the state: of syncs, of operations, and of migrations.

    :raises Busy: another process holds one.
    """
    name = glob.escape(target.name)
    patterns = (f"{name}.*lock", f"{name}.*.holder")
    files = sorted({file for pattern in patterns for file in target.parent.glob(pattern) if ".vault" not in file.name})
    with ExitStack() as held:
        for file in files:
            lock = FileLock(file, mode=0o600, is_singleton=False)
            try:
                held.enter_context(lock.acquire(timeout=0.2))
            except Timeout:
                raise Busy(
                    f"{target} is in use: {file.name} is held", hint="end what syncs or changes it, then try again"
                ) from None
        yield
