"""What the README says is so: its blocks are run, and its tables are held against the code."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from kit.cli import Home

from connector_core import errors, hookspecs
from connector_core.cli.program import CHANGES, COMMANDS, cli
from connector_core.host.host import Host
from connector_core.store.database import open_writer
from connector_core.testing import LoopbackServer
from connector_core_whimsical.sandbox import PREFIX, app
from connector_core_whimsical.settings import Settings

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text("utf-8")
FOR_NEWCOMERS = 2  # the first blocks install things; the one is run by its reader, the other by .ci/run

SQLITE = """\
#!{python}
import sqlite3, sys
with sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True) as db:
    for row in db.execute(sys.argv[2]):
        print("|".join("" if value is None else str(value) for value in row))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.M | re.S)


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> set[str]:
    """What stands in backticks in the first cells of the tables of that text."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


# -- its blocks are run ----------------------------------------------------------------------------------------


def steps(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and what it should print."""
    command, printed = "", ""
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line[2:], ""
        elif line.startswith("> "):
            command += "\n" + line[2:]
        else:
            printed += line + "\n"
    yield command, printed


FIGURES = {
    r"\d{4}-\d\d-\d\d": r"\d{4}-\d\d-\d\d",
    r"\d\d:\d\d(:\d\d)?": r"\d\d:\d\d(:\d\d)?",
    r" +\d+\.\d s": r" +\d+\.\d s",
    r"USER +WHAT": "USER +WHAT",  # as wide as the longest of random people
    r"\.\.\.": r"(?s:.*)",
}
"""What differs from run to run: how it is found in the README, and what may stand there in its place."""


def pattern(printed: str) -> str:
    """A regular expression for what is printed; ``...`` stands for anything."""
    variable = re.compile("|".join(f"({found})" for found in FIGURES))
    parts, end = [], 0
    for match in variable.finditer(printed):
        allowed = next(may for found, may in FIGURES.items() if re.fullmatch(found, match[0]))
        parts += [re.escape(printed[end : match.start()]), allowed]
        end = match.end()
    return "".join([*parts, re.escape(printed[end:])])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home in which ``connector-core`` and ``sqlite3`` are programs."""
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    bin = tmp_path / "bin"
    bin.mkdir()
    (bin / "connector-core").write_text(f'#!/bin/sh\nexec {sys.executable} -m connector_core "$@"\n')
    (bin / "sqlite3").write_text(SQLITE.format(python=sys.executable))
    for program in bin.iterdir():
        program.chmod(0o700)
    home.environ["PATH"] = f"{bin}{os.pathsep}{home.environ['PATH']}"
    home.environ["CONNECTOR_CORE_CONFIG"] = str(home.folder / ".config/connector-core/connector-core.toml")
    del home.environ["CONNECTOR_CORE_DB"]
    return home


def test_console_blocks_print_what_they_show(home: Home, tmp_path: Path) -> None:
    """In order, in an empty home; the real workspace is played by the stand-in, and the token pasted is its own."""
    listed = blocks("console")
    assert len(listed) > FOR_NEWCOMERS + 4
    (home.folder / ".config/connector-core").mkdir(parents=True)
    (home.folder / ".config/connector-core/connector-core.toml").touch()
    with LoopbackServer(app(tmp_path / "real")) as server:
        home.environ["CONNECTOR_CORE_WHIMSICAL_BASE_URL"] = server.url + PREFIX
        for block in listed[FOR_NEWCOMERS:]:
            for command, printed in steps(block):
                step(home, command, printed)


def step(home: Home, command: str, printed: str) -> None:
    if command.startswith("export "):
        name, _, value = command.removeprefix("export ").partition("=")
        home.environ[name] = value.replace("~", str(home.folder))
        return
    done = subprocess.run(
        ["sh", "-c", command], env=home.environ, cwd=home.folder, input="sandbox\n", text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert re.fullmatch(pattern(printed), done.stdout), f"$ {command}\n{done.stdout}"


def test_the_lines_to_paste() -> None:
    """The first installs and runs the sandbox, the second, which .ci/run takes from here, runs all tests."""
    assert [block.splitlines()[0] for block in blocks("console")[:FOR_NEWCOMERS]] == [
        "$ python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/connector-core run whimsical --sandbox",
        "$ python3 -m venv .venv-tox && .venv-tox/bin/pip install -q tox && .venv-tox/bin/tox run",
    ]


def test_the_embedding_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pasted into a program, it prints the status, the editors and no changes."""
    monkeypatch.chdir(tmp_path)
    exec(compile(blocks("python")[0], "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "complete 61"
    assert len(lines) > 15


def test_the_plugin_block_is_a_plugin(tmp_path: Path) -> None:
    """The example connects, checks and syncs, as it stands."""
    module = types.ModuleType("connector_core_rota")
    exec(compile(blocks("python")[1], "README.md", "exec"), vars(module))
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


def test_the_configuration_block_is_one(tmp_path: Path) -> None:
    """It is accepted as a configuration file, and names two connections."""
    path = tmp_path / "connector-core.toml"
    path.write_text(blocks("toml")[0])
    host = Host.from_environment(config=str(path), db=str(tmp_path / "state.db"), environ={})
    assert {"whimsical", "design"} <= set(host.connection_names())
    assert host.connection("whimsical").config.owner == "it@example.com"


def test_figures_may_differ_and_words_may_not() -> None:
    """The comparison of printed blocks is one."""
    shown = "sync 1: 2 pages, 0.0 s on 2026-11-24 09:00\n...\n62 users\n"
    assert re.fullmatch(pattern(shown), "sync 1: 2 pages, 11.4 s on 2027-01-01 10:10\nx\ny\n62 users\n")
    assert not re.fullmatch(pattern(shown), "sync 1: 3 pages, 11.4 s on 2027-01-01 10:10\nx\n62 users\n")
    assert not re.fullmatch(pattern(shown), "sync 1: 2 pages, 11.4 s on 2027-01-01 10:10\nx\n61 users\n")


# -- its tables name everything --------------------------------------------------------------------------------


def test_every_command_and_option_is_there() -> None:
    """No command and no option without a row, and no row without a command."""
    text = section("Commands")
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context) if name in COMMANDS}
    assert {cell.split()[0] for cell in first_cells(text) if not cell.startswith("-")} == commands.keys()
    options = {
        option for command in [cli, *commands.values()] if command for parameter in command.params
        if isinstance(parameter, click.Option) for option in (*parameter.opts, *parameter.secondary_opts)
    }  # fmt: skip
    named = {cell.split()[0] for cell in re.findall(r"`(-[^`]+)`", text)}
    assert named == {*options, "-h", "--help", "-vv"}


