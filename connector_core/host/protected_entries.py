"""Entries of the setting `protected` that name no account: each protects none, which its author should know."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from connector_core.connectors.session import Session
from connector_core.errors import AmbiguousName, NoPicture
from connector_core.model import Finding
from connector_core.protection import EVERY, Protection
from connector_core.provision.guards import protection_of
from connector_core.store.protected import ProtectedAccounts

if TYPE_CHECKING:
    from connector_core.store.queries import Reader

_LOOKED_UP = 20  # entries that a check looks up in the application, within its few seconds
Reading = Callable[[], AbstractContextManager["Reader"]]


def findings(session: Session, reading: Reading) -> tuple[Finding, ...]:
    """Return a warning for each entry that names no account: in the picture, else in the application itself."""
    protection = protection_of(session.settings)
    if not protection.entries:
        return ()
    try:
        with reading() as reader:
            reader.picture()
            idle: Iterable[str] = ProtectedAccounts(reader.db, reader.id).idle(protection)
    except NoPicture:
        idle = _not_found(session, protection)
    return tuple(
        Finding(
            level="warning", code="protected_nobody", message=f"protected: {entry} names no account",
            hint="correct the entry, or take it out",
        )
        for entry in idle
    )  # fmt: skip


def _not_found(session: Session, protection: Protection) -> list[str]:
    """Addresses with which a look-up finds no account, of the first ones; only a picture can tell of other entries."""
    if "find_account" not in session.connector.hooks:
        return []
    addresses = [entry for entry in protection.entries if "@" in entry and not entry.startswith(EVERY)]
    return [address for address in addresses[:_LOOKED_UP] if not _is_found(session, address)]


def _is_found(session: Session, entry: str) -> bool:
    try:
        return bool(session.connector.find_account(session.client, entry).resources)
    except AmbiguousName:
        return True
