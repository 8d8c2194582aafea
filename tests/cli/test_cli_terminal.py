"""The command line and what is around it: terminals, signals, pipes, encodings, and names that mean harm."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from kit.cli import PROGRAM, Done, Home, slowed, workspace

from connector_core.cli.output import clean
from connector_core.cli.program import run

LIVING = "\r\x1b[K"
EVIL = "Eve\x1b[2J\r\nadmin@example.com\u202eedoc\u2028\x9b1m\u200b\ufeff"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


# -- foreign text ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("Zoë Ångström 夏 \u00a0\u3000x", "Zoë Ångström 夏 \u00a0\u3000x"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\u202egpj.exe\u2066", "\\u202egpj.exe\\u2066"),
        ("a\u2028b\x85c", "a\\u2028b\\x85c"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_would_steer_a_terminal_is_written_out(foreign: str, shown: str) -> None:
    """Controls, bidirectional marks, line separators and invisible letters become visible; names stay."""
    assert clean(foreign) == shown


def test_names_forge_neither_lines_nor_columns_nor_json(home: Home) -> None:
    """A person cannot name themselves into another row, another colour, or out of the document."""
    with workspace(1) as served:
        served.workspace.add("eve@example.com", given_name=EVIL, family_name="X", email="eve@example.com", role=True)
        home.connect(served.url)
        assert home("run", "whimsical").code == 0
    table, document = home("access", "whimsical").out, home("access", "whimsical", "--json")
    assert [line.split()[0] for line in table.splitlines()] == ["USER", "eve@example.com", "p001@example.com"]
    for text in (table, document.out):
        assert all(c.isprintable() or c == "\n" for c in text)
    assert document.document["access"][0]["name"].startswith("Eve\x1b[2J")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_encoding_will_do(home: Home, encoding: str) -> None:
    """A terminal that lacks a letter gets it written out; JSON stays JSON."""
    with workspace(0) as served:
        served.workspace.add("xia@example.com", given_name="夏", family_name="Zoë", email="xia@example.com")
        home.connect(served.url)
        assert home("run", "whimsical").code == 0
    done = home("access", "whimsical", PYTHONIOENCODING=encoding, LC_ALL="C.UTF-8")
    assert (done.code, "\\u590f" in done.out) == (0, True)
    document = home("access", "whimsical", "--json", PYTHONIOENCODING=encoding).document
    assert document["access"][0]["name"] == "夏 Zoë"


# -- pipes -----------------------------------------------------------------------------------------------------


def test_a_reader_who_goes_away_is_no_error(home: Home) -> None:
    """`access | head -1` ends quietly with the command's own exit code."""
    with workspace(2000, page_cap=1000) as served:
        home.connect(served.url, page_size=1000)
        assert home("run", "whimsical").code == 0
    with home.start("access", "whimsical") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("USER")
        process.stdout.close()
        assert process.stderr.read() == "2,000 users: 1,000 editor (paid), 1,000 viewer\n"
        assert process.wait(timeout=10.0) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
def test_output_that_cannot_be_written(home: Home) -> None:
    """A full disk under the output is an error in words, and exit 1."""
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            [*PROGRAM, "plugins"], env=home.environ, cwd=home.folder, stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert (process.returncode, process.stderr) == (1, "error: the output cannot be written: No space left on device\n")


def test_no_standard_output_at_all(home: Home) -> None:
    """Started without standard streams, as some schedulers do, a command still does its work."""
    command = [*PROGRAM, "run", "whimsical", "--sandbox"]
    program = f"import os; os.close(1); os.close(2); os.execv({sys.executable!r}, {command!r})"
    process = subprocess.run([sys.executable, "-c", program], env=home.environ, cwd=home.folder, check=False)
    done = home("syncs", "whimsical-sandbox", "--json")
    assert (process.returncode, done.err, [sync["status"] for sync in done.document["syncs"]]) == (0, "", ["complete"])


# -- signals ---------------------------------------------------------------------------------------------------


class InterruptedRun(NamedTuple):
    """A run of pages of five that was told to stop while its third page of people was under way."""

    stopped: Done
    asked: list[str]
    resumed: Done


