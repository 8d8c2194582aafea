"""The peers are what the other tests take them for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from servers.peer import EXTENSION, Peer
from servers.scim2 import scim2_server
from servers.scimmy import scimmy_server

pytestmark = pytest.mark.live

Start = Callable[..., AbstractContextManager[Peer]]

STARTS: dict[str, Start] = {
    "scim2": scim2_server,
    "scimmy4": lambda **options: scimmy_server(express=4, **options),
    "scimmy5": lambda **options: scimmy_server(express=5, **options),
}


@pytest.fixture(params=STARTS)
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    with STARTS[request.param](users=30) as peer:
        yield peer


def test_it_holds_the_people_and_their_roles(peer: Peer) -> None:
    """A peer starts with the people asked for: viewers, editors, and some without a role."""
    roles = peer.roles()
    assert len(roles) == 30
    assert (roles["person1@example.com"], roles["person3@example.com"], roles["person9@example.com"]) == (
        False,
        True,
        None,
    )


def test_it_takes_writes(peer: Peer) -> None:
    """Users come, change their role and go."""
    new = peer.add("new@example.com", editor=False)
    peer.set_role(new, True)
    assert peer.roles()["new@example.com"] is True
    peer.remove(new)
    assert "new@example.com" not in peer.roles()
    assert peer.request("GET", f"/Users/{new}").status == 404


def test_it_wants_the_token(peer: Peer) -> None:
    """Another token is refused with 401."""
    assert peer.request("GET", "/Users", token="wrong").status == 401


def test_it_publishes_the_extension(peer: Peer) -> None:
    """The schema that holds the role is among those the server lists."""
    schemas = peer.request("GET", "/Schemas").json()["Resources"]
    assert EXTENSION in [schema["id"] for schema in schemas]


@pytest.mark.parametrize("start", ["scim2", "scimmy4"])
def test_it_pages_by_index(start: str) -> None:
    """Two pages side by side hold different people, and the total is that of all."""
    with STARTS[start](users=30) as peer:
        pages = [peer.page(startIndex=index, count=10) for index in (1, 11)]
        ids = {user["id"] for page in pages for user in page["Resources"]}
        assert len(ids) == 20
        assert {page["totalResults"] for page in pages} == {30}


def test_p03_scimmy_begins_anew_past_the_end() -> None:
    """An index behind the last row is answered with the first page."""
    with scimmy_server(users=12) as peer:
        assert peer.page(startIndex=13, count=5)["Resources"] == peer.page(startIndex=1, count=5)["Resources"]


def test_p03_scimmy_on_express_5_knows_one_page() -> None:
    """Index and count are passed over: the first 20 rows, and the total of all."""
    with scimmy_server(express=5, users=30) as peer:
        pages = [peer.page(startIndex=index, count=10) for index in (1, 11)]
        assert pages[0] == pages[1]
        assert (len(pages[0]["Resources"]), pages[0]["totalResults"]) == (20, 30)


def test_p01_scim2_caps_its_pages() -> None:
    """More rows than the cap are not given, whatever is asked for."""
    with scim2_server(users=12, page_cap=5) as peer:
        assert len(peer.page(startIndex=1, count=100)["Resources"]) == 5
        assert len(peer.users()) == 12


def test_p13_scim2_pages_by_cursor_only() -> None:
    """A server without an index says 501 to one, and gives everybody by cursor."""
    with scim2_server(users=12, page_cap=5, cursor="only") as peer:
        assert peer.request("GET", "/Users?startIndex=1").status == 501
        assert "nextCursor" in peer.page(count=5)
        assert len(peer.users()) == 12
