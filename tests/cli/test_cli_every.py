"""`run --every` and `schedule`: real processes, real signals, and what others see of them meanwhile."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from kit.cli import Home, slowed, workspace
from kit.served import TOKEN


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@contextmanager
def keeping(home: Home, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`run --every --json` while something is done."""
    with home.start("run", *arguments, "--json") as process:
        yield process


def next_line(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    document: dict[str, object] = json.loads(line)
    return document


def watched(home: Home, name: str = "whimsical") -> dict[str, object]:
    rows = home("connections", "--json").document["connections"]
    row: dict[str, object] = next(row for row in rows if row["connection"] == name)
    return row


def until(there: Callable[[], bool], seconds: float = 30.0) -> None:
    ends = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < ends
        time.sleep(0.02)


# -- again and again -------------------------------------------------------------------------------------------


def test_it_runs_again_and_again_and_others_see_when(home: Home) -> None:
    """A document a run; the next run is in each, and in `connections` of another process until it ends."""
    with workspace(3) as there:
        home.connect(there.url)
        with keeping(home, "whimsical", "--every", "1s") as process:
            runs = [next_line(process) for _ in range(3)]
            assert watched(home)["next_run"] is not None
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        assert process.returncode == 0
        assert [run["sync"]["id"] for run in runs] == [1, 2, 3]  # type: ignore[index]
        assert all(run["next_run"] for run in runs)
        assert watched(home)["next_run"] is None


def test_sigterm_in_the_middle_of_a_sync_finishes_the_page_and_exits_0(home: Home) -> None:
    """The pages in hand are kept: the next run goes on from there and asks for none of them again."""
    asked: list[str] = []
    second, told = threading.Event(), threading.Event()

    def pace(environ: WSGIEnvironment) -> float:
        asked.append(environ["QUERY_STRING"])
        if len(asked) == 2:
            second.set()
            told.wait(20.0)
        return 0.0

    with workspace(20, page_cap=5, around=slowed(pace)) as there:
        home.connect(there.url)
        with keeping(home, "whimsical", "--every", "1h", "--workers", "1") as process:
            assert second.wait(20.0)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.1)  # for the signal to get there before the page does
            told.set()
            out, err = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "")
        assert "resumes it" in err
        before = len(asked)
        done = home("run", "whimsical", "--json").document
    assert done["sync"]["resumed"] is True
    assert not set(asked[:before]) & set(asked[before:])


def test_ctrl_c_ends_it_with_130_and_a_second_one_at_once(home: Home) -> None:
    """Between two runs there is nothing to finish; while a page hangs, the second Ctrl-C does not wait for it."""
    with workspace(3) as there:
        home.connect(there.url)
        with keeping(home, "whimsical", "--every", "1h") as process:
            next_line(process)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
    assert process.returncode == 130
    hung, free = threading.Event(), threading.Event()

    def hang(environ: WSGIEnvironment) -> float:
        hung.set()
        free.wait(30.0)
        return 0.0

    with workspace(3, around=slowed(hang)) as there:
        home.connect(there.url)
        with keeping(home, "whimsical", "--every", "1h") as process:
            assert hung.wait(20.0)
            process.send_signal(signal.SIGINT)
            until(lambda: watched(home)["label"] == "syncing")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 130
            free.set()


