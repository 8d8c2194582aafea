"""The journal: each operation, written before its request leaves, and its result."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact, from_json, to_json
from connector_core.errors import ApplicationError
from connector_core.model import EntitlementKey, ErrorInfo, Json, Key, NewAccount, Operation, OperationKind, Resource
from connector_core.names import is_same, normalized
from connector_core.store.columns import resource_of
from connector_core.store.connections import new_event
from connector_core.store.database import transaction
from connector_core.store.elapsed import DAY, witness, witnessed
from connector_core.store.naming import AccountNames

PENDING_DAYS = 30  # how long an invited account may stay invisible before it counts as gone (W14)
INVITED = "coalesce(witnessed, 0) > ?"  # what is still within it, compared with `invited_since`
_SEEN_SINCE = (
    "EXISTS (SELECT 1 FROM resource_history h WHERE h.connection = journal.connection AND h.type = journal.type "
    "AND h.login_key = journal.login_key AND h.began > journal.id)"
)
_OPEN = "state IN ('pending', 'sent', 'unknown')"


class Unsettled(ApplicationError):
    """An earlier operation on the same account has no known end yet; a second one could do it twice."""

    code = "unsettled"


@frozen(kw_only=True)
class Requester:
    """Who asks and why, and in the course of which apply."""

    who: str
    reason: str | None = None
    apply: int | None = None


@frozen(kw_only=True)
class JournalDraft:
    """What is written down before anything is done. ``before``: how the account was, for taking it back.

    ``as_of``: the newest operation when an account that is to be created was looked up.
    """

    kind: OperationKind
    type: str
    key: Key | None
    login: str | None
    entitlement: EntitlementKey | None = None
    wanted: NewAccount | None = None
    before: Json = None
    reactivated: bool = False
    as_of: int = 0


@frozen(kw_only=True)
class OpenOperation:
    """A row of the journal without a known end. ``held``: before it.

    ``sent``: in seconds since 1970, when its request left, or else when it was asked for: of a connector with an HTTP
    client of its own the host sees none leave. ``accepted``: the application answered that it will carry it out (202).
    ``address``: digest of where it was sent, None where that was not kept.
    """

    id: int
    kind: OperationKind
    state: str
    key: Key | None
    type: str
    login: str | None
    entitlement: EntitlementKey | None
    wanted: NewAccount | None
    held: frozenset[EntitlementKey]
    sent: float
    holder: str
    accepted: bool = False
    address: str | None = None


class Journal:
    """The journal of one connection. Used by one thread.

    :param address: digest of where the application is now; None where nothing is written.
    """

    def __init__(
        self, db: sqlite3.Connection, connection: int, clock: Clock, holder: str, address: str | None = None
    ) -> None:  # fmt: skip
        self.db = db
        self._connection = connection
        self._clock = clock
        self._holder = holder
        self._address = address
        self._names = AccountNames(db, connection)

    # -- writing -------------------------------------------------------------------------------------------

    def begin(self, facts: JournalDraft, asked: Requester) -> int:
        """Write an operation down as ``pending``; its number.

        :raises Unsettled: the same account is being created already, or whether it was is not known.
        """
        with transaction(self.db):
            if facts.kind == "create_account" and facts.login is not None:
                self._refuse_second_creation(facts.login, facts.as_of)
            return self.insert(facts, asked)

    def insert(self, facts: JournalDraft, asked: Requester) -> int:
        """A row, ``pending``, in the caller's transaction; its number."""
        id = new_event(self.db, self._connection, "operation")
        values = {
            "id": id, "connection": self._connection, "kind": facts.kind, "state": "pending", "type": facts.type,
            "account": facts.key and facts.key.id, "login": facts.login,
            "login_key": facts.login and normalized(facts.login),
            **dict(zip(("resource_type", "role", "entitlement"), facts.entitlement or (), strict=False)),
            "wanted": compact(to_json(facts.wanted)) if facts.wanted else None, "before": compact(facts.before),
            "reactivated": facts.reactivated, "who": asked.who, "reason": asked.reason, "apply": asked.apply,
            "created": rfc3339(self._clock.now()), "holder": self._holder, "witnessed": witness(self.db, self._clock),
            "address": self._address,
        }  # fmt: skip
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        self.db.execute(f"INSERT INTO journal ({names}) VALUES ({marks})", values)
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
        login: str | None = None, replaced: EntitlementKey | None = None, warnings: Iterable[str] = (),
        error: ErrorInfo | None = None, guard: str | None = None, event: int | None = None,
    ) -> None:  # fmt: skip
        """Write down the result, in the caller's transaction. Only ``done`` has an outcome."""
        self.db.execute(
            "UPDATE journal SET state = ?, outcome = ?, verified = ?, account = coalesce(?, account), "
            "login = coalesce(?, login), login_key = coalesce(name_key(?), login_key), replaced = ?, "
            "warnings = ?, error = ?, guard = ?, event = ?, finished = ? WHERE id = ?",
            (
                state, outcome, verified, key and key.id, login, login, replaced and replaced.id,
                compact(list(warnings)), compact(to_json(error)) if error else None, guard, event,
                None if state == "unknown" else rfc3339(self._clock.now()), id,
            ),
        )  # fmt: skip

    def link(self, steps: Iterable[int], whole: Operation) -> None:
        """Say that operations were steps of another."""
        with transaction(self.db):
            pairs = [(whole.id, step) for step in steps]
            self.db.executemany("UPDATE journal SET part_of = ? WHERE id = ?", pairs)

    # -- reading -------------------------------------------------------------------------------------------

    def open_entries(self) -> list[OpenOperation]:
        """Operations without a known end."""
        query = f"SELECT * FROM journal WHERE connection = ? AND {_OPEN} ORDER BY id"
        return [_entry(row) for row in self.db.execute(query, (self._connection,))]

    def operation(self, id: int) -> Operation:
        return operation_of(self.db.execute("SELECT * FROM journal WHERE id = ?", (id,)).fetchone())

    def newest(self) -> int:
        """The number of the newest operation."""
        query = "SELECT coalesce(max(id), 0) FROM journal WHERE connection = ?"
        number: int = self.db.execute(query, (self._connection,)).fetchone()[0]
        return number

    def known(self, type: str, login: str) -> list[Resource]:
        """The accounts of the picture that have that login."""
        return [resource_of(row) for row in self._names.bearing(login, type) if is_same(row["login"], login)]

    def known_by_email(self, type: str, email: str) -> list[Resource]:
        """The accounts of the picture that have that e-mail, and another login."""
        return [resource_of(row) for row in self._names.bearing(email, type) if not is_same(row["login"], email)]

    def is_invited(self, account: Resource) -> bool:
        """Whether this journal created it within `PENDING_DAYS`, and it was not listed since (W14)."""
        created = f"kind = 'create_account' AND outcome = 'changed' AND account = ? AND {INVITED}"
        return account.status == "pending" and self._has(account.type, created, account.id, self._invited_since())

    def was_invited(self, type: str, login: str) -> bool:
        """Whether this journal created an account of that login within `PENDING_DAYS`, and its id is not known.

        Asking for its removal takes it back. An account that was seen under that login since is no longer invited.
        """
        created = (
            "kind = 'create_account' AND outcome = 'changed' AND account IS NULL AND login_key = name_key(?) "
            f"AND {INVITED} AND NOT EXISTS (SELECT 1 FROM journal d WHERE d.connection = journal.connection "
            "AND d.kind = 'delete_account' AND d.state = 'done' AND d.id > journal.id "
            f"AND d.login_key = journal.login_key) AND NOT {_SEEN_SINCE}"
        )
        return self._has(type, created, login, self._invited_since())

    def is_repeated(self, kind: str, key: Key, entitlement: EntitlementKey | None) -> bool:
        """Whether the last request for that account brought about the very same, and was seen done.

        To be created with a role is to be granted it.
        """
        query = (
            "SELECT state, kind, resource_type, role, entitlement FROM journal "
            "WHERE connection = ? AND type = ? AND account = ? AND sent IS NOT NULL ORDER BY id DESC LIMIT 1"
        )
        row = self.db.execute(query, (self._connection, *key)).fetchone()
        if row is None or row["state"] != "done" or tuple(row)[2:] != (entitlement or (None, None, None)):
            return False
        return row["kind"] == kind or (row["kind"], kind) == ("create_account", "grant")

    def ids_called(self, type: str, login: str) -> list[Key]:
        """Every account that ever had that login in the picture or the journal."""
        return self._names.ever_called(login, type)

    def renamed(self, login: str) -> tuple[str, str] | None:
        """Say which account that had this login bears another one now, and what to do; None where there is none."""
        return self._names.renamed(login)

    def was_known(self, type: str, name: str) -> bool:
        """Whether an account of that id or login ever was in the picture or the journal."""
        same = "(account = ? OR login_key = name_key(?))"
        return self._was_in_picture(type, name, "login_key = name_key(:name)") or self._has(type, same, name, name)

    def was_known_id(self, key: Key) -> bool:
        """Whether an account of exactly that id ever was in the picture or the journal."""
        return self._was_in_picture(*key, "0") or self._has(key.type, "account = ?", key.id)

    def has_picture(self) -> bool:
        """Whether a sync was ever published."""
        query = "SELECT baseline IS NOT NULL FROM connections WHERE id = ?"
        return bool(self.db.execute(query, (self._connection,)).fetchone()[0])

    def logins(self, type: str) -> list[str]:
        """Logins in the picture, for near matches."""
        query = (
            "SELECT login FROM current_resources WHERE connection = ? AND type = ? AND login IS NOT NULL LIMIT 20000"
        )
        return [row[0] for row in self.db.execute(query, (self._connection, type))]

    def _was_in_picture(self, type: str, name: str, more: str) -> bool:
        same = f"connection = :connection AND type = :type AND (id = :name OR {more})"
        some = f"SELECT 1 FROM current_resources WHERE {same} UNION ALL SELECT 1 FROM resource_history WHERE {same}"
        names = {"connection": self._connection, "type": type, "name": name}
        return bool(self.db.execute(f"SELECT EXISTS ({some})", names).fetchone()[0])

    def _has(self, type: str, which: str, *values: object) -> bool:
        """Whether an operation that was done fits."""
        query = (
            f"SELECT EXISTS (SELECT 1 FROM journal WHERE connection = ? AND type = ? AND state = 'done' AND {which})"
        )
        return bool(self.db.execute(query, (self._connection, type, *values)).fetchone()[0])

    def _invited_since(self) -> float:
        return invited_since(self.db, self._clock)

    def _refuse_second_creation(self, login: str, as_of: int) -> None:
        """Also one that ended since the look-up: what that did not show may be there by now.

        What was sent to another address creates no account at this one.
        """
        query = (
            "SELECT id, state FROM journal WHERE connection = ? AND kind = 'create_account' AND "
            f"login_key = name_key(?) AND ({_OPEN} OR (id > ? AND outcome = 'changed')) "
            "AND coalesce(address = ?, TRUE)"
        )
        row = self.db.execute(query, (self._connection, login, as_of, self._address)).fetchone()
        if row is not None:
            raise Unsettled(
                f"another creation of {login} (operation {row['id']}) is {row['state']}: it may still take effect",
                hint="try again in a minute; until then a second request could create the person twice",
            )


