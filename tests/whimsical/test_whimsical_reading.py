"""What the Whimsical connector reads: users with their roles, in one pass, from whatever the listing looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kit.replies import FixedReply

from connector_core.errors import ApplicationError, NotFound, ProtocolError
from connector_core.http import HttpClient
from connector_core.http.loopback import LoopbackServer
from connector_core.model import Grant, Key, Page, Resource, Secret, Span
from connector_core.testing import ScimApp, Switches, Workspace
from connector_core.testing.clock import FakeClock
from connector_core.testing.faults import Faulty, fault
from connector_core_whimsical import plugin, roles, users
from connector_core_whimsical.client import WhimsicalClient
from connector_core_whimsical.settings import Settings

URN = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"
ADA = Key("user", "1")
READER = users.reader(None, 1)  # type: ignore[arg-type] # rows alone


def row(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "userName": "ada@example.com", "active": True, **changes}


def read(**changes: Any) -> Resource:
    (resource,) = READER.page([row(**changes)]).resources
    return resource


@pytest.fixture
def answers() -> FixedReply:
    return FixedReply()


@pytest.fixture
def client(answers: FixedReply) -> Iterator[WhimsicalClient]:
    with LoopbackServer(answers) as server:
        yield from connected(server)


def connected(server: LoopbackServer, **settings: Any) -> Iterator[WhimsicalClient]:
    http = HttpClient(clock=FakeClock())
    yield plugin.connector_connect(Settings(token=Secret("sandbox"), base_url=server.url, **settings), http)
    http.close()


def everything(client: WhimsicalClient) -> list[Page]:
    pages = [plugin.sync_page(client, None)]
    cursors = list(pages[0].next)
    while cursors:
        pages.append(plugin.sync_page(client, cursors.pop()))
        cursors += pages[-1].next
    return pages


# -- one row ---------------------------------------------------------------------------------------------------


def test_a_user_as_whimsical_may_list_one() -> None:
    """Login, e-mail, name, status and profile come from one row, its role from the extension."""
    page = READER.page(
        [
            row(
                name={"givenName": "Ada", "familyName": "Lovelace"},
                emails=[{"value": "ada@example.com", "primary": True}],
                externalId="x1",
                meta={"lastModified": "never"},
                **{URN: {"editor": True}},
            )
        ]
    )
    assert page == Page(
        resources=(
            Resource(
                type="user",
                id="1",
                name="Ada Lovelace",
                login="ada@example.com",
                email="ada@example.com",
                status="enabled",
                profile={"given_name": "Ada", "family_name": "Lovelace", "external_id": "x1"},
            ),
        ),
        grants=(Grant(roles.EDITOR, ADA),),
    )


@pytest.mark.parametrize(
    ("extension", "grants", "unknown"),
    [
        ({URN: {"editor": True}}, (Grant(roles.EDITOR, ADA),), ()),
        ({URN: {"editor": False}}, (Grant(roles.VIEWER, ADA),), ()),
        ({f"{URN}:editor": "True"}, (Grant(roles.EDITOR, ADA),), ()),
        ({URN.upper(): {"EDITOR": 0}}, (Grant(roles.VIEWER, ADA),), ()),
        ({}, (), (ADA,)),
        ({URN: {}}, (), (ADA,)),
        ({URN: {"editor": None}}, (), (ADA,)),
        ({URN: {"editor": "perhaps"}}, (), (ADA,)),
    ],
)
def test_p19_p25_a_role_is_read_or_unknown(extension: dict[str, Any], grants: Any, unknown: Any) -> None:
    """A role that is absent or makes no sense is unknown, never Viewer; the user is listed all the same."""
    page = READER.page([row(**extension)])
    assert (page.grants, page.unknown, len(page.resources)) == (grants, unknown, 1)
    assert (page.warnings, page.rejected) == ((), ())


@pytest.mark.parametrize("extension", [{URN: {"editor": True}}, {URN: {"editor": False}}, {}])
def test_w17_a_disabled_account_holds_no_role(extension: dict[str, Any]) -> None:
    """Deactivation removes a member, so what the row says of the role no longer counts, nor is it unknown."""
    page = READER.page([row(active="False", **extension)])
    assert (page.resources[0].status, page.grants, page.unknown) == ("disabled", (), ())


@pytest.mark.parametrize("changes", [{"active": None}, {"active": ""}])
def test_p32_a_missing_active_is_unknown(changes: dict[str, Any]) -> None:
    """Not disabled: such a user keeps the role that the row shows."""
    page = READER.page([row(**changes, **{URN: {"editor": True}})])
    assert (page.resources[0].status, page.grants) == ("unknown", (Grant(roles.EDITOR, ADA),))


def test_p30_p36_a_user_without_email_and_name_is_a_user() -> None:
    """The login stands in, for the e-mail only where it looks like one."""
    assert (read().email, read().name) == ("ada@example.com", "ada@example.com")
    assert read(userName="ada").email is None
    assert read().profile == {}


@pytest.mark.parametrize("changes", [{"active": "perhaps"}, {"userName": None}, {"userName": {"a": 1}}])
def test_p35_a_malformed_row_is_rejected_by_id(changes: dict[str, Any]) -> None:
    """One bad row is named; its neighbour is read."""
    page = READER.page([row(**changes), row(id="2")])
    assert [resource.id for resource in page.resources] == ["2"]
    assert [rejected.key for rejected in page.rejected] == [ADA]


def test_p07_a_repeated_row_is_one_user() -> None:
    """The later copy counts, for the role too."""
    page = READER.page([row(**{URN: {"editor": True}}), row(**{URN: {"editor": False}})])
    assert (len(page.resources), page.grants) == (1, (Grant(roles.VIEWER, ADA),))
    assert len(page.warnings) == 1


# -- a sync ----------------------------------------------------------------------------------------------------


def test_a_sync_begins_with_the_roles() -> None:
    """The first page needs no request: two roles, their entitlements, and where the users begin."""
    page = next(connected_pages())
    assert [resource.key for resource in page.resources] == [Key("role", "editor"), Key("role", "viewer")]
    assert [entitlement.key for entitlement in page.entitlements] == [roles.EDITOR, roles.VIEWER]
    assert [(cursor.stream, cursor.index) for cursor in page.next] == [("users", 1)]


def connected_pages() -> Iterator[Page]:
    http = HttpClient()
    yield plugin.sync_page(plugin.connector_connect(Settings(token=Secret("t")), http), None)
    assert http.requests == 0
    http.close()


@pytest.mark.parametrize(
    "switches",
    [
        Switches(),
        Switches(page_cap=7),
        Switches(page_cap=1),
        Switches(total="page"),
        Switches(total="text"),
        Switches(total="absent", page_cap=10),
        Switches(cursor_paging="offered"),
        Switches(cursor_paging="only", page_cap=9),
    ],
)
def test_p01_p02_p12_p13_everybody_is_read_with_their_role(switches: Switches) -> None:
    """Whatever the server does with pages, what comes out is the workspace."""
    workspace = Workspace()
    workspace.populate(61)
    with LoopbackServer(ScimApp(workspace, switches=switches)) as server:
        for client in connected(server, page_size=20):
            pages = everything(client)
    truth = {Grant(roles.EDITOR if user.role else roles.VIEWER, Key("user", user.id)) for user in workspace.users()}
    assert {grant for page in pages for grant in page.grants} == truth
    logins = {resource.login for page in pages for resource in page.resources if resource.type == "user"}
    assert logins == {user.login for user in workspace.users()}
    assert not any(page.rejected or page.warnings or page.unknown for page in pages)


def test_p19_a_hidden_role_is_unknown_for_everybody() -> None:
    """Where the listing never shows the role, users are read and nothing is said of their roles."""
    workspace = Workspace()
    workspace.populate(3)
    with LoopbackServer(ScimApp(workspace, switches=Switches(hide_role=True))) as server:
        for client in connected(server):
            _, *pages = everything(client)
    assert {key.id for page in pages for key in page.unknown} == {user.id for user in workspace.users()}
    assert not any(page.grants for page in pages)


def test_a_page_says_where_in_the_listing_it_lies(answers: FixedReply, client: WhimsicalClient) -> None:
    """Total and span pass through to the host."""
    answers.say(200, {"totalResults": "2", "Resources": [row(), row(id=2)]})
    page = plugin.sync_page(client, plugin.sync_page(client, None).next[0])
    assert (page.total, page.span) == (2, Span(1, 2, "1", "2"))


# -- one user --------------------------------------------------------------------------------------------------


def resource(key: Key = ADA) -> Resource:
    return Resource(type=key.type, id=key.id)


def test_a_user_is_read_by_id(answers: FixedReply, client: WhimsicalClient) -> None:
    """The user as they are now, with the role."""
    answers.say(200, row(**{URN: {"editor": False}}))
    page = plugin.sync_resource(client, resource())
    assert page is not None
    assert (page.resources[0].key, page.grants) == (ADA, (Grant(roles.VIEWER, ADA),))


def test_p55_the_same_404_for_everything_is_no_proof(answers: FixedReply, client: WhimsicalClient) -> None:
    """Nobody is gone where nothing is there: not in a web page, not in JSON, not even in SCIM's own words."""
    scim = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404"}
    for body in (scim, {"message": "no Route matched"}, b"", b"<html>not found</html>"):
        answers.say(404, body)
        with pytest.raises(ProtocolError):
            plugin.sync_resource(client, resource())


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("p55_unknown_id_is_an_empty_404", True),
        ("p55_unknown_id_is_a_404_in_json", True),
        ("p54_unknown_id_is_a_410", True),
        ("p55_one_is_an_empty_404", False),
        ("p55_one_is_not_routed", False),
    ],
)
def test_p55_gone_only_where_others_are_read(name: str, gone: bool) -> None:
    """A 404 without SCIM's words is proof where another user can be read by id, and of nothing where none can."""
    workspace = Workspace(seed=1)
    workspace.populate(2)
    over = fault(name)
    with LoopbackServer(Faulty(ScimApp(workspace), [over])) as server:
        for client in connected(server):
            if gone:
                assert plugin.sync_resource(client, resource(Key("user", "nobody"))) is None
            else:
                with pytest.raises(ProtocolError, match="proves nothing"):
                    plugin.sync_resource(client, resource(Key("user", workspace.users()[1].id)))
    assert over.fired


