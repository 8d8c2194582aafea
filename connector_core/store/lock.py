"""One sync or apply of a connection at a time: the operating system's lock, which the kernel frees at death."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from connector_core.clock import Clock, rfc3339
from connector_core.errors import Busy, StateError
from connector_core.files import what_is_wrong
from connector_core.store.companions import lock_file
from connector_core.store.connections import ConnectionRef, connection_id, name_holder

_PATIENCE = 0.2  # seconds: a look by `is_held` is no reason to give up


@contextmanager
def exclusive(path: Path, db: sqlite3.Connection, ref: ConnectionRef, clock: Clock) -> Iterator[None]:
    """Hold the connection's lock next to the state file ``path``.

    :raises Busy: another process holds it; the message names it.
    :raises StateError: it cannot be held.
    """
    connection = connection_id(db, ref, revives=False)
    row = db.execute("SELECT identity FROM connections WHERE id = ?", (connection,)).fetchone()
    lock = _lock(path, row["identity"])
    try:
        lock.acquire(timeout=_PATIENCE, poll_interval=_PATIENCE / 10)
    except Timeout:
        row = db.execute("SELECT holder FROM connections WHERE id = ?", (connection,)).fetchone()
        holder = row["holder"] or "another process"
        raise Busy(
            f"{ref.name} is being synced or changed by {holder}", hint="wait until it has ended, or stop it"
        ) from None
    except OSError as error:
        raise unusable(lock, error) from error
    try:
        me = f"process {os.getpid()} on {socket.gethostname()} since {rfc3339(clock.now())}"
        name_holder(db, connection, me)
        yield
    finally:
        lock.release()


def is_held(path: Path, identity: str) -> bool:
    """Whether a process syncs or applies now. Takes the lock for an instant, which `exclusive` has patience for."""
    lock = _lock(path, identity)
    if not Path(lock.lock_file).exists():
        return False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError as error:
        raise unusable(lock, error) from error
    lock.release()
    return False


def unusable(lock: BaseFileLock, error: OSError) -> StateError:
    """There is something else in the place of the lock, or no room for it."""
    return StateError(
        f"cannot use the lock {lock.lock_file}: {what_is_wrong(error)}",
        hint="it is a plain file next to the state, which may be deleted while nothing runs",
    )


def _lock(path: Path, identity: str) -> FileLock:
    return FileLock(lock_file(path, identity), mode=0o600, is_singleton=False)
