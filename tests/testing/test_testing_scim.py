"""The stand-in SCIM server, held against what Okta's SPEC test and the other public suites ask of one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from servers.peer import EXTENSION, Peer, PeerReply

from connector_core.testing import LoopbackServer, ScimApp, Workspace

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ADA = {"userName": "ada@example.com", "name": {"givenName": "Ada", "familyName": "Lovegrove"}}


@pytest.fixture
def workspace() -> Workspace:
    workspace = Workspace()
    workspace.populate(25)
    return workspace


@pytest.fixture
def peer(workspace: Workspace) -> Iterator[Peer]:
    with LoopbackServer(ScimApp(workspace)) as server:
        yield Peer(server.url, "sandbox")


def find(peer: Peer, filter: str) -> PeerReply:
    return peer.request("GET", f"/Users?filter={quote(filter)}")


def patch(peer: Peer, id: str, *operations: Any) -> PeerReply:
    return peer.request("PATCH", f"/Users/{id}", {"Operations": list(operations)})


def is_error(answer: PeerReply, status: int, scim_type: str | None = None) -> bool:
    """Whether it is an error in SCIM's words: URN, status as text, detail (RFC 7644 section 3.12)."""
    document = answer.json()
    said = document["schemas"], document["status"], document.get("scimType")
    return answer.status == status and said == ([ERROR], str(status), scim_type) and bool(document["detail"])


# -- Okta's SPEC test ------------------------------------------------------------------------------------------------


def test_okta_r1_lists_users(peer: Peer) -> None:
    """A page of one has the list's shape, and a user with every attribute that Okta reads."""
    begun = time.monotonic()
    page = peer.page(count=1, startIndex=1)
    assert time.monotonic() - begun < 0.6
    assert page["schemas"] == [LIST]
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (25, 1, 1)
    (user,) = page["Resources"]
    assert user["id"] and user["userName"] and user["active"] is True and user["emails"][0]["value"]
    assert user["name"]["givenName"] and user["name"]["familyName"]


def test_okta_r2_reads_one(peer: Peer) -> None:
    """A user read by id is the user that was listed."""
    (user,) = peer.page(count=1)["Resources"]
    assert peer.request("GET", f"/Users/{user['id']}").json() == user


@pytest.mark.parametrize("login", ["nobody@example.com", "isabel+x@example.com"])
def test_okta_r3_r5_finds_nobody(peer: Peer, login: str) -> None:
    """A filter that fits nobody is an empty list, not an error."""
    document = find(peer, f'userName eq "{login}"').json()
    assert (document["schemas"], document["totalResults"], document["Resources"]) == ([LIST], 0, [])


@pytest.mark.parametrize("id", ["unknown", "00919288221112222"])
def test_okta_r4_r12_knows_no_such_user(peer: Peer, id: str) -> None:
    """An unknown id is a 404 in SCIM's words (P55)."""
    assert is_error(peer.request("GET", f"/Users/{id}"), 404)


def test_okta_r6_r7_r8_creates_a_user_once(peer: Peer) -> None:
    """A user is created as asked for and can be read again; the same login a second time is a 409."""
    answer = peer.request("POST", "/Users", {"schemas": [USER], **ADA, "active": True})
    user = answer.json()
    assert answer.status == 201
    assert user["active"] is True and USER in user["schemas"]
    assert {name: user[name] for name in ADA} == ADA
    assert answer.headers["location"] == user["meta"]["location"] == f"{peer.url}/Users/{user['id']}"
    assert peer.request("GET", f"/Users/{user['id']}").json() == user
    assert is_error(peer.request("POST", "/Users", {**ADA, "userName": "ADA@example.com"}), 409, "uniqueness")


def test_okta_r9_finds_in_any_case(peer: Peer, workspace: Workspace) -> None:
    """The login is compared without regard to case (P29)."""
    user = workspace.users()[3]
    answer = find(peer, f'username EQ "{user.login.upper()}"')
    assert [row["id"] for row in answer.json()["Resources"]] == [user.id]


def test_okta_r9_refuses_a_malformed_filter(peer: Peer) -> None:
    """What is no filter is a 400, never everybody."""
    assert is_error(find(peer, "CAPSNAME"), 400, "invalidFilter")


def test_w01_okta_r10_has_no_groups(peer: Peer) -> None:
    """Groups are optional, and not there."""
    assert is_error(peer.request("GET", "/Groups"), 404)


