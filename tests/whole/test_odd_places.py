"""Where a lock should be lies something else, and numbers are larger than any: clear errors and the right exit code."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from connector_core import Host
from connector_core.cli.program import run
from connector_core.errors import StateError, UsageError

SANDBOX = "whimsical-sandbox"


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def dangling(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("nowhere/at/all")


def loop(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


@pytest.fixture(autouse=True)
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state with a picture of the sandbox."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CONNECTOR_CORE_DB", str(tmp_path / "s.db"))
    with Host(tmp_path / "s.db") as host:
        host.connection(SANDBOX).sync()
    return tmp_path / "s.db"


@pytest.mark.parametrize("lay", [folder, dangling, loop], ids=lambda lay: lay.__name__)
def test_something_else_in_the_place_of_a_lock_is_said(
    db: Path, capfd: pytest.CaptureFixture[str], lay: Callable[[Path], None]
) -> None:
    """Exit 3, naming it and what to do: nobody syncs without the lock."""
    (lock,) = set(db.parent.glob("s.db.*.lock"))
    lock.unlink()
    lay(lock)
    assert run(["run", SANDBOX]) == 3
    said = capfd.readouterr().err
    assert f"cannot use the lock {lock}" in said and "may be deleted" in said
    with pytest.raises(StateError), Host(db) as host:
        host.connection(SANDBOX).sync()
    assert run(["access", SANDBOX]) == 0
    assert run(["status", SANDBOX]) == (3 if lay is folder else 0)


def test_something_else_among_the_sittings_is_in_nobodys_way(db: Path) -> None:
    """What only looks like the file of somebody who died is left where it is."""
    odd = db.with_name(f"{db.name}.abc.holder")
    odd.mkdir()
    with Host(db) as host:
        assert host.connection(SANDBOX).grant("viewer", "noah.kim@example.com").state == "done"
    assert odd.is_dir()


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_nobody_is_called_by_dots(db: Path, name: str) -> None:
    """Exit 2, and the sandbox's people are all still there."""
    assert run(["delete-user", SANDBOX, name, "--yes"]) == 2
    with Host(db) as host:
        assert host.connection(SANDBOX).sync().changes.total == 0


def test_a_file_in_the_place_of_the_sandbox_is_said(db: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit 3, naming it."""
    shutil.rmtree(db.parent / SANDBOX)
    (db.parent / SANDBOX).touch()
    assert run(["run", SANDBOX]) == 3
    assert str(db.parent / SANDBOX) in capfd.readouterr().err


def test_a_file_of_a_megabyte_is_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit 3: half of it, kept as a token, would be refused by somebody else much later."""
    monkeypatch.setenv("CONNECTOR_CORE_CONFIG", str(tmp_path / "etc" / "c.toml"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * 2**20)))
    assert run(["add", "whimsical", "--no-check", "--no-keyring"]) == 3
    assert "longer than" in capfd.readouterr().err
    assert not (tmp_path / "etc").exists()


def test_an_address_of_a_megabyte_is_no_address(capfd: pytest.CaptureFixture[str]) -> None:
    """Exit 2, as in a CSV."""
    assert run(["create-user", SANDBOX, "x" * 2**20 + "@example.com"]) == 2


HUGE = "9" * 25


@pytest.mark.parametrize(
    "arguments",
    [
        ["logs", SANDBOX, HUGE], ["syncs", SANDBOX, "--limit", HUGE], ["operations", SANDBOX, "--limit", HUGE],
        ["access", SANDBOX, "--at", HUGE], ["changes", SANDBOX, "--from", HUGE],
        ["prune", SANDBOX, "--keep", HUGE, "--yes"], ["plan", SANDBOX, "--undo", "--apply", HUGE],
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_a_number_larger_than_any_is_refused(capfd: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """Exit 2: no sync and no operation can have it, and no store can look for it."""
    assert run(arguments) == 2
    assert "unexpected" not in capfd.readouterr().err


def test_a_number_larger_than_any_is_refused_in_programs_too(db: Path) -> None:
    """The same for who embeds the host."""
    with Host(db) as host, pytest.raises(UsageError, match="larger than any"):
        host.connection(SANDBOX).syncs(10**30)

    def careless(progress: object) -> None:
        raise OverflowError("of their own")

    with Host(db) as host, pytest.raises(OverflowError, match="of their own"):
        host.connection(SANDBOX).sync(on_progress=careless)
