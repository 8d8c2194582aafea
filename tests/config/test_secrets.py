"""Secrets are fetched by reference, from places that only their owner can read, and are never quoted."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connector_core import ConfigurationError, Secret
from connector_core.config.secrets import Places, fetch

WHAT = "token ([connections.whimsical] in x.toml)"


def got(raw: Any, *, written: bool = True, **places: Any) -> str:
    return fetch(raw, WHAT, Places(**places), written=written).reveal()


def refused(raw: Any, *, written: bool = True, **places: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        fetch(raw, WHAT, Places(**places), written=written)
    assert raised.value.message.startswith(WHAT)
    assert "s3cr3t" not in f"{raised.value!r} {raised.value.hint}"
    assert "s3cr3t" not in repr(raised.value.__cause__)
    return raised.value


def private(path: Path, text: str = "s3cr3t\n", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_secret_in_the_file_is_refused_with_a_hint() -> None:
    """Configuration files are copied and committed."""
    error = refused("s3cr3t")
    assert error.message == f"{WHAT} is written out"
    assert "{ keyring = ... }" in str(error.hint)


def test_a_secret_may_come_as_text_from_elsewhere() -> None:
    """From a variable or a caller; as a `Secret`, too."""
    assert got("s3cr3t", written=False) == got(Secret("s3cr3t"), written=False) == "s3cr3t"


def test_env_is_looked_up_in_the_environment_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in no other."""
    assert got({"env": "TOKEN"}, environ={"TOKEN": "s3cr3t"}) == "s3cr3t"
    monkeypatch.setenv("TOKEN", "s3cr3t")
    assert "the environment variable TOKEN is not set" in refused({"env": "TOKEN"}).message


def test_a_file_is_read_without_its_last_line_break(tmp_path: Path) -> None:
    """Editors and `echo` put one there."""
    assert got({"file": str(private(tmp_path / "token"))}) == "s3cr3t"


def test_a_file_is_looked_for_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the current folder, where somebody else's may lie; ``~`` is the home folder."""
    (tmp_path / "here").mkdir()
    private(tmp_path / "here" / "token", "theirs")
    private(tmp_path / "token")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert got({"file": "token"}, folder=tmp_path) == got({"file": "~/token"}, folder=tmp_path / "here") == "s3cr3t"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The hint says how to mend it."""
    path = private(tmp_path / "token", mode=mode)
    error = refused({"file": str(path)})
    assert (f"{path} can be read by others" in error.message, error.hint) == (True, f"chmod 600 {path}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or not text."""
    assert "No such file" in refused({"file": str(tmp_path / "none")}).message
    refused({"file": str(tmp_path)})
    path = private(tmp_path / "token")
    path.write_bytes(b"s3cr3t\xff")
    assert "is not text" in refused({"file": str(path)}).message


def test_a_command_prints_it() -> None:
    """Run as it stands, without a shell."""
    assert got({"command": [sys.executable, "-c", "print('s3cr3t; echo $HOME')"]}) == "s3cr3t; echo $HOME"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ([sys.executable, "-c", "print('s3cr3t'); raise SystemExit('s3cr3t')"], "exit code 1"),
        ([sys.executable, "-c", "import sys; sys.stdout.buffer.write(b's3cr3t\\xff')"], "UnicodeDecodeError"),
        (["/no/such/program", "s3cr3t"], "FileNotFoundError"),
        (["nul\0byte"], "ValueError"),
    ],
)
def test_a_command_that_fails_is_named_without_its_words(command: list[str], reason: str) -> None:
    """Output and arguments may quote the secret."""
    assert f"failed ({reason})" in refused({"command": command}).message


def test_a_command_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may wait for somebody at a keyboard."""
    monkeypatch.setattr("connector_core.config.secrets._COMMAND_TIMEOUT", 0.05)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    assert "no end within" in refused({"command": command}).message


def test_a_command_that_prints_without_end_is_stopped() -> None:
    """As soon as it printed more than any secret is long, not when the memory is full."""
    command = [sys.executable, "-c", "while True: print('s3cr3t' * 1000)"]
    assert "it prints more than 64 KB" in refused({"command": command}).message


def test_a_command_that_leaves_somebody_behind_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child of its own may keep the pipe open for as long as it likes."""
    monkeypatch.setattr("connector_core.config.secrets._COMMAND_TIMEOUT", 0.3)
    left = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'])"
    assert "no end within" in refused({"command": [sys.executable, "-c", left]}).message


@pytest.mark.parametrize(
    "raw", [{}, {"env": "A", "file": "b"}, {"vault": "x"}, 3, ["a"], {"file": 5}, {"env": ""}, {"command": "pass"},
            {"command": []}, {"command": ["a", 1]}, {"keyring": True}],
)  # fmt: skip
def test_a_reference_that_leads_nowhere_is_refused(raw: Any) -> None:
    """Before anything is read or run."""
    refused(raw)


@pytest.mark.parametrize("raw", ["", " \n"])
def test_an_empty_secret_is_none(raw: str, tmp_path: Path) -> None:
    """It would be sent, and refused as if it were wrong."""
    assert "is empty" in refused(raw, written=False).message
    assert "is empty" in refused({"file": str(private(tmp_path / "token", raw))}).message


# -- the keyring, which is an extra ----------------------------------------------------------------------------


def test_the_keyring_is_asked_for_the_programs_own_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """``connector-core`` is the service."""
    kept = {("connector-core", "whimsical"): "s3cr3t"}
    keyring = SimpleNamespace(get_password=lambda service, name: kept.get((service, name)))
    monkeypatch.setitem(sys.modules, "keyring", keyring)  # type: ignore[arg-type]
    assert got({"keyring": "whimsical"}) == "s3cr3t"
    assert "the keyring has no 'other'" in refused({"keyring": "other"}).message


def test_a_keyring_that_is_locked_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own errors are its backend's; their words may be anything."""

    def locked(service: str, name: str) -> str:
        raise RuntimeError("s3cr3t")

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=locked))  # type: ignore[arg-type]
    assert "the keyring cannot be used (RuntimeError)" in refused({"keyring": "whimsical"}).message


def test_without_the_extra_the_hint_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyring brings a dozen packages, so it is not there by itself."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert refused({"keyring": "whimsical"}).hint == "pip install 'connector-core[keyring]'"
