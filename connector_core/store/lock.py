"""One sync or apply of a connection at a time: the operating system's lock, which the kernel frees at death."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import BaseFileLock, FileLock, Timeout

from connector_core.clock import Clock, rfc3339
from connector_core.errors import Busy, StateError
from connector_core.files import what_is_wrong
from connector_core.store.connections import find_connection, name_holder

_PATIENCE = 0.2  # seconds: a look by `is_held` is no reason to give up


@contextmanager
def exclusive(path: Path, db: sqlite3.Connection, connection: str, clock: Clock) -> Iterator[None]:
    """Hold the connection's lock beside the state file ``path``.

    :raises Busy: another process holds it; the message names it.
    :raises StateError: it cannot be held.
    """
    lock = _lock(path, connection)
    try:
        lock.acquire(timeout=_PATIENCE, poll_interval=_PATIENCE / 10)
    except Timeout:
        row = find_connection(db, connection)
        holder = (row and row["holder"]) or "another process"
        raise Busy(
            f"{connection} is being synced or changed by {holder}", hint="wait until it has ended, or stop it"
        ) from None
    except OSError as error:
        raise unusable(lock, error) from error
    try:
        me = f"process {os.getpid()} on {socket.gethostname()} since {rfc3339(clock.now())}"
        name_holder(db, connection, me)
        yield
    finally:
        lock.release()


def is_held(path: Path, connection: str) -> bool:
    """Whether somebody syncs or applies now. Takes the lock for an instant, which `exclusive` has patience for."""
    lock = _lock(path, connection)
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
        hint="it is a plain file beside the state, which may be deleted while nothing runs",
    )


def _lock(path: Path, connection: str) -> FileLock:
    return FileLock(f"{path}.{quote(connection, safe='')}.lock", mode=0o600, is_singleton=False)
