"""Fetching a secret from where a configuration says it lies. A secret itself is never written into the file."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector_core.errors import ConfigurationError
from connector_core.model import Secret

_COMMAND_TIMEOUT = 30.0  # seconds
_WAYS = "{ env = ... }, { file = ... }, { command = [...] } or { keyring = ... }"


def fetch(raw: Any, origin: str, setting: str) -> Secret:
    """The secret that ``raw`` refers to; a plain text only where it came from the environment or from a caller.

    :raises ConfigurationError: nothing is there, or others could read it.
    """
    if isinstance(raw, Secret):
        return raw
    if isinstance(raw, str) and origin.startswith("$"):
        return Secret(raw)
    if isinstance(raw, str):
        raise ConfigurationError(
            f"{setting} ({origin}) is written out in the file", hint=f"refer to it instead: {_WAYS}"
        )
    if not isinstance(raw, Mapping) or len(raw) != 1 or (way := next(iter(raw))) not in _FETCH:
        raise ConfigurationError(f"{setting} ({origin}) must be one of {_WAYS}")
    text = _FETCH[way](raw[way], setting)
    if not text.strip():
        raise ConfigurationError(f"{setting} ({origin}) is empty")
    return Secret(text.strip("\r\n"))


def _from_env(name: Any, setting: str) -> str:
    value = os.environ.get(str(name))
    if value is None:
        raise ConfigurationError(f"the environment variable {name}, which should hold {setting}, is not set")
    return value


def _from_file(name: Any, setting: str) -> str:
    path = Path(str(name)).expanduser()
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077 and os.name == "posix":
            raise ConfigurationError(f"{path}, which holds {setting}, can be read by others", hint=f"chmod 600 {path}")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path}, which should hold {setting}: {error}") from error


def _from_command(command: Any, setting: str) -> str:
    if not isinstance(command, list) or not command or not all(isinstance(part, str) for part in command):
        raise ConfigurationError(f'the command for {setting} must be a list, such as ["pass", "show", "whimsical"]')
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        # Not the error's own words: they may quote what the command printed.
        raise ConfigurationError(f"the command {command[0]} for {setting} failed ({type(error).__name__})") from None
    return done.stdout


def _from_keyring(name: Any, setting: str) -> str:
    try:
        import keyring
    except ImportError:
        raise ConfigurationError(
            f"{setting} lies in the keyring, but keyring is not installed",
            hint="pip install 'connector-core[keyring]'",
        ) from None
    value = keyring.get_password("connector-core", str(name))
    if value is None:
        raise ConfigurationError(f"the keyring has no {name!r} of connector-core, which should hold {setting}")
    return str(value)


_FETCH = {"env": _from_env, "file": _from_file, "command": _from_command, "keyring": _from_keyring}
