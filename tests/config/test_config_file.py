"""Changing configuration files that people laid out in their own way, with arguments that are no text."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from connector_core.cli.program import run
from connector_core.config.file import ConfigFile
from connector_core.errors import ConfigurationError

SCATTERED = """\
[connections."other one"]
connector = "whimsical"

[apps."Whimsical"]
owner = "it@example.com"

[connections.whimsical]   # ours
app = "Whimsical"
"""


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    path = tmp_path / "c.toml"
    path.write_text(SCATTERED)
    return ConfigFile(path)


def read(file: ConfigFile) -> dict[str, object]:
    connections = tomllib.loads(file.path.read_text())["connections"]
    assert isinstance(connections, dict)
    return connections


def test_a_file_whose_tables_are_scattered_is_changed_all_the_same(file: ConfigFile) -> None:
    """Connections with an app between them: renamed, changed, added and removed, and everything else is kept."""
    file.rename("whimsical", "design", "whimsical")
    assert read(file) == {
        "other one": {"connector": "whimsical"}, "design": {"app": "Whimsical", "connector": "whimsical"}
    }  # fmt: skip
    file.change("other one", {"page_size": 7})
    file.add_connection("third", {"connector": "whimsical"})
    file.remove("design")
    assert read(file) == {"other one": {"connector": "whimsical", "page_size": 7}, "third": {"connector": "whimsical"}}
    assert tomllib.loads(file.path.read_text())["apps"] == {"Whimsical": {"owner": "it@example.com"}}


@pytest.mark.parametrize("line", ['base_url = "https://x.exampl\\e"', "a = {b = 1,}", "a = 1 b = 2"])
def test_a_file_that_cannot_be_read_is_not_written(file: ConfigFile, line: str) -> None:
    """Also where the change would take away what is wrong with it: nobody can say what else would be lost."""
    file.path.write_text(f"{SCATTERED}{line}\n")
    with pytest.raises(ConfigurationError, match="cannot read the configuration"):
        file.remove("whimsical")
    assert file.path.read_text() == f"{SCATTERED}{line}\n"


def test_a_value_that_is_no_text_changes_nothing(file: ConfigFile) -> None:
    """Half a character has no form in which it could stand in a file."""
    with pytest.raises(ConfigurationError, match="cannot be changed from here"):
        file.change("whimsical", {"owner": "a\udcff"})
    assert file.path.read_text() == SCATTERED


@pytest.mark.parametrize(
    "arguments",
    [
        ["configure", "whimsical", "owner=\udcff"],
        ["access", "whimsical", "--user", "\udcff@example.com"],
        ["grant", "whimsical-sandbox", "editor", "\udcff@example.com"],
        ["create-user", "whimsical-sandbox", "\udcff@example.com"],
        ["delete-user", "whimsical-sandbox", "ada@example.com", "--reason", "\udcff"],
        ["add", "whimsical", "--name", "\udcff"],
        ["--db", "\udcff", "connections"],
        ["\udcff"],
    ],
)
def test_an_argument_that_is_no_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """Bytes that are not UTF-8 name nobody and nothing: exit 2, and they are shown written out."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(arguments) == 2
    said = capfd.readouterr().err
    assert "is not text in UTF-8" in said and "\\udcff" in said
    assert list(tmp_path.iterdir()) == []
