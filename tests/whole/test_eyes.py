"""Curious eyes: a server that repeats the token in every reply, and every command that may have to do with one."""

from __future__ import annotations

import base64
import html
import io
import json
import os
import stat
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from kit.cli import Home

from connector_core import Host, Secret
from connector_core.cli.program import run
from connector_core.errors import ConnectorCoreError
from connector_core.http import HttpPolicy
from connector_core.testing import FakeClock, LoopbackServer, ScimApp, Workspace

TOKEN = "Qz7+Canary/Token==0123456789xyz"
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": lambda token: quote(token, safe=""),
    "base64": lambda token: base64.b64encode(token.encode()).decode(),
    "header": lambda token: base64.urlsafe_b64encode(f"Bearer {token}".encode()).decode(),
    "html": html.escape,
}
SOME_FORMS = ["plain", *(pytest.param(form, marks=pytest.mark.slow) for form in FORMS if form != "plain")]
LEAST = 8  # characters of it in a row that give something away


def leaks(text: str) -> list[str]:
    """Pieces of the token in a text, in any case: as it is, or in Base64, however that begins."""
    pieces = [TOKEN[n : n + LEAST] for n in range(len(TOKEN) - LEAST + 1)]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + TOKEN.encode()).decode()[4:-6]
        pieces += [encoded[n : n + 12] for n in range(len(encoded) - 11)]
    lowered = text.lower()
    return [piece for piece in pieces if piece.lower() in lowered]


class Parrot:
    """In front of a workspace: repeats what it was sent, in one form, wherever a reply has room for it.

    Requests for which ``refuses`` is true are refused with ``status`` in that way, all others answered.
    """

    def __init__(self, status: int, form: str, refuses: Callable[[WSGIEnvironment], bool]) -> None:
        workspace = Workspace(seed=1)
        for login in ("ada@example.com", "bo@example.com", "cy@example.com"):
            workspace.add(login, email=login, given_name="P", role=True)
        self._app: WSGIApplication = ScimApp(workspace, token=TOKEN)
        self._status, self._form, self._refuses = status, FORMS[form], refuses

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        said = self._form(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer "))
        if not self._refuses(environ):
            return self._app(environ, lambda status, headers, *more: start(status, [*headers, ("X-Echo", said)]))
        environ["wsgi.input"].read()
        headers = [
            ("Content-Type", f"application/{said}"), ("WWW-Authenticate", f'Bearer error="{said}"'),
            ("Location", f"http://{quote(said, safe='')}.example.com/{said}"), ("Retry-After", said), ("X-Echo", said),
        ]  # fmt: skip
        start(f"{self._status} {said}", headers)
        error = "urn:ietf:params:scim:api:messages:2.0:Error"
        return [json.dumps({"schemas": [error], "detail": f"not with {said}", "scimType": said, "x": said}).encode()]


def writing(environ: WSGIEnvironment) -> bool:
    return environ["REQUEST_METHOD"] != "GET"


def always(environ: WSGIEnvironment) -> bool:
    return True


def files(home: Home) -> Iterator[Path]:
    return (path for path in home.folder.rglob("*") if path.is_file())


COMMANDS = """
run whimsical -vv
create-user whimsical new@example.com --role editor -vv
grant whimsical viewer ada@example.com
revoke whimsical editor ada@example.com --json
delete-user whimsical bo@example.com --yes -vv
grant whimsical viewer cy@example.com --dry-run --json
operations whimsical -vv
operations whimsical --json
logs whimsical -vv
logs whimsical --json
status whimsical --json
connections --all -vv
syncs whimsical
changes whimsical --json
access whimsical -vv
config show whimsical --origin
config show --json
plan whimsical people.csv -vv
apply people.csv.plan.json --yes -vv
backup copy.db -vv
check whimsical -vv
"""


@pytest.mark.parametrize("form", SOME_FORMS)
@pytest.mark.parametrize("refuses, status", [(writing, 400), (writing, 403), (always, 401), (always, 302)])
def test_no_command_shows_or_keeps_a_token_that_the_server_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], form: str,
    refuses: Callable[[WSGIEnvironment], bool], status: int,
) -> None:  # fmt: skip
    """Reading, changing, planning, looking, copying; at debug and as JSON: not a piece of it anywhere, no traceback."""
    home = Home(tmp_path)
    (tmp_path / "people.csv").write_text("email,role\nada@example.com,viewer\nnew@example.com,editor\n")
    monkeypatch.chdir(tmp_path)
    with LoopbackServer(Parrot(status, form, refuses)) as server:
        home.connect(server.url, TOKEN, managed="true")
        for name, value in home.environ.items():
            monkeypatch.setenv(name, value)
        codes = {line: run(line.split()) for line in COMMANDS.strip().splitlines()}
    shown = capfd.readouterr()
    assert leaks(shown.out + shown.err) == []
    assert "Traceback" not in shown.err and "unexpected" not in shown.err
    assert 1 not in codes.values()
    assert (codes["run whimsical -vv"] == 0) == (refuses is writing)
    for path in files(home):
        assert leaks(path.read_bytes().decode("latin-1")) == [], path


