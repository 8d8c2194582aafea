"""No tests: the connector for the application of any shape, written from docs/plugins.md as by a stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

from connector_core import (
    Cursor,
    Entitlement,
    EntitlementKey,
    Grant,
    Key,
    Manifest,
    Outcome,
    Page,
    Rejected,
    Resource,
    ResourceType,
    Secret,
    hookimpl,
    oauth2_client_credentials,
)
from connector_core.errors import OperationRefused, ProtocolError
from connector_core.settings import address, secret, setting

SLUG = "holder"
LISTED = ("user", "group", "role", "project", "permission")
HELD = ("group", "role", "permission")


@frozen(kw_only=True)
class AnyAppSettings:
    base_url: str = address(help="where it is")
    client_id: str = setting(help="the OAuth client")
    client_secret: Secret = secret(help="its secret")  # noqa: RUF009


@frozen
class Client:
    """Asks the application: ``ask(method, path, limit=..., **query)`` gives a document, None after a 404."""

    ask: Callable[..., Any]


class AnyConnector:
    """People, groups, roles, projects, permissions; each thing that can be held has a child stream of its holders."""

    workers = 1  # so that the clock that a test moves on with each request kills no token in another thread

    @hookimpl
    def connector_manifest(self) -> Manifest:
        traits: dict[str, Any] = {"user": ("user",), "group": ("group",), "role": ("role",)}
        return Manifest(
            contract=2, max_workers=self.workers, name="anyapp", display_name="Any application", summary="",
            settings=AnyAppSettings,
            resource_types=tuple(
                ResourceType(type=kind, display_name=kind.title(), traits=traits.get(kind, ())) for kind in LISTED
            ),
        )  # fmt: skip

    @hookimpl
    def connector_connect(self, settings: AnyAppSettings, http: Any) -> Client:
        auth = oauth2_client_credentials(
            http, token_url=f"{settings.base_url}/token", client_id=settings.client_id,
            client_secret=settings.client_secret,
        )  # fmt: skip

        def ask(method: str, path: str, *, limit: str = "reads", **query: str) -> Any:
            reply = http.request(method, f"{settings.base_url}/{path}", params=query, auth=auth, limit=limit)
            if reply.status == 404:
                return None
            if reply.status >= 400:
                raise OperationRefused(f"{path} was answered {reply.status}")
            return reply.json()

        return Client(ask)

    @hookimpl
    def sync_page(self, client: Client, cursor: Cursor | None) -> Page:
        if cursor is None:
            return Page(next=tuple(Cursor(f"{kind}s") for kind in LISTED))
        kind, _, rest = cursor.stream.partition("/")
        document = _listing(client, cursor)
        if "warning" in document:
            return Page(warnings=(document["warning"],))
        if rest.endswith("/holders"):
            return _holders(cursor, document, EntitlementKey(kind[:-1], rest.removesuffix("/holders"), SLUG))
        parent = Key("project", rest.removesuffix("/roles")) if rest else None
        return _things(cursor, document, "role" if rest else kind[:-1], parent)

    @hookimpl
    def sync_resource(self, client: Client, resource: Resource) -> Page | None:
        document = client.ask("GET", f"{resource.type}s/{resource.id}")
        if document is None:
            return None
        thing = _thing(resource.type, document["rows"][0], resource.parent)
        return Page(resources=(thing,), entitlements=(_entitlement(thing),) if thing.type in HELD else ())

    @hookimpl
    def find_account(self, client: Client, login: str) -> Page:
        rows = client.ask("GET", "users", login=login)["rows"]
        return Page(resources=tuple(_thing("user", row, None) for row in rows))

    @hookimpl
    def check_grant(self, client: Client, grant: Grant) -> bool:
        return bool(client.ask("GET", _place(grant), limit="members")["held"])

    @hookimpl
    def provision_grant(self, client: Client, grant: Grant) -> Outcome:
        client.ask("PUT", _place(grant), limit="members")
        return Outcome()

    @hookimpl
    def provision_revoke(self, client: Client, grant: Grant) -> Outcome:
        client.ask("DELETE", _place(grant), limit="members")
        return Outcome()


def _listing(client: Client, cursor: Cursor) -> dict[str, Any]:
    limit = "members" if cursor.stream.endswith("/holders") else "reads"
    document: dict[str, Any] | None = client.ask("GET", cursor.stream, limit=limit, start=str(cursor.position or 0))
    if document is None:
        raise OperationRefused(f"there is no {cursor.stream}")
    return document


def _holders(cursor: Cursor, document: dict[str, Any], held: EntitlementKey) -> Page:
    rows = document["rows"]
    return Page(
        grants=tuple(Grant(held, Key.parse(row)) for row in rows if row is not None),
        rejected=tuple(Rejected(reason="a member without a name") for row in rows if row is None),
        next=_following(cursor, document),
    )


def _things(cursor: Cursor, document: dict[str, Any], kind: str, parent: Key | None) -> Page:
    rows = document["rows"]
    things = tuple(_thing(kind, row, parent) for row in rows if row is not None)
    child = {"project": "roles"}.get(kind, "holders" if kind in HELD else "")
    return Page(
        resources=things, total=document["total"],
        entitlements=tuple(_entitlement(thing) for thing in things if kind in HELD),
        rejected=tuple(Rejected(reason="a row without an id") for row in rows if row is None),
        next=(*_following(cursor, document), *(Cursor(f"{kind}s/{t.id}/{child}") for t in things if child)),
    )  # fmt: skip


def _following(cursor: Cursor, document: dict[str, Any]) -> tuple[Cursor, ...]:
    """The next page; an empty one before the total is a listing that lies."""
    start = int(str(cursor.position or 0))
    end = start + len(document["rows"])
    if end < document["total"] and not document["rows"]:
        raise ProtocolError(f"{cursor.stream} ended after {end} of {document['total']} rows")
    return (Cursor(cursor.stream, end),) if end < document["total"] else ()


def _thing(kind: str, row: dict[str, Any], parent: Key | None) -> Resource:
    login = row.get("login")
    return Resource(
        type=kind, id=row["id"], name=row["id"].title(), login=login, email=login, parent=parent,
        status="enabled" if login else "unknown", account_type=row.get("kind", "unknown"),
    )  # fmt: skip


def _entitlement(thing: Resource) -> Entitlement:
    return Entitlement(
        resource=thing.key, slug=SLUG, name=f"Holder of {thing.name}", expands=thing.type != "permission"
    )


def _place(grant: Grant) -> str:
    return f"{grant.entitlement.type}s/{grant.entitlement.id}/holders/{grant.principal}"