def interrupt(home: Home, number: signal.Signals) -> InterruptedRun:
    asked: list[str] = []
    third, told = threading.Event(), threading.Event()

    def pace(environ: dict[str, str]) -> float:
        asked.append(environ["QUERY_STRING"])
        if len(asked) == 3:
            third.set()
            told.wait(20.0)
        return 0.0

    with workspace(40, page_cap=5, around=slowed(pace)) as served:
        home.connect(served.url)
        with home.start("run", "whimsical", "--workers", "1", "--json") as process:
            assert third.wait(20.0)
            process.send_signal(number)
            assert process.stderr is not None
            said = process.stderr.readline()
            told.set()
            out, err = process.communicate(timeout=20.0)
        stopped = Done(process.returncode, out, said + err)
        return InterruptedRun(stopped, asked, home("run", "whimsical", "--json"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_can_be_resumed(home: Home, number: signal.Signals) -> None:
    """Exit 130 with the document and what to do; the next run goes on with the same sync."""
    stopped, asked, resumed = interrupt(home, number)
    assert (stopped.code, stopped.err) == (130, "finishing the pages in hand; Ctrl-C again ends at once\n")
    assert stopped.document["sync"]["status"] == "interrupted"
    assert stopped.document["error"] == {
        "code": "interrupted", "message": "interrupted", "hint": "connector-core run whimsical resumes it",
    }  # fmt: skip
    sync = resumed.document["sync"]
    assert (sync["id"], sync["status"], sync["resumed"]) == (stopped.document["sync"]["id"], "complete", True)
    assert resumed.document["counts"]["user"] == 40
    assert asked.count(asked[0]) == asked.count(asked[1]) == 1, "a committed page was asked for again"


def test_the_page_in_hand_is_finished(home: Home) -> None:
    """What was under way when Ctrl-C came is kept, so nothing at all is asked for twice."""
    asked = interrupt(home, signal.SIGINT).asked
    assert len(set(asked)) == len(asked)


def test_a_second_signal_ends_at_once(home: Home) -> None:
    """Whoever cannot wait for a slow server presses Ctrl-C again."""
    reached, over = threading.Event(), threading.Event()

    def never(environ: dict[str, str]) -> float:
        reached.set()
        over.wait(30.0)
        return 0.0

    with workspace(3, around=slowed(never)) as served:
        home.connect(served.url)
        with home.start("run", "whimsical") as process:
            assert reached.wait(20.0)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert process.stderr.readline().startswith("finishing the pages in hand")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10.0) == 130
        over.set()


def test_the_sandbox_serves_until_it_is_told_to_stop(home: Home) -> None:
    """Its address is printed at once, and Ctrl-C is the ordinary way to end it."""
    import json
    import urllib.request

    with home.start("sandbox", "whimsical") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert url is not None, line
        request = urllib.request.Request(f"{url[0]}/scim-v2/Users?count=1", headers={"Authorization": "Bearer sandbox"})
        with urllib.request.urlopen(request, timeout=5.0) as reply:
            assert json.load(reply)["totalResults"] == 61
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10.0)
    assert process.returncode == 0


def test_two_runs_at_once(home: Home) -> None:
    """Exit 7, naming who holds the lock."""
    reached, go_on = threading.Event(), threading.Event()

    def slow(environ: dict[str, str]) -> float:
        reached.set()
        go_on.wait(30.0)
        return 0.0

    with workspace(3, around=slowed(slow)) as served:
        home.connect(served.url)
        with home.start("run", "whimsical") as first:
            assert reached.wait(20.0)
            second = home("run", "whimsical")
            go_on.set()
            first.communicate(timeout=20.0)
    assert (second.code, first.returncode) == (7, 0)
    assert f"process {first.pid} on " in second.err


# -- terminals -------------------------------------------------------------------------------------------------


def test_progress_on_a_terminal(home: Home) -> None:
    """One living line: users, grants, pages, rate, seconds; it is gone in the end, and nothing is coloured."""
    with workspace(60, page_cap=10, around=slowed(lambda environ: 0.25)) as served:
        home.connect(served.url)
        code, shown = home.on_terminal("run", "whimsical", "--workers", "1")
    assert code == 0
    living, _, summary = shown.rpartition(LIVING)
    looks = [look for look in living.split(LIVING) if look]
    assert len(looks) >= 3
    assert all(re.fullmatch(r"reading: \d+ of 60, \d+ grants?, \d+ pages?, \d+/s, \d+ s", look) for look in looks)
    assert summary.startswith("whimsical: complete\n")
    assert "\x1b" not in summary + "".join(looks)


