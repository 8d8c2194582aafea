"""Which files are to be trusted: refused where another user could have written them, as ssh refuses its own.

Configuration names commands and addresses, the state says who has access, a secret opens the application. Each is
refused where its owner is neither this user nor root, where others can write it, or where others could put another
file in its place.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from connector_core.errors import ConfigurationError

_READ_BY_OTHERS, _WRITTEN_BY_OTHERS, _WRITTEN = 0o077, 0o022, 0o222


def trusted(path: Path, what: str) -> Callable[[os.stat_result], None]:
    """Return the check of an opened file for `connector_core.files.read_bytes`.

    :param what: the file as errors call it.
    :raises ConfigurationError: (the check) another user owns or can write the file, or can replace it in its folder.
    """

    def look(about: os.stat_result) -> None:
        if os.name != "posix" or not stat.S_ISREG(about.st_mode):
            return  # a pipe or a device is what its giver makes it
        _refuse_owner(about, what, path)
        if _is_written_by_others(about):
            raise ConfigurationError(f"{what} can be written by others: {path}", hint=f"chmod go-w {path}")
        _refuse_folder(path, what, sticky_will_do=True)

    return look


def trusted_secret(path: Path, what: str) -> Callable[[os.stat_result], None]:
    """Return the same check for a secret, which others may not read either.

    A file without any write permission is taken for a read-only mount (a secret of Docker is 0444, one of Kubernetes
    0440): others may read it where only its owner can write into its folder.
    """

    def look(about: os.stat_result) -> None:
        trusted(path, what)(about)
        mode = stat.S_IMODE(about.st_mode)
        if os.name != "posix" or not stat.S_ISREG(about.st_mode) or not mode & _READ_BY_OTHERS:
            return
        if mode & _WRITTEN:
            raise ConfigurationError(f"{what}: {path} can be read by others", hint=f"chmod 600 {path}")
        _refuse_folder(path, what, sticky_will_do=False)

    return look


def _refuse_owner(about: os.stat_result, what: str, path: Path) -> None:
    if about.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(
            f"{what} belongs to another user: {path}", hint=f"make it yours: chown {os.geteuid()} {path}"
        )


def _refuse_folder(path: Path, what: str, *, sticky_will_do: bool) -> None:
    """The folder that the file really lies in: a link to it may stand anywhere."""
    folder = Path(os.path.realpath(path)).parent
    about = folder.stat()
    if about.st_uid not in (0, os.geteuid()):
        raise ConfigurationError(f"{what} lies in a folder of another user: {folder}", hint="put it into one of yours")
    if sticky_will_do and about.st_mode & stat.S_ISVTX:
        return  # as in /tmp: no user can replace a file of another
    if _is_written_by_others(about):
        raise ConfigurationError(
            f"{what} lies in a folder that others can write: {folder}", hint=f"chmod go-w {folder}"
        )


def _is_written_by_others(about: os.stat_result) -> bool:
    """Whether another user can write; a group that has this user alone is no other user."""
    writers = about.st_mode & _WRITTEN_BY_OTHERS
    return bool(writers) and not (writers == stat.S_IWGRP and _is_own_group(about.st_gid))


def _is_own_group(gid: int) -> bool:
    """Whether a group is the private one of this user, as many Linux distributions make one for each."""
    import grp
    import pwd

    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
