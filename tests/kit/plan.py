"""No tests: a workspace that plans are made for and carried out on, over a real socket, with its requests counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from attrs import define, field

from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.http import HttpPolicy
from connector_core.testing import FakeClock, LoopbackServer, ScimApp, Switches, Workspace

TOKEN = "a-token-that-nobody-guesses"
ROLES = {True: "editor", False: "viewer", None: None}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")

Meddle = Callable[[str, str], tuple[int, bytes] | None]


@define
class Office:
    """A served workspace. ``asked`` lists method and target of each request.

    ``before`` and ``after`` are called around each request with method and target; ``before`` may give status and body
    of a reply in place of the application's own.
    """

    workspace: Workspace
    app: ScimApp
    url: str = ""
    asked: list[tuple[str, str]] = field(factory=list)
    before: Meddle = lambda method, target: None
    after: Callable[[str, str], None] = lambda method, target: None

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method = str(environ["REQUEST_METHOD"])
        target = str(environ["PATH_INFO"]) + (f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else "")
        self.asked.append((method, target))
        instead = self.before(method, target)
        if instead is not None:
            start(f"{instead[0]} -", [("Content-Type", "application/scim+json")])
            return [instead[1]]
        reply = self.app(environ, start)
        self.after(method, target)
        return reply

    @property
    def truth(self) -> dict[str, str | None]:
        """By login, the role of everybody who is enabled: the application's own view."""
        return {user.login: ROLES[user.role] for user in self.workspace.users() if user.active}

    def add(self, people: Mapping[str, str | None]) -> None:
        for login, role in people.items():
            flag = None if role is None else role == "editor"
            self.workspace.add(login, email=login, given_name="Ada", family_name="Invented", role=flag)

    def id(self, login: str) -> str:
        user = self.workspace.find(login)
        assert user is not None
        return user.id

    def writes(self) -> int:
        return sum(method in UNSAFE for method, _ in self.asked)


@contextmanager
def office(people: Mapping[str, str | None] | int = 0, **switches: Any) -> Iterator[Office]:
    """A workspace of these people by login and role; of so many viewers ``p1@example.com`` and on, where a number."""
    workspace = Workspace(seed=1)
    served = Office(workspace, ScimApp(workspace, token=TOKEN, switches=Switches(default_role=False, **switches)))
    served.add({login(n): "viewer" for n in range(1, people + 1)} if isinstance(people, int) else people)
    with LoopbackServer(served) as server:
        served.url = server.url
        yield served


def login(number: int) -> str:
    return f"p{number}@example.com"


def connect(office: Office, folder: Path, *, host: Host | None = None, **settings: Any) -> Connection:
    """The connection to it, managed, on a clock that does not wait."""
    policy = HttpPolicy(retry_budget=2.0, read_timeout=5.0)
    host = host or Host(folder / "state.db", clock=FakeClock(), http_policy=policy)
    given = {"base_url": office.url, "token": TOKEN, **settings}
    return host.connection("whimsical", settings=given, managed=True)


def shown(connection: Connection) -> dict[str | None, str | None]:
    """By login, the role in the picture of everybody who is enabled."""
    return {row.user: row.role for row in connection.access() if row.status != "disabled"}


def csv_of(folder: Path, people: Mapping[str, str | None], name: str = "people.csv") -> Path:
    """A file of who should have what."""
    path = folder / name
    path.write_text("email,role\n" + "".join(f"{login},{role or ''}\n" for login, role in people.items()))
    return path
