"""What docs/plugins.md shows is so: its blocks are run."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import attrs
import click
import pytest
from click.testing import CliRunner
from kit.pages import blocks

import connector_core
from connector_core import Host, Options
from connector_core.settings import sufficient_sets


def executed(number: int) -> dict[str, Any]:
    """What a block defines, run after the imports that a plugin begins with."""
    names: dict[str, Any] = {name: getattr(connector_core, name) for name in connector_core.__all__}
    names |= {"click": click, "frozen": attrs.frozen}
    exec(compile(blocks("docs/plugins.md", "python")[number], "plugins.md", "exec", dont_inherit=True), names)
    return names


def test_the_whole_plugin_is_one(tmp_path: Path) -> None:
    """The example connects, checks and syncs, as it stands."""
    module = types.ModuleType("connector_core_rota")
    plugin = blocks("docs/plugins.md", "python")[0]
    exec(compile(plugin, "plugins.md", "exec", dont_inherit=True), vars(module))
    (tmp_path / "rota.csv").write_text("email,name,lead\nada@example.com,Ada,yes\nben@example.com,Ben,no\n")
    with Host(tmp_path / "state.db", plugins={"rota": module}, installed=False) as host:
        assert [plugin.error for plugin in host.plugins()] == [None]
        rota = host.connection("rota", settings={"file": str(tmp_path / "rota.csv")})
        assert rota.check()[0].message == "2 people are on the rota"
        assert rota.sync().sync.status == "complete"
        assert [(row.user, row.role) for row in rota.access()] == [
            ("ada@example.com", "lead"),
            ("ben@example.com", None),
        ]


def test_its_settings_have_two_sets_of_which_one_is_enough() -> None:
    """A token, or a client and its secret."""
    settings = executed(1)["Settings"]
    assert sufficient_sets(settings) == (("token",), ("client_id", "client_secret"))
    assert settings().base_url == "https://api.example.com"


def test_its_command_prints_who_has_no_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added to a group, it has the host of the command line's options."""
    rota = types.ModuleType("connector_core_rota")
    exec(compile(blocks("docs/plugins.md", "python")[0], "plugins.md", "exec", dont_inherit=True), vars(rota))
    (tmp_path / "rota.csv").write_text("email,name,lead\nada@example.com,Ada,yes\nben@example.com,Ben,no\n")
    (tmp_path / "connector-core.toml").write_text("[connections.rota]\n")
    (tmp_path / "connector-core.toml").chmod(0o600)
    monkeypatch.setenv("CONNECTOR_CORE_CONFIG", str(tmp_path / "connector-core.toml"))
    options, program = Options(db=str(tmp_path / "state.db")), click.Group()
    with Host(tmp_path / "state.db", plugins={"rota": rota}, installed=False) as host:
        host.connection("rota", settings={"file": str(tmp_path / "rota.csv")}).sync()
    executed(2)["register_commands"](program)
    done = CliRunner().invoke(program, ["strangers", "rota"], obj=options)
    assert (done.output, done.exit_code) == ("ben@example.com\n", 0)
