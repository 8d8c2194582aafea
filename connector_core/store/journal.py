"""The journal: every operation, written before its request leaves, and what came of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact, from_json, to_json
from connector_core.errors import ApplicationError
from connector_core.model import EntitlementKey, ErrorInfo, Json, Key, NewAccount, Operation, OperationKind
from connector_core.store.connections import new_event
from connector_core.store.database import transaction

PENDING_DAYS = 30  # how long an invited account may stay invisible before it counts as gone (W14)
_OPEN = "state IN ('pending', 'sent', 'unknown')"


class Unsettled(ApplicationError):
    """An earlier operation on the same account has no known end yet; a second one could do it twice."""

    code = "unsettled"


@frozen(kw_only=True)
class Asked:
    """Who asks and why, and which larger thing an operation belongs to."""

    who: str
    reason: str | None = None
    part_of: int | None = None
    apply: int | None = None


@frozen(kw_only=True)
class Entry:
    """A row of the journal, as the engine needs it. ``sent`` is in seconds since 1970, or None."""

    id: int
    kind: OperationKind
    state: str
    key: Key | None
    type: str
    login: str | None
    entitlement: EntitlementKey | None
    wanted: NewAccount | None
    sent: float | None
    holder: str


class Journal:
    """The journal of one connection. Used by one thread."""

    def __init__(self, db: sqlite3.Connection, connection: int, clock: Clock, holder: str) -> None:
        self.db = db
        self._connection = connection
        self._clock = clock
        self._holder = holder

    # -- writing -------------------------------------------------------------------------------------------

    def begin(
        self, kind: OperationKind, asked: Asked, *, type: str, key: Key | None, login: str | None,
        entitlement: EntitlementKey | None = None, wanted: NewAccount | None = None, before: Json = None,
    ) -> int:  # fmt: skip
        """Write an operation down as ``pending``; its number.

        :raises Unsettled: the same account is being created already, or whether it was is not known.
        """
        with transaction(self.db):
            if kind == "create_account" and login is not None:
                self._refuse_second_creation(login)
            id = new_event(self.db, self._connection, "operation")
            self.db.execute(
                "INSERT INTO journal (id, connection, kind, state, type, account, login, resource_type, role, "
                "entitlement, wanted, before, who, reason, created, part_of, apply, holder) "
                "VALUES (?, ?, ?, 'pending', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    id, self._connection, kind, type, key and key.id, login, *(entitlement or (None, None, None)),
                    compact(to_json(wanted)) if wanted else None, compact(before), asked.who, asked.reason,
                    rfc3339(self._clock.now()), asked.part_of, asked.apply, self._holder,
                ),
            )  # fmt: skip
        return id

    def sent(self, id: int, request: str) -> None:
        """The request is about to leave. Durable before this returns, also against a loss of power."""
        self.db.execute("PRAGMA synchronous = FULL")
        with transaction(self.db):
            self.db.execute(
                "UPDATE journal SET state = 'sent', sent = ?, request = ? WHERE id = ?",
                (rfc3339(self._clock.now()), request, id),
            )
        self.db.execute("PRAGMA synchronous = NORMAL")

    def finish(
        self, id: int, state: str, *, outcome: str | None = None, verified: bool = False, key: Key | None = None,
        login: str | None = None, replaced: EntitlementKey | None = None, reactivated: bool = False,
        warnings: Iterable[str] = (), error: ErrorInfo | None = None, event: int | None = None,
    ) -> None:  # fmt: skip
        """Write down what came of it, in the caller's transaction."""
        self.db.execute(
            "UPDATE journal SET state = ?, outcome = ?, verified = ?, account = coalesce(?, account), "
            "login = coalesce(?, login), replaced = ?, reactivated = max(reactivated, ?), warnings = ?, error = ?, "
            "event = ?, finished = ? WHERE id = ?",
            (
                state, outcome, verified, key and key.id, login, replaced and replaced.id, reactivated,
                json.dumps(list(warnings)), compact(to_json(error)) if error else None, event,
                None if state == "unknown" else rfc3339(self._clock.now()), id,
            ),
        )  # fmt: skip

    # -- reading -------------------------------------------------------------------------------------------

    def open_entries(self) -> list[Entry]:
        """Operations without a known end."""
        query = f"SELECT * FROM journal WHERE connection = ? AND {_OPEN} ORDER BY id"
        return [_entry(row) for row in self.db.execute(query, (self._connection,))]

    def operation(self, id: int) -> Operation:
        return operation_of(self.db.execute("SELECT * FROM journal WHERE id = ?", (id,)).fetchone())

    def invited(self, login: str) -> Key | None:
        """The account that this journal created for that login within `PENDING_DAYS`, where it is not visible yet."""
        query = (
            "SELECT r.type, r.id FROM journal j JOIN resources r ON r.connection = j.connection AND r.type = j.type "
            "AND r.id = j.account AND r.status = 'pending' WHERE j.connection = ? AND j.kind = 'create_account' "
            "AND j.state = 'done' AND j.finished > ? AND lower(j.login) = lower(?) ORDER BY j.id DESC LIMIT 1"
        )
        since = rfc3339(self._clock.now() - PENDING_DAYS * 86_400)
        row = self.db.execute(query, (self._connection, since, login)).fetchone()
        return Key(*row) if row else None

    def was_known(self, type: str, name: str) -> bool:
        """Whether an account of that id or login ever was in the picture or the journal."""
        same = "connection = :connection AND type = :type AND (id = :name OR lower(login) = lower(:name))"
        query = (
            f"SELECT EXISTS (SELECT 1 FROM resources WHERE {same} UNION ALL "
            f"SELECT 1 FROM resource_history WHERE {same} UNION ALL "
            "SELECT 1 FROM journal WHERE connection = :connection AND type = :type AND state = 'done' "
            "AND (account = :name OR lower(login) = lower(:name)))"
        )
        names = {"connection": self._connection, "type": type, "name": name}
        return bool(self.db.execute(query, names).fetchone()[0])

    def was_known_id(self, key: Key) -> bool:
        """Whether that id was in the picture before."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM resources WHERE connection = ?1 AND type = ?2 AND id = ?3 UNION ALL "
            "SELECT 1 FROM resource_history WHERE connection = ?1 AND type = ?2 AND id = ?3)"
        )
        return bool(self.db.execute(query, (self._connection, *key)).fetchone()[0])

    def link(self, step: int, whole: int) -> None:
        """Say that one operation was a step of another, in the caller's transaction."""
        self.db.execute("UPDATE journal SET part_of = ? WHERE id = ?", (whole, step))

    def logins(self) -> list[str]:
        """Logins in the picture, for near matches."""
        query = "SELECT login FROM resources WHERE connection = ? AND login IS NOT NULL LIMIT 20000"
        return [row[0] for row in self.db.execute(query, (self._connection,))]

    def _refuse_second_creation(self, login: str) -> None:
        query = f"SELECT id, state FROM journal WHERE connection = ? AND kind = 'create_account' AND {_OPEN} "
        row = self.db.execute(query + "AND lower(login) = lower(?)", (self._connection, login)).fetchone()
        if row is not None:
            raise Unsettled(
                f"an earlier creation of {login} (operation {row['id']}) is {row['state']}: it may still take effect",
                hint="try again in a minute; until then a second request could create the person twice",
            )


