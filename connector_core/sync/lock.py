"""One sync or apply of a connection at a time: the operating system's lock, which the kernel frees at death."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from connector_core.clock import Clock, rfc3339
from connector_core.errors import Busy
from connector_core.store.connections import find_connection, name_holder

_PATIENCE = 0.2  # seconds: a look by `is_held` is no reason to give up


@contextmanager
def exclusive(path: Path, db: sqlite3.Connection, connection: str, clock: Clock) -> Iterator[None]:
    """Hold the connection's lock beside the state file ``path``.

    :raises Busy: another process holds it; the message names it.
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
    lock.release()
    return False


def _lock(path: Path, connection: str) -> FileLock:
    return FileLock(f"{path}.{quote(connection, safe='')}.lock", mode=0o600, is_singleton=False)
