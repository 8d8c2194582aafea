"""What goes wrong on ordinary days is said with its cure, and what goes right is not said in cron's mail."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from kit.cli import PROGRAM, Done, Home, workspace
from kit.served import Around

SCIM_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def declining(method: str, *, unless: str = "^nothing$") -> Around:
    """Answers 400 to that method, in SCIM's words, unless the query fits a pattern."""

    def around(app: WSGIApplication) -> WSGIApplication:
        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if environ["REQUEST_METHOD"] != method or re.search(unless, environ.get("QUERY_STRING", "")):
                return app(environ, start)
            start("400 Bad Request", [("Content-Type", "application/scim+json")])
            return [json.dumps({"schemas": [SCIM_ERROR], "status": "400", "detail": "not like this"}).encode()]

        return answer

    return around


# -- quiet -----------------------------------------------------------------------------------------------------


def test_the_line_for_cron_prints_nothing_where_nothing_is_wrong(home: Home) -> None:
    """Also where there are changes: cron mails every line. What is wrong is said all the same."""
    with workspace(3) as served:
        home.connect(served.url)
        line = home("schedule", "whimsical", "--cron").out.strip().splitlines()[-1]
        command = shlex.split(line.split(None, 5)[5].replace("\\%", "%"))[1:]
        assert command[-1] == "--quiet"
        for number in range(2):
            assert home(*command)[:3] == (0, "", "")
            served.workspace.add(f"new{number}@example.com", email="new@example.com", role=True)
    done = home(*command)
    assert done.code == 5
    assert done.err.startswith("error: ")


def test_a_quiet_run_that_is_not_complete_says_so(home: Home) -> None:
    """A held sync is what a person has to look at."""
    with workspace(12) as served:
        home.connect(served.url)
        assert home("run", "whimsical", "--quiet").code == 0
        for user in served.workspace.users():
            served.workspace.remove(user.id)
        done = home("run", "whimsical", "--quiet")
    assert done.code == 6
    assert "held" in done.out


# -- no home ---------------------------------------------------------------------------------------------------


UNKNOWN = ("unshare", "--user", "--map-user=12345", "--")  # runs a command as a user that no file names


