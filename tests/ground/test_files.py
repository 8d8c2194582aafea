"""Files that somebody names: whatever lies there, a clear error with the right exit code, soon, in little memory."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from kit.cli import PROGRAM, Home

from connector_core import ConfigurationError, files
from connector_core.cli.program import run
from connector_core.config.configuration import Configuration
from connector_core.files import read_bytes, write_private

LINUX = pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux")


# -- the reader itself ---------------------------------------------------------------------------------------------


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    """Up to the limit and no further; the limit itself is allowed."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 600_000)
    assert read_bytes(path, 600_000) == b"x" * 600_000
    with pytest.raises(OSError, match="larger than 585 KB"):
        read_bytes(path, 599_999)


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """However slowly it comes; a shell's <(...) is one."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as file:
            for _ in range(3):
                file.write(b"some")
                threading.Event().wait(0.02)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_bytes(pipe, 100) == b"some" * 3
    writer.join()


def test_a_pipe_into_which_nobody_writes_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some seconds, then an error."""
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(files, "PATIENCE", 0.02)
    with pytest.raises(OSError, match="nothing came out of it"):
        read_bytes(tmp_path / "pipe", 100)


def test_a_pipe_that_never_ends_is_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little comes out of it at a time."""
    pipe, stopped = tmp_path / "pipe", threading.Event()
    os.mkfifo(pipe)

    def write() -> None:
        with suppress(BrokenPipeError), pipe.open("wb", buffering=0) as file:
            while not stopped.wait(0.005):
                file.write(b"x")

    monkeypatch.setattr(files, "LONGEST", 0.05)
    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(OSError, match="did not end within"):
        read_bytes(pipe, 10_000)
    stopped.set()
    writer.join()


# -- everything that may lie where a file is named -----------------------------------------------------------------


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.mkdir(mode=0o700)


def nothing(path: Path) -> None:
    pass


def huge(path: Path) -> None:
    """Sixteen gigabytes that are none on the disk."""
    path.touch(0o600)
    os.truncate(path, 16 * 2**30)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def binary(path: Path) -> None:
    path.touch(0o600)
    path.write_bytes(bytes(range(255, -1, -1)))


def deep(path: Path) -> None:
    path.touch(0o600)
    path.write_text("x = " + "[" * 100_000)


def numeral(path: Path) -> None:
    path.touch(0o600)
    path.write_text("x = " + "9" * 10_000)


PLACES = (fifo, loop, folder, nothing, huge, endless, binary, deep, numeral)
READERS: dict[str, tuple[int, Callable[[str], list[str]]]] = {
    "configuration": (3, lambda path: ["--config", path, "connections"]),
    "configuration to change": (3, lambda path: ["--config", path, "configure", "whimsical", "owner=me"]),
    "plan": (2, lambda path: ["apply", path, "--yes"]),
    "people": (2, lambda path: ["plan", "whimsical-sandbox", path]),
}


@LINUX
@pytest.mark.parametrize("lay", PLACES, ids=lambda lay: lay.__name__)
@pytest.mark.parametrize("reader", READERS)
def test_whatever_is_named_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], reader: str,
    lay: Callable[[Path], None],
) -> None:  # fmt: skip
    """It names the file, on one line, and exits with 3 for a configuration and with 2 for a plan or people."""
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    for name, value in Home(tmp_path).environ.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "named"
    lay(path)
    code, arguments = READERS[reader]
    assert run(arguments(str(path))) == code
    first = capfd.readouterr().err.splitlines()[0]
    assert (first.startswith("error: "), str(path) in first or "folder" in first or "director" in first) == (True, True)


@LINUX
@pytest.mark.parametrize(
    "lay", [lay for lay in PLACES if lay not in (deep, numeral, endless)], ids=lambda p: p.__name__
)
def test_whatever_is_named_as_a_secret_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], lay: Callable[[Path], None]
) -> None:
    """Exit 3; what lies there is not quoted."""
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    for name, value in Home(tmp_path).environ.items():
        monkeypatch.setenv(name, value)
    lay(tmp_path / "named")
    config = tmp_path / "c.toml"
    config.write_text('[connections.whimsical]\ntoken = { file = "named" }\n')
    assert run(["--config", str(config), "check", "whimsical"]) == 3
    first = capfd.readouterr().err.splitlines()[0]
    assert first.startswith("error: token (")


@LINUX
@pytest.mark.parametrize("reader", READERS)
def test_a_file_without_end_costs_little_memory(tmp_path: Path, reader: str) -> None:
    """With no more than a gigabyte of addresses to its name, a process still ends with the same error."""
    code, arguments = READERS[reader]
    program = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30)); "
    command = [*PROGRAM, *arguments("/dev/zero")]
    program += f"os.execv({sys.executable!r}, {command!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], env=Home(tmp_path).environ, cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, "larger than" in done.stderr) == (code, True), done


def test_what_is_written_is_private_and_whole(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask, through a link, and nothing beside it where it fails."""
    (tmp_path / "link").symlink_to("file")
    before = os.umask(0)
    try:
        write_private(tmp_path / "link", "one")
    finally:
        os.umask(before)
    assert ((tmp_path / "link").is_symlink(), (tmp_path / "file").read_text()) == (True, "one")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    with pytest.raises(UnicodeEncodeError):
        write_private(tmp_path / "file", "two\ud800")
    assert (tmp_path / "file").read_text() == "one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    """`plan --out /dev/stdout`, said by root, would else take the machine's own away."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="something else than a file"):
        write_private(tmp_path / "pipe", "text")
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path, "text")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("option", ["--config", "--db"])
def test_a_home_folder_that_nobody_has_is_said(capfd: pytest.CaptureFixture[str], option: str) -> None:
    """``~`` and a name that the system does not know: exit 3."""
    assert run([option, "~no-such-person/x", "connections"]) == 3
    assert "~no-such-person/x" in capfd.readouterr().err


def test_a_home_folder_that_nobody_has_holds_no_secret(tmp_path: Path) -> None:
    """The same where a secret is said to lie there."""
    config = tmp_path / "c.toml"
    config.write_text('[connections.whimsical]\ntoken = { file = "~no-such-person/x" }\n')
    assert run(["--config", str(config), "check", "whimsical"]) == 3


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read anything")
def test_a_configuration_folder_that_may_not_be_looked_into_is_said(tmp_path: Path) -> None:
    """It is not the same as having no configuration: what is set there would silently not count."""
    (tmp_path / "closed").mkdir(0o000)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        Configuration.load(tmp_path / "closed" / "c.toml", {})


def test_a_configuration_that_is_not_there_is_none(tmp_path: Path) -> None:
    """Unless somebody named it."""
    assert Configuration.load(tmp_path / "none.toml", {}).connections == {}
    with pytest.raises(ConfigurationError, match="No such file"):
        Configuration.load(tmp_path / "none.toml", {}, required=True)


def test_a_name_with_a_nul_is_no_name(tmp_path: Path) -> None:
    """As any other file that is not there."""
    with pytest.raises(OSError, match="no file can have that name"):
        read_bytes(tmp_path / "a\0b", 10)