def invited_since(db: sqlite3.Connection, clock: Clock) -> float:
    """What had been witnessed `PENDING_DAYS` ago, by the time that the state has witnessed."""
    return witnessed(db, clock) - PENDING_DAYS * DAY


def operation_of(row: sqlite3.Row) -> Operation:
    """A row of the journal as the value that people see."""
    return Operation(
        id=row["id"], kind=row["kind"], user_id=row["account"], user=row["login"], resource_type=row["resource_type"],
        role=row["role"], entitlement=row["entitlement"], state=row["state"], outcome=row["outcome"],
        verified=bool(row["verified"]), replaced=row["replaced"], reactivated=bool(row["reactivated"]),
        warnings=tuple(json.loads(row["warnings"])), error=_error(row["error"]), requested_by=row["who"],
        reason=row["reason"], created=row["created"], finished=row["finished"], part_of=row["part_of"],
        apply=row["apply"], **{name: row[name] for name in ("guard", "setting", "value_before", "value_after")},
    )  # fmt: skip


def _error(text: str | None) -> ErrorInfo | None:
    return from_json(json.loads(text), ErrorInfo, what="journal") if text else None


def _entry(row: sqlite3.Row) -> OpenOperation:
    before = json.loads(row["before"]) or {}
    return OpenOperation(
        id=row["id"], kind=row["kind"], state=row["state"], type=row["type"], login=row["login"],
        key=Key(row["type"], row["account"]) if row["account"] else None,
        entitlement=EntitlementKey(row["resource_type"], row["role"], row["entitlement"]) if row["role"] else None,
        wanted=from_json(json.loads(row["wanted"]), NewAccount, what="journal") if row["wanted"] else None,
        held=frozenset(map(EntitlementKey.parse, before.get("held", ()))), holder=row["holder"],
        sent=datetime.fromisoformat(row["sent"] or row["created"]).timestamp(),
        accepted=bool(row["error"]) and json.loads(row["error"])["code"] == "accepted",
        address=row["address"],
    )  # fmt: skip
