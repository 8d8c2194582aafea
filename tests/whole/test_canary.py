"""A token that is planted wherever a token can be, and then looked for wherever one could come out."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from kit.cli import Home, answering

from connector_core.cli.program import run
from connector_core.config.configuration import Configuration, resolve
from connector_core.errors import ConnectorCoreError
from connector_core.host.host import Host
from connector_core.http import HttpClient
from connector_core.model import Secret
from connector_core.testing import LoopbackServer, ScimApp, Workspace
from connector_core_whimsical.settings import Settings

CANARY = "canary+Wh1msical/token==x"
SHAPES = [CANARY, quote(CANARY, safe=""), quote(CANARY), base64.b64encode(CANARY.encode()).decode().rstrip("=")]
ROOT = Path(__file__).parents[2]


def refusing(status: str = "401 Unauthorized") -> WSGIApplication:
    """A server that repeats the token it was sent in every place where a client might read."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        sent = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
        headers = [
            ("Content-Type", "application/scim+json"), ("WWW-Authenticate", f'Bearer error="{sent}"'),
            ("Location", f"http://{quote(sent, safe='')}.example.com/{sent}?token={sent}"), ("Retry-After", sent),
        ]  # fmt: skip
        start(status, headers)
        yield f'{{"schemas": ["{sent}"], "detail": "bad token {sent}", "scimType": "{sent}"}}'.encode()

    return app