def test_p55_who_is_listed_is_not_gone() -> None:
    """A 404 for an id that the listing shows contradicts it, and proves nothing."""
    workspace = Workspace(seed=1)
    workspace.populate(2)
    over = fault("p55_one_is_not_routed", times=1)
    with LoopbackServer(Faulty(ScimApp(workspace), [over])) as server:
        for client in connected(server):
            with pytest.raises(ProtocolError, match="proves nothing"):
                plugin.sync_resource(client, resource(Key("user", workspace.users()[0].id)))
    assert over.fired


@pytest.mark.parametrize("status", [400, 500])
def test_p54_another_failure_is_no_proof(answers: FixedReply, client: WhimsicalClient, status: int) -> None:
    """One server says 400 for an id it does not know: that proves nothing."""
    answers.say(status, {"detail": "bad id"})
    with pytest.raises(ApplicationError) as caught:
        plugin.sync_resource(client, resource())
    assert not isinstance(caught.value, NotFound)


def test_p35_a_user_that_cannot_be_read_is_not_gone(answers: FixedReply, client: WhimsicalClient) -> None:
    """Malformed is rejected, not absent."""
    answers.say(200, row(active="perhaps"))
    page = plugin.sync_resource(client, resource())
    assert page is not None
    assert [rejected.key for rejected in page.rejected] == [ADA]


