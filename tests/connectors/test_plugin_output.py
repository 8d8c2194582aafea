"""What plugins print and log: never in an answer, and kept where an administrator looks for it."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
from attrs import frozen
from kit.cli import Home

from connector_core import Finding, Host, Manifest, Page, Resource, ResourceType, Secret, hookimpl, secret
from plugins import install

_CHATTY = """
import logging, sys
from attrs import frozen
from connector_core import Finding, Manifest, Page, Resource, ResourceType, Secret, hookimpl, secret

@frozen(kw_only=True)
class Settings:
    token: Secret = secret(help="the token")

@hookimpl
def connector_manifest():
    types = (ResourceType(type="user", display_name="User", traits=("user",)),)
    return Manifest(name="chatty", display_name="Chatty", summary="Talks", settings=Settings, resource_types=types)

@hookimpl
def connector_connect(settings):
    print("connecting with", settings.token.reveal())
    return settings

@hookimpl
def connector_check(client):
    return [Finding(level="ok", code="users", message="fine")]

@hookimpl
def sync_page(client):
    print("reading\\x1b[31m")
    sys.stdout.flush()
    sys.stdout.buffer.write(b"raw\\n")
    logging.getLogger("acme.client").warning("slow with %s", client.token.reveal())
    logging.getLogger("acme.client").error("%d pages", "no number")
    return Page(resources=(Resource(type="user", id="1", login="ada@example.com"),))

@hookimpl
def sync_finished(report):
    print("finished")
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    site = tmp_path / "site"
    site.mkdir()
    module = tmp_path / "connector_core_chatty.py"
    module.write_text(_CHATTY)
    install(site, "connector-core-chatty", "chatty", module)
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    home.environ["PYTHONPATH"] = f"{site}:{home.environ.get('PYTHONPATH', '')}"
    home.environ["CONNECTOR_CORE_CHATTY_TOKEN"] = "s3cr3t-token"
    return home


def test_what_hooks_print_is_never_in_an_answer(home: Home) -> None:
    """Standard output is one JSON document; the prints are on standard error, without secrets or control characters."""
    done = home("run", "chatty", "--json")
    assert done.document["sync"]["status"] == "complete"
    for printed in ("connecting with ***", "reading\\x1b[31m", "raw", "finished"):
        assert printed in done.err
    assert "s3cr3t" not in done.err + done.out


_WAYS = {
    "at import": ("print('hello')", "pass"),
    "to stderr": ("", "print('hello', t, file=sys.stderr)"),
    "a warning": ("", "warnings.warn('hello ' + t)"),
    "a traceback": ("", "try: raise ValueError('hello ' + t)\n    except ValueError: traceback.print_exc()"),
    "a thread": ("", "x = Thread(target=lambda: print('hello', t)); x.start(); x.join()"),
    "a thread that fails": ("", "x = Thread(target=lambda: int('hello ' + t)); x.start(); x.join()"),
    "in two pieces": ("", "sys.stdout.write('hello ' + t[:4]); sys.stdout.write(t[4:])"),
    "bytes": ("", "sys.stdout.buffer.write(('hello ' + t).encode())"),
}


@pytest.mark.parametrize("way", _WAYS)
def test_however_a_plugin_prints_the_answer_is_whole_and_no_secret_is_shown(tmp_path: Path, way: str) -> None:
    """To standard output or error, at import, in a thread of its own, in pieces: it is on standard error, masked."""
    at_import, in_hook = _WAYS[way]
    head = f"import sys, traceback, warnings\nfrom threading import Thread\n{at_import}\n"
    said = _CHATTY.replace(
        "def sync_page(client):", f"def sync_page(client):\n    t = client.token.reveal()\n    {in_hook}"
    )
    (tmp_path / "site").mkdir()
    module = tmp_path / "connector_core_chatty.py"
    module.write_text(head + said)
    install(tmp_path / "site", "connector-core-chatty", "chatty", module)
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    home.environ["PYTHONPATH"] = f"{tmp_path / 'site'}:{home.environ.get('PYTHONPATH', '')}"
    home.environ["CONNECTOR_CORE_CHATTY_TOKEN"] = "s3cr3t-token"
    done = home("run", "chatty", "--json")
    assert done.document["sync"]["status"] == "complete"
    assert "hello" in done.err and "s3cr3t" not in done.err + done.out


def test_what_hooks_log_is_in_the_log_of_the_connection(home: Home) -> None:
    """With its level and the logger's name, secrets hidden, also where the arguments do not fit."""
    home("run", "chatty")
    lines = home("logs", "chatty", "--json").document["logs"]
    logged = [(line["level"], line["message"]) for line in lines if line["message"].startswith("acme")]
    assert logged == [("warning", "acme.client: slow with ***"), ("error", "acme.client: %d pages")]


@frozen(kw_only=True)
class LoggingSettings:
    token: Secret = secret(help="the token")  # noqa: RUF009


class Logging:
    """A connector that logs and prints within an embedding program."""

    @hookimpl
    def connector_manifest(self) -> Manifest:
        types = (ResourceType(type="user", display_name="User", traits=("user",)),)
        return Manifest(
            name="logging", display_name="Logging", summary="Logs", settings=LoggingSettings, resource_types=types
        )

    @hookimpl
    def connector_connect(self, settings: LoggingSettings) -> LoggingSettings:
        return settings

    @hookimpl
    def connector_check(self, client: LoggingSettings) -> list[Finding]:
        return []

    @hookimpl
    def sync_page(self, client: LoggingSettings) -> Page:
        print("printed by the plugin")
        logging.getLogger("acme").warning("logged by the plugin")
        return Page(resources=(Resource(type="user", id="1", login="ada@example.com"),))


def test_an_embedding_program_keeps_its_own_streams_and_handlers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing global is left behind: standard output is the program's, and its handlers get the records as well."""
    handlers, out = list(logging.getLogger().handlers), sys.stdout
    with Host(tmp_path / "state.db", plugins={"logging": Logging()}, installed=False) as host:
        connection = host.connection("logging", settings={"token": "t0ken-of-logging"})
        connection.sync()
        assert "acme: logged by the plugin" in [line.message for line in connection.logs()]
    assert (logging.getLogger().handlers, sys.stdout) == (handlers, out)
    assert "printed by the plugin" in capsys.readouterr().out
    assert "logged by the plugin" in caplog.text


def test_json_of_two_commands_is_whole_with_a_chatty_plugin(home: Home) -> None:
    """Every command that runs hooks prints one document, whatever they print."""
    for command in (("check", "chatty"), ("run", "chatty"), ("capabilities", "chatty"), ("plugins",)):
        json.loads(home(*command, "--json").out)
