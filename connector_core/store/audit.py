"""Journal rows for which the application was asked nothing: refused attempts, and changes of set-up."""

from __future__ import annotations

import sqlite3
from typing import Any

from attrs import frozen

from connector_core.clock import Clock, rfc3339
from connector_core.convert import compact, to_json
from connector_core.errors import GuardRefused
from connector_core.model import ErrorInfo, Operation, OperationKind
from connector_core.store.connections import new_event
from connector_core.store.journal import Requester, operation_of


@frozen(kw_only=True)
class SetupChange:
    """A setting of a connection, and its values as text; None where there is none. A secret's value is never given."""

    setting: str
    before: str | None = None
    after: str | None = None


@frozen(kw_only=True)
class RefusedAttempt:
    """What was asked for, in the words of the request: nothing was looked up."""

    kind: OperationKind
    error: GuardRefused
    user: str | None = None
    role: str | None = None


def note_setup(
    db: sqlite3.Connection, connection: int, change: SetupChange, asked: Requester, clock: Clock
) -> Operation:
    """Write down a change of set-up, in the caller's transaction."""
    facts = {
        "kind": "setup", "state": "done", "outcome": "changed", "setting": change.setting,
        "value_before": change.before, "value_after": change.after,
    }  # fmt: skip
    return _note(db, connection, facts, asked, clock)


def note_refusal(
    db: sqlite3.Connection, connection: int, attempt: RefusedAttempt, asked: Requester, clock: Clock
) -> Operation:
    """Write down an attempt that a guard refused, in the caller's transaction."""
    error, user = attempt.error, attempt.user and attempt.user.strip()
    info = ErrorInfo(code=error.code, message=error.message, hint=error.hint)
    facts = {
        "kind": attempt.kind, "state": "refused", "guard": error.guard, "error": compact(to_json(info)),
        "login" if user and "@" in user else "account": user, "role": attempt.role,
    }  # fmt: skip
    return _note(db, connection, facts, asked, clock)


def _note(db: sqlite3.Connection, connection: int, facts: dict[str, Any], asked: Requester, clock: Clock) -> Operation:
    id, now = new_event(db, connection, "operation"), rfc3339(clock.now())
    values = {
        "id": id, "connection": connection, "type": "", "holder": "", "who": asked.who, "reason": asked.reason,
        "created": now, "finished": now, **facts,
    }  # fmt: skip
    marks = ", ".join(f":{name}" for name in values)
    db.execute(f"INSERT INTO journal ({', '.join(values)}) VALUES ({marks})", values)
    return operation_of(db.execute("SELECT * FROM journal WHERE id = ?", (id,)).fetchone())
