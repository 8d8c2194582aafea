"""Groups and their members, as RFC 7643 has them and as servers send them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from servers.peer import Peer
from servers.scim2 import scim2_server

from connector_core.errors import ProtocolError
from connector_core.http import HttpClient
from connector_core.model import EntitlementKey, Grant, Key, Page, Secret
from connector_core.scim import ScimClient, ScimGroups, ScimUsers, bearer
from connector_core.scim.groups import member_of
from connector_core.testing.clock import FakeClock

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.fixture
def peer() -> Iterator[Peer]:
    with scim2_server(users=5) as peer:
        yield peer


@pytest.fixture
def client(peer: Peer) -> Iterator[ScimClient]:
    http = HttpClient(clock=FakeClock())
    yield ScimClient(http, peer.url, bearer(Secret(peer.token)))
    http.close()


def people(client: ScimClient) -> list[Key]:
    users = ScimUsers(client=client, count=100)
    return [user.key for user in users.listed(users.first()).resources]


def make(peer: Peer, name: str, *members: dict[str, Any]) -> Key:
    reply = peer.request("POST", "/Groups", {"schemas": [GROUP], "displayName": name, "members": list(members)})
    assert reply.status == 201, reply.body
    return Key("group", reply.json()["id"])


def read(groups: ScimGroups) -> tuple[Page, dict[str, Page]]:
    """All of the listing, as one page, and the pages of the streams that it led to."""
    cursors, children = [groups.first()], {}
    whole = Page()
    while cursors:
        cursor = cursors.pop(0)
        page = groups.listed(cursor)
        cursors += page.next if page.resources or page.grants else ()
        if cursor.stream == groups.stream:
            whole = evolve(
                whole, resources=whole.resources + page.resources, grants=whole.grants + page.grants,
                entitlements=whole.entitlements + page.entitlements,
            )  # fmt: skip
        else:
            children[cursor.stream] = page
    return whole, children


def test_groups_are_listed_with_their_members(peer: Peer, client: ScimClient) -> None:
    """Members are users and groups; being one is an entitlement of the group, which expands."""
    one, two, *_ = people(client)
    inner = make(peer, "Inner", {"value": one.id})
    outer = make(peer, "Outer", {"value": two.id, "type": "User"}, {"value": inner.id, "type": "Group"})
    whole, children = read(ScimGroups(client=client, count=100))
    assert {group.key: group.name for group in whole.resources} == {inner: "Inner", outer: "Outer"}
    assert {entitlement.key: entitlement.expands for entitlement in whole.entitlements} == {
        member_of(inner): True,
        member_of(outer): True,
    }
    assert set(whole.grants) == {
        Grant(member_of(inner), one), Grant(member_of(outer), two), Grant(member_of(outer), inner),
    }  # fmt: skip
    assert children == {}


def test_members_can_be_asked_for_group_by_group(peer: Peer, client: ScimClient) -> None:
    """The listing is asked for without members, and each group's members are a stream of their own."""
    one, two, *_ = people(client)
    first, second = make(peer, "First", {"value": one.id}), make(peer, "Second", {"value": two.id})
    whole, children = read(ScimGroups(client=client, count=100, members="each"))
    assert whole.grants == ()
    assert {stream: page.grants for stream, page in children.items()} == {
        f"groups/{first.id}": (Grant(member_of(first), one),),
        f"groups/{second.id}": (Grant(member_of(second), two),),
    }


def test_a_group_that_is_gone_between_listing_and_members_has_none(peer: Peer, client: ScimClient) -> None:
    """Its stream is empty, and no error: the listing of the next sync says that it is gone."""
    make(peer, "Other")
    gone = make(peer, "Gone")
    groups = ScimGroups(client=client, count=100, members="each")
    cursor = next(c for c in groups.listed(groups.first()).next if c.position == gone.id)
    assert peer.request("DELETE", f"/Groups/{gone.id}").status == 204
    assert groups.listed(cursor) == Page()


def test_a_member_is_added_and_taken_out(peer: Peer, client: ScimClient) -> None:
    """By PATCH, one request each, the others staying as they are."""
    one, two, *_ = people(client)
    team = make(peer, "Team", {"value": one.id})
    groups, entitlement = ScimGroups(client=client, count=100), member_of(team)
    groups.add(Grant(entitlement, two))
    assert set(groups.one(team).grants) == {Grant(entitlement, one), Grant(entitlement, two)}  # type: ignore[union-attr]
    groups.remove(Grant(entitlement, one))
    assert groups.one(team).grants == (Grant(entitlement, two),)  # type: ignore[union-attr]


def test_a_group_is_found_by_its_name_in_any_case(peer: Peer, client: ScimClient) -> None:
    """By the rules for names; none is an empty page."""
    team = make(peer, "Quality Assurance")
    groups = ScimGroups(client=client, count=100)
    assert [group.key for group in groups.by_name("quality assurance").resources] == [team]
    assert groups.by_name("Quality") == Page()


def test_what_a_member_is_can_be_told_by_type_by_reference_or_not_at_all() -> None:
    """``type``, else the path of ``$ref``, else a user; a member that cannot be told leaves the group's unknown."""
    groups = ScimGroups(client=None, count=1)  # type: ignore[arg-type] # rows alone
    key = EntitlementKey("group", "g", "member")

    def members(*entries: Any) -> Page:
        return groups.page([{"id": "g", "displayName": "G", "members": list(entries)}])

    known = members(
        {"value": "1"}, {"value": "2", "type": "GROUP"}, {"value": 3, "$ref": "https://api.example.com/v2/Groups/3"},
        {"value": "4", "$ref": "../Users/4", "display": "Ada"}, {"VALUE": "5", "Type": "User"},
    )  # fmt: skip
    assert [str(grant.principal) for grant in known.grants] == ["user:1", "group:2", "group:3", "user:4", "user:5"]
    for bad in ({"value": "1", "type": "Robot"}, {"display": "Ada"}, "ada", {"value": None}):
        page = members({"value": "7"}, bad)
        assert (page.unknown, page.grants, page.rejected) == ((key,), (), ())
    assert members().grants == groups.page([{"id": "g", "displayName": "G"}]).grants == ()


def test_another_group_in_reply_is_an_error(peer: Peer, client: ScimClient) -> None:
    """A reply about another group than the one asked for is never taken for it."""

    class Confused(ScimClient):
        def get(self, endpoint: str, id: str) -> dict[str, Any]:
            return {"id": "another", "displayName": "X", "members": []}

    confused = Confused(HttpClient(clock=FakeClock()), peer.url, bearer(Secret(peer.token)))
    with pytest.raises(ProtocolError, match="another group"):
        ScimGroups(client=confused, count=1).one(Key("group", "mine"))
