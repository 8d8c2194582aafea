"""Commands that plugins add: they have the host, and the options of every command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.cli import Home, workspace
from kit.served import TOKEN

from plugins import HERE, install


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with a plugin of commands, and a picture of two people."""
    folder = tmp_path_factory.mktemp("commands")
    home, site = Home(folder / "home"), folder / "site"
    home.folder.mkdir()
    site.mkdir()
    install(site, "strange-commands", "commands", HERE / "commands.py")
    home.environ["PYTHONPATH"] = str(site)
    with workspace(2) as there:
        home.connect(there.url)
        assert home("run", "whimsical").code == 0
        yield home


def test_a_command_of_a_plugin_has_the_host_and_the_options_of_every_command(home: Home, tmp_path: Path) -> None:
    """Before its name and after it; what it prints is the answer, and what it returns the exit code."""
    done = home("who", "whimsical")
    assert (done.code, done.out, done.err) == (3, "p001@example.com\np002@example.com\n", "2 rows\n")
    assert home("-q", "who", "whimsical").err == ""
    assert home("who", "whimsical", "--json").out == "p001@example.com\n"
    assert home("who", "whimsical", "--db", str(tmp_path / "other.db")).code == 6
    text = home("who", "--help").out
    assert "Print who has access" in text
    assert "--db PATH" in text


def test_an_error_of_a_command_of_a_plugin_is_said_and_shows_no_secret(home: Home) -> None:
    """An error of `connector_core` as everywhere; any other with its kind and its place in the plugin alone."""
    done = home("who", "whimsical", "--fails", "used", "--json")
    assert (done.code, done.document["error"]["message"]) == (2, "not like this")
    done = home("who", "whimsical", "--fails", "broken")
    assert (done.code, done.out) == (1, "")
    assert "error: the plugin's command who failed with ValueError (site/commands.py, line 24)" in done.err
    assert TOKEN not in done.err
    assert "Traceback" not in done.err
