"""Which files no command may write over: the state, the configuration, secrets, and what belongs to them."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from connector_core.config import Configuration
from connector_core.errors import UsageError
from connector_core.files import expanded

_OF_STATE = ("", "-wal", "-shm", "-journal", ".lock", ".*.lock", ".*.holder", ".*.vault", ".*.vault.*")


def refuse_precious(
    target: Path, *, states: Iterable[Path], configuration: Configuration, inputs: Iterable[Path] = ()
) -> None:
    """Refuse to write to a file that must not be lost, by whatever name or link it is reached.

    :param states: every state file.
    :param inputs: what the command itself reads.
    :raises UsageError: it is one of them, or a link that another user made.
    """
    if target.is_symlink() and os.name == "posix" and os.lstat(target).st_uid not in (0, os.geteuid()):
        raise UsageError(f"{target} is a link of another user", hint="name another file")
    for folder, pattern, what in _precious(states, configuration, inputs):
        if _is_among(target, folder, pattern):
            raise UsageError(f"{target} is {what}", hint="name another file")


def _precious(
    states: Iterable[Path], configuration: Configuration, inputs: Iterable[Path]
) -> Iterator[tuple[Path, str, str]]:
    """Folder, pattern of names, and what these files are."""
    yield from ((path.parent, glob.escape(path.name), "the file that is read") for path in inputs)
    for state in states:
        for end in _OF_STATE:
            yield state.parent, glob.escape(state.name) + end, "the state, or belongs to it"
    if (path := configuration.path) is not None:
        yield path.parent, glob.escape(path.name), "the configuration"
        yield path.parent, f"{glob.escape(path.name)}.lock", "the lock of the configuration"
        yield path.parent / "secrets", "*", "a secret"
        for name in _secret_files(configuration):
            secret = path.parent / expanded(name)
            yield secret.parent, glob.escape(secret.name), "a secret"


def _secret_files(configuration: Configuration) -> Iterator[str]:
    """The files that references of the configuration name."""
    values: Iterable[Any] = (value for table in configuration.connections.values() for value in table.values())
    for value in values:
        if isinstance(value, dict) and isinstance(name := value.get("file"), str):
            yield name


def _is_among(target: Path, folder: Path, pattern: str) -> bool:
    """Whether it is one of the files of that pattern, also by a link."""
    real, folder = Path(os.path.realpath(target)), Path(os.path.realpath(folder))
    if real.parent == folder and fnmatch.fnmatchcase(real.name, pattern):
        return True
    if not pattern or not real.exists() or not folder.is_dir():
        return False
    return any(other.exists() and real.samefile(other) for other in folder.glob(pattern))
