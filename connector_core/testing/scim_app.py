"""A small SCIM 2.0 server of users, as a WSGI application, over a `Workspace`.

It behaves; what it leaves open is set by `Switches`. Faults are laid over it as WSGI middleware.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.util import application_uri

from attrs import Factory, evolve, frozen

from connector_core.clock import Clock, SystemClock
from connector_core.testing.scim_discovery import discovery, listed
from connector_core.testing.scim_document import Document, ScimError, etag, from_document, invalid, project, to_document
from connector_core.testing.scim_patch import patched, whole
from connector_core.testing.scim_query import matching, window
from connector_core.testing.switches import Switches
from connector_core.testing.workspace import LoginTaken, Shuffled, User, Workspace, Write

_CONTENT_TYPE = "application/scim+json"
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


@frozen(kw_only=True)
class _Request:
    method: str
    path: str
    """Below the prefix, without a slash in front: ``Users/42``."""
    params: Mapping[str, str]
    body: bytes
    base: str
    """The address above ``/Users``."""

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise invalid(f"the body is not JSON: {error}", "invalidSyntax") from error

    def names(self, param: str) -> frozenset[str]:
        return frozenset(name.strip().casefold() for name in self.params.get(param, "").split(",") if name.strip())


@frozen(kw_only=True)
class _ScimReply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = Factory(dict)


_Handler = Callable[[_Request], _ScimReply]


class ScimApp:
    """Users at ``/Users``, and the discovery endpoints; every other address is a 404 in SCIM's words.

    :param token: the bearer token that every request must carry.
    :param prefix: the path of the base address, such as ``/scim-v2``; requests without it are answered alike.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        token: str = "sandbox",
        switches: Switches | None = None,
        prefix: str = "",
        clock: Clock | None = None,
    ) -> None:
        self.workspace = workspace
        self.switches = switches or Switches()
        self._authorization = f"Bearer {token}".encode()
        self._prefix = prefix
        self._clock = clock or SystemClock()
        self._rendered: dict[str, tuple[User, str, bytes]] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = self._request(environ)
        try:
            self._authorize(environ)
            reply = self._route(request)
        except ScimError as error:
            reply = _ScimReply(status=error.status, body=_dump(error.document()), headers=error.headers)
        if request.method in _UNSAFE:
            self.workspace.journal.append(Write(request.method, f"/{request.path}", reply.status))
        headers = list(reply.headers.items())
        if reply.status != 204:
            headers += [("Content-Type", _CONTENT_TYPE), ("Content-Length", str(len(reply.body)))]
        start_response(f"{reply.status} {HTTPStatus(reply.status).phrase}", headers)
        return [reply.body]

    def shuffle(self, seed: int | None = None) -> Shuffled:
        """A day in the life of the workspace; this is what ``sandbox --shuffle`` calls."""
        return self.workspace.shuffle(seed)

    # -- finding the way -------------------------------------------------------------------------------------------

    def _request(self, environ: WSGIEnvironment) -> _Request:
        path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")
        prefix = self._prefix if path.startswith(f"{self._prefix}/") else ""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        return _Request(
            method=str(environ["REQUEST_METHOD"]),
            path=path.removeprefix(prefix).removeprefix("/"),
            params=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
            body=environ["wsgi.input"].read(length),
            base=application_uri(environ).rstrip("/") + prefix,
        )

    def _authorize(self, environ: WSGIEnvironment) -> None:
        sent = str(environ.get("HTTP_AUTHORIZATION", "")).encode("latin-1", "replace")
        if not hmac.compare_digest(sent, self._authorization):
            raise ScimError(401, "the token is not accepted", headers={"WWW-Authenticate": 'Bearer realm="scim"'})

    def _route(self, request: _Request) -> _ScimReply:
        collection, _, rest = request.path.partition("/")
        if collection == "Users":
            return self._users(request, rest)
        if collection in ("ServiceProviderConfig", "ResourceTypes", "Schemas"):
            return _by_method(request, {"GET": lambda request: self._discover(request, collection, rest)})
        raise ScimError(404, f"there is nothing at /{request.path}")

    def _users(self, request: _Request, id: str) -> _ScimReply:
        if not id:
            return _by_method(request, {"GET": self._list, "POST": self._create})
        return _by_method(
            request,
            {
                "GET": lambda request: self._one(self._known(id), request),
                "PUT": lambda request: self._put(id, request),
                "PATCH": lambda request: self._patch(id, request),
                "DELETE": lambda request: self._delete(id),
            },
        )

    # -- reading ---------------------------------------------------------------------------------------------------

    def _list(self, request: _Request) -> _ScimReply:
        users = matching(self.workspace, request.params.get("filter"), self.switches)
        page = window(users, request.params, self.switches, self._clock)
        rows = b",".join(self._render(user, request) for user in page.rows)
        return _ScimReply(body=b'%s,"Resources":[%s]}' % (_dump(page.envelope)[:-1], rows))

    def _known(self, id: str) -> User:
        user = self.workspace.get(id)
        if user is None:
            raise ScimError(404, f"there is no user {id}")
        return user

    def _one(self, user: User, request: _Request, status: int = 200) -> _ScimReply:
        return _ScimReply(status=status, body=self._render(user, request), headers={"ETag": etag(user)})

    def _render(self, user: User, request: _Request) -> bytes:
        """The user's JSON: kept as long as the user is the same, since a walk over 10,000 asks for each of them."""
        wanted, unwanted = request.names("attributes"), request.names("excludedAttributes")
        if wanted or unwanted:
            return _dump(project(to_document(user, self.switches, request.base), wanted, unwanted))
        kept = self._rendered.get(user.id)
        if kept is None or kept[0] is not user or kept[1] != request.base:
            kept = (user, request.base, _dump(to_document(user, self.switches, request.base)))
            self._rendered[user.id] = kept
        return kept[2]

    def _discover(self, request: _Request, collection: str, id: str) -> _ScimReply:
        found = discovery(self.switches, request.base)[collection]
        if isinstance(found, list) and id:
            found = next((document for document in found if document["id"] == id), {})
        if not found:
            raise ScimError(404, f"there is nothing at /{request.path}")
        return _ScimReply(body=_dump(listed(found) if isinstance(found, list) else found))

    # -- writing ---------------------------------------------------------------------------------------------------

    def _create(self, request: _Request) -> _ScimReply:
        sent = whole(request.json(), self.switches)
        fields = from_document(sent, self.switches, self.switches.default_role)
        try:
            user = self.workspace.add(fields.pop("login"), pending=self.switches.pending_hidden, **fields)
        except LoginTaken:
            raise _taken() from None
        reply = self._one(user, request, 201)
        location = to_document(user, self.switches, request.base)["meta"]["location"]
        return evolve(reply, headers={**reply.headers, "Location": location})

    def _put(self, id: str, request: _Request) -> _ScimReply:
        sent = whole(request.json(), self.switches)
        # a role that is not sent stays as it is (W8)
        return self._change(id, request, lambda user: from_document(sent, self.switches, user.role))

    def _patch(self, id: str, request: _Request) -> _ScimReply:
        body = request.json()
        seeing = evolve(self.switches, hide_role=False)

        def fields(user: User) -> dict[str, Any]:
            document = patched(to_document(user, seeing, request.base), body, self.switches)
            removed_role = None if user.role is None else self.switches.default_role
            return from_document(document, self.switches, removed_role)

        reply = self._change(id, request, fields)
        return reply if self.switches.patch_reply == 200 else _ScimReply(status=204)

    def _change(self, id: str, request: _Request, fields: Callable[[User], dict[str, Any]]) -> _ScimReply:
        """Read, change and store as one, so that two requests at once cannot undo each other."""
        fixed = ("given_name", "family_name") if self.switches.names_fixed else ()
        with self.workspace.changing():
            user = self._known(id)
            changes = {name: value for name, value in fields(user).items() if name not in fixed}
            after = self._store(user, evolve(user, **changes))
        return self._one(after, request)

    def _store(self, before: User, after: User) -> User:
        if after == before:
            return before
        try:
            after = self.workspace.replace(after)
        except LoginTaken:
            raise _taken() from None
        if self.switches.deactivation_removes and not after.active:
            self.workspace.remove(after.id)
        return after

    def _delete(self, id: str) -> _ScimReply:
        with self.workspace.changing():
            self.workspace.remove(self._known(id).id)
        return _ScimReply(status=204)


def _taken() -> ScimError:
    return ScimError(409, "there is a user with this userName", "uniqueness")


def _by_method(request: _Request, handlers: Mapping[str, _Handler]) -> _ScimReply:
    handler = handlers.get(request.method)
    if handler is None:
        raise ScimError(405, f"{request.method} is not possible here", headers={"Allow": ", ".join(handlers)})
    return handler(request)


def _dump(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
