"""Keep credentials that an application rotates, in a file next to the state."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from connector_core.errors import StateError
from connector_core.files import make_private_folder, read_bytes, what_is_wrong
from connector_core.store.companions import vault_file
from connector_core.store.connections import ConnectionRef, find_connection, identity_of
from connector_core.store.database import explained, open_reader, open_writer
from connector_core.trust import trusted

_LARGEST = 2**20  # bytes of a vault
_PATIENCE = 60.0  # seconds that a renewal by another process may take
_RENEWAL = ".renewal.lock"


class ConnectionVault:
    """The vault of one connection, next to the state file at ``state``: another state may be another workspace's."""

    def __init__(self, state: Path, ref: ConnectionRef) -> None:
        self._state = state
        self._ref = ref

    def get(self, name: str) -> str | None:
        """What was kept under that name, or None.

        :raises StateError: the state or the vault cannot be used.
        """
        row = self._row()
        identity = self._ref.identity if row is None else str(row["identity"])
        return None if identity is None else FileVault(vault_file(self._state, identity)).get(name)

    def put(self, name: str, value: str) -> None:
        """Keep it, as `FileVault.put`; but not for a connection that was removed meanwhile.

        :raises StateError: the state or the vault cannot be used.
        """
        row = self._row()
        if row is None or row["removed"] is None:
            self._file(row).put(name, value)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Within it, no other process or thread is: for what may be exchanged once.

        :raises StateError: another has held it for a minute, or the state or the vault cannot be used.
        """
        with self._file(self._row()).exclusive():
            yield

    def _file(self, row: sqlite3.Row | None) -> FileVault:
        """The file of its own, which is named after an identity that is given to it here where it has none."""
        identity = self._ref.identity if row is None else str(row["identity"])
        if identity is None:
            with explained(self._state), closing(open_writer(self._state)) as db:
                identity = identity_of(db, self._ref)
        return FileVault(vault_file(self._state, identity))

    def _row(self) -> sqlite3.Row | None:
        """The state may still have another identity, where the configuration file was given one since."""
        with explained(self._state):
            db = open_reader(self._state)
            if db is None:
                return None
            with closing(db):
                return find_connection(db, self._ref)


class FileVault:
    """Credentials that an application rotates, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, name: str) -> str | None:
        """What was kept under that name, or None.

        :raises StateError: the file cannot be used.
        """
        with self._explained():
            return self._read().get(name)

    def put(self, name: str, value: str) -> None:
        """Keep it, in one step: a crash leaves the old file or the new one. Safe between threads and processes.

        :raises StateError: the file cannot be used.
        """
        from filelock import FileLock

        draft = self._path.with_name(f"{self._path.name}.new")
        with self._explained():
            make_private_folder(self._path.parent)
            with FileLock(f"{self._path}.lock", mode=0o600, is_singleton=False, timeout=10):
                draft.unlink(missing_ok=True)  # left by a crash; a new one has the right mode
                text = json.dumps({**self._read(), name: value})
                with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(self._path)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the file's renewal lock, which the kernel frees at death.

        :raises StateError: another has held it for a minute, or it cannot be used.
        """
        from filelock import FileLock

        lock = FileLock(f"{self._path}{_RENEWAL}", mode=0o600, is_singleton=False)
        with self._explained():
            make_private_folder(self._path.parent)
            lock.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            lock.release()

    def _read(self) -> dict[str, str]:
        try:
            kept = json.loads(read_bytes(self._path, _LARGEST, look=trusted(self._path, "the vault")))
        except FileNotFoundError:
            return {}
        if not isinstance(kept, dict) or not all(isinstance(value, str) for value in kept.values()):
            raise ValueError("something else wrote into it")
        return kept

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RecursionError) as error:  # words of a ValueError could quote what the file holds
            reason = error if isinstance(error, OSError) else type(error).__name__
            raise StateError(f"cannot use the vault {self._path}: {reason}") from None


def forget_vault(state: Path, identity: str) -> None:
    """Delete the vault of a connection, where there is one.

    :raises StateError: it cannot be deleted.
    """
    path = vault_file(state, identity)
    try:
        for end in ("", ".new", ".lock", _RENEWAL):
            path.with_name(f"{path.name}{end}").unlink(missing_ok=True)
    except OSError as error:
        raise StateError(f"cannot delete the vault {path}: {what_is_wrong(error)}", hint="delete it by hand") from error
