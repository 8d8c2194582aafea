"""No tests: keyrings in memory, for tests within one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError


class MemoryKeyring(KeyringBackend):
    """Keeps what it is given in ``entries``, by service and name."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop((service, username), None) is None:
            raise PasswordDeleteError(username)

    def names(self) -> set[str]:
        """The names under which something is kept for this program."""
        return {name for service, name in self.entries if service == "connector-core"}


class ForgetfulKeyring(MemoryKeyring):
    """Takes everything and keeps nothing, as the null backend of keyring does."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class StubbornKeyring(MemoryKeyring):
    """Deletes nothing."""

    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError(username)


@contextmanager
def using(backend: MemoryKeyring) -> Iterator[MemoryKeyring]:
    """Have everything in this process use that keyring."""
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        yield backend
    finally:
        keyring.set_keyring(before)
