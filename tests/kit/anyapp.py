"""No tests: an application of any shape over a real socket, and the oracle of what each account reaches in it.

Accounts, groups in groups, projects with child roles, permissions that a role allows; members are listed for one
thing at a time. Tokens are good for a second, and one kind of listing has a rate limit of its own.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

from connector_core.errors import ConnectorCoreError
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.http import HttpPolicy
from connector_core.provision.plan import read_plan
from connector_core.testing import FakeClock, LoopbackServer
from kit.anyconnector import AnyConnector
from kit.sync import Forks, serve_forks
from kit.tokens import CLIENT, SECRET, TokenApplication

SILENCE = 0.15  # seconds; the client below waits a third of it
Reach = set[tuple[str, str]]  # an account's id, and ``type:id`` of what it reaches


class AnyApp:
    """The application. ``accounts`` and ``projects`` by id; ``holders`` of each ``group:ID``, role and permission.

    A role of a project is called ``PROJECT.NAME``. ``faults`` are laid over a listing by its path: ``403``, ``404``,
    ``500``, ``silence``, ``half``, ``rejected`` or ``warning``. ``asked`` holds each request.
    """

    page = 2

    def __init__(self) -> None:
        self.accounts: dict[str, str] = {}
        self.projects: list[str] = []
        self.holders: dict[str, set[str]] = {}
        self.faults: dict[str, str] = {}
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.clock = FakeClock()
        self.before: Callable[[str], None] = lambda request: None

    def reach(self) -> Reach:
        """What each account holds, itself or by what it is a member of: the truth to compare with."""
        seen: Reach = set()
        for account in self.accounts:
            open_keys = [f"user:{account}"]
            while open_keys:
                holder = open_keys.pop()
                for key, holders in self.holders.items():
                    if holder in holders and (account, key) not in seen:
                        seen.add((account, key))
                        open_keys.append(key)
        return seen

    def listings(self) -> list[str]:
        """The path of each child listing."""
        return [f"projects/{p}/roles" for p in self.projects] + [
            f"{key.replace(':', 's/')}/holders" for key in sorted(self.holders)
        ]

    def writes(self) -> list[str]:
        return [line for line in self.asked if not line.startswith("GET")]

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].strip("/")
        query = parse_qs(environ["QUERY_STRING"])
        self.asked.append(f"{method} {path}")
        self.clock.advance(0.4)
        self.before(self.asked[-1])
        if path.endswith("/holders") and len(self.asked) % 7 == 0 and self.asked[-1] not in self.refused:
            self.refused.append(self.asked[-1])
            status, body = 429, {"error": "slow down"}
        else:
            status, body = self._reply(method, path, query)
        start(f"{status} -", [("Content-Type", "application/json"), *([("Retry-After", "1")] if status == 429 else [])])
        return [json.dumps(body).encode()]

    def _reply(self, method: str, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        fault = self.faults.get(path, "")
        if fault == "silence":
            time.sleep(SILENCE)
        if fault.isdigit():
            return int(fault), {"error": "refused"}
        if fault == "warning":
            return 200, {"warning": "the listing is not available"}
        parts = path.split("/")
        if len(parts) == 4:
            return self._change(method, f"{parts[0].removesuffix('s')}:{parts[1]}", parts[3])
        rows = self._rows(parts, query)
        return (404, {"error": "no such thing"}) if rows is None else (200, self._page(rows, query, fault))

    def _rows(self, parts: list[str], query: dict[str, list[str]]) -> list[Any] | None:
        kind = parts[0].removesuffix("s")
        if len(parts) == 3 and parts[2] == "holders":
            holders = self.holders.get(f"{kind}:{parts[1]}")
            return None if holders is None else sorted(holders)
        if len(parts) == 3:
            return [{"id": role} for role in self._ids("role") if role.startswith(f"{parts[1]}.")]
        if kind == "role" and len(parts) == 1:  # those of projects are listed there
            return [{"id": role} for role in self._ids("role") if "." not in role]
        rows = self._accounts(query) if kind == "user" else [{"id": id} for id in self._ids(kind)]
        return [row for row in rows if row["id"] == parts[1]] or None if len(parts) == 2 else rows

    def _accounts(self, query: dict[str, list[str]]) -> list[dict[str, str]]:
        rows = [{"id": id, "login": f"{id}@example.com", "kind": kind} for id, kind in sorted(self.accounts.items())]
        return [row for row in rows if row["login"] == query.get("login", [row["login"]])[0]]

    def _ids(self, kind: str) -> list[str]:
        if kind == "project":
            return self.projects
        return sorted(key.partition(":")[2] for key in self.holders if key.startswith(f"{kind}:"))

    def _page(self, rows: list[Any], query: dict[str, list[str]], fault: str) -> dict[str, Any]:
        start = int(query.get("start", ["0"])[0])
        there = rows[: len(rows) // 2] if fault == "half" else rows
        shown = there[start : start + self.page]
        if fault == "rejected" and start == 0:
            shown = [None, *shown[1:]]
        return {"total": len(rows), "rows": shown}

    def _change(self, method: str, key: str, who: str) -> tuple[int, Any]:
        if method == "PUT":
            self.holders[key].add(who)
        if method == "DELETE":
            self.holders[key].discard(who)
        return 200, {"held": who in self.holders[key]}


def company() -> AnyApp:
    """One of every shape: a circle of groups, a service account, roles of a project held by a person and by a group."""
    app = AnyApp()
    app.accounts = {"ada": "human", "ben": "human", "cleo": "human", "dan": "human", "robot": "service"}
    app.projects = ["apollo", "gemini"]
    app.holders = {
        "group:staff": {"user:ada", "user:ben", "user:cleo", "group:crew"},
        "group:crew": {"user:dan", "group:pilots"},
        "group:pilots": {"user:ben", "group:crew"},  # a circle
        "role:admin": {"user:ada", "group:pilots"},
        "role:apollo.owner": {"user:cleo", "group:staff"},
        "role:apollo.viewer": {"user:robot"},
        "role:gemini.viewer": {"user:robot", "group:crew"},
        "permission:launch": {"role:apollo.owner", "role:admin"},
    }
    return app


def reached(connection: Connection) -> Reach:
    """What the picture says that each account reaches."""
    return {(row.user_id, f"{row.resource_type}:{row.role}") for row in connection.access() if row.role is not None}


@contextmanager
def connected(app: AnyApp, folder: Path) -> Iterator[Connection]:
    """A managed connection to the application."""
    with serving(app) as url:
        yield connect(folder, url)


@contextmanager
def serving(app: AnyApp) -> Iterator[str]:
    """Serve the application; each request takes 0.4 of the second that a token is good for."""
    clock = app.clock
    with LoopbackServer(TokenApplication(clock.monotonic, seconds=1, expires_in=1, api=app)) as server:
        yield server.url


def connect(folder: Path, url: str) -> Connection:
    """A managed connection to what is served there, on a clock that does not wait."""
    policy = HttpPolicy(read_timeout=SILENCE / 3, retry_budget=30.0)
    host = Host(folder / "state.db", plugins={"anyapp": AnyConnector()}, clock=FakeClock(), http_policy=policy)
    return host.connection(
        "anyapp", settings={"base_url": url, "client_id": CLIENT, "client_secret": SECRET}, managed=True
    )


def killed(forks: Forks, app: AnyApp, job: dict[str, str], at: int) -> bool:
    """Have a process do that, and kill it when it sends its request of that number; False where it sent fewer."""
    pid, began = forks.prepare(job), len(app.asked)

    def strike(request: str) -> None:
        if len(app.asked) - began == at:
            os.kill(pid, signal.SIGKILL)

    app.before = strike
    try:
        return bool(forks.go()["status"] == -signal.SIGKILL)
    finally:
        app.before = lambda request: None


def _child(job: dict[str, str], report: int) -> None:
    said = "{}"
    try:
        connection = connect(Path(job["folder"]), job["url"])
        if "plan" in job:
            connection.apply(read_plan(Path(job["plan"])), yes=True)
        else:
            connection.sync()
    except ConnectorCoreError as error:
        said = json.dumps({"error": str(error)})
    finally:
        os.write(report, said.encode())
        os._exit(0)


if __name__ == "__main__":
    serve_forks(_child)
