"""The README is short, and what it shows is so: its blocks are run."""

from __future__ import annotations

import types
from pathlib import Path

import pytest
from kit.pages import blocks, page, play

from connector_core.host.host import Host

FOR_NEWCOMERS = 2  # the first blocks install things; the one is run by its reader, the other by .ci/run


def test_it_is_short() -> None:
    """What does not fit into 150 lines has a page of its own."""
    assert len(page("README.md").splitlines()) <= 150


def test_the_lines_to_paste() -> None:
    """The first installs and runs the sandbox, the second, which .ci/run takes from here, runs all tests."""
    assert [block.splitlines()[0] for block in blocks("README.md", "console")[:FOR_NEWCOMERS]] == [
        "$ python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/connector-core run whimsical --sandbox",
        "$ python3 -m venv .venv-tox && .venv-tox/bin/pip install -q tox && .venv-tox/bin/tox run",
    ]


def test_its_five_steps_print_what_they_show(tmp_path: Path) -> None:
    """In order, in an empty home; the stand-in server plays the real workspace."""
    play("README.md", tmp_path, first=FOR_NEWCOMERS)


def test_its_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Pasted into a program of at most 12 lines, it prints the status, the editors and the grant."""
    monkeypatch.chdir(tmp_path)
    block = blocks("README.md", "python")[0]
    assert len(block.splitlines()) <= 12
    exec(compile(block, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "complete 61"
    assert lines[-1] == "changed True viewer"


def test_its_plugin_is_a_connector(tmp_path: Path) -> None:
    """The small plugin is found without fault, and syncs."""
    module = types.ModuleType("connector_core_team")
    exec(compile(blocks("README.md", "python")[1], "README.md", "exec"), vars(module))
    with Host(tmp_path / "state.db", plugins={"team": module}, installed=False) as host:
        assert [(plugin.error, plugin.contract, plugin.notes) for plugin in host.plugins()] == [(None, 2, ())]
        assert host.connection("team").sync().sync.status == "complete"
        assert [row.user for row in host.connection("team").access()] == ["ada@example.com", "ben@example.com"]
