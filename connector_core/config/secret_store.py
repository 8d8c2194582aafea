"""Keeping a secret that a person pasted: in the keyring where there is one, else in a file only they can read.

Each secret that is kept has a name that no other ever had, of the connection's identity, the setting, the configuration
file and chance. So keeping one never writes over another, and a reading of the configuration finds the secret that was
current then, or none.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from connector_core.errors import ConfigurationError
from connector_core.files import make_private_folder, what_is_wrong, write_private
from connector_core.model import Json, Secret

SERVICE = "connector-core"  # under which the keyring knows us
_OURS = re.compile(r"[0-9a-f]{32}\..+\.([0-9a-f]{8})-[0-9a-f]{8}")


@frozen(kw_only=True)
class StoredSecret:
    """Where a secret lies: ``reference`` is what the configuration file says, ``place`` the same in words."""

    reference: Json
    place: str


@frozen(kw_only=True)
class Leftover:
    """A secret that is still there, and why. ``failed``: it should have been deleted; else it is not ours to delete."""

    place: str
    reason: str
    failed: bool

    def __str__(self) -> str:
        return f"{self.place} is still there: {self.reason}"


class SecretStore:
    """Keeps secrets for the connections of the configuration file at ``path``; files lie in a folder next to it."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._folder = self._path.parent / "secrets"
        self._mark = hashlib.sha256(str(self._path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:8]

    def keep(self, identity: str, setting: str, secret: Secret, *, keyring: bool | None = None) -> StoredSecret:
        """Keep it under a new name.

        :param keyring: True insists on the keyring, False on a file; None takes the keyring where there is one.
        :raises ConfigurationError: there is no keyring that keeps it, or the file cannot be written.
        """
        name = f"{identity}.{setting}.{self._mark}-{secrets.token_hex(4)}"
        if keyring is not False and _to_keyring(name, secret, insist=bool(keyring)):
            return StoredSecret(reference={"keyring": name}, place=f"the keyring, as {name!r} of {SERVICE}")
        path = self._folder / name
        try:
            for folder in (self._folder.parent, self._folder):  # `parents` would leave the outer one open to others
                make_private_folder(folder)
            write_private(path, f"{secret.reveal()}\n")
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {what_is_wrong(error)}") from error
        return StoredSecret(reference={"file": str(path)}, place=f"{path}, which only you can read")

    def forget(self, reference: Json, connection: str) -> Leftover | None:
        """Delete what a reference leads to, if it was kept for this configuration and nothing refers to it any more.

        :param connection: the name of the connection whose it was: secrets of earlier versions are named after it.
        :returns: what is left and why; None where nothing of ours is.
        """
        if not isinstance(reference, dict) or len(reference) != 1:
            return None
        way, name = next(iter(reference.items()))
        if not isinstance(name, str) or way not in ("keyring", "file") or self.is_referred_to(reference):
            return None
        if way == "keyring":
            return self._forget_entry(name, connection)
        return self._forget_file(self._located(name))

    def _forget_entry(self, name: str, connection: str) -> Leftover | None:
        ours = _OURS.fullmatch(name)
        if ours is None and name != connection and not name.startswith(f"{connection}."):
            return None
        place = f"{name!r} of {SERVICE} in the keyring"
        if ours is not None and ours[1] != self._mark:
            return Leftover(place=place, reason="it was kept for another configuration file", failed=False)
        if (doubt := self.doubt()) is not None:
            return Leftover(place=place, reason=doubt, failed=False)
        reason = _from_keyring(name)
        return None if reason is None else Leftover(place=place, reason=reason, failed=True)

    def _forget_file(self, path: Path) -> Leftover | None:
        if path.parent.resolve() != self._folder.resolve():
            if _OURS.fullmatch(path.name) and path.exists():
                return Leftover(place=str(path), reason="it was kept for another configuration file", failed=False)
            return None
        if path.exists() and (doubt := self.doubt()) is not None:
            return Leftover(place=str(path), reason=doubt, failed=False)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            return Leftover(place=str(path), reason=what_is_wrong(error), failed=True)
        return None

    def is_referred_to(self, reference: Json) -> bool:
        """Whether a configuration file of this folder still says that, in whatever connection, however it is spelled.

        :param reference: where a secret lies, or an identity.
        """
        said = self._resolved(reference)
        tables = (table for _, tables in self._neighbours() for table in tables or ())
        return any(self._resolved(value) == said for table in tables for value in table.values())

    def doubt(self) -> str | None:
        """Why something may be referred to though `is_referred_to` says no, in words; None where there is no doubt."""
        unread = [str(path) for path, tables in self._neighbours() if tables is None]
        return f"{unread[0]} cannot be read, and may refer to it" if unread else None

    def _neighbours(self) -> Iterator[tuple[Path, list[Mapping[str, Any]] | None]]:
        """The configuration files of this folder, each with its connections; None where it cannot be read."""
        import tomllib

        for path in sorted({self._path, *self._path.parent.glob("*.toml")}):
            if not path.is_file():
                continue
            try:
                connections = tomllib.loads(path.read_text("utf-8-sig")).get("connections")
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError):
                yield path, None
                continue
            tables = connections.values() if isinstance(connections, dict) else ()
            yield path, [table for table in tables if isinstance(table, dict)]

    def _located(self, name: str) -> Path:
        """Where a reference to a file leads, as `fetch` follows it."""
        try:
            return self._path.parent / Path(name).expanduser()
        except RuntimeError:  # no home folder to put for ~
            return self._path.parent / name

    def _resolved(self, value: Any) -> Any:
        """One spelling of a file for all; anything else as it is."""
        if isinstance(value, dict) and isinstance(name := value.get("file"), str) and "\0" not in name:
            return os.path.realpath(self._located(name))
        return value


def _to_keyring(name: str, secret: Secret, *, insist: bool) -> bool:
    """Put it there and read it back: there are keyrings that take everything and keep nothing."""
    try:
        import keyring
    except ImportError:
        if insist:
            raise ConfigurationError(
                "keyring is not installed", hint="pip install 'connector-core[keyring]', or keep it in a file"
            ) from None
        return False
    reason = "it kept nothing"
    try:
        keyring.set_password(SERVICE, name, secret.reveal())
        if keyring.get_password(SERVICE, name) == secret.reveal():
            return True
    except Exception as error:  # each backend has errors of its own, whose words may be anything
        reason = type(error).__name__
    _from_keyring(name)
    if insist:
        raise ConfigurationError(
            f"the keyring does not take it ({reason})", hint="unlock it, or keep the secret in a file: --no-keyring"
        )
    return False


def _from_keyring(name: str) -> str | None:
    """Delete an entry; why it is still there, or None where it is not."""
    try:
        import keyring
    except ImportError:
        return "keyring is not installed (pip install 'connector-core[keyring]')"
    reason = "the keyring did not delete it"
    try:
        if keyring.get_password(SERVICE, name) is None:
            return None
        keyring.delete_password(SERVICE, name)
        if keyring.get_password(SERVICE, name) is None:
            return None
    except Exception as error:  # as above
        reason = f"the keyring cannot be used ({type(error).__name__})"
    return f"{reason}; `keyring del {SERVICE} {name}` deletes it"
