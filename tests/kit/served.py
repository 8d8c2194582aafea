"""No tests: a workspace over a real socket, which every test that talks to an application gets from here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from attrs import define, field

from connector_core.clock import Clock
from connector_core.testing import LoopbackServer, ScimApp, Switches, Workspace

TOKEN = "a-token-that-nobody-guesses"
ROLES = {True: "editor", False: "viewer", None: None}
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")

Around = Callable[[WSGIApplication], WSGIApplication]
Meddle = Callable[[str, str], tuple[int, bytes] | None]


@define
class ServedWorkspace:
    """A workspace over a real socket. ``asked`` lists method and target of each request.

    ``before`` and ``after`` are called around each request with method and target; ``before`` may give status and body
    of a reply in place of the application's own.
    """

    workspace: Workspace
    app: ScimApp
    url: str = ""
    asked: list[tuple[str, str]] = field(factory=list)
    before: Meddle = lambda method, target: None
    after: Callable[[str, str], None] = lambda method, target: None
    connections: Callable[[], int] = lambda: 0

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
        """The application's own view: by login, the role of each account that is enabled."""
        return {user.login: ROLES[user.role] for user in self.workspace.users() if user.active}

    def add(self, people: Mapping[str, str | None]) -> None:
        """Add people by login and role."""
        for login, role in people.items():
            flag = None if role is None else role == "editor"
            self.workspace.add(login, email=login, given_name="Ada", family_name="Invented", role=flag)

    def id(self, login: str) -> str:
        user = self.workspace.find(login)
        assert user is not None
        return user.id

    def writes(self) -> int:
        return sum(method in UNSAFE for method, _ in self.asked)

    def settle(self, connections: int) -> None:
        """Wait until what a killed client had sent is dealt with: no more connections are open than these."""
        quiet, ends = 0, time.monotonic() + 10
        while quiet < 3 and time.monotonic() < ends:
            quiet = quiet + 1 if self.connections() <= connections else 0
            time.sleep(0.02)


@contextmanager
def served(
    workspace: Workspace, *, token: str = TOKEN, switches: Switches | None = None, clock: Clock | None = None,
    around: Around | None = None,
) -> Iterator[ServedWorkspace]:  # fmt: skip
    """Serve a workspace.

    :param around: what stands between the socket and the workspace, such as faults.
    """
    here = ServedWorkspace(workspace, ScimApp(workspace, token=token, switches=switches or Switches(), clock=clock))
    with LoopbackServer(around(here) if around else here) as server:
        here.url, here.connections = server.url, lambda: server.connections
        yield here