def careless(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """A server whose list carries the token in a row that cannot be read."""
    first = "startIndex=1&" in f"{environ['QUERY_STRING']}&"
    rows = [{"id": 7.5, "userName": [f"Bearer {CANARY}"], "emails": CANARY}] if first else []
    start("200 OK", [("Content-Type", "application/scim+json"), ("X-Debug", CANARY)])
    yield json.dumps({"totalResults": 1, "startIndex": 1, "Resources": rows}).encode()


SERVERS = {
    "good": lambda: ScimApp(_workspace(), token=CANARY),
    "401": refusing,
    "403": lambda: refusing("403 Forbidden"),
    "404": lambda: refusing("404 Not Found"),
    "400": lambda: refusing("400 Bad Request"),
    "302": lambda: refusing("302 Found"),
    "no-json": lambda: answering("200 OK", {}, f"<html>{CANARY}</html>".encode()),
    "rejected": lambda: careless,
}


def _workspace() -> Workspace:
    workspace = Workspace(seed=1)
    workspace.add("ada@example.com", email="ada@example.com", role=True)
    return workspace


def env(home: Home) -> None:
    home.environ["CONNECTOR_CORE_WHIMSICAL_TOKEN"] = CANARY


def file(home: Home) -> None:
    path = home.folder / "secret"
    path.touch(mode=0o600)
    path.write_text(CANARY + "\n")
    _configure(home, f'{{ file = "{path}" }}')


def command(home: Home) -> None:
    """The program that gives the token reads it from a place where nobody greps."""
    home.environ["HIDDEN"] = CANARY
    _configure(home, f'{{ command = ["{sys.executable}", "-c", "import os; print(os.environ[\'HIDDEN\'])"] }}')


def _configure(home: Home, token: str) -> None:
    path = home.folder / "configuration.toml"
    path.write_text(f"[connections.whimsical]\ntoken = {token}\n")
    home.environ["CONNECTOR_CORE_CONFIG"] = str(path)


def leaks(text: str) -> list[str]:
    return [shape for shape in SHAPES if shape in text]


def written(home: Home) -> Iterator[tuple[Path, str]]:
    """Every file below the home but the one where the token was put; the state with its journal files."""
    for path in home.folder.rglob("*"):
        if path.is_file() and path.name != "secret":
            yield path, path.read_bytes().decode("utf-8", "replace")


COMMANDS = [
    ["check", "whimsical", "-vv"],
    ["run", "whimsical", "-vv"],
    ["run", "whimsical", "--json"],
    ["access", "whimsical", "-vv"],
    ["logs", "whimsical", "-vv"],
    ["logs", "whimsical", "--json"],
]


@pytest.mark.parametrize("place", [env, file, command], ids=lambda place: place.__name__)
def test_wherever_the_token_lies_it_comes_out_nowhere(tmp_path: Path, place: Callable[[Home], None]) -> None:
    """From the environment, a file or a command: not on standard output or error, nor in any file."""
    home = Home(tmp_path)
    place(home)
    with LoopbackServer(SERVERS["good"]()) as stand_in:
        home.environ["CONNECTOR_CORE_WHIMSICAL_BASE_URL"] = stand_in.url
        for arguments in COMMANDS:
            done = home(*arguments)
            assert (done.code, leaks(done.out + done.err)) == (0, []), arguments
    for path, text in written(home):
        assert not leaks(text), path


@pytest.mark.parametrize("server", SERVERS)
def test_whatever_the_server_does_the_token_comes_out_nowhere(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A server that repeats the token in bodies, headers and redirects cannot make a command print or store it."""
    home = Home(tmp_path)
    env(home)
    with LoopbackServer(SERVERS[server]()) as stand_in:
        for name, value in home.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("CONNECTOR_CORE_WHIMSICAL_BASE_URL", stand_in.url)
        codes = [run(arguments) for arguments in COMMANDS]
    shown = capfd.readouterr()
    assert not leaks(shown.out + shown.err)
    assert "Traceback" not in shown.err
    assert 1 not in codes
    assert (codes[1] == 0) == (server == "good")
    for path, text in written(home):
        assert not leaks(text), path


def test_this_test_would_notice(tmp_path: Path) -> None:
    """The canary is found where it is, in each of its shapes and in a file."""
    assert all(leaks(f"x{shape}y") for shape in SHAPES)
    (tmp_path / "state.db-wal").write_bytes(b"\xff\x00" + CANARY.encode())
    assert any(leaks(text) for _, text in written(Home(tmp_path)))


def test_a_name_that_holds_the_token_is_not_the_tokens_fault(tmp_path: Path) -> None:
    """A wrong token with a line break is refused without being shown."""
    home = Home(tmp_path)
    for token in (CANARY + "\nX-Evil: 1", CANARY + "\u2019"):
        home.connect("http://127.0.0.1:9", token=token)
        done = home("run", "whimsical", "-vv")
        assert (done.code, leaks(done.out + done.err)) == (3, []), done


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only Linux shows arguments here")
def test_no_argument_of_any_process_is_the_token(tmp_path: Path) -> None:
    """Whoever lists processes, the one that fetches the token included, sees no token."""
    home = Home(tmp_path)
    seen: list[str] = []

    def watched(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        seen.extend(path.read_bytes().decode("utf-8", "replace") for path in _arguments())
        return ScimApp(_workspace(), token=CANARY)(environ, start)

    command(home)
    with LoopbackServer(watched) as stand_in:
        home.environ["CONNECTOR_CORE_WHIMSICAL_BASE_URL"] = stand_in.url
        assert home("run", "whimsical").code == 0
    assert any("connector_core" in arguments for arguments in seen)
    assert not any(map(leaks, seen))


def _arguments() -> Iterator[Path]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        if os.access(path, os.R_OK):
            yield path


def test_nothing_that_can_be_printed_holds_it(tmp_path: Path) -> None:
    """Settings, clients, connections and configuration: their repr shows no token."""
    environ = {"CONNECTOR_CORE_WHIMSICAL_TOKEN": CANARY}
    configuration = Configuration.load(tmp_path / "none.toml", environ)
    config = configuration.connection("whimsical", ["whimsical"])
    host = Host.from_environment(db=str(tmp_path / "state.db"), environ=environ)
    given = host.connection("whimsical", settings={"token": CANARY})
    settings = resolve(config, Settings)
    things = (
        configuration, config, settings, settings.token, host, given, given.config,
        HttpClient(secrets=[Secret(CANARY)]),
    )  # fmt: skip
    with given._session(given._connector()) as session:
        for thing in (*things, session, session.http, session.client):
            assert not leaks(f"{thing!r} {thing}"), type(thing)


@pytest.mark.parametrize("server", [name for name in SERVERS if name != "good"])
def test_errors_hold_it_nowhere(tmp_path: Path, server: str) -> None:
    """A traceback with local variables, as error trackers send them, shows no token, nor do the causes' reprs."""
    with LoopbackServer(SERVERS[server]()) as stand_in, Host(tmp_path / "state.db") as host:
        given = {"token": Secret(CANARY), "base_url": stand_in.url}
        try:
            report = host.connection("whimsical", settings=given).sync()
            assert report.sync.status == "incomplete"
            assert not leaks(repr(report))
        except ConnectorCoreError as error:
            assert not leaks("".join(traceback.format_exception(error)))
            cause: BaseException | None = error
            while cause is not None:
                assert not leaks(f"{cause!r} {cause} {vars(cause)!r}"), type(cause)
                cause = cause.__cause__ or cause.__context__


def test_cassettes_hold_no_credentials() -> None:
    """Recordings carry no bearer token, theirs or anybody's."""
    import re

    recorded = [path for path in (ROOT / "cassettes").rglob("*") if path.is_file()]
    assert recorded
    for path in recorded:
        text = path.read_text("utf-8")
        assert not re.search(r"(?i)bearer +(?!\*\*\*|redacted|<|token)[\w+/=.-]{8,}", text), path


def test_the_repository_holds_no_canary() -> None:
    """Nothing that was ever run here wrote the token into the checkout."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    for name in listed:
        path = ROOT / name
        if name and path.is_file() and path != Path(__file__):
            assert not leaks(path.read_bytes().decode("utf-8", "replace")), name
