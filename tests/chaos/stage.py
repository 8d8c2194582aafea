"""One socket for all schedules, a workspace behind it that remembers what it was, a host whose clock does not wait."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from attrs import define, evolve, field

from connector_core.errors import NoPicture
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.http import HttpPolicy
from connector_core.store.database import open_writer
from connector_core.sync import SyncPolicy
from connector_core.testing import FakeClock, LoopbackServer, ScimApp, Switches, User, Workspace
from connector_core.testing.faults import Fault, Faulty
from connector_core.testing.people import invent
from connector_core_whimsical import plugin

TOKEN = "chaos-token-that-nobody-guesses"
POLICY = SyncPolicy(max_pages=60)
HTTP = HttpPolicy(max_body=2**20)
IMPATIENT = evolve(HTTP, read_timeout=0.2)  # where a server is silent, which takes real time

ODD_IDS = ("{n}", "00{n}", "a b/{n}", "ü-{n}@x", "..{n}", "{n}%2F+", "{n}?x=1#y")


class State(NamedTuple):
    """What of a user the picture shows."""

    login: str
    status: str
    role: str | None
    confirmed: bool = True


Picture = dict[str, State]


def state_of(user: User) -> State:
    role = {True: "editor", False: "viewer", None: None}[user.role]
    return State(user.login, "enabled" if user.active else "disabled", role if user.active else None)


class Ledger:
    """What the workspace was at each moment since `begin`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.ever: set[str] = set()
        self.moments: list[Picture] = []
        self.begin()

    def begin(self) -> None:
        self.moments = []
        self.note()

    def note(self) -> None:
        now = {user.id: state_of(user) for user in self._workspace.users()}
        self.ever |= set(now)
        self.moments.append(now)

    @property
    def now(self) -> Picture:
        return self.moments[-1]

    def states(self, id: str) -> list[State]:
        """All that a user was, at some moment."""
        return [moment[id] for moment in self.moments if id in moment]

    def stood(self) -> set[str]:
        """Who was there throughout."""
        return set.intersection(*map(set, self.moments))

    def was_absent(self, id: str) -> bool:
        return any(id not in moment for moment in self.moments)


@define(kw_only=True)
class ChaosCase:
    """A workspace under faults, and a connection to it. ``faults`` may be changed at any time."""

    workspace: Workspace
    faulty: Faulty
    clock: FakeClock
    connection: Connection
    ledger: Ledger
    folder: Path

    def lay(self, faults: Sequence[Fault], before: Callable[[Any], None] | None = None) -> None:
        self.faulty.faults, self.faulty.before = list(faults), before

    def picture(self) -> Picture | None:
        """What the host shows, or None before it ever published. Raises `AssertionError` for two roles at once."""
        try:
            rows = self.connection.access()
        except NoPicture:
            return None
        shown: Picture = {}
        for row in rows:
            assert row.user_id not in shown, f"{row.user_id} holds two roles that exclude each other"
            shown[row.user_id] = State(row.user or "", row.status or "", row.role, row.confirmed is not False)
        return shown

    def change(self, what: str, pick: float) -> None:
        """Somebody joins, leaves, changes: who, ``pick`` (0 to 1) says."""
        users = self.workspace.users()
        if what == "join" or not users:
            number = len(self.ledger.ever) + 1
            self.workspace.add(f"joiner{number}@example.com", email=f"joiner{number}@example.com", role=pick < 0.5)
        else:
            _alter(self.workspace, what, users[int(pick * len(users))])
        self.ledger.note()


def _alter(workspace: Workspace, what: str, user: User) -> None:
    if what == "leave":
        workspace.remove(user.id)
    elif what == "role":
        workspace.set_role(user.id, not user.role)
    elif what == "disable":
        workspace.replace(evolve(user, active=not user.active))
    else:
        assert what == "rename", what
        workspace.replace(evolve(user, login=f"r.{user.login}"))


CHANGES = ("join", "leave", "leave", "role", "disable", "rename")


def populate(workspace: Workspace, people: int) -> None:
    """Invented people of both roles, some inactive, some without a role, some in capitals, with ids of every kind."""
    rng = random.Random(people)
    for number in range(1, people + 1):
        given, family, login = invent(rng, number)
        login = login.title() if number % 5 == 0 else login
        role = None if number % 6 == 0 else number % 2 == 0
        id = ODD_IDS[number // 3 % len(ODD_IDS)].format(n=number) if number % 3 == 1 else None
        names = {"given_name": given, "family_name": family, "email": login}
        workspace.add(login, id=id, role=role, active=number % 4 > 0 or number % 3 > 0, **names)


@define
class Stage:
    """A server whose application can be exchanged: every scene has the same address, so that state can be copied.

    ``broken`` is what the stand-in itself failed with: a mistake in a fault.
    """

    folder: Path
    app: Any = None
    broken: list[Exception] = field(factory=list)
    _server: LoopbackServer | None = None
    _scenes: int = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        try:
            return self.app(environ, start_response)
        except OSError:
            raise
        except Exception as error:
            self.broken.append(error)
            raise

    @property
    def url(self) -> str:
        if self._server is None:
            self._server = LoopbackServer(self)
        return self._server.url

    def close(self) -> None:
        if self._server is not None:
            self._server.close()

    @contextmanager
    def scene(
        self, people: int, *, synced: bool = True, switches: Switches | None = None, http: HttpPolicy = HTTP,
        **settings: Any,
    ) -> Iterator[ChaosCase]:  # fmt: skip
        """A workspace of so many, synced once while nothing was wrong, or never."""
        self._scenes += 1
        folder = self.folder / str(self._scenes)
        folder.mkdir()
        shutil.copy(self._template(people) if synced else self._blank(), folder / "state.db")
        yield self._scene(folder, people, switches or Switches(), http, settings)
        shutil.rmtree(folder, ignore_errors=True)
        if self.broken:
            raise self.broken.pop()

    def _template(self, people: int) -> Path:
        """A state file that was synced with so many."""
        folder = self.folder / f"template-{people}"
        if not folder.exists():
            folder.mkdir()
            scene = self._scene(folder, people, Switches(), HTTP, {})
            assert scene.connection.sync().sync.status == "complete"
        return folder / "state.db"

    def _blank(self) -> Path:
        """A state file in which nothing is: making the tables anew takes longer than a sync."""
        path = self.folder / "blank.db"
        if not path.exists():
            open_writer(path).close()
        return path

    def _scene(
        self, folder: Path, people: int, switches: Switches, http: HttpPolicy, settings: dict[str, Any]
    ) -> ChaosCase:
        workspace, clock = Workspace(seed=1), FakeClock()
        populate(workspace, people)
        faulty = Faulty(ScimApp(workspace, token=TOKEN, switches=switches, clock=clock), clock=clock)
        self.app = faulty
        host = Host(
            folder / "state.db", plugins={"whimsical": plugin}, installed=False, clock=clock, http_policy=http,
            sync_policy=POLICY,
        )  # fmt: skip
        given = {"token": TOKEN, "base_url": self.url, **settings}
        connection = host.connection("whimsical", settings=given, managed=True)
        return ChaosCase(
            workspace=workspace, faulty=faulty, clock=clock, connection=connection, ledger=Ledger(workspace),
            folder=folder,
        )  # fmt: skip
