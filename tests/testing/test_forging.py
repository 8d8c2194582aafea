"""Names that mean harm: whatever people, roles, servers and files are called, no output can be forged with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from kit.cli import Home
from kit.served import TOKEN
from kit.terminal import at_terminal

from connector_core.cli.program import run
from connector_core.testing import LoopbackServer, ScimApp, Workspace

HARM = "\x1b[2J\x1b]0;t\x07\r\nerror: forged\r\n\x9b31m\u202eeve\u2066\u2028\u200b\x00\x7f"
EVIL = f"Eve{HARM}"


class Town:
    """A workspace in which names, and every error, hold ``harm``."""

    def __init__(self, harm: str) -> None:
        self.workspace = Workspace(seed=1)
        self.harm = harm
        self.refusing = False
        for n in range(3):
            login = f"p{n}{harm}@example.com"
            names = {"given_name": f"G{harm}", "family_name": f"F{harm}"}
            self.workspace.add(login, email=login, role=bool(n % 2), **names)
        self._app = ScimApp(self.workspace, token=TOKEN)

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        if not self.refusing:
            return self._app(environ, start)
        environ["wsgi.input"].read()
        start("400 Bad", [("Content-Type", "application/scim+json")])
        error = "urn:ietf:params:scim:api:messages:2.0:Error"
        return [json.dumps({"schemas": [error], "detail": f"no{self.harm}", "scimType": f"t{self.harm}"}).encode()]

    def change(self) -> None:
        first = self.workspace.users()[0]
        self.workspace.set_role(first.id, True)
        self.workspace.remove(self.workspace.users()[1].id)
        self.workspace.add(f"new{self.harm}@example.com", given_name=f"N{self.harm}", role=False)


@contextmanager
def town(harm: str, home: Home) -> Iterator[Town]:
    here = Town(harm)
    with LoopbackServer(here) as server:
        home.connect(server.url, managed="true", owner=f"me{harm}".replace("\0", ""))
        yield here


COMMANDS = """
run whimsical -v
access whimsical
changes whimsical
access whimsical --user p0@example.com
logs whimsical -vv
operations whimsical
syncs whimsical
connections --all
status whimsical
config show whimsical --origin
plan whimsical people.csv
"""


def shown(home: Home, harm: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What each command prints of a town of such people, and of its errors."""
    (home.folder / "people.csv").write_text("email,role\nada@example.com,editor\n")
    monkeypatch.chdir(home.folder)
    said: dict[str, str] = {}

    def say(line: str, *names: str) -> None:
        run([*line.split(), *(name.replace("\0", "") for name in names)])  # no argument can hold that one
        text = capfd.readouterr()
        said[f"{len(said)}: {line}"] = text.out + text.err

    with town(harm, home) as here:
        for name, value in home.environ.items():
            monkeypatch.setenv(name, value)
        say("run whimsical")
        here.change()
        first = here.workspace.users()[0].id
        say(f"grant whimsical viewer {first}")
        for line in COMMANDS.strip().splitlines():
            say(line)
        here.refusing = True
        say(f"revoke whimsical editor {first}")
        for line in ("check whimsical", "run whimsical -vv", "operations whimsical", "logs whimsical"):
            say(line)
        say("access whimsical --role", f"editor{harm}")
        say("grant whimsical", f"editor{harm}", "x@example.com")
        say("--db", f"{home.folder}/no{harm}/x.db", "access", "whimsical")
        say("--config", f"{home.folder}/no{harm}.toml", "connections")
        say("apply", f"{home.folder}/no{harm}.json")
        say("nothing", f"x{harm}")
    return said


def test_no_output_of_any_command_can_be_forged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only what can be seen, and as many lines as with names that mean no harm."""
    (tmp_path / "evil").mkdir()
    (tmp_path / "good").mkdir()
    evil = shown(Home(tmp_path / "evil"), HARM, monkeypatch, capfd)
    good = shown(Home(tmp_path / "good"), "-harmless", monkeypatch, capfd)
    assert sum("\\x1b[2J" in text for text in evil.values()) > 10
    for line, text in evil.items():
        assert all(c.isprintable() or c == "\n" for c in text), line
        assert not re.search(r"^(error: forged|eve)", text, re.MULTILINE), line
    assert run(["create-user", "whimsical", f"x{HARM}@example.com".replace("\0", "")]) == 2
    assert [lines_of(text) for text in evil.values()] == [lines_of(text) for text in good.values()]


def lines_of(text: str) -> int:
    """Hints apart: which name is near depends on the name."""
    return sum(not line.startswith("hint: ") for line in text.splitlines())


def test_json_escapes_what_could_not_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One document of printable text, in which the names are as they were."""
    shown(Home(tmp_path), HARM, monkeypatch, capfd)
    for command in ("access", "changes --from 1", "operations", "logs", "syncs", "status", "connections"):
        name, *more = command.split()
        run([name, *more, *([] if name == "connections" else ["whimsical"]), "--json"])
        out = capfd.readouterr().out
        assert all(c.isprintable() or c == "\n" for c in out), command
        document = json.loads(out)
        if name in ("access", "changes"):
            assert any(HARM in str(row["user"]) for row in document[name])


FORBIDDEN = ("\x1b[2J", "\x1b]0;", "\x07", "\u202e", "\u2066", "\u2028", "\x9b", "\nerror: forged")


@pytest.mark.parametrize(
    "command",
    ["delete-user whimsical {id}", "revoke whimsical viewer {id}", "apply plan.json --max-removals 9", "run whimsical"],
)
def test_no_question_and_no_progress_can_be_forged(tmp_path: Path, command: str) -> None:
    """On a terminal, what is asked before access is taken names whom it is about, and nothing else steers it."""
    home = Home(tmp_path)
    with town(HARM, home) as here:
        assert home("run", "whimsical").code == 0
        user = next(user for user in here.workspace.users() if not user.role)
        (tmp_path / "people.csv").write_text("email,role\n")
        assert home("plan", "whimsical", "people.csv", "--prune", "-o", "plan.json").code in (0, 2)
        if command.startswith("apply") and not (tmp_path / "plan.json").exists():
            pytest.skip("a plan names nobody whose name cannot be printed")
        here.refusing = command.startswith("run")
        with at_terminal(home, *command.format(id=user.id).split()) as person:
            if not command.startswith("run"):
                person.waits_for("Go on?")
                person.types("n")
            person.leaves()
        assert here.workspace.writes() == {}
    for harm in FORBIDDEN:
        assert harm not in person.seen.replace("\r\n", "\n"), repr(harm)
