"""No tests: a small application with accounts of two types and many groups, over a real socket, and its connector."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from connector_core import Resource, ResourceType, hookimpl
from connector_core.errors import OperationRefused
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.http.loopback import LoopbackServer
from connector_core.model import Cursor, Entitlement, EntitlementKey, Grant, Key, Manifest, NewAccount, Outcome, Page
from connector_core.settings import setting
from connector_core.testing import FakeClock

MEMBER = "member"


def membership(group: str) -> EntitlementKey:
    return EntitlementKey("group", group, MEMBER)


class Directory:
    """The application: ``things`` by ``TYPE/ID``, ``members`` of each group as ``TYPE:ID``; requests in ``asked``."""

    def __init__(self, *groups: str) -> None:
        self.things: dict[str, dict[str, Any]] = {}
        self.members: dict[str, set[str]] = {}
        self.asked: list[str] = []
        for name in groups:
            self.add("group", name)
            self.members[name] = set()

    def add(self, type: str, id: str, **facts: Any) -> None:
        self.things[f"{type}/{id}"] = {"type": type, "id": id, "name": id.title(), "status": "enabled", **facts}

    def writes(self) -> list[str]:
        return [line for line in self.asked if not line.startswith("GET")]

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].strip("/")
        sent = environ["wsgi.input"].read()
        self.asked.append(f"{method} {path}")
        status, body = self.reply(method, path, json.loads(sent) if sent else None)
        start(f"{status} -", [("Content-Type", "application/json")])
        return [json.dumps(body).encode() if body is not None else b""]

    def reply(self, method: str, path: str, sent: Any) -> tuple[int, Any]:
        first, _, rest = path.partition("/")
        if first == "all":
            return 200, [t for t in self.things.values() if t["type"] == rest]
        if first == "called":
            return 200, [t for t in self.things.values() if t.get("login") == rest]
        if first == "members":
            return self._member(method, *rest.split("/"))
        return self._thing(method, path, sent)

    def _member(self, method: str, group: str, who: str = "") -> tuple[int, Any]:
        if not who:
            return 200, sorted(self.members[group])
        if method == "PUT":
            self.members[group].add(who)
        if method == "DELETE":
            self.members[group].discard(who)
        return 200, {"held": who in self.members[group]}

    def _thing(self, method: str, path: str, sent: Any) -> tuple[int, Any]:
        if method == "DELETE" and path in self.things:
            return 200, self.things.pop(path)
        if method == "POST":
            type, id = path.split("/")[0], str(len(self.things) + 1)
            self.add(type, id, **sent)
            return 201, self.things[f"{type}/{id}"]
        if method == "PATCH" and path in self.things:
            self.things[path].update(sent)
        return (200, self.things[path]) if path in self.things else (404, {"error": "no such thing"})


class DirectoryConnector:
    """Its connector. A read of an account asks every group, as such applications need it."""

    def __init__(self) -> None:
        self.proof = True  # whether a reply to a write proves it
        self.types = (
            ResourceType(type="user", display_name="User", traits=("user",), grants="with_resource"),
            ResourceType(type="service", display_name="Service account", traits=("user",)),
            ResourceType(type="group", display_name="Group", traits=("group",), principal=True),
            ResourceType(type="site", display_name="Site"),
        )

    @hookimpl
    def connector_manifest(self, settings: Any) -> Manifest:
        return Manifest(
            name="directory", display_name="Directory", summary="", contract=2, settings=_settings(),
            resource_types=self.types,
        )  # fmt: skip

    @hookimpl
    def connector_connect(self, settings: Any, http: Any) -> Any:
        return lambda method, path, body=None: _answer(http, method, f"{settings.base_url}/{path}", body)

    @hookimpl
    def sync_page(self, client: Any, cursor: Cursor | None) -> Page:
        if cursor is None:
            return Page(next=tuple(Cursor(kind.type) for kind in self.types))
        things = [_resource(thing) for thing in client("GET", f"all/{cursor.stream}")]
        if cursor.stream != "group":
            return Page(resources=tuple(things))
        return Page(
            resources=tuple(things), entitlements=tuple(_entitlement(t.id) for t in things),
            grants=tuple(
                Grant(membership(t.id), Key.parse(who)) for t in things for who in client("GET", f"members/{t.id}")
            ),
        )  # fmt: skip

    @hookimpl
    def sync_resource(self, client: Any, resource: Resource) -> Page | None:
        thing = client("GET", f"{resource.type}/{resource.id}")
        if thing is None:
            return None
        groups = [t["id"] for t in client("GET", "all/group")]
        held = [name for name in groups if str(resource.key) in client("GET", f"members/{name}")]
        return Page(
            resources=(_resource(thing),), grants=tuple(Grant(membership(name), resource.key) for name in held),
            entitlements=(_entitlement(resource.id),) if resource.type == "group" else (),
        )  # fmt: skip

    @hookimpl
    def find_account(self, client: Any, login: str) -> Page:
        return Page(resources=tuple(map(_resource, client("GET", f"called/{login}"))))

    @hookimpl
    def provision_create_account(self, client: Any, account: NewAccount) -> Outcome:
        made = client("POST", f"{account.type}/new", {"login": account.login})
        return Outcome(after=Page(resources=(_resource(made),)))

    @hookimpl
    def provision_delete_account(self, client: Any, resource: Resource) -> Outcome:
        client("DELETE", f"{resource.type}/{resource.id}")
        return Outcome()

    @hookimpl
    def provision_disable_account(self, client: Any, resource: Resource) -> Outcome:
        client("PATCH", f"{resource.type}/{resource.id}", {"status": "disabled"})
        return Outcome(verified=self.proof)

    @hookimpl
    def provision_enable_account(self, client: Any, resource: Resource) -> Outcome:
        client("PATCH", f"{resource.type}/{resource.id}", {"status": "enabled"})
        return Outcome()

    @hookimpl
    def provision_grant(self, client: Any, grant: Grant) -> Outcome:
        client("PUT", _place(grant))
        return Outcome(verified=self.proof)

    @hookimpl
    def provision_revoke(self, client: Any, grant: Grant) -> Outcome:
        client("DELETE", _place(grant))
        return Outcome(verified=self.proof)


class CheckingConnector(DirectoryConnector):
    """The same, with the question whether one grant is held."""

    @hookimpl
    def check_grant(self, client: Any, grant: Grant) -> bool | None:
        held: bool = client("GET", _place(grant))["held"]
        return held


def _settings() -> type:
    from attrs import frozen

    @frozen(kw_only=True)
    class Settings:
        base_url: str = setting(help="where it is")
        protected: tuple[str, ...] = setting(default=(), help="accounts never removed")

    return Settings


def _answer(http: Any, method: str, url: str, body: Any) -> Any:
    reply = http.request(method, url, body=None if body is None else json.dumps(body).encode())
    if reply.status == 404:
        return None
    if reply.status >= 400:
        raise OperationRefused(f"refused: {reply.status}")
    return reply.json() if reply.body else None


def _resource(thing: dict[str, Any]) -> Resource:
    return Resource(**thing)


def _entitlement(group: str) -> Entitlement:
    return Entitlement(resource=Key("group", group), slug=MEMBER, name=f"Member of {group}", expands=True)


def _place(grant: Grant) -> str:
    return f"members/{grant.entitlement.id}/{grant.principal}"


@contextmanager
def directory(
    app: Directory, folder: Path, connector: DirectoryConnector | None = None, **settings: Any
) -> Iterator[Connection]:  # fmt: skip
    """A managed connection to the application, synced once; what that asked is forgotten."""
    with LoopbackServer(app) as server:
        host = Host(folder / "state.db", plugins={"directory": connector or CheckingConnector()}, clock=FakeClock())
        connection = host.connection("directory", settings={"base_url": server.url, **settings}, managed=True)
        connection.sync()
        app.asked.clear()
        yield connection