@pytest.mark.parametrize("form", SOME_FORMS)
@pytest.mark.parametrize("status", [401, 404, 302])
def test_setting_up_shows_and_keeps_it_in_one_place_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], form: str, status: int
) -> None:
    """`add` that is refused saves nothing; one that is not tried keeps the token in the file made for it."""
    home = Home(tmp_path)
    home.environ["CONNECTOR_CORE_CONFIG"] = str(tmp_path / "etc" / "c.toml")
    home.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    with LoopbackServer(Parrot(status, form, always)) as server:
        add = ["add", "whimsical", "--set", f"base_url={server.url}", "-vv"]
        for more, saved in ((["--json"], False), ([], False), (["--no-check"], True)):
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{TOKEN}\n".encode())))
            assert (run([*add, *more]) == 0) == saved
            assert (tmp_path / "etc" / "secrets").exists() == saved
        (secret,) = (tmp_path / "etc" / "secrets").iterdir()
        for line in ("config show --origin", "config show --json", "check whimsical -vv", "run whimsical -vv"):
            run(line.split())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{TOKEN}\n".encode())))
        run(["configure", "whimsical", "--no-check", "page_size=7", "-vv"])
    shown = capfd.readouterr()
    assert leaks(shown.out + shown.err) == []
    assert [path for path in files(home) if leaks(path.read_bytes().decode("latin-1"))] == [secret]
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 500, 503, 302, 200])
def test_no_error_and_no_operation_holds_it(tmp_path: Path, form: str, status: int) -> None:
    """Under every status: what is raised, its causes, their `repr`, and what is given back."""
    policy = HttpPolicy(retry_budget=3.0, backoff_first=0.1)
    with LoopbackServer(Parrot(status, form, writing)) as server:
        host = Host(tmp_path / "s.db", clock=FakeClock(), http_policy=policy)
        settings = {"token": Secret(TOKEN), "base_url": server.url}
        whimsical = host.connection("whimsical", settings=settings, managed=True)
        calls: tuple[Callable[[], object], ...] = (
            lambda: whimsical.create_account("new@example.com", role="editor"),
            lambda: whimsical.grant("viewer", "ada@example.com"),
            lambda: whimsical.delete_account("bo@example.com", yes=True),
            whimsical.sync, whimsical.check, whimsical.operations, whimsical.logs,
        )  # fmt: skip
        for call in calls:
            try:
                given = call()
            except ConnectorCoreError as error:
                assert leaks("".join(traceback.format_exception(error))) == []
                assert leaks(f"{error!r} {error.hint} {error.report!r} {vars(error)!r}") == []
            else:
                assert leaks(repr(given)) == []
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or leaks(path.read_bytes().decode("latin-1")) == [], path


def test_these_eyes_would_see() -> None:
    """The token is found in each of its forms, in pieces, and in lower case."""
    for form in FORMS.values():
        assert leaks(f"<{form(TOKEN)}>"), form
    assert leaks(TOKEN[3:11].lower()) and leaks(TOKEN[-8:])
    assert leaks("whimsical token canary 0123") == []


# -- modes -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_every_file_that_any_command_makes_is_private(tmp_path: Path) -> None:
    """State, journal files, locks, vault, plan, copy, configuration, secret, sandbox: 0600 under a umask of nothing."""
    home = Home(tmp_path / "home")
    home.folder.mkdir(mode=0o700)
    home.environ["CONNECTOR_CORE_CONFIG"] = str(home.folder / "etc" / "c.toml")
    home.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    (home.folder / "people.csv").touch(0o600)
    (home.folder / "people.csv").write_text("email,role\nada@example.com,editor\n")
    before = os.umask(0)
    try:
        _use_everything(home)
    finally:
        os.umask(before)
    made = {
        path.relative_to(home.folder).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in home.folder.rglob("*")
    }
    assert {"state.db", "people.csv.plan.json", "copy.db", "etc/c.toml"} <= set(made)
    assert [name for name in made if name.startswith("etc/secrets/")]
    assert {name: oct(mode) for name, mode in made.items() if mode & 0o077} == {}


def _use_everything(home: Home) -> None:
    import subprocess

    from kit.cli import PROGRAM

    add = subprocess.run(
        [*PROGRAM, "add", "whimsical", "--no-check"], env=home.environ, cwd=home.folder, input=TOKEN, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert add.returncode == 0, add
    for line in (
        "run whimsical-sandbox", "grant whimsical-sandbox editor noah.kim@example.com",
        "plan whimsical-sandbox people.csv",
        "apply people.csv.plan.json --yes", "backup copy.db", "configure whimsical owner=me",
    ):  # fmt: skip
        assert home(*line.split()).code == 0, line
