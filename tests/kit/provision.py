"""No tests: what the tests of provisioning share. A workspace on a real socket, faults laid over it, and a host."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from attrs import define, evolve, field

from connector_core.hookspecs import hookimpl
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.http.loopback import SOCKET
from connector_core.model import Manifest
from connector_core.testing import FakeClock, Switches, Workspace
from connector_core_whimsical import plugin
from kit.processes import running
from kit.served import TOKEN, ServedWorkspace, served

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"

Fault = Callable[[WSGIApplication, WSGIEnvironment, StartResponse], Iterable[bytes]]


# -- servers that misbehave ------------------------------------------------------------------------------------


@define
class Rule:
    method: str
    fault: Fault
    path: str = ""
    times: int = 1_000_000


class Faults:
    """WSGI middleware: the first rule that fits a request decides how it is answered."""

    app: WSGIApplication

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.requests: list[tuple[str, str]] = []

    def around(self, app: WSGIApplication) -> WSGIApplication:
        self.app = app
        return self

    def on(self, method: str, fault: Fault, *, path: str = "", times: int = 1_000_000) -> None:
        """Lay a fault over requests of that method whose path and query hold ``path``."""
        self.rules.append(Rule(method, fault, path, times))

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
        self.requests.append((method, path))
        for rule in self.rules:
            if rule.method == method and rule.path in path and rule.times > 0:
                rule.times -= 1
                return rule.fault(self.app, environ, start)
        return self.app(environ, start)

    def writes(self) -> Counter[str]:
        """How many requests of each unsafe verb arrived, whatever was answered."""
        return Counter(method for method, _ in self.requests if method != "GET")


def answer(status: int, body: Any = b"", content_type: str = "application/scim+json", **headers: str) -> Fault:
    """Answer so, and carry nothing out."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def fault(app: WSGIApplication, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        start(f"{status} -", [("Content-Type", content_type), *((k.replace("_", "-"), v) for k, v in headers.items())])
        return [data]

    return fault


def after(fault: Fault) -> Fault:
    """Carry it out, and then misbehave."""

    def carried(app: WSGIApplication, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        list(app(environ, lambda *_: lambda _: None))
        return fault(app, environ, start)

    return carried


def hang_up(app: WSGIApplication, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Break the connection: the client cannot know what was done."""
    environ[SOCKET].shutdown(socket.SHUT_RDWR)
    start("200 -", [])
    return []


def reply(change: Callable[[int, list[tuple[str, str]], Any], tuple[int, list[tuple[str, str]], Any]]) -> Fault:
    """Carry it out, and alter the reply: status, headers, and the JSON of its body."""

    def altered(app: WSGIApplication, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        said: list[Any] = []

        def listen(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            said[:] = [int(status.split()[0]), [h for h in headers if h[0] != "Content-Length"]]
            return lambda _: None

        data = b"".join(app(environ, listen))
        status, headers, body = change(said[0], said[1], json.loads(data) if data else None)
        start(f"{status} -", headers)
        return [b"" if body is None else json.dumps(body).encode()]

    return altered


def nothing_listed(app: WSGIApplication, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """A look-up that finds no user."""
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0, "Resources": []}
    return answer(200, body)(app, environ, start)


HTML_404 = answer(404, b"<html>no such page</html>", "text/html")
SCIM_404 = answer(404, {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404"})


# -- a workspace, and a host that looks after it ---------------------------------------------------------------


@define(kw_only=True)
class Scene:
    """``faults``: what the server does wrong; ``clock``: the host's. Every call of ``restart`` makes a new host."""

    served: ServedWorkspace
    faults: Faults
    url: str
    folder: Path
    clock: FakeClock
    settings: dict[str, Any] = field(factory=dict)
    plugins: dict[str, object] = field(factory=dict)
    connector: str = "whimsical"
    managed: bool = True
    _host: Host | None = None

    @property
    def workspace(self) -> Workspace:
        return self.served.workspace

    @property
    def state(self) -> Path:
        return self.folder / "state.db"

    @property
    def host(self) -> Host:
        if self._host is None:
            self._host = Host(self.state, plugins=self.plugins, clock=self.clock)
        return self._host

    def restart(self) -> None:
        self._host = None

    @property
    def terms(self) -> dict[str, Any]:
        return {"settings": {"token": TOKEN, "base_url": self.url, **self.settings}, "managed": self.managed}

    @property
    def connection(self) -> Connection:
        return self.host.connection(self.connector, **self.terms)

    def truth(self) -> dict[str, str | None]:
        """Who holds what in the application, of active accounts."""
        return self.served.truth

    def picture(self) -> dict[str, str | None]:
        """Who holds what as the host shows it, of accounts that are not disabled."""
        rows = self.connection.access()
        return {row.user or "": row.role for row in rows if row.status != "disabled"}

    def id(self, login: str) -> str:
        return self.served.id(login)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the state file, seen from outside."""
        with closing(sqlite3.connect(self.state)) as db:
            return db.execute(sql, values).fetchall()

    def states(self) -> list[str]:
        """The journal's states, oldest first."""
        return [state for (state,) in self.query("SELECT state FROM journal ORDER BY id")]


@contextmanager
def scene(
    folder: Path, people: dict[str, bool | None] | None = None, *, switches: Switches | None = None,
    same: Callable[[str], str] = str.casefold, **more: Any,
) -> Iterator[Scene]:  # fmt: skip
    """A workspace of Ada, an editor, and Bob, a viewer.

    :param same: how the server compares logins, in its filter, too.
    """
    workspace = Workspace(seed=1, same=same)
    for login, role in ({ADA: True, BOB: False} if people is None else people).items():
        workspace.add(login, given_name=login[:3].title(), email=login, role=role)
    faults = Faults()
    with served(workspace, switches=switches, around=faults.around) as here:
        more.setdefault("clock", FakeClock())
        yield Scene(served=here, faults=faults, url=here.url, folder=folder, **more)


def variant(**hooks: Callable[..., Any]) -> dict[str, object]:
    """A plugin ``odd``: the Whimsical connector with some hooks of its own."""

    def connector_manifest(settings: Any) -> Manifest:
        return evolve(plugin.connector_manifest(settings), name="odd")

    own = {"connector_manifest": connector_manifest, **hooks}
    names = [n for n in dir(plugin) if hasattr(getattr(plugin, n), "connector_core_impl")]
    return {"odd": SimpleNamespace(**{n: hookimpl(own[n]) if n in own else getattr(plugin, n) for n in names})}


# -- processes of their own ------------------------------------------------------------------------------------

_PROGRAM = """
import json, sys
from connector_core.host.host import Host
state, settings, method, arguments, terms = json.loads(sys.argv[1])
with Host(state) as host:
    connection = host.connection("whimsical", settings=settings, managed=True)
    print(getattr(connection, method)(*arguments, **terms).state)
"""


def start(scene: Scene, method: str, *arguments: str, **terms: object) -> AbstractContextManager[subprocess.Popen[str]]:
    """Begin an operation in a process of its own, which is killed at the end of the block where it still runs."""
    settings = {"token": TOKEN, "base_url": scene.url, **scene.settings}
    call = json.dumps([str(scene.state), settings, method, arguments, terms])
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_CONFIG") if name in os.environ}
    return running(
        [sys.executable, "-c", _PROGRAM, call], env=kept, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
