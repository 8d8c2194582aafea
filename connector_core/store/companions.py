"""Files that lie next to the state, for one connection each: named after its identity, which stays with it for good."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from connector_core.errors import StateError
from connector_core.files import make_private_folder, what_is_wrong


def lock_file(state: Path, identity: str) -> Path:
    """Return the file whose lock says that the connection is being synced or changed."""
    return state.with_name(f"{state.name}.{identity}.lock")


def vault_file(state: Path, identity: str) -> Path:
    """Return the file of the credentials that the application of a connection rotates."""
    return state.with_name(f"{state.name}.{identity}.vault")


def move_state(state: Path, later: Path, identity: str) -> None:
    """Give the state file of a single connection another name, with its log and the vault.

    :raises StateError: it cannot be renamed.
    """
    try:
        make_private_folder(later.parent)
        for end in ("-wal", "-shm", ""):
            _move(state.with_name(f"{state.name}{end}"), later.with_name(f"{later.name}{end}"))
        _move(vault_file(state, identity), vault_file(later, identity))
    except OSError as error:
        raise StateError(
            f"cannot rename {state} to {later}: {what_is_wrong(error)}", hint="rename it by hand, with its -wal"
        ) from error


def move_vault(db: sqlite3.Connection, before: str, identity: str) -> None:
    """Keep the vault of a connection whose identity changes.

    :raises OSError: it cannot be renamed.
    """
    state = Path(db.execute("PRAGMA database_list").fetchone()["file"])
    _move(vault_file(state, before), vault_file(state, identity))


def move_named_vaults(state: Path, db: sqlite3.Connection) -> None:
    """Name the vaults of earlier versions, which were named after connections, after their identities.

    :raises OSError: one cannot be renamed.
    """
    for name, identity in db.execute("SELECT name, identity FROM connections"):
        _move(vault_file(state, quote(name, safe="")), vault_file(state, identity))


def _move(before: Path, after: Path) -> None:
    if before.exists() and not after.exists():
        before.replace(after)
