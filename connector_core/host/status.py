"""Watching connections: new, syncing, connected, failing, and what needs a person."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Literal

from attrs import frozen

from connector_core.clock import Clock
from connector_core.config.configuration import ConnectionConfig
from connector_core.model import ErrorInfo, SyncInfo
from connector_core.store.connections import ConnectionRef
from connector_core.store.database import explained, open_reader
from connector_core.store.lock import is_held
from connector_core.store.overview import Overview, overview

Label = Literal["new", "syncing", "connected", "incomplete", "held", "failing", "interrupted"]


@frozen(kw_only=True)
class ConnectionStatus:
    """How one connection is doing.

    ``since``: from when on it has been failing; ``age``: seconds since its last complete picture, or None;
    ``next_run``: when `run --every` means to begin again; ``overdue``: it should have by now, and did not.
    ``needs_person``: it will not get well by itself. ``error`` says why the last sync failed.
    """

    connection: str
    connector: str
    app: str | None
    owner: str | None
    managed: bool
    label: Label
    since: str | None = None
    why: str | None = None
    last_sync: SyncInfo | None = None
    last_complete: str | None = None
    age: float | None = None
    next_run: str | None = None
    overdue: bool = False
    needs_person: bool = False
    error: ErrorInfo | None = None


_NEEDS_PERSON = ("held", "failing", "incomplete")
_LATE = 60.0  # seconds after which a run that should have begun is missed


def look(config: ConnectionConfig, path: Path, clock: Clock) -> ConnectionStatus:
    """How that connection is doing, from its state and whether a process holds its lock."""
    seen = _overview(config.ref, path)
    label = _label(seen, busy=seen.identity is not None and is_held(path, seen.identity))
    ahead = None if seen.next_run is None else datetime.fromisoformat(seen.next_run).timestamp() - clock.now()
    overdue = ahead is not None and ahead < -_LATE and label != "syncing"
    return ConnectionStatus(
        connection=config.name, connector=config.connector, app=config.app, owner=config.owner,
        managed=config.managed, label=label, since=seen.failing_since if label == "failing" else None,
        why=_why(seen), last_sync=seen.last, last_complete=seen.last_complete, age=_age(seen.last_complete, clock),
        next_run=seen.next_run, overdue=overdue, needs_person=overdue or label in _NEEDS_PERSON, error=seen.error,
    )  # fmt: skip


def _overview(ref: ConnectionRef, path: Path) -> Overview:
    with explained(path):
        db = open_reader(path)
        if db is None:
            return Overview()
        with closing(db):
            return overview(db, ref)


def _label(seen: Overview, *, busy: bool) -> Label:
    if busy:
        return "syncing"
    if seen.last is None:
        return "new"
    labels: dict[str, Label] = {
        "complete": "connected", "incomplete": "incomplete", "held": "held", "failed": "failing",
    }  # fmt: skip
    return labels.get(seen.last.status, "interrupted")  # one that says it runs while the lock is free: its process died


def _why(seen: Overview) -> str | None:
    if seen.error is not None:
        return seen.error.message
    return seen.last.reason if seen.last is not None else None


def _age(moment: str | None, clock: Clock) -> float | None:
    return None if moment is None else max(0.0, clock.now() - datetime.fromisoformat(moment).timestamp())
