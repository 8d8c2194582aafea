"""No tests: processes that die, or whose disk does, at a chosen moment; and what must hold afterwards."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from attrs import asdict, frozen

from connector_core.clock import SystemClock
from connector_core.errors import ConnectorCoreError, GuardRefused
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.provision.plan import Plan
from kit.sync import Forks, connect, serve_forks

Kind = Literal["statement", "byte", "moment", "full", "never"]


@frozen(kw_only=True)
class Doom:
    """How a process ends.

    ``statement``: killed before that statement of SQLite's; ``byte``: killed within the write that would make a file
    longer than that; ``moment``: killed after so many seconds; ``full``: no file may become longer than so many bytes.
    """

    kind: Kind = "never"
    at: float = 0.0


class Victims(Forks):
    """Processes that do one thing and meet their end; a context manager."""

    def __init__(self) -> None:
        super().__init__(__name__)

    def run(self, do: str, doom: Doom = Doom(), **job: Any) -> dict[str, Any]:
        """How it ended: ``died`` or not, and ``said``, which holds the ``error`` or the result."""
        self.prepare(
            {"do": do, "doom": asdict(doom), **{k: str(v) if isinstance(v, Path) else v for k, v in job.items()}}
        )
        ended = self.go()
        return {**ended, "died": ended["status"] in (-signal.SIGKILL, -signal.SIGXFSZ, -signal.SIGALRM)}


def any_doom(rng: random.Random, undisturbed: Mapping[str, Any], *, late: bool = False) -> Doom:
    """A death within what an undisturbed run was measured to take.

    :param late: towards the end of it, where a sync is published.
    """
    kind = rng.choice(("statement", "statement", "byte", "byte", "moment"))
    share = rng.uniform(0.75, 1.0) if late else rng.random()
    most = {"statement": undisturbed["statements"], "byte": undisturbed["longest"], "moment": undisturbed["seconds"]}
    return Doom(kind=kind, at=max(1.0, share * most[kind]) if kind != "moment" else max(0.001, share * most[kind]))


# -- within the process ----------------------------------------------------------------------------------------------


def _child(job: Mapping[str, Any], report: int) -> None:
    code = 1
    said: dict[str, Any] = {}
    try:
        seen = _meet(Doom(**job["doom"]), Path(job["db"]))
        began = SystemClock().monotonic()
        said = DEEDS[job["do"]](job)
        said |= {**seen, "seconds": SystemClock().monotonic() - began}
        code = 0
    except ConnectorCoreError as error:
        said = {"error": error.code, "exit_code": error.exit_code, "message": error.message, "hint": error.hint}
    except BaseException as error:
        said = {"error": repr(error), "exit_code": 1}
    finally:
        os.write(report, json.dumps(said).encode())
        os._exit(code)


def _meet(doom: Doom, db: Path) -> dict[str, int]:
    """Prepare the end; counts SQLite's statements, and how long the state's files get."""
    seen, connected = {"statements": 0, "longest": 0}, sqlite3.connect
    files = [db, db.with_name(f"{db.name}-wal")]

    def step(statement: str) -> None:
        seen["statements"] += 1
        seen["longest"] = max(seen["longest"], *(file.stat().st_size for file in files if file.exists()))
        if doom.kind == "statement" and seen["statements"] == int(doom.at):
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(*arguments: Any, **more: Any) -> sqlite3.Connection:
        db = connected(*arguments, **more)
        db.set_trace_callback(step)
        return db

    sqlite3.connect = watched  # type: ignore[assignment]
    if doom.kind in ("byte", "full"):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if doom.kind == "byte" else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(doom.at), int(doom.at)))
    if doom.kind == "moment":
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, doom.at)
    return seen


def _sync(job: Mapping[str, Any]) -> dict[str, Any]:
    connection = connect(Path(job["db"]), job["url"], page_size=job["page_size"])
    report = connection.sync(workers=job["workers"])
    return {"status": report.sync.status, "resumed": report.sync.resumed}


def _open(job: Mapping[str, Any]) -> dict[str, Any]:
    from connector_core.store.database import open_writer

    open_writer(Path(job["db"])).close()
    return {}


def _backup(job: Mapping[str, Any]) -> dict[str, Any]:
    return {"bytes": Host(job["db"], installed=False).backup(Path(job["target"]), force=True)}


def _prune(job: Mapping[str, Any]) -> dict[str, Any]:
    connection = Host(job["db"], plugins={}, installed=False).connection("script", connector="none")
    return {"versions": connection.prune(keep=2).versions}


def _keep(job: Mapping[str, Any]) -> dict[str, Any]:
    from connector_core.connectors.vault import FileVault

    for number in range(8):
        FileVault(Path(job["db"])).put("token", f"{number}-" + "x" * 2_000)
    return {}


def _configure(job: Mapping[str, Any]) -> dict[str, Any]:
    from connector_core.config.file import ConfigFile

    for number in range(1, 9):
        ConfigFile(Path(job["db"])).change("whimsical", {"page_size": number})
    return {}


def _apply(job: Mapping[str, Any]) -> dict[str, Any]:
    from connector_core.provision.plan import read_plan

    connection = managed(Path(job["db"]), job["url"], token=job["token"], later=job["later"])
    return {"status": applied(connection, read_plan(Path(job["plan"])))}


def applied(connection: Connection, plan: Plan) -> str:
    """The status of an apply; complete, too, where an earlier one carried the plan out in full before it died."""
    from connector_core.provision.plan import Limits

    try:
        return connection.apply(plan, limits=Limits(max_removals=99, max_upgrades=99), yes=True).status
    except GuardRefused as error:
        if error.guard != "plan_repeated":
            raise
        return "complete"


def managed(db: Path, url: str, *, token: str, later: float = 0.0) -> Connection:
    """A connection that may be written to, on a clock that is so many seconds ahead."""
    return connect(db, url, token=token, clock=Shifted(later))


class Shifted(SystemClock):
    """This machine's time, but so many seconds later or, below zero, earlier."""

    def __init__(self, later: float) -> None:
        self.later = later

    def now(self) -> float:
        return super().now() + self.later