@pytest.mark.parametrize("path", ["/Users", "/Users/x", "/Schemas", "/nothing"])
def test_okta_r11_wants_the_token(peer: Peer, path: str) -> None:
    """Without the token nothing is said, not even what exists."""
    answer = peer.request("GET", path, token="wrong")
    assert is_error(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


# -- reading -----------------------------------------------------------------------------------------------------------


def test_pages_make_up_the_whole_in_the_order_of_creation(peer: Peer, workspace: Workspace) -> None:
    """Pages side by side give each user once."""
    pages = [peer.page(startIndex=index, count=10) for index in (1, 11, 21)]
    assert [len(page["Resources"]) for page in pages] == [10, 10, 5]
    assert [user["id"] for page in pages for user in page["Resources"]] == [user.id for user in workspace.users()]


@pytest.mark.parametrize(
    ("params", "start", "rows"),
    [
        ({"count": 0}, 1, 0),
        ({"count": -1}, 1, 0),
        ({"startIndex": 0, "count": 2}, 1, 2),
        ({"startIndex": -5, "count": 2}, 1, 2),
        ({"startIndex": 26}, 26, 0),
        ({"startIndex": 25, "count": 5}, 25, 1),
    ],
)
def test_odd_windows_are_read_as_the_rfc_says(peer: Peer, params: dict[str, int], start: int, rows: int) -> None:
    """RFC 7644 section 3.4.2.4: a negative count is 0, an index below 1 is 1; the total is always told."""
    page = peer.page(**params)
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (25, start, rows)
    assert len(page["Resources"]) == rows


def test_a_window_that_is_no_number_is_refused(peer: Peer) -> None:
    """Text for a number is a 400."""
    assert is_error(peer.request("GET", "/Users?count=many"), 400, "invalidValue")


@pytest.mark.parametrize(
    "filter",
    ['id eq "{0.id}"', 'emails.value eq "{0.email}"', 'externalId eq "{0.external_id}"', ' userName  eq "{0.login}" '],
)
def test_filters_find_one(peer: Peer, workspace: Workspace, filter: str) -> None:
    """The attributes that clients look people up by."""
    user = workspace.add("w+1@example.com", email="w.one@example.com", external_id="42")
    assert [row["id"] for row in find(peer, filter.format(user)).json()["Resources"]] == [user.id]


@pytest.mark.parametrize(
    "filter", ['displayName eq "x"', 'userName sw "a"', "userName eq ada", 'userName eq "a" and id eq "b"', ""]
)
def test_p67_other_filters_are_refused(peer: Peer, filter: str) -> None:
    """What is not understood is a 400 invalidFilter, and never answered with everybody."""
    assert is_error(find(peer, filter), 400, "invalidFilter")


def test_p68_a_filter_value_is_a_json_string(peer: Peer, workspace: Workspace) -> None:
    """Quotes and backslashes come escaped and are taken as themselves."""
    user = workspace.add('we"ird\\@example.com')
    assert len(find(peer, 'userName eq "we\\"ird\\\\@example.com"').json()["Resources"]) == 1
    assert user.login in peer.roles()


def test_p27_an_odd_id_is_an_id(peer: Peer, workspace: Workspace) -> None:
    """An id may hold anything, as long as it is quoted in the address."""
    workspace.add("odd@example.com", id="a@b/c d+é%")
    assert peer.request("GET", f"/Users/{quote('a@b/c d+é%', safe='')}").json()["userName"] == "odd@example.com"


def test_attributes_can_be_chosen(peer: Peer) -> None:
    """RFC 7644 section 3.9: only what is asked for, or all but what is excluded; id and schemas are always there."""
    (user,) = peer.page(count=1, attributes=f"userName,name.givenName,{EXTENSION}:editor")["Resources"]
    assert user.keys() == {"id", "schemas", "userName", "name", EXTENSION}
    assert user["name"].keys() == {"givenName"}
    (user,) = peer.page(count=1, excludedAttributes="emails,META,name.familyName")["Resources"]
    assert not {"emails", "meta"} & user.keys()
    assert user["name"].keys() == {"givenName"}


# -- writing -----------------------------------------------------------------------------------------------------------

SHAPES = {
    "path": {"op": "replace", "path": f"{EXTENSION}:editor", "value": True},
    "nested": {"op": "replace", "value": {EXTENSION: {"editor": True}}},
    "flat": {"op": "replace", "value": {f"{EXTENSION}:editor": True}},
    "whole": {"op": "add", "path": EXTENSION, "value": {"editor": True}},
    "capitals": {"Op": "Replace", "Path": f"{EXTENSION.upper()}:Editor", "Value": True},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_p20_w05_every_shape_sets_the_role(peer: Peer, workspace: Workspace, shape: str) -> None:
    """All shapes in which clients write an extension's boolean are one and the same write."""
    user = workspace.add("v@example.com", role=False, given_name="V")
    answer = patch(peer, user.id, SHAPES[shape])
    assert answer.status == 200
    assert answer.json()[EXTENSION] == {"editor": True}
    after = workspace.find("v@example.com")
    assert after is not None
    assert (after.role, after.given_name) == (True, "V")


@pytest.mark.parametrize("value", ["True", "false", 1, [True]])
def test_p24_a_boolean_is_a_boolean(peer: Peer, workspace: Workspace, value: object) -> None:
    """Text and numbers are refused, so that a client that sends them is noticed."""
    user = workspace.users()[0]
    for path in (f"{EXTENSION}:editor", "active"):
        assert is_error(patch(peer, user.id, {"op": "replace", "path": path, "value": value}), 400, "invalidValue")
    assert workspace.get(user.id) == user


def test_several_operations_are_done_in_order(peer: Peer, workspace: Workspace) -> None:
    """A list of operations is carried out from first to last."""
    user = workspace.users()[0]
    answer = patch(
        peer,
        user.id,
        {"op": "replace", "path": "name.givenName", "value": "One"},
        {"op": "replace", "path": "name.givenName", "value": "Two"},
        {"op": "add", "value": {"displayName": "Shown", "name.familyName": "Last", "unknown": 1}},
        {"op": "replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"},
        {"op": "remove", "path": "externalId"},
    )
    document = answer.json()
    assert document["name"] == {"givenName": "Two", "familyName": "Last"}
    assert (document["displayName"], document["emails"][0]["value"]) == ("Shown", "new@example.com")


def test_p44_operations_are_done_all_or_none(peer: Peer, workspace: Workspace) -> None:
    """One operation that fails leaves the user as it was."""
    user = workspace.users()[0]
    good, bad = {"op": "replace", "path": "displayName", "value": "x"}, {"op": "replace", "path": "nothing", "value": 1}
    assert is_error(patch(peer, user.id, good, bad), 400, "invalidPath")
    assert workspace.get(user.id) == user


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "remove"}, "noTarget"),
        ({"op": "move", "path": "active"}, "invalidSyntax"),
        ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
        ({"op": "replace", "path": f"{EXTENSION}.editor", "value": True}, "invalidPath"),
        ({"op": "replace", "path": f"{EXTENSION}:admin", "value": True}, "invalidPath"),
        ({"op": "replace", "path": "urn:other:User:userName", "value": "x"}, "invalidPath"),
        ({"op": "remove", "path": "userName"}, "invalidValue"),
        ({"op": "replace", "path": "emails", "value": ["a@example.com"]}, "invalidValue"),
        ({"op": "replace", "path": "name", "value": "Ada"}, "invalidValue"),
        ({"op": "replace", "value": True}, "invalidSyntax"),
        ("replace", "invalidSyntax"),
    ],
)
def test_a_senseless_patch_is_refused(peer: Peer, workspace: Workspace, operation: Any, scim_type: str) -> None:
    """Each is a 400 that says why, and changes nothing."""
    user = workspace.users()[0]
    assert is_error(patch(peer, user.id, operation), 400, scim_type)
    assert workspace.get(user.id) == user


