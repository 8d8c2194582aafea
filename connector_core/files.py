"""Read a named file, whatever it is, within limits of size and time; write a file as a whole."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Callable
from pathlib import Path

from connector_core.errors import ConfigurationError

PATIENCE = 10.0  # seconds that a pipe or a device may stay silent
LONGEST = 300.0  # seconds that it may take in all
_CHUNK = 2**18


def expanded(name: str) -> Path:
    """The path, with the home folder in the place of ``~``.

    :raises ConfigurationError: there is no such home folder.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise ConfigurationError(f"{name}: {error}", hint="write the whole path") from None


def read_bytes(path: Path, most: int, *, look: Callable[[os.stat_result], None] | None = None) -> bytes:
    """What is in the file, or comes out of the pipe, until its end.

    :param most: bytes; a file that is larger is not read to its end.
    :param look: given what the system says of the opened file before anything is read; may raise.
    :raises OSError: it cannot be read, is larger, or a pipe without a writer.
    """
    handle = _opened(path)
    try:
        about = os.fstat(handle)
        if look is not None:
            look(about)
        waits = not stat.S_ISREG(about.st_mode) and hasattr(select, "poll")
        chunks, size, ends = list[bytes](), 0, time.monotonic() + LONGEST
        while chunk := _next(handle, waits):
            chunks.append(chunk)
            size += len(chunk)
            if size > most:
                raise OSError(errno.EFBIG, f"it is larger than {_sized(most)}", str(path))
            if waits and time.monotonic() > ends:
                raise OSError(errno.ETIMEDOUT, f"it did not end within {LONGEST:.0f} s", str(path))
    finally:
        os.close(handle)
    return b"".join(chunks)


def write_private(path: Path, text: str, *, mode: int = 0o600, look: Callable[[Path], object] | None = None) -> None:
    """Put a file there in one step: a crash leaves the old one or the new one, a failure no other file.

    :param look: given the finished file under the name that it has until then; may raise.
    :raises OSError: it cannot be written.
    """
    import tempfile  # not for those who only read

    path = Path(os.path.realpath(path))  # a link stays one
    if path.is_dir():
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # a device, say
        raise OSError(errno.EINVAL, "there is something else than a file", str(path))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        if look is not None:
            look(draft)
        draft.chmod(mode)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def make_private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter, with the folders above it, whatever the umask is.

    A folder that is there stays as it is.

    :raises OSError: it cannot be made.
    """
    missing = []
    while not path.is_dir():
        # Looked at again: another process may have made the folder since.
        if (path.exists() or path.is_symlink()) and not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=0o700)
            folder.chmod(0o700)
        except FileExistsError:  # another process was quicker
            continue


def what_is_wrong(error: Exception) -> str:
    """Why a file could not be read, in words alone: messages name the file themselves."""
    return getattr(error, "strerror", None) or str(error)


def _opened(path: Path) -> int:
    """Opening a pipe would otherwise wait for a writer."""
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError:  # a NUL in it
        raise OSError(errno.EINVAL, "no file can have that name", str(path)) from None


def _next(handle: int, waits: bool) -> bytes:
    if waits:
        waiting = select.poll()
        waiting.register(handle, select.POLLIN)
        if not waiting.poll(PATIENCE * 1000):
            raise OSError(errno.ETIMEDOUT, f"nothing came out of it within {PATIENCE:.0f} s")
    return os.read(handle, _CHUNK)


def _sized(most: int) -> str:
    return f"{most // 2**20} MB" if most >= 2**20 else f"{most // 2**10} KB"
