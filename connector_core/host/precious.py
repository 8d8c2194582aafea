"""Which files no command may write over: the state, the configuration, secrets, and what belongs to them."""

from __future__ import annotations

import fnmatch
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
    for path, what in _precious(states, configuration, inputs):
        if _is_same_file(target, path):
            raise UsageError(f"{target} is {what}", hint="name another file")


def _precious(
    states: Iterable[Path], configuration: Configuration, inputs: Iterable[Path]
) -> Iterator[tuple[Path, str]]:
    yield from ((path, "the file that is read") for path in inputs)
    for state in states:
        for pattern in _OF_STATE:
            yield state.with_name(f"{state.name}{pattern}"), "the state, or belongs to it"
    if configuration.path is not None:
        yield configuration.path, "the configuration"
        yield configuration.path.with_name(f"{configuration.path.name}.lock"), "the lock of the configuration"
        yield configuration.path.parent / "secrets" / "*", "a secret"
        for name in _secret_files(configuration):
            yield configuration.path.parent / expanded(name), "a secret"


def _secret_files(configuration: Configuration) -> Iterator[str]:
    """The files that references of the configuration name."""
    values: Iterable[Any] = (value for table in configuration.connections.values() for value in table.values())
    for value in values:
        if isinstance(value, dict) and isinstance(name := value.get("file"), str):
            yield name


def _is_same_file(target: Path, path: Path) -> bool:
    """Whether they are one file, also by a link. The last part of ``path`` may be a pattern."""
    real = Path(os.path.realpath(target))
    folder = Path(os.path.realpath(path.parent))
    if real.parent == folder and fnmatch.fnmatchcase(real.name, path.name):
        return True
    if "*" in path.name:
        every = [other for other in folder.glob(path.name) if other.is_file()] if folder.is_dir() else []
    else:
        every = [path] if path.exists() else []
    return real.exists() and any(real.samefile(other) for other in every)