def test_a_patch_without_operations_is_refused(peer: Peer, workspace: Workspace) -> None:
    """An empty list is no patch."""
    assert is_error(patch(peer, workspace.users()[0].id), 400, "invalidSyntax")


def test_a_user_is_disabled_and_enabled_again(peer: Peer, workspace: Workspace) -> None:
    """Deactivation in Okta's shape keeps the user, listed and readable."""
    user = workspace.users()[0]
    for active in (False, True):
        patch(peer, user.id, {"op": "replace", "value": {"active": active}})
        assert peer.request("GET", f"/Users/{user.id}").json()["active"] is active
    assert len(peer.users()) == 25


def test_a_change_of_nothing_is_no_change(peer: Peer, workspace: Workspace) -> None:
    """A PATCH to what is so already succeeds, and neither version nor date move."""
    user = workspace.users()[0]
    assert patch(peer, user.id, {"op": "replace", "path": "active", "value": True}).status == 200
    assert workspace.get(user.id) == user


def test_put_replaces_all_but_the_role(peer: Peer, workspace: Workspace) -> None:
    """What a PUT leaves out is gone, and id and role stay (W8)."""
    user = workspace.add("p@example.com", role=True, given_name="P", external_id="1")
    document = peer.request("PUT", f"/Users/{user.id}", {"id": "x", "userName": "q@example.com"}).json()
    assert (document["id"], document["userName"], document[EXTENSION]) == (user.id, "q@example.com", {"editor": True})
    assert not {"name", "externalId", "emails"} & document.keys()