def test_an_answer_about_somebody_else_is_an_error(answers: FixedReply, client: WhimsicalClient) -> None:
    """A server that ignores the id must not make one user look like another."""
    answers.say(200, row(id="2"))
    with pytest.raises(ProtocolError):
        plugin.sync_resource(client, resource())


def test_roles_are_always_there(client: WhimsicalClient) -> None:
    """Roles are read without a request; one that Whimsical has not is None."""
    page = plugin.sync_resource(client, resource(Key("role", "viewer")))
    assert page is not None
    assert [found.name for found in page.resources] == ["Viewer"]
    assert plugin.sync_resource(client, resource(Key("role", "admin"))) is None


def test_p29_an_account_is_found_by_login_in_any_case() -> None:
    """People type their address as they like; Whimsical is asked in lower case (W15)."""
    workspace = Workspace()
    workspace.populate(3)
    user = workspace.users()[1]
    targets: list[str] = []
    observe = lambda method, target, headers, body: targets.append(target)  # noqa: E731
    with LoopbackServer(ScimApp(workspace), on_request=observe) as server:
        for client in connected(server):
            found = plugin.find_account(client, f" {user.login.upper()} ")
            nobody = plugin.find_account(client, "nobody@example.com")
    assert [resource.id for resource in found.resources] == [user.id]
    assert len(found.grants) == 1
    assert nobody == Page()
    assert user.login.replace("@", "%40") in targets[0]
