"""Whether the process that began an operation still lives: a lock file for each, freed by the kernel at death."""

from __future__ import annotations

import glob
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from connector_core.store.lock import unusable


class Holders:
    """The lock files of running processes, next to the state file."""

    def __init__(self, state: Path) -> None:
        self._state = state

    @contextmanager
    def sitting(self) -> Iterator[str]:
        """Hold a lock of one's own; gives its name. Files that the dead left behind are swept away.

        :raises StateError: there is no room for it.
        """
        for file in self._state.parent.glob(f"{glob.escape(self._state.name)}.*.holder"):
            self.is_alive(file.name.removeprefix(f"{self._state.name}.").removesuffix(".holder"))
        name = uuid.uuid4().hex
        lock = self._lock(name)
        try:
            lock.acquire()
        except OSError as error:
            raise unusable(lock, error) from error
        try:
            yield name
        finally:
            self._file(name).unlink(missing_ok=True)
            lock.release()

    def is_alive(self, name: str) -> bool:
        """Whether that run is alive, in whatever process; if not, its file is removed."""
        if not self._file(name).exists():
            return False
        lock = self._lock(name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        except OSError:  # a folder, say: no process holds that
            return False
        self._file(name).unlink(missing_ok=True)
        lock.release()
        return False

    def _file(self, name: str) -> Path:
        return self._state.with_name(f"{self._state.name}.{name}.holder")

    def _lock(self, name: str) -> FileLock:
        return FileLock(self._file(name), mode=0o600, is_singleton=False)
