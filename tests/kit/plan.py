"""No tests: a workspace that plans are made for and carried out on, over a real socket, with its requests counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.http import HttpPolicy
from connector_core.testing import FakeClock, Switches, Workspace
from kit.served import TOKEN, ServedWorkspace, served


@contextmanager
def office(people: Mapping[str, str | None] | int = 0, **switches: Any) -> Iterator[ServedWorkspace]:
    """A workspace of these people by login and role; of so many viewers ``p1@example.com`` and on, where a number."""
    with served(Workspace(seed=1), switches=Switches(default_role=False, **switches)) as here:
        here.add({login(n): "viewer" for n in range(1, people + 1)} if isinstance(people, int) else people)
        yield here


def login(number: int) -> str:
    return f"p{number}@example.com"


def connect(office: ServedWorkspace, folder: Path, *, host: Host | None = None, **settings: Any) -> Connection:
    """The connection to it, managed, on a clock that does not wait."""
    policy = HttpPolicy(retry_budget=2.0, read_timeout=5.0)
    host = host or Host(folder / "state.db", clock=FakeClock(), http_policy=policy)
    given = {"base_url": office.url, "token": TOKEN, **settings}
    return host.connection("whimsical", settings=given, managed=True)


def shown(connection: Connection) -> dict[str | None, str | None]:
    """By login, the role in the picture of each account that is enabled."""
    return {row.user: row.role for row in connection.access() if row.status != "disabled"}


def csv_of(folder: Path, people: Mapping[str, str | None], name: str = "people.csv") -> Path:
    """A file of who should have what."""
    path = folder / name
    path.write_text("email,role\n" + "".join(f"{login},{role or ''}\n" for login, role in people.items()))
    return path
