"""What a service provider says of itself, users that are replaced as a whole, and their managers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kit.replies import FixedReply
from servers.peer import Peer
from servers.scim2 import scim2_server
from servers.scimmy import scimmy_server

from connector_core.http import HttpClient
from connector_core.http.loopback import LoopbackServer
from connector_core.model import Secret
from connector_core.scim import ProviderFeatures, ScimClient, ScimUsers, attributes, bearer, features
from connector_core.scim.users import CORE, ENTERPRISE
from connector_core.testing import ScimApp, Switches, Workspace
from connector_core.testing.clock import FakeClock


@contextmanager
def asking(url: str, token: str = "token") -> Iterator[ScimClient]:
    http = HttpClient(clock=FakeClock())
    yield ScimClient(http, url, bearer(Secret(token)))
    http.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    with scim2_server(users=3) as peer:
        yield peer


def test_what_a_provider_says_is_read(peer: Peer) -> None:
    """The reference server's own documents: what it supports, and the attributes of its schemas."""
    with asking(peer.url, peer.token) as client:
        said = features(client)
        assert (said.patch, said.filter) == (True, True)
        assert {"userName", "emails", "active"} <= (attributes(client, CORE) or frozenset())
        assert attributes(client, "urn:example:none") is None


def test_another_provider_is_read_likewise() -> None:
    """SCIMMY spells its own way, and leaves some of it out."""
    with scimmy_server(users=1) as peer, asking(peer.url, peer.token) as client:
        assert "userName" in (attributes(client, CORE.upper()) or frozenset())
        assert isinstance(features(client), ProviderFeatures)


def test_the_most_rows_of_a_page_and_cursors_are_read() -> None:
    """As the stand-in server says them."""
    app = ScimApp(Workspace(seed=1), token="token", switches=Switches(page_cap=40, cursor_paging="offered"))
    with LoopbackServer(app) as server, asking(server.url) as client:
        said = features(client)
    assert (said.max_results, said.cursors, said.etag) == (40, True, False)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b""), (401, b"{}"), (403, b"{}"), (500, b"<html>"), (200, b"[]"), (200, b"{}"),
        (200, b'{"patch": "yes", "filter": {"supported": "perhaps", "maxResults": "many"}, "pagination": 1}'),
        (200, b'{"Resources": 1}'), (200, b'{"Resources": [1, {"id": 2}]}'),
    ],
    ids=["absent", "guarded", "forbidden", "failing", "a list", "empty", "nonsense", "no list", "no schemas"],
)  # fmt: skip
def test_p71_what_is_not_said_is_unknown_and_no_error(status: int, body: bytes) -> None:
    """Absent, guarded, or nonsense: nothing is known, field by field, and nothing is raised."""
    with LoopbackServer(FixedReply(status, body)) as server, asking(server.url) as client:
        assert (features(client), attributes(client, CORE)) == (ProviderFeatures(), None)


def test_a_user_is_replaced_from_a_read_just_before(peer: Peer) -> None:
    """PUT: what is not to be changed stays as it is there, what is to be unassigned goes."""
    with asking(peer.url, peer.token) as client:
        users = ScimUsers(client=client, count=10)
        user = users.listed(users.first()).resources[0]
        after = users.put(user.key, {"displayName": "Ada Invented", "TITLE": "chief"})
        assert after is not None and after.resources[0].name == "Ada Invented"
        assert after.resources[0].login == user.login
        users.put(user.key, {"title": None})
        document = peer.request("GET", f"/Users/{user.id}").json()
    assert ("title" in document, document["displayName"], document["userName"]) == (False, "Ada Invented", user.login)


@pytest.mark.parametrize(
    ("sent", "manager"),
    [
        ({"value": "26118915", "displayName": "Bo"}, "26118915"), ("26118915", "26118915"),
        ({"displayName": "Bo"}, None), ({"value": ""}, None), (17, None), (None, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("flat", [False, True])
def test_a_manager_is_read_from_the_enterprise_extension(sent: Any, manager: str | None, flat: bool) -> None:
    """Nested under its URN or flattened, as an object or a text; without an id there is none."""
    where = {f"{ENTERPRISE}:manager": sent} if flat else {ENTERPRISE: {"manager": sent}}
    app = FixedReply(200, {"id": "1", "userName": "ada@example.com", **where})
    with LoopbackServer(app) as server, asking(server.url) as client:
        users = ScimUsers(client=client, count=10)
        assert users.page([client.get("Users", "1")]).resources[0].manager == manager