def test_waiting_for_the_server_is_said(home: Home) -> None:
    """A server that asks for patience is named as the reason, with the seconds that are left."""
    calls: list[int] = []

    def busy_once(app):  # type: ignore[no-untyped-def]
        def around(environ, start):  # type: ignore[no-untyped-def]
            calls.append(1)
            if len(calls) == 1:
                start("429 Too Many Requests", [("Retry-After", "2")])
                return [b""]
            return app(environ, start)

        return around

    with workspace(3, around=busy_once) as served:
        home.connect(served.url)
        code, shown = home.on_terminal("run", "whimsical", "-v")
    assert code == 0
    assert re.search(r"GET /Users: 429, again in 2\.\d s\n", shown)
    assert re.search(r"; the server answered 429, again in [12] s", shown)


def test_quiet_runs_say_nothing_on_the_way(home: Home) -> None:
    """With --quiet nothing appears at all where nothing is wrong."""
    with workspace(30, page_cap=10, around=slowed(lambda environ: 0.25)) as served:
        home.connect(served.url)
        assert home.on_terminal("run", "whimsical", "-q") == (0, "")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_tables_fit_the_terminal(home: Home, width: int) -> None:
    """On a terminal names give way before logins; elsewhere nothing is cut."""
    long = "Maria Guadalupe Esperanza del Carmen Villavicencio y Fernandez de Cordoba"
    with workspace(1) as served:
        served.workspace.add("mg@example.com", given_name=long, family_name="夏夏夏", email="mg@example.com", role=True)
        home.connect(served.url)
        home("run", "whimsical")
    _, shown = home.on_terminal("access", "whimsical", width=width)
    lines = shown.splitlines()
    assert lines[1].startswith("mg@example.com")
    assert "…  editor  enabled" in lines[1]
    assert max(map(len, lines)) <= width
    assert f"{long} 夏夏夏" in home("access", "whimsical").out


def test_errors_wrap_between_words(home: Home) -> None:
    """On a terminal a long message stays readable; in a file it stays one line."""
    _, shown = home.on_terminal("run", "whimsical", width=70)
    assert max(map(len, shown.splitlines())) <= max(70, len(str(home.folder)) + 60)
    assert re.match(r"error: .*\n       \S", shown)
    assert len(home("run", "whimsical").err.splitlines()) == 2


# -- around it -------------------------------------------------------------------------------------------------


def test_completion_offers_the_commands(home: Home) -> None:
    """The shell completion of click works under the program's own name."""
    done = home(_CONNECTOR_CORE_COMPLETE="bash_complete", COMP_WORDS="connector-core ca", COMP_CWORD="1")
    assert (done.out, done.err) == ("plain,capabilities\n", "")


@pytest.mark.skipif(shutil.which("connector-core") is None, reason="not installed as a program here")
def test_the_program_is_the_module(home: Home) -> None:
    """`connector-core` and `python -m connector_core` are one."""
    program = subprocess.run(
        ["connector-core", "--version"], env=home.environ, capture_output=True, text=True, check=True
    )
    assert program.stdout == home("--version").out


def test_an_error_that_nobody_foresaw_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1, its kind and place, and not its words, which may quote anything."""

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("a-token-that-nobody-guesses")

    monkeypatch.setattr("connector_core.host.host.Host.from_environment", broken)
    assert run(["plugins"]) == 1
    shown = capsys.readouterr()
    assert re.fullmatch(
        r"error: unexpected RuntimeError \(test_cli_terminal\.py:\d+\)\n"
        r"hint: this is a mistake in the program: please report it\n",
        shown.err,
    )


@pytest.mark.parametrize("place", ["folder", "text", "other database", "read-only"])
def test_a_state_that_cannot_be_used(home: Home, place: str) -> None:
    """Exit 3 in words, whatever lies where the state should be."""
    if place == "folder":
        home.db.mkdir()
    elif place == "text":
        home.db.write_text("this is no database" * 100)
    elif place == "other database":
        with closing(sqlite3.connect(home.db)) as db:
            db.execute("CREATE TABLE recipes (id)")
    elif os.getuid() == 0:
        home.environ["CONNECTOR_CORE_DB"] = "/proc/state.db"
    else:
        home.folder.chmod(0o500)
    done = home("run", "whimsical", "--sandbox")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: ")
