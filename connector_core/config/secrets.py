"""Fetching a secret from where a configuration says it lies. A secret itself is never written into the file."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from attrs import field, frozen

from connector_core.errors import ConfigurationError
from connector_core.files import read_bytes, what_is_wrong
from connector_core.model import Secret
from connector_core.trust import trusted_secret

if TYPE_CHECKING:
    import subprocess

_COMMAND_TIMEOUT = 30.0  # seconds
_LONGEST = 2**16  # bytes; what is longer is some other file
_WAYS = "{ env = ... }, { file = ... }, { command = [...] } or { keyring = ... }"


@frozen(kw_only=True)
class Places:
    """Where references lead: ``environ`` for variables, ``folder`` for files that are named without one."""

    environ: Mapping[str, str] = field(factory=dict, repr=False)
    folder: Path | None = None


def fetch(raw: Any, what: str, places: Places, *, written: bool = False) -> Secret:
    """The secret that ``raw`` is, or refers to.

    :param what: which setting it is and where it was found, for errors.
    :param written: it stands in a file, where a secret may only be referred to.
    :raises ConfigurationError: nothing is there, or others could read it. Never quotes the secret.
    """
    if isinstance(raw, Secret):
        text = raw.reveal()
    elif isinstance(raw, str) and not written:
        text = raw
    elif isinstance(raw, str):
        raise ConfigurationError(f"{what} is written out", hint=f"refer to it instead: {_WAYS}")
    else:
        text = _follow(raw, what, places)
    if not text.strip():
        raise ConfigurationError(f"{what} is empty")
    return Secret(text.strip("\r\n"))


def _follow(raw: Any, what: str, places: Places) -> str:
    if not isinstance(raw, Mapping) or len(raw) != 1 or (way := next(iter(raw))) not in _FETCH:
        raise ConfigurationError(f"{what} must be one of {_WAYS}")
    if way != "command" and not (isinstance(raw[way], str) and raw[way]):
        raise ConfigurationError(f"{what}: {way} must be a text")
    return _FETCH[way](raw[way], what, places)


def _from_env(name: str, what: str, places: Places) -> str:
    if name not in places.environ:
        raise ConfigurationError(f"{what}: the environment variable {name} is not set")
    if not places.environ[name].strip():
        raise ConfigurationError(f"{what}: the environment variable {name} is empty", hint="set it, or name another")
    return places.environ[name]


def _from_file(name: str, what: str, places: Places) -> str:
    path = Path(name)

    try:
        # Not the current folder: other users may be able to write there.
        path = (places.folder or Path()) / path.expanduser()
        return read_bytes(path, _LONGEST, look=trusted_secret(path, what)).decode("utf-8-sig")
    except UnicodeDecodeError:  # its words would quote a byte of the secret
        raise ConfigurationError(f"{what}: {path} is not text") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder to put for ~
        raise ConfigurationError(f"{what}: cannot read {path}: {what_is_wrong(error)}") from error


def _from_command(command: Any, what: str, places: Places) -> str:
    import subprocess

    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise ConfigurationError(f'{what}: the command must be a list, such as ["pass", "show", "whimsical"]')
    try:
        with subprocess.Popen(  # noqa: S603
            command, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            return _printed(process).decode()
    except _Failed as error:
        reason = str(error)
    except (OSError, ValueError) as error:
        reason = type(error).__name__
    # Not the command's own words, nor its arguments: they may quote the secret.
    raise ConfigurationError(f"{what}: the command {command[0]} failed ({reason})")


class _Failed(Exception):
    """Why a command gave no secret."""


def _printed(process: subprocess.Popen[bytes]) -> bytes:
    """What a command prints, if it is not too much, and it ends well and in time."""
    from subprocess import TimeoutExpired

    printed = bytearray()
    reader = threading.Thread(target=_read_all, args=(process.stdout, printed), daemon=True)
    reader.start()
    reader.join(_COMMAND_TIMEOUT)
    try:
        if len(printed) > _LONGEST:
            raise _Failed(f"it prints more than {_LONGEST // 2**10} KB")
        if reader.is_alive():  # or a process that it left behind could print more
            raise TimeoutExpired(process.args, _COMMAND_TIMEOUT)
        code = process.wait(_COMMAND_TIMEOUT)
    except TimeoutExpired:
        raise _Failed(f"no end within {_COMMAND_TIMEOUT:.0f} seconds") from None
    finally:
        process.kill()
    if code:
        raise _Failed(f"exit code {code}")
    return bytes(printed)


def _read_all(pipe: IO[bytes], into: bytearray) -> None:
    """Up to a little more than a secret can be. The pipe may outlive the command, and is closed meanwhile then."""
    with suppress(OSError, ValueError):
        while len(into) <= _LONGEST and (chunk := pipe.read(_LONGEST)):
            into += chunk


def _from_keyring(name: str, what: str, places: Places) -> str:
    try:
        import keyring
    except ImportError:
        raise ConfigurationError(
            f"{what} lies in the keyring, but keyring is not installed", hint="pip install 'connector-core[keyring]'"
        ) from None
    try:
        value = keyring.get_password("connector-core", name)
    except Exception as error:  # each backend has errors of its own, whose words may be anything
        raise ConfigurationError(
            f"{what}: the keyring cannot be used ({type(error).__name__})", hint=f"unlock it, or use another of {_WAYS}"
        ) from None
    if value is None:
        raise ConfigurationError(
            f"{what}: the keyring has no {name!r} of connector-core", hint=f"keyring set connector-core {name}"
        )
    return str(value)


_FETCH = {"env": _from_env, "file": _from_file, "command": _from_command, "keyring": _from_keyring}
