"""`apply` as a program that is killed: each step of a plan is done once, whatever dies in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kit.cli import Done, Home
from kit.plan import csv_of, login, office
from kit.served import TOKEN, UNSAFE, ServedWorkspace

from connector_core.store.database import open_reader

LIMITS = ("--max-removals", "40", "--max-upgrades", "40")


class KilledApply:
    """`connector-core apply --yes --json` against an office, killed by the office at a given write."""

    def __init__(self, served: ServedWorkspace, folder: Path) -> None:
        self.served = served
        self.home = Home(folder)
        self.home.connect(served.url, TOKEN, managed="true")
        self.process: subprocess.Popen[str] | None = None

    def plan(self, wanted: Mapping[str, str | None], *more: str) -> str:
        people = csv_of(self.home.folder, wanted)
        done = self.home("plan", "whimsical", str(people), "--json", *more)
        assert done.code == 0, done
        return str(done.document["plan"])

    def apply(self, plan: str) -> Done:
        with self.home.start("apply", plan, "--yes", "--json", *LIMITS) as self.process:
            out, err = self.process.communicate(timeout=60)
        return Done(self.process.returncode, out, err)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def open_operations(self) -> int:
        db = open_reader(self.home.db)
        assert db is not None
        try:
            query = "SELECT count(*) FROM operations WHERE state NOT IN ('done', 'failed')"
            return int(db.execute(query).fetchone()[0])
        finally:
            db.close()

    def truth_as_shown(self) -> dict[str, str | None]:
        document = self.home("access", "whimsical", "--json").document
        return {row["user"]: row["role"] for row in document["access"]}


@pytest.fixture
def program(tmp_path: Path) -> Iterator[KilledApply]:
    with office({login(n): "viewer" if n % 2 else "editor" for n in range(1, 31)}) as served:
        yield KilledApply(served, tmp_path)


def mixed(steps: int) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """A file for so many steps of every kind, a multiple of four, on thirty people; and what it comes to."""
    part = steps // 4
    before = {login(n): "viewer" if n % 2 else "editor" for n in range(1, 31)}
    swapped = {n: "editor" if role == "viewer" else "viewer" for n, role in list(before.items())[: 2 * part]}
    removed = list(before)[-part:]
    created = {f"new{n}@example.com": "editor" if n % 2 else "viewer" for n in range(part)}
    wanted = {name: role for name, role in {**before, **swapped, **created}.items() if name not in removed}
    return dict(wanted), dict(wanted)


def killed_at_each_write(program: KilledApply, steps: int, *, first: str) -> None:
    """Apply until nothing kills it any more: each run dies at the next write, after or before the server did it."""
    wanted, expected = mixed(steps)
    served = program.served
    plan = program.plan(wanted, "--prune")
    assert len(json.loads(Path(plan).read_text())["steps"]) == steps
    seen: Counter[tuple[str, str]] = Counter()
    lost: list[str] = []

    def before(method: str, target: str) -> None:
        if method in UNSAFE and method != "POST" and first == "request" and target not in lost:
            lost.append(target)
            program.kill()
            raise OSError("the request is lost, too")

    def after(method: str, target: str) -> None:
        if method in UNSAFE:
            seen[method, target] += 1
            if first == "answer":
                program.kill()

    served.before, served.after = before, after
    runs = 0
    while program.apply(plan).code == -signal.SIGKILL:
        runs += 1
        assert runs <= steps
    assert served.truth == program.truth_as_shown() == expected
    assert max(count for (method, _), count in seen.items() if method != "POST") == 1
    assert seen["POST", "/Users"] == steps // 4
    assert program.open_operations() == 0
    assert runs == (steps if first == "answer" else steps - steps // 4)


def test_killed_before_each_answer(program: KilledApply) -> None:
    """Sent, done, and killed before the answer, at each of eight steps: nothing twice, nothing left out."""
    killed_at_each_write(program, 8, first="answer")


@pytest.mark.slow
@pytest.mark.parametrize("first", ["answer", "request"])
def test_killed_at_each_step_of_forty(program: KilledApply, first: str) -> None:
    """The same with forty; and with the request lost on its way, which then is sent once more."""
    killed_at_each_write(program, 40, first=first)


def test_ctrl_c_finishes_the_step_in_hand(program: KilledApply) -> None:
    """Exit 130 with what was done; the same again finishes the rest, and no write is sent twice."""
    wanted, expected = mixed(12)
    plan = program.plan(wanted, "--prune")
    served = program.served

    def interrupt(method: str, target: str) -> None:
        if method in UNSAFE and served.writes() == 5:
            assert program.process is not None
            os.kill(program.process.pid, signal.SIGINT)
            time.sleep(0.2)

    served.after = interrupt
    done = program.apply(plan)
    assert done.code == 130
    document: Any = done.document
    assert document["status"] == "interrupted"
    assert 4 <= len(document["lines"]) <= 5
    assert "the same apply again finishes the rest" in done.err
    again = program.apply(plan)
    assert (again.code, again.document["status"]) == (0, "complete")
    assert served.writes() == 12
    assert served.truth == expected
    assert program.open_operations() == 0


def test_killed_between_enabling_and_granting(program: KilledApply) -> None:
    """A disabled account was enabled, and its role was never sent: the same apply grants it, and writes no more."""
    program.served.workspace.add("eve@example.com", email="eve@example.com", role=False, active=False)
    plan = program.plan({"eve@example.com": "editor"})

    def kill_the_second(method: str, target: str) -> None:
        if method == "PATCH" and program.served.writes() == 2:
            program.kill()
            raise OSError("the request is lost, too")

    program.served.before = kill_the_second
    assert program.apply(plan).code == -signal.SIGKILL
    assert program.served.truth["eve@example.com"] == "viewer"
    program.served.before = lambda method, target: None
    assert program.apply(plan).code == 0
    assert (program.served.truth["eve@example.com"], program.served.writes()) == ("editor", 3)


def test_undo_after_a_kill_takes_all_of_it_back(program: KilledApply) -> None:
    """What the killed apply did and what the second one did are one plan, and are taken back as one."""
    before = program.served.truth
    wanted, expected = mixed(8)
    plan = program.plan(wanted, "--prune")
    program.served.after = lambda method, target: program.kill() if program.served.writes() == 4 else None
    assert program.apply(plan).code == -signal.SIGKILL
    program.served.after = lambda method, target: None
    assert program.apply(plan).code == 0
    assert program.served.truth == expected
    undo = program.home("plan", "whimsical", "--undo", "--json")
    assert (undo.code, len(undo.document["steps"])) == (0, 8)
    assert program.apply(str(program.home.folder / undo.document["plan"])).code == 0
    assert program.served.truth == before
