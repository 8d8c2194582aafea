"""What the pages in docs/ say is so: blocks are run, tables are held against the code, links lead somewhere."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import attrs
import click
import pytest
from kit.pages import ROOT, blocks, first_cells, page, pages, pattern, play, section

from connector_core import errors, hookspecs
from connector_core.cli.program import CHANGES, COMMANDS, cli
from connector_core.host.host import Host
from connector_core.store.database import open_writer
from connector_core_whimsical.settings import Settings

HERE = Path(__file__).parent


# -- blocks are run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["docs/commands.md", "docs/json-and-exit-codes.md"])
def test_console_blocks_print_what_they_show(name: str, tmp_path: Path) -> None:
    """In order, in an empty home; pages with many blocks have a file of their own beside this one."""
    play(name, tmp_path)


def test_every_page_with_console_blocks_is_run() -> None:
    """A new page is not forgotten."""
    sources = "".join(path.read_text("utf-8") for path in HERE.glob("test_*.py"))
    shown = [name for name in pages() if blocks(name, "console") and name != "CONTRIBUTING.md"]
    assert [name for name in shown if f'"{name}"' not in sources] == []
    assert len(shown) >= 7


def test_the_embedding_program_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pasted into a program, it prints the status, the editors and the changes."""
    monkeypatch.chdir(tmp_path)
    (program,) = blocks("docs/embedding.md", "python")
    exec(compile(program, "embedding.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "complete 61"
    assert len(lines) > 15


def test_the_configuration_block_is_one(tmp_path: Path) -> None:
    """It is accepted as a configuration file, and names two connections."""
    path = tmp_path / "connector-core.toml"
    path.write_text(blocks("docs/configuration.md", "toml")[0])
    host = Host.from_environment(config=str(path), db=str(tmp_path / "state.db"), environ={})
    assert {"whimsical", "design"} <= set(host.connection_names())
    assert host.connection("whimsical").config.owner == "it@example.com"


def test_no_python_block_goes_untested() -> None:
    """Those above, those of test_page_plugins.py and the README's two are all there are."""
    counts = {name: len(blocks(name, "python")) for name in pages() if blocks(name, "python")}
    assert counts == {"README.md": 2, "docs/embedding.md": 1, "docs/plugins.md": 9}


def test_figures_may_differ_and_words_may_not() -> None:
    """The comparison of printed blocks is one."""
    shown = "sync 1: 2 pages, 0.0 s on 2026-11-24 09:00\n...\n62 users\n"
    assert re.fullmatch(pattern(shown), "sync 1: 2 pages, 11.4 s on 2027-01-01 10:10\nx\ny\n62 users\n")
    assert not re.fullmatch(pattern(shown), "sync 1: 3 pages, 11.4 s on 2027-01-01 10:10\nx\n62 users\n")
    assert not re.fullmatch(pattern(shown), "sync 1: 2 pages, 11.4 s on 2027-01-01 10:10\nx\n61 users\n")


# -- tables name everything ------------------------------------------------------------------------------------


def test_generated_parts_are_current() -> None:
    """Option tables, schema, floor plan, reference and pictures are what the code says: else, python docs/generate."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_command_is_there() -> None:
    """No command without a row, and no row without a command."""
    table = page("docs/commands.md").partition("\n## ")[0]
    context = click.Context(cli)
    commands = {name for name in cli.list_commands(context) if name in COMMANDS}
    assert {cell.split()[0] for cell in first_cells(table)} == commands


def test_every_option_is_there() -> None:
    """The generated tables leave out no option of any command."""
    text = section("docs/commands.md", "Options")
    context = click.Context(cli)
    commands = [cli, *filter(None, (cli.get_command(context, name) for name in COMMANDS))]
    options = {
        option for command in commands for parameter in command.params
        if isinstance(parameter, click.Option) for option in (*parameter.opts, *parameter.secondary_opts)
    }  # fmt: skip
    assert {cell.split()[0] for cell in re.findall(r"`(-[^`]+)`", text)} >= options


def test_every_setting_is_there() -> None:
    """Whimsical's settings, each with a row, here and in the connector's README."""
    settings = {field.name: field.default for field in attrs.fields(Settings)}
    for table in (section("docs/whimsical.md", "Settings"), section("plugins/whimsical/README.md", "Settings")):
        assert first_cells(table) == settings.keys()
        assert f"| `{settings['patch_style']}` |" in table and f"| `{settings['viewer_revoke']}` |" in table


def test_every_hook_is_there() -> None:
    """The table of hooks and the hook specifications name the same ones."""
    specified = {name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.GROUP}_spec")}
    assert first_cells(section("docs/plugins.md", "Hooks")) == specified


def test_every_public_column_is_there(tmp_path: Path) -> None:
    """The views of a state file, and their columns, each with a row."""
    open_writer(tmp_path / "state.db").close()
    db = sqlite3.connect(tmp_path / "state.db")
    views = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'")]
    columns = {view: {row[1] for row in db.execute(f"PRAGMA table_info({view})")} for view in views}
    db.close()
    parts = re.split(r"^\*\*(\w+)\*\*: ", section("docs/state-file.md", "Public views"), flags=re.M)[1:]
    documented = {view: first_cells(text) for view, text in zip(parts[::2], parts[1::2], strict=True)}
    assert {view: documented[view] for view in columns} == columns


def test_every_exit_code_is_there() -> None:
    """The errors' codes, success, changes, and nothing that cannot happen."""
    kinds, codes = [errors.ConnectorCoreError], {0, CHANGES}
    for kind in kinds:
        codes.add(kind.exit_code)
        kinds += kind.__subclasses__()
    rows = re.findall(r"^\| (\d+) \|", section("docs/json-and-exit-codes.md", "Exit codes"), re.M)
    assert {int(row) for row in rows} == codes


def test_every_group_of_errors_is_there() -> None:
    """The embedding page names each error that has an exit code of its own."""
    kinds = [errors.ConnectorCoreError, *errors.ConnectorCoreError.__subclasses__()]
    named = first_cells(section("docs/embedding.md", "Errors"))
    assert named == {kind.__name__ for kind in kinds if "exit_code" in vars(kind)}


# -- links -----------------------------------------------------------------------------------------------------


def anchors(name: str) -> set[str]:
    """Return the headings of a page as code hosts and the site turn them into anchors."""
    headings = re.findall(r"^#+ (.+)$", page(name), re.M)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", pages())
def test_every_link_leads_somewhere(name: str) -> None:
    """Links to headings have them, links to files their files."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page(name)):
        if "://" in target:
            continue
        path, _, heading = unquote(target).partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        assert not heading or heading in anchors(str(file.resolve().relative_to(ROOT))), target