def test_failures_are_told_and_it_goes_on(home: Home) -> None:
    """A refused token is an error in that run's document; once the token is good again, so are the runs."""
    refused = threading.Event()
    refused.set()

    def around(app: WSGIApplication) -> WSGIApplication:
        def guarded(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if refused.is_set():
                environ["HTTP_AUTHORIZATION"] = "Bearer wrong"
            return app(environ, start)

        return guarded

    with workspace(3, around=around) as there:
        home.connect(there.url)
        with keeping(home, "whimsical", "--every", "1s") as process:
            first = next_line(process)
            assert first["error"]["code"] == "credentials_refused"  # type: ignore[index]
            assert watched(home)["label"] == "failing"
            refused.clear()
            while "error" in (run := next_line(process)):
                pass
            assert run["sync"]["status"] == "complete"  # type: ignore[index]


def test_who_comes_second_leaves_the_first_alone(home: Home) -> None:
    """Another process syncs already: that is no failure, and the next turn is at its time."""
    first, go_on = threading.Event(), threading.Event()

    def pace(environ: WSGIEnvironment) -> float:
        first.set()
        go_on.wait(20.0)
        return 0.0

    with workspace(3, around=slowed(pace)) as there:
        home.connect(there.url)
        with home.start("run", "whimsical") as run:
            assert first.wait(20.0)
            with keeping(home, "whimsical", "--every", "1s") as process:
                assert next_line(process)["error"]["code"] == "busy"  # type: ignore[index]
                go_on.set()
                run.communicate(timeout=30)
                assert run.returncode == 0
                while "error" in (document := next_line(process)):
                    pass
            assert document["sync"]["status"] == "complete"  # type: ignore[index]


# -- all of them, and the configuration ------------------------------------------------------------------------


def test_all_runs_what_is_configured_and_sighup_reads_it_anew(home: Home) -> None:
    """A connection that is added runs at once; a file with a mistake changes nothing and is told."""
    with workspace(2) as one, workspace(3) as two:
        config = home.folder / "config.toml"

        def configure(**urls: str) -> None:
            tables = (
                f'[connections.{name}]\nconnector = "whimsical"\nbase_url = "{url}"\ntoken = {{ env = "T" }}\n'
                for name, url in urls.items()
            )
            config.write_text("\n".join(tables), "utf-8")

        home.environ |= {"CONNECTOR_CORE_CONFIG": str(config), "T": TOKEN}
        configure(one=one.url)
        with keeping(home, "--all", "--every", "1h") as process:
            assert next_line(process)["connection"] == "one"
            config.write_text("[connections.one]\nconector = 'x'\n", "utf-8")
            process.send_signal(signal.SIGHUP)
            assert process.stderr is not None
            while "stays as it was" not in (said := process.stderr.readline()):
                assert said
            configure(one=one.url, two=two.url)
            process.send_signal(signal.SIGHUP)
            assert next_line(process)["connection"] == "two"
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        assert process.returncode == 0
        assert watched(home, "one")["next_run"] is watched(home, "two")["next_run"] is None


def test_a_scheduler_that_died_is_noticed(home: Home) -> None:
    """The run that it promised did not come: `status` says so, and exits with 6."""
    from datetime import UTC, datetime, timedelta

    from connector_core import Host

    with workspace(3) as there:
        home.connect(there.url)
        with keeping(home, "whimsical", "--every", "1h") as process:
            next_line(process)
            process.kill()
            process.wait()
    assert home("status").code == 0
    late = datetime.now(UTC) - timedelta(hours=1)
    with Host(home.db) as host:
        host.connection("whimsical").schedule(late.timestamp())
    done = home("status")
    assert (done.code, "its next run is overdue" in done.out) == (6, True)
    assert watched(home)["overdue"] is True
    assert f"overdue: {late:%Y-%m-%d %H:%M}" in home("connections").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run"], 2),
        (["run", "--all"], 2),
        (["run", "whimsical", "--all", "--every", "1h"], 2),
        (["run", "--all", "--every", "1h"], 2),  # nothing is configured
        (["run", "whimsical", "--every", "1h"], 3),  # no token
        (["run", "whimsical", "--every", "often"], 2),
        (["run", "whimsicle", "--every", "1h"], 2),
        (["run", "whimsical-sandbox", "--every", "1h", "--fresh"], 2),
        (["run", "whimsical-sandbox", "--every", "1h", "--accept-removals"], 2),
        (["run", "whimsical-sandbox", "--every", "1h", "--exit-code"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_even_begin_ends_at_once(home: Home, arguments: list[str], code: int) -> None:
    """A mistake is told to who starts it, not to a log once an hour."""
    done = home(*arguments)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert "\nhint: " in done.err


# -- schedule --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["whimsical-sandbox"], ["--all", "--every", "15m"]])
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there")
def test_the_unit_is_one_that_systemd_takes(home: Home, arguments: list[str]) -> None:
    """As its own checker says, also with a path that needs quoting."""
    home.environ["CONNECTOR_CORE_DB"] = str(home.folder / '100% of "it" $HOME;.db')
    unit = home.folder / "connector-core-test.service"
    unit.write_text(home("schedule", *arguments).out, "utf-8")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_unit_starts_what_the_shell_would(home: Home) -> None:
    """The program by its whole path, state and configuration named, and what a person has to mend not tried again."""
    text = home("schedule", "whimsical-sandbox", "--every", "6h", "--config", "c.toml").out
    assert text == ""  # a configuration that is named must be there
    (home.folder / "c.toml").write_text("", "utf-8")
    text = home("schedule", "whimsical-sandbox", "--every", "6h", "--config", "c.toml").out
    start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    program, rest = start.removeprefix("ExecStart=").split(" ", 1)
    assert Path(program).is_absolute()
    folder = home.folder
    assert rest == f"--db {folder}/state.db --config {folder}/c.toml run whimsical-sandbox --every 6h"
    assert "RestartPreventExitStatus=2 3" in text


@pytest.mark.parametrize(
    ("every", "when"),
    [
        ("1m", r"\* \* \* \* \*"),
        ("15m", r"(\d|1[0-4])-59/15 \* \* \* \*"),
        ("60m", r"\d+ \* \* \* \*"),
        ("1h", r"\d+ \* \* \* \*"),
        ("6h", r"\d+ [0-5]-23/6 \* \* \*"),
        ("1d", r"\d+ \d+ \* \* \*"),
        ("7d", r"\d+ \d+ \* \* [0-6]"),
    ],
)
def test_a_line_for_crontab(home: Home, every: str, when: str) -> None:
    """The same minute each time; a % in a path, which ends a line there, is escaped."""
    home.environ["CONNECTOR_CORE_DB"] = str(home.folder / "100%.db")
    line = home("schedule", "whimsical-sandbox", "--cron", "--every", every).out.splitlines()[-1]
    assert re.fullmatch(rf"{when} /\S+ --db \S+/100\\%\.db run whimsical-sandbox --quiet", line)
    assert home("schedule", "whimsical-sandbox", "--cron", "--every", every).out.splitlines()[-1] == line


@pytest.mark.parametrize("every", ["90s", "7m", "5h", "2d"])
def test_what_cron_cannot_say_is_refused(home: Home, every: str) -> None:
    """Rather than run at other times than asked for."""
    done = home("schedule", "whimsical-sandbox", "--cron", "--every", every)
    assert (done.code, "cron knows no such rhythm" in done.err) == (2, True)


@pytest.mark.parametrize("arguments", [[], ["--all", "--cron"], ["whimsical", "--all"], ["whimsicle"]])
def test_schedule_wants_to_know_what(home: Home, arguments: list[str]) -> None:
    """One connection, or all of them for systemd."""
    assert home("schedule", *arguments).code == 2
