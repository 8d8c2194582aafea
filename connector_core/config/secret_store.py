"""Keeping a secret that a person pasted: in the keyring where there is one, else in a file only they can read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from attrs import frozen

from connector_core.errors import ConfigurationError
from connector_core.files import make_private_folder, what_is_wrong, write_private
from connector_core.model import Json, Secret

SERVICE = "connector-core"  # under which the keyring knows us


@frozen(kw_only=True)
class StoredSecret:
    """Where a secret lies: ``reference`` is what the configuration file says, ``place`` the same in words."""

    reference: Json
    place: str


class SecretStore:
    """Keeps secrets of connections; files lie in ``folder``, one each, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, connection: str, setting: str, secret: Secret, *, keyring: bool | None = None) -> StoredSecret:
        """Keep it.

        :param keyring: True insists on the keyring, False on a file; None takes the keyring where there is one.
        :raises ConfigurationError: there is no keyring, or the file cannot be written.
        """
        if keyring is not False and _to_keyring(_name(connection, setting), secret, insist=bool(keyring)):
            name = _name(connection, setting)
            return StoredSecret(reference={"keyring": name}, place=f"the keyring, as {name!r} of {SERVICE}")
        path = self._path(connection, setting)
        try:
            for folder in (self._folder.parent, self._folder):  # `parents` would leave the outer one open to others
                make_private_folder(folder)
            write_private(path, f"{secret.reveal()}\n")
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {what_is_wrong(error)}") from error
        return StoredSecret(reference={"file": str(path)}, place=f"{path}, which only you can read")

    def forget(self, reference: Json) -> None:
        """Throw away what that reference leads to, if it was kept here; what lies elsewhere is not ours."""
        if not isinstance(reference, dict):
            return
        if "keyring" in reference:
            _from_keyring(str(reference["keyring"]))
        elif "file" in reference and (path := Path(str(reference["file"]))).parent == self._folder:
            with suppress(OSError):
                path.unlink()

    def _path(self, connection: str, setting: str) -> Path:
        return self._folder / f"{quote(connection, safe='')}.{setting}"


def _name(connection: str, setting: str) -> str:
    return connection if setting == "token" else f"{connection}.{setting}"


def _to_keyring(name: str, secret: Secret, *, insist: bool) -> bool:
    try:
        import keyring
        from keyring.errors import KeyringError

        try:
            keyring.set_password(SERVICE, name, secret.reveal())
        except (KeyringError, RuntimeError) as error:
            if insist:
                raise ConfigurationError(f"the keyring does not take it ({type(error).__name__})") from None
            return False
    except ImportError:
        if insist:
            raise ConfigurationError(
                "keyring is not installed", hint="pip install 'connector-core[keyring]', or keep it in a file"
            ) from None
        return False
    return True


def _from_keyring(name: str) -> None:
    with suppress(Exception):  # not installed, locked, or nothing there: then there is nothing to forget
        import keyring

        keyring.delete_password(SERVICE, name)
