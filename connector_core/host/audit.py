"""Writing into the journal, with the requester, what provisioning does not: refused attempts and changes of set-up."""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from connector_core.clock import Clock
from connector_core.config.configuration import ConnectionConfig
from connector_core.model import Operation
from connector_core.store.audit import RefusedAttempt, SetupChange, note_refusal, note_setup
from connector_core.store.connections import connection_id
from connector_core.store.database import explained, open_writer, transaction
from connector_core.store.journal import Requester

T = TypeVar("T")

__all__ = ["Audit", "RefusedAttempt", "SetupChange", "asker", "requester"]


@frozen(kw_only=True)
class Audit:
    """Writes into the journal of one connection, whose state file is at ``path``; both are made where missing."""

    config: ConnectionConfig
    path: Path
    clock: Clock

    def setup(
        self, changes: Iterable[SetupChange], *, who: str | None = None, reason: str | None = None
    ) -> tuple[Operation, ...]:
        """Write down changes of set-up, all or none.

        :param who: by default this process's user.
        :raises StateError: the state cannot be written.
        """
        asked = requester(who, reason)

        def write(db: sqlite3.Connection, connection: int) -> tuple[Operation, ...]:
            return tuple(note_setup(db, connection, change, asked, self.clock) for change in changes)

        return self._write(write)

    def refusal(self, attempt: RefusedAttempt, *, who: str | None = None, reason: str | None = None) -> Operation:
        """Write down an attempt that a guard refused.

        :param who: by default this process's user.
        :raises StateError: the state cannot be written.
        """
        asked = requester(who, reason)
        return self._write(lambda db, connection: note_refusal(db, connection, attempt, asked, self.clock))

    def _write(self, note: Callable[[sqlite3.Connection, int], T]) -> T:
        with explained(self.path), closing(open_writer(self.path)) as db, transaction(db):
            return note(db, connection_id(db, self.config.ref, revives=False))


def requester(who: str | None = None, reason: str | None = None) -> Requester:
    """Who asks and why; by default this process's user."""
    return Requester(who=who or asker(), reason=reason)


def asker() -> str:
    """This process's real user at this host. ``LOGNAME`` and ``USER`` are not asked: anybody can set them."""
    return f"{_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        import pwd
    except ImportError:  # Windows
        import getpass

        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # no such user in this container
        return f"uid {os.getuid()}"