def test_a_login_that_is_taken_cannot_be_given(peer: Peer, workspace: Workspace) -> None:
    """Renaming somebody into somebody else is a 409."""
    one, other = workspace.users()[:2]
    answer = patch(peer, one.id, {"op": "replace", "path": "userName", "value": other.login})
    assert is_error(answer, 409, "uniqueness")


def test_p54_a_user_is_deleted_once(peer: Peer, workspace: Workspace) -> None:
    """204, and from then on 404."""
    id_ = workspace.users()[0].id
    answer = peer.request("DELETE", f"/Users/{id_}")
    assert (answer.status, answer.body) == (204, b"")
    assert is_error(peer.request("GET", f"/Users/{id_}"), 404)
    assert is_error(peer.request("DELETE", f"/Users/{id_}"), 404)
    assert len(workspace) == 24


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        (b"{", "invalidSyntax"),
        (b"", "invalidSyntax"),
        ([], "invalidSyntax"),
        ({}, "invalidValue"),
        ({"userName": 7}, "invalidValue"),
        ({"userName": ""}, "invalidValue"),
        ({"userName": "x@example.com", "active": "True"}, "invalidValue"),
        ({"userName": "x@example.com", "name": "X"}, "invalidValue"),
    ],
)
def test_a_user_that_makes_no_sense_is_not_created(peer: Peer, workspace: Workspace, body: Any, scim_type: str) -> None:
    """Bad JSON, a missing login and wrong types are 400."""
    assert is_error(peer.request("POST", "/Users", body), 400, scim_type)
    assert len(workspace) == 25


def test_the_journal_counts_writes(peer: Peer, workspace: Workspace) -> None:
    """Each unsafe request is there with its status, and no other."""
    peer.request("POST", "/Users", ADA)
    peer.request("POST", "/Users", ADA)
    peer.users()
    id_ = peer.page(count=1)["Resources"][0]["id"]
    peer.set_role(id_, True)
    peer.remove(id_)
    assert [(write.method, write.status) for write in workspace.journal] == [
        ("POST", 201),
        ("POST", 409),
        ("PATCH", 200),
        ("DELETE", 204),
    ]
    assert workspace.writes() == {"POST": 2, "PATCH": 1, "DELETE": 1}


# -- what it says of itself --------------------------------------------------------------------------------------------


def test_it_describes_itself(peer: Peer) -> None:
    """The discovery endpoints have the members that Okta and scim-sanity ask for."""
    config = peer.request("GET", "/ServiceProviderConfig").json()
    assert {"patch", "bulk", "filter", "changePassword", "sort", "etag", "authenticationSchemes"} <= config.keys()
    kinds = peer.request("GET", "/ResourceTypes").json()
    assert kinds["schemas"] == [LIST]
    assert [(kind["name"], kind["endpoint"], kind["schema"]) for kind in kinds["Resources"]] == [
        ("User", "/Users", USER)
    ]
    schemas = peer.request("GET", "/Schemas").json()["Resources"]
    assert [schema["id"] for schema in schemas] == [USER, EXTENSION]
    assert peer.request("GET", f"/Schemas/{EXTENSION}").json() == schemas[1]
    assert is_error(peer.request("GET", "/Schemas/urn:nothing"), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"])
def test_it_cannot_be_told_what_it_is(peer: Peer, path: str, method: str) -> None:
    """Writing to a discovery endpoint is a 405 that says what is possible."""
    answer = peer.request(method, path, {})
    assert is_error(answer, 405)
    assert answer.headers["allow"] == "GET"


def test_every_reply_is_scim(peer: Peer) -> None:
    """Lists, users and errors carry SCIM's media type, and a user its version."""
    (user,) = peer.page(count=1)["Resources"]
    answers = [peer.request("GET", path) for path in ("/Users", f"/Users/{user['id']}", "/Users/x", "/nothing", "/")]
    assert {answer.headers["content-type"] for answer in answers} == {"application/scim+json"}
    assert answers[1].headers["etag"] == user["meta"]["version"]


def test_p73_two_slashes_lead_nowhere(peer: Peer) -> None:
    """An address that is joined badly is a 404."""
    assert is_error(peer.request("GET", "//Users"), 404)