DEEDS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "sync": _sync, "open": _open, "backup": _backup, "apply": _apply, "prune": _prune, "keep": _keep,
    "configure": _configure,
}  # fmt: skip


# -- a disk that dies ------------------------------------------------------------------------------------------------


class Disk:
    """Counts SQLite's writes in this process. Number ``dies_at`` fails, and all after it unless it is ``once``."""

    def __init__(self, dies_at: int | None, *, once: bool = False, message: str = "disk I/O error") -> None:
        self.dies_at = dies_at
        self.once = once
        self.message = message
        self.writes = 0

    def meet(self, statement: str) -> None:
        if statement.split(maxsplit=1)[0].upper() in ("SELECT", "PRAGMA", "EXPLAIN"):
            return
        self.writes += 1
        dead = self.dies_at is not None and self.writes >= self.dies_at
        if dead and (self.writes == self.dies_at or not self.once):
            raise sqlite3.OperationalError(self.message)

    @property
    def died(self) -> bool:
        return self.dies_at is not None and self.writes >= self.dies_at


@contextmanager
def on(disk: Disk) -> Iterator[Disk]:
    """All state lies on that disk meanwhile."""
    connected = sqlite3.connect

    class FailingCursor(sqlite3.Cursor):
        def execute(self, statement: str, *arguments: Any) -> Any:
            disk.meet(statement)
            return super().execute(statement, *arguments)

        def executemany(self, statement: str, *arguments: Any) -> Any:
            disk.meet(statement)
            return super().executemany(statement, *arguments)

        def executescript(self, statement: str) -> Any:
            disk.meet(statement)
            return super().executescript(statement)

    class FailingConnection(sqlite3.Connection):
        def cursor(self, factory: Any = FailingCursor) -> Any:
            return super().cursor(factory)

        def execute(self, statement: str, *arguments: Any) -> Any:
            return self.cursor().execute(statement, *arguments)

        def executemany(self, statement: str, *arguments: Any) -> Any:
            return self.cursor().executemany(statement, *arguments)

        def executescript(self, statement: str) -> Any:
            return self.cursor().executescript(statement)

    sqlite3.connect = lambda *a, **more: connected(*a, **{**more, "factory": FailingConnection})  # type: ignore[assignment]
    try:
        yield disk
    finally:
        sqlite3.connect = connected


# -- afterwards ------------------------------------------------------------------------------------------------------


def assert_whole(db: Path) -> None:
    """The file passes SQLite's own checks."""
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


if __name__ == "__main__":
    serve_forks(_child)
