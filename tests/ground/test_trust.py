"""Files that another user could have written are refused, as ssh refuses its own."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connector_core.errors import ConfigurationError
from connector_core.files import make_private_folder, read_bytes
from connector_core.trust import trusted, trusted_secret

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
STRANGER = 54321
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")


def file_of(folder: Path, *, mode: int = 0o600, folder_mode: int = 0o700, owner: int | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "file"
    path.write_bytes(b"content")
    path.chmod(mode)
    folder.chmod(folder_mode)
    if owner is not None:
        os.chown(path, owner, -1)
    return path


def read(path: Path) -> bytes:
    return read_bytes(path, 100, look=trusted(path, "the file"))


def read_secret(path: Path) -> bytes:
    return read_bytes(path, 100, look=trusted_secret(path, "token"))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o644, 0o444, 0o755])
def test_what_others_cannot_write_is_read(tmp_path: Path, mode: int) -> None:
    """Others may read a configuration, which holds no secret."""
    assert read(file_of(tmp_path / "f", mode=mode)) == b"content"


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o646])
def test_what_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    """It could name commands and addresses; the hint says how to mend it."""
    with pytest.raises(ConfigurationError, match="can be written by others") as refused:
        read(file_of(tmp_path / "f", mode=mode))
    assert "chmod go-w" in (refused.value.hint or "")


def test_what_a_group_of_others_can_write_is_refused(tmp_path: Path) -> None:
    """A group that has others in it; root has no private group whose number is 1."""
    path = file_of(tmp_path / "f", mode=0o620)
    if os.geteuid() == 0:
        os.chown(path, -1, 1)
        with pytest.raises(ConfigurationError, match="can be written by others"):
            read(path)


def test_what_the_own_private_group_can_write_is_read(tmp_path: Path) -> None:
    """Distributions that make a group for each user create files with mode 0664."""
    path = file_of(tmp_path / "f", mode=0o664)
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
        assert read(path) == b"content"


@needs_root
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    """Whatever its mode is; one of root is read by everybody, which a test as root cannot tell apart."""
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        read(file_of(tmp_path / "f", owner=STRANGER))


@pytest.mark.parametrize(("mode", "refused"), [(0o755, False), (0o757, True), (0o777, True), (0o1777, False)])
def test_a_folder_in_which_others_can_replace_it(tmp_path: Path, mode: int, refused: bool) -> None:
    """Sticky folders such as /tmp let nobody replace the file of another user."""
    path = file_of(tmp_path / "f", folder_mode=mode)
    if refused:
        with pytest.raises(ConfigurationError, match="folder that others can write"):
            read(path)
    else:
        assert read(path) == b"content"


@needs_root
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """Its owner can put another file there."""
    path = file_of(tmp_path / "f")
    os.chown(path.parent, STRANGER, -1)
    with pytest.raises(ConfigurationError, match="folder of another user"):
        read(path)


def test_the_folder_behind_a_link_counts(tmp_path: Path) -> None:
    """A link may stand anywhere: what counts is where the file really lies."""
    path = file_of(tmp_path / "open", folder_mode=0o777)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(ConfigurationError, match="folder that others can write"):
        read(link)


@pytest.mark.parametrize(
    ("mode", "folder_mode", "says"),
    [
        (0o600, 0o755, None),
        (0o400, 0o755, None),
        (0o444, 0o755, None),  # Docker
        (0o440, 0o755, None),  # Kubernetes
        (0o640, 0o700, "can be read by others"),
        (0o604, 0o700, "can be read by others"),
        (0o444, 0o777, "folder that others can write"),
        (0o440, 0o1777, "folder that others can write"),
        (0o600, 0o1777, None),
    ],
)
def test_which_secrets_are_read(tmp_path: Path, mode: int, folder_mode: int, says: str | None) -> None:
    """Its owner's alone, or a read-only mount in a folder that nobody else can write."""
    path = file_of(tmp_path / "f", mode=mode, folder_mode=folder_mode)
    if says is None:
        assert read_secret(path) == b"content"
    else:
        with pytest.raises(ConfigurationError, match=says):
            read_secret(path)


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_folders_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    """Each folder that is made on the way, too."""
    before = os.umask(umask)
    try:
        make_private_folder(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/c")] == [0o700] * 3


def test_a_folder_that_several_make_at_once_is_no_error(tmp_path: Path) -> None:
    """Eight threads that need the same new folders all get them, a hundred times over."""
    with ThreadPoolExecutor(8) as threads:
        for round in range(100):
            together = threading.Barrier(8)

            def make(
                _: int, folder: Path = tmp_path / str(round) / "a" / "b", together: threading.Barrier = together
            ) -> None:
                together.wait(10)
                make_private_folder(folder)

            list(threads.map(make, range(8)))
            assert (tmp_path / str(round) / "a" / "b").is_dir()