def test_every_setting_is_there() -> None:
    """Whimsical's settings, each with a row."""
    import attrs

    table = section("Configuration").partition("Whimsical's settings")[2]
    assert first_cells(table) == {field.name for field in attrs.fields(Settings)}


def test_every_hook_is_there() -> None:
    """The table of hooks and the hook specifications name the same ones."""
    specified = {name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.GROUP}_spec")}
    assert first_cells(section("Writing a plugin")) == specified


def test_every_public_column_is_there(tmp_path: Path) -> None:
    """The views of a state file, and their columns, each with a row."""
    open_writer(tmp_path / "state.db").close()
    db = sqlite3.connect(tmp_path / "state.db")
    views = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
    columns = {view: {row[1] for row in db.execute(f"PRAGMA table_info({view})")} for view in views}
    db.close()
    parts = re.split(r"^\*\*(\w+)\*\*: ", section("The state file"), flags=re.M)[1:]
    documented = {view: first_cells(text) for view, text in zip(parts[::2], parts[1::2], strict=True)}
    assert {view: documented[view] for view in columns} == columns


def test_every_exit_code_is_there() -> None:
    """The errors' codes, success, changes, and nothing that cannot happen."""
    kinds, codes = [errors.ConnectorCoreError], {0, CHANGES}
    for kind in kinds:
        codes.add(kind.exit_code)
        kinds += kind.__subclasses__()
    rows = re.findall(r"^\| (\d+) \|", section("Exit codes and JSON"), re.M)
    assert {int(row) for row in rows} == codes


def test_every_link_leads_somewhere() -> None:
    """Links inside the page have their headings, links to files their files."""
    headings = {
        re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", TEXT, re.M)
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert target.removeprefix("#") in headings if target.startswith("#") else (README.parent / target).exists()
