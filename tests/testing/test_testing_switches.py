"""Each switch of the stand-in server does what it says, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from servers.peer import EXTENSION, Peer

from connector_core.testing import FakeClock, LoopbackServer, ScimApp, Switches, Workspace


@contextmanager
def serve(workspace: Workspace, clock: FakeClock | None = None, **switches: Any) -> Iterator[Peer]:
    with LoopbackServer(ScimApp(workspace, switches=Switches(**switches), clock=clock)) as server:
        yield Peer(server.url, "sandbox")


def crowd(count: int = 12) -> Workspace:
    workspace = Workspace()
    workspace.populate(count)
    return workspace


def test_w08_the_default_role_is_for_the_undecided() -> None:
    """A user created without a role gets the default; one created with a role keeps it."""
    workspace = Workspace()
    with serve(workspace, default_role=False) as peer:
        peer.add("a@example.com")
        peer.add("b@example.com", editor=True)
        assert peer.roles() == {"a@example.com": False, "b@example.com": True}


def test_w08_an_update_without_a_role_leaves_the_role() -> None:
    """Neither PATCH nor PUT of something else touches it, not even where there is none."""
    workspace = Workspace()
    users = [workspace.add(f"{role}@example.com", role=role) for role in (None, True)]
    with serve(workspace, default_role=False) as peer:
        for user in users:
            operation = {"op": "replace", "path": "displayName", "value": "x"}
            peer.request("PATCH", f"/Users/{user.id}", {"Operations": [operation]})
            peer.request("PUT", f"/Users/{user.id}", {"userName": user.login, "active": True})
    assert [user.role for user in workspace.users()] == [None, True]


def test_a_role_that_is_removed_falls_back_to_the_default() -> None:
    """PATCH remove of the role is the default role, or none where there is no default."""
    for default in (None, False):
        workspace = Workspace()
        user = workspace.add("a@example.com", role=True)
        with serve(workspace, default_role=default) as peer:
            operation = {"op": "remove", "path": f"{EXTENSION}:editor"}
            peer.request("PATCH", f"/Users/{user.id}", {"Operations": [operation]})
        assert [user.role for user in workspace.users()] == [default]


def test_p19_a_hidden_role_can_be_written_and_not_read() -> None:
    """The extension is in no reply, and neither is its URN; the workspace has the role, and keeps it."""
    workspace = Workspace()
    with serve(workspace, hide_role=True) as peer:
        new = peer.add("a@example.com", editor=False)
        peer.set_role(new, True)
        operation = {"op": "replace", "path": "displayName", "value": "x"}
        answer = peer.request("PATCH", f"/Users/{new}", {"Operations": [operation]})
        assert EXTENSION not in answer.body.decode() + repr(peer.users())
    assert [user.role for user in workspace.users()] == [True]


def test_the_role_is_where_the_switches_say() -> None:
    """Extension and attribute have the names given."""
    workspace = Workspace()
    user = workspace.add("a@example.com", role=False)
    urn = "urn:example:other:2.0:User"
    with serve(workspace, extension=urn, flag="author") as peer:
        body = {"Operations": [{"op": "replace", "value": {f"{urn}:author": True}}]}
        assert peer.request("PATCH", f"/Users/{user.id}", body).json()[urn] == {"author": True}


def test_w15_upper_case_is_refused_or_folded() -> None:
    """By choice a login in upper case is taken, refused, or made lower case."""
    for choice, status, login in (("off", 201, "A@x.example"), ("reject", 400, None), ("fold", 201, "a@x.example")):
        with serve(Workspace(), lowercase_logins=choice) as peer:
            answer = peer.request("POST", "/Users", {"userName": "A@x.example"})
            assert (answer.status, answer.json().get("userName")) == (status, login)


def test_w16_the_email_follows_the_login() -> None:
    """Whatever e-mail is sent, it is the login."""
    workspace = Workspace()
    with serve(workspace, email_follows_login=True) as peer:
        body = {"userName": "a@example.com", "emails": [{"value": "b@example.com"}]}
        assert peer.request("POST", "/Users", body).json()["emails"][0]["value"] == "a@example.com"


def test_w13_names_are_fixed_after_creation() -> None:
    """Names are taken at creation and passed over, without an error, afterwards."""
    workspace = Workspace()
    with serve(workspace, names_fixed=True) as peer:
        new = peer.add("a@example.com", given="Ada")
        body = {"userName": "a@example.com", "name": {"givenName": "Eve"}, "displayName": "Shown"}
        document = peer.request("PUT", f"/Users/{new}", body).json()
        assert (document["name"]["givenName"], document["displayName"]) == ("Ada", "Shown")


def test_w17_deactivation_removes() -> None:
    """The reply shows the user disabled; after it the user is neither listed nor readable, and may come back anew."""
    workspace = Workspace()
    with serve(workspace, deactivation_removes=True) as peer:
        old = peer.add("a@example.com")
        body = {"Operations": [{"op": "replace", "value": {"active": False}}]}
        answer = peer.request("PATCH", f"/Users/{old}", body)
        assert (answer.status, answer.json()["active"]) == (200, False)
        assert peer.users() == []
        assert peer.request("GET", f"/Users/{old}").status == 404
        assert peer.add("a@example.com") != old


def test_w14_p14_pending_users_are_hidden_until_they_log_in() -> None:
    """Neither listed nor found, readable by id, and in the way of another of that login."""
    workspace = Workspace()
    with serve(workspace, pending_hidden=True) as peer:
        new = peer.add("a@example.com")
        assert peer.users() == []
        assert peer.page(filter='userName eq "a@example.com"')["totalResults"] == 0
        assert peer.request("GET", f"/Users/{new}").status == 200
        assert peer.request("POST", "/Users", {"userName": "a@example.com"}).status == 409
        workspace.log_in(new)
        assert [user["id"] for user in peer.users()] == [new]


def test_p01_pages_are_capped_and_have_a_default() -> None:
    """No page is larger than the cap; without a count it has the default."""
    with serve(crowd(), page_cap=5, default_page=3) as peer:
        assert [peer.page(**params)["itemsPerPage"] for params in ({"count": 100}, {"count": 4}, {})] == [5, 4, 3]


def test_p03_the_index_can_be_passed_over() -> None:
    """Every page is the first."""
    with serve(crowd(), index_paging_ignored=True) as peer:
        assert peer.page(startIndex=6, count=5) == peer.page(startIndex=1, count=5)


@pytest.mark.parametrize(("style", "told"), [("grand", 12), ("page", 5), ("text", "12"), ("absent", None)])
def test_p02_p12_the_total_comes_in_styles(style: str, told: object) -> None:
    """The total of all, of the page, as text, or none."""
    with serve(crowd(), total=style) as peer:
        page = peer.page(count=5)
        assert page.get("totalResults") == told
        assert len(page["Resources"]) == 5


def test_p38_a_patch_can_be_answered_without_a_body() -> None:
    """204 in place of 200, and the change is made."""
    workspace = Workspace()
    user = workspace.add("a@example.com", role=False)
    with serve(workspace, patch_reply=204) as peer:
        body = {"Operations": [{"op": "replace", "path": f"{EXTENSION}:editor", "value": True}]}
        answer = peer.request("PATCH", f"/Users/{user.id}", body)
        assert (answer.status, answer.body) == (204, b"")
    assert [user.role for user in workspace.users()] == [True]


# -- cursors (RFC 9865, P13) -------------------------------------------------------------------------------------------


def refusal(peer: Peer, query: str) -> tuple[int, str | None]:
    answer = peer.request("GET", f"/Users?{query}")
    return answer.status, answer.json().get("scimType")


def test_p13_cursors_make_up_the_whole() -> None:
    """An empty cursor asks for the first page, each page names the next, the last names none."""
    workspace = crowd()
    with serve(workspace, cursor_paging="offered") as peer:
        pages = [peer.page(cursor="", count=4)]
        while "nextCursor" in pages[-1]:
            pages.append(peer.page(cursor=pages[-1]["nextCursor"], count=4))
    assert [len(page["Resources"]) for page in pages] == [4, 4, 4]
    assert [user["id"] for page in pages for user in page["Resources"]] == [user.id for user in workspace.users()]


def test_p13_offered_cursors_leave_the_index_as_it_was() -> None:
    """Whoever does not ask for a cursor gets none."""
    with serve(crowd(), cursor_paging="offered") as peer:
        page = peer.page(startIndex=5, count=4)
        assert (page["startIndex"], "nextCursor" in page) == (5, False)
        assert refusal(peer, "cursor=&startIndex=1") == (400, "invalidValue")


def test_p13_a_server_with_cursors_only() -> None:
    """A listing begins with a cursor unasked, and an index is a 501."""
    with serve(crowd(), cursor_paging="only") as peer:
        assert "nextCursor" in peer.page(count=4)
        assert refusal(peer, "startIndex=1")[0] == 501
        config = peer.request("GET", "/ServiceProviderConfig").json()["pagination"]
        assert (config["cursor"], config["index"], config["defaultPaginationMethod"]) == (True, False, "cursor")


def test_p13_a_cursor_is_held_to_its_query() -> None:
    """Another count, another filter, another server's cursor, and one too old are each refused by name."""
    clock = FakeClock()
    with serve(crowd(), clock, cursor_paging="only", cursor_timeout=60.0) as peer:
        cursor = peer.page(count=4)["nextCursor"]
        assert refusal(peer, f"count=5&cursor={cursor}") == (400, "invalidCount")
        assert refusal(peer, f"count=4&cursor={cursor}&filter=id%20eq%20%22x%22") == (400, "invalidCursor")
        assert refusal(peer, "count=4&cursor=rubbish") == (400, "invalidCursor")
        clock.advance(60)
        assert len(peer.page(count=4, cursor=cursor)["Resources"]) == 4
        clock.advance(1)
        assert refusal(peer, f"count=4&cursor={cursor}") == (400, "expiredCursor")


def test_p08_a_cursor_is_not_moved_by_leavers() -> None:
    """Who leaves between two pages takes nobody else off the list."""
    workspace = crowd()
    with serve(workspace, cursor_paging="only") as peer:
        page = peer.page(count=4)
        for user in workspace.users()[:4]:
            workspace.remove(user.id)
        rest = peer.page(count=4, cursor=page["nextCursor"])
    assert [user["id"] for user in rest["Resources"]] == [user.id for user in workspace.users()[:4]]