def homeless(home: Home, *arguments: str, **environ: str) -> Done:
    """Run a command as an unknown user without HOME, as containers do."""
    kept = {name: value for name, value in home.environ.items() if name not in ("HOME", "CONNECTOR_CORE_DB")}
    done = subprocess.run(
        [*UNKNOWN, *PROGRAM, *arguments], env=kept | environ, cwd=home.folder,
        text=True, capture_output=True, check=False, timeout=60,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def _can_be_another() -> bool:
    return shutil.which("unshare") is not None and subprocess.run([*UNKNOWN, "true"], check=False).returncode == 0


@pytest.mark.skipif(not _can_be_another(), reason="this machine has no user namespaces")
def test_a_container_without_a_home(home: Home) -> None:
    """An unknown user id without HOME needs CONNECTOR_CORE_DB, and a sentence says so; no folder named ~ appears."""
    refused = homeless(home, "run", "whimsical", "--sandbox")
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.splitlines() == [
        "error: there is no home folder to keep the state in",
        "hint: name a file with --db or CONNECTOR_CORE_DB",
    ]
    db = str(home.folder / "own.db")
    assert homeless(home, "run", "whimsical", "--sandbox", CONNECTOR_CORE_DB=db).code == 0
    someone = next(row["user"] for row in home("--db", db, "access", "whimsical-sandbox", "--json").document["access"])
    homeless(home, "grant", "whimsical-sandbox", "editor", someone, CONNECTOR_CORE_DB=db)
    (row,) = home("--db", db, "operations", "whimsical-sandbox", "--json").document["operations"]
    assert row["requested_by"].startswith("uid 12345@")
    added = homeless(home, "add", "whimsical", CONNECTOR_CORE_DB=db)
    assert (added.code, "no home folder to keep the configuration in" in added.err) == (3, True)
    assert not (home.folder / "~").exists()


# -- hints -----------------------------------------------------------------------------------------------------


def test_a_missing_token_names_add_first(home: Home) -> None:
    """The shortest way to a working connection comes before variables and files."""
    done = home("run", "whimsical")
    assert done.code == 3
    assert "hint: `connector-core add whimsical` asks for it" in done.err


def test_a_page_size_that_is_refused_is_named_by_check_and_run(home: Home) -> None:
    """``check`` asks as a sync does, so that it finds what a sync would find."""
    with workspace(3, around=declining("GET", unless=r"count=10\b")) as served:
        home.connect(served.url)
        for command in ("check", "run"):
            done = home(command, "whimsical")
            assert done.code == 5
            assert "set a smaller page_size" in done.out + done.err
        home.connect(served.url, page_size=10)
        assert home("check", "whimsical").code == 0


def test_a_patch_that_is_refused_names_the_setting(home: Home) -> None:
    """The shape of a PATCH is a setting: where one is refused, the others are named."""
    with workspace(3, around=declining("PATCH")) as served:
        home.connect(served.url, managed="true")
        done = home("grant", "whimsical", "editor", "p001@example.com")
    assert done.code == 5
    assert "set patch_style: path, nested, flat" in done.err


def test_a_time_in_the_future_is_an_error(home: Home) -> None:
    """The picture of tomorrow is not today's; what ``--to`` leaves open may lie ahead."""
    assert home("run", "whimsical", "--sandbox", "--quiet").code == 0
    done = home("access", "whimsical-sandbox", "--at", "2199-01-01T00:00Z")
    assert (done.code, done.out) == (2, "")
    assert "is in the future" in done.err
    assert home("changes", "whimsical-sandbox", "--from", "2199-01-01").code == 2
    assert home("changes", "whimsical-sandbox", "--to", "2199-01-01").code == 0


# -- without a command -----------------------------------------------------------------------------------------


def test_the_program_alone_shows_the_connections_and_what_comes_next(home: Home) -> None:
    """First how to begin; then how each connection is doing, and the command for the one that needs it."""
    done = home()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("no connection is set up yet\nnext: connector-core run whimsical --sandbox")
    assert "connector-core add whimsical" in done.out
    assert home("run", "whimsical", "--sandbox", "--quiet").code == 0
    done = home()
    assert "whimsical-sandbox" in done.out.splitlines()[1]
    assert "next: connector-core access whimsical-sandbox" in done.out
    document = home("--json").document
    assert [row["connection"] for row in document["connections"]] == ["whimsical-sandbox"]
    assert document["next"][0] == "connector-core access whimsical-sandbox"


def test_the_program_alone_says_what_to_do_where_a_sync_fails(home: Home) -> None:
    """The command that finds out what is wrong comes first."""
    with workspace(2) as served:
        home.connect(served.url, token="wrong")
        assert home("run", "whimsical").code == 4
    assert "next: connector-core check whimsical" in home().out


# -- tables ----------------------------------------------------------------------------------------------------


def test_no_cell_of_a_table_is_longer_than_200_letters(home: Home) -> None:
    """Whoever wants all of a name asks for JSON."""
    name = "Ada " + "x" * 300
    with workspace(1) as served:
        home.connect(served.url)
        (user,) = served.workspace.users()
        served.workspace.remove(user.id)
        served.workspace.add("ada@example.com", email="ada@example.com", display_name=name, role=True)
        assert home("run", "whimsical").code == 0
    out = home("access", "whimsical").out
    assert name[:199] + "…" in out
    assert name[:201] not in out
    assert home("access", "whimsical", "--json").document["access"][0]["name"] == name


# -- what is removed -------------------------------------------------------------------------------------------


def test_status_forgets_a_connection_that_was_removed(home: Home) -> None:
    """A connection that failed and was removed needs no person any more; one that stays does."""
    folder = home.folder / "configured"
    folder.mkdir(mode=0o700)
    (folder / "token").write_text("a-token-of-nowhere")
    table = 'connector = "whimsical"\nbase_url = "http://127.0.0.1:9"\ntoken = { file = "token" }\n'
    (folder / "core.toml").write_text(f"[connections.whimsical]\n{table}[connections.second]\n{table}")
    for file in folder.iterdir():
        file.chmod(0o600)
    home.environ["CONNECTOR_CORE_CONFIG"] = str(folder / "core.toml")
    for name in ("whimsical", "second"):
        assert home("run", name).code == 5
        assert home("status", name).code == 6
    assert home("remove", "whimsical", "--yes").code == 0
    assert [row["connection"] for row in home("status", "--json").document["connections"]] == ["second"]
    assert home("remove", "second", "--yes").code == 0
    assert home("status", "--json").document == {"format_version": 1, "ok": True, "connections": []}
