"""What a set-up changes, as its journal has it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from attrs import define, field

from connector_core.config import addresses
from connector_core.config.configuration import ConnectionConfig
from connector_core.host.audit import SetupChange
from connector_core.settings import Setting


@define(kw_only=True)
class SetupEntry:
    """What is being written into the journal of one connection, whose row is ``connection``."""

    db: sqlite3.Connection
    connection: int
    changes: list[SetupChange] = field(factory=list)


def differences(
    config: ConnectionConfig, before: Mapping[str, Any], facts: Mapping[str, Any], known: Mapping[str, Setting]
) -> Iterator[SetupChange]:
    """Return what is different by now, as text; a secret has none."""
    earlier = {**before, "owner": config.owner, "managed": config.managed}
    for key, value in facts.items():
        if key in known and known[key].secret:
            yield SetupChange(setting=key)
        elif earlier.get(key) != value:
            shown = addresses.shown if key in known and known[key].address else str
            yield SetupChange(setting=key, before=_text(earlier.get(key), shown), after=_text(value, shown))


def differences_by_app(
    before: ConnectionConfig, now: ConnectionConfig, words: Iterable[str]
) -> tuple[SetupChange, ...]:  # fmt: skip
    """Return what its app says otherwise by now than it, or the connection itself, did before."""
    pairs = ((word, getattr(before, word), getattr(now, word)) for word in words)
    return tuple(SetupChange(setting=w, before=_text(b), after=_text(a)) for w, b, a in pairs if a != b)


def _text(value: Any, shown: Callable[[str], str] = str) -> str | None:
    if value is None:
        return None
    return shown(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