def operation_of(row: sqlite3.Row) -> Operation:
    """A row of the journal as the value that people see."""
    return Operation(
        id=row["id"], kind=row["kind"], user_id=row["account"], user=row["login"], resource_type=row["resource_type"],
        role=row["role"], entitlement=row["entitlement"], state=row["state"], outcome=row["outcome"],
        verified=bool(row["verified"]), replaced=row["replaced"], reactivated=bool(row["reactivated"]),
        warnings=tuple(json.loads(row["warnings"])), error=_error(row["error"]), requested_by=row["who"],
        reason=row["reason"], created=row["created"], finished=row["finished"], part_of=row["part_of"],
        apply=row["apply"],
    )  # fmt: skip


def _error(text: str | None) -> ErrorInfo | None:
    return from_json(json.loads(text), ErrorInfo, what="journal") if text else None


def _entry(row: sqlite3.Row) -> Entry:
    entitlement = EntitlementKey(row["resource_type"], row["role"], row["entitlement"]) if row["role"] else None
    return Entry(
        id=row["id"], kind=row["kind"], state=row["state"], type=row["type"], login=row["login"],
        key=Key(row["type"], row["account"]) if row["account"] else None, entitlement=entitlement,
        wanted=from_json(json.loads(row["wanted"]), NewAccount, what="journal") if row["wanted"] else None,
        sent=datetime.fromisoformat(row["sent"]).timestamp() if row["sent"] else None, holder=row["holder"],
    )  # fmt: skip
