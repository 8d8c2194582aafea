"""Requests and replies: addresses, tokens, headers, errors by their remedy, PATCH shapes, and finding by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from connector_core.errors import (
    AmbiguousName,
    ApplicationError,
    ConfigurationError,
    Conflict,
    ConnectorCoreError,
    CredentialsRefused,
    NotFound,
    OperationRefused,
    ProtocolError,
    RateLimited,
    StreamExpired,
    UnknownName,
)
from connector_core.http import HttpClient
from connector_core.http.loopback import LoopbackServer
from connector_core.model import Secret
from connector_core.scim import ScimClient, bearer, clean_token, find, patch, urls
from connector_core.scim.filters import equals
from connector_core.scim.status import Vague
from connector_core.testing.clock import FakeClock

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
TOKEN = "s3cr3t-t0ken"


class Scripted:
    """Answers with the scripted replies in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, bytes, dict[str, str]]] = []
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def will(self, status: int, body: Any = b"", **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.replies.append((status, content, headers))

    def observe(self, method: str, target: str, headers: Any, body: bytes) -> None:
        self.seen.append((method, target, dict(headers), body))

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        status, body, headers = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        start_response(f"{status} -", list(headers.items()))
        return [body]


@pytest.fixture
def server() -> Scripted:
    return Scripted()


@pytest.fixture
def client(server: Scripted) -> Iterator[ScimClient]:
    http = HttpClient(clock=FakeClock())
    with LoopbackServer(server, on_request=server.observe) as running:
        yield ScimClient(http, f"{running.url}/scim-v2/", bearer(Secret(TOKEN)), hints={401: "our own words"})
    http.close()


def error(**fields: Any) -> dict[str, Any]:
    return {"schemas": [ERROR], **fields}


# -- addresses and tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pasted", "base"),
    [
        ("https://api.example.com/scim-v2", "https://api.example.com/scim-v2"),
        (" https://api.example.com/scim-v2//\n", "https://api.example.com/scim-v2"),
        ("https://example.com/public-api/scim-v2/?aadOptscim062020", "https://example.com/public-api/scim-v2"),
        ("HTTPS://example.com:8443/a/b/#top", "https://example.com:8443/a/b"),
        ("https://example.com", "https://example.com"),
        ("http://127.0.0.1:8080/scim/", "http://127.0.0.1:8080/scim"),
        ("http://localhost:1/", "http://localhost:1"),
        ("http://[::1]:9/x", "http://[::1]:9/x"),
    ],
)
def test_p73_a_base_has_one_form(pasted: str, base: str) -> None:
    """Query, fragment and slashes at the end go; the path stays."""
    assert urls.base(pasted) == base


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "api.example.com/scim",
        "http://example.com",
        "ftp://example.com",
        "https://",
        "https://a:b/",
        "https://a b/",
        "https://me:pw@example.com",
    ],
)
def test_p73_an_impossible_base_is_refused(pasted: str) -> None:
    """No scheme, no host, a user name in it, or plain http to another machine (P74)."""
    with pytest.raises(ConfigurationError):
        urls.base(pasted)


def test_p27_ids_are_quoted_whole() -> None:
    """A slash, a plus or a percent sign in an id stays in the id."""
    assert urls.endpoint("https://a", "Users", "x/y+z@1%2F?") == "https://a/Users/x%2Fy%2Bz%401%252F%3F"


@pytest.mark.parametrize("pasted", ["abc", " abc\n", "Bearer abc", "bearer  abc ", "\tBEARER abc\r\n"])
def test_p78_a_token_is_cleaned(pasted: str) -> None:
    """White space and the word Bearer, pasted along, go."""
    assert clean_token(Secret(pasted)) == Secret("abc")


@pytest.mark.parametrize("pasted", ["", "  ", "Bearer ", "a\nb", "a b", "a\x00b", "tökén"])
def test_p78_an_impossible_token_is_refused(pasted: str) -> None:
    """What no header can carry is refused without showing it."""
    with pytest.raises(ConfigurationError) as caught:
        clean_token(Secret(pasted))
    assert not pasted.strip() or pasted not in str(caught.value)


def test_p66_headers(server: Scripted, client: ScimClient) -> None:
    """Bodies are scim+json, replies may be plain JSON, and the token travels as a bearer."""
    server.will(201, {"id": "1"})
    client.create("Users", {"userName": "é"})
    method, target, headers, body = server.seen[0]
    assert (method, target, json.loads(body)) == ("POST", "/scim-v2/Users", {"userName": "é"})
    assert headers["Content-Type"] == "application/scim+json"
    assert headers["Accept"] == "application/scim+json, application/json;q=0.9"
    assert headers["Authorization"] == f"Bearer {TOKEN}"


def test_p58_a_delete_has_no_body(server: Scripted, client: ScimClient) -> None:
    """DELETE goes without body and without a content type."""
    server.will(204)
    client.delete("Users", "a/b")
    method, target, headers, body = server.seen[0]
    assert (method, target, body) == ("DELETE", "/scim-v2/Users/a%2Fb", b"")
    assert "Content-Type" not in headers


# -- replies that are no success -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "raised"),
    [
        (400, {}, OperationRefused),
        (401, b"<html>", CredentialsRefused),
        (403, {}, CredentialsRefused),
        (404, error(status="404"), NotFound),
        (404, {"message": "no such user"}, Vague),
        (404, b"<html>not here</html>", ProtocolError),
        (404, b"", Vague),
        (404, [], ProtocolError),
        (404, b'"gone"', ProtocolError),
        (410, error(), NotFound),
        (410, b"", Vague),
        (409, b"", Conflict),
        (429, b"", RateLimited),
        (400, error(scimType="uniqueness"), Conflict),
        (400, error(scimType="expiredCursor"), StreamExpired),
        (404, error(scimType="invalidCursor"), StreamExpired),
        (501, b"", OperationRefused),
        (500, b"<html>", ApplicationError),
        (503, error(status="404"), ApplicationError),
        (200, error(status="404"), NotFound),
        (200, error(status=403), CredentialsRefused),
        (200, error(), ProtocolError),
        (200, error(status="many"), ProtocolError),
        (200, {"error": error(status="409")}, Conflict),
        (200, {"schemas": ERROR, "status": "404"}, NotFound),
        (200, b"", ProtocolError),
        (200, b"<html>", ProtocolError),
        (200, [], ProtocolError),
    ],
)
def test_p37_p55_p63_p64_a_reply_becomes_its_remedy(
    server: Scripted, client: ScimClient, status: int, body: Any, raised: type[ConnectorCoreError]
) -> None:
    """The status decides; only SCIM's words say "no such thing"; an Error document counts under a 200, too."""
    server.will(status, body)
    with pytest.raises(ConnectorCoreError) as caught:
        client.get("Users", "7")
    assert type(caught.value) is raised


@pytest.mark.parametrize("status", [402, 403])
def test_p52_p57_a_refused_write_is_not_about_the_token(server: Scripted, client: ScimClient, status: int) -> None:
    """A full plan or an owner that cannot go is the application's decision."""
    server.will(status, error(detail="no seats left"))
    with pytest.raises(OperationRefused, match="no seats left"):
        client.create("Users", {})
    with pytest.raises(OperationRefused):
        client.delete("Users", "1")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (error(detail="one", message="two"), "one"),
        ({"message": "two"}, "two"),
        ({"error": "three"}, "three"),
        ({"Error": error(detail="four")}, "four"),
        (b"<b>five</b>", "<b>five</b>"),
        ({"detail": "six \x1b[31mred\r\n\u202eseven"}, "six [31mred seven"),
        ({"detail": f"it was {TOKEN}!"}, "it was ***!"),
        ({"detail": "", "message": "two"}, "two"),
        ({"detail": "x" * 200}, "x" * 200),
        ({"detail": "x" * 500}, "x" * 199 + "…"),
        ({"detail": "x" * 195 + TOKEN}, "x" * 195 + "***"),
        (b"", None),
    ],
)
def test_p63_p74_messages_are_short_printable_and_masked(
    server: Scripted, client: ScimClient, body: Any, detail: str | None
) -> None:
    """The server's own words, cut at 200 characters, without control characters and without the token."""
    server.will(400, body)
    with pytest.raises(OperationRefused) as caught:
        client.get("Users", "7")
    where = "GET /scim-v2/Users/7 answered 400"
    assert str(caught.value) == (where if detail is None else f"{where}: {detail}")


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_p27_an_id_of_dots_is_nobodys(server: Scripted, client: ScimClient, id: str) -> None:
    """An address would make the listing or the whole API of it: nothing is asked, and nothing deleted."""
    server.will(204)
    for call in (client.get, client.delete, lambda name, which: client.patch(name, which, {})):
        with pytest.raises(UnknownName):
            call("Users", id)
    assert server.seen == []


@pytest.mark.parametrize("before", [b" " * 1_990, b"\n" * 1_995, b"x" * 190, b"\xc3\xa9" * 995])
def test_p74_no_body_is_cut_where_it_could_leave_half_the_token(
    server: Scripted, client: ScimClient, before: bytes
) -> None:
    """The token goes first, then the white space, then what is too long."""
    server.will(400, before + TOKEN.encode() + b" and more")
    with pytest.raises(OperationRefused) as caught:
        client.get("Users", "7")
    assert TOKEN[:4] not in str(caught.value)


@pytest.mark.parametrize("status", ["-1", 10**30, "9" * 400, 1e300, 99, 600, "٤٠٤٠"])
def test_p64_a_status_that_cannot_be_is_none(server: Scripted, client: ScimClient, status: Any) -> None:
    """What an Error document says of itself is only believed where it is a status of HTTP."""
    server.will(200, {"schemas": [ERROR], "status": status, "detail": "no"})
    with pytest.raises(ApplicationError, match=r"answered 200: no$"):
        client.get("Users", "7")


def test_hints_are_the_connectors_own_where_it_has_some(server: Scripted, client: ScimClient) -> None:
    """A connector knows better than SCIM in general what a 401 means."""
    server.will(401)
    server.will(404)
    with pytest.raises(CredentialsRefused) as refused:
        client.get("Users", "7")
    with pytest.raises(NotFound) as lost:
        client.get("Users", "7")
    assert (refused.value.hint, lost.value.hint) == ("our own words", "the address of the SCIM API may be wrong")


# -- replies to writes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "body"), [(204, b""), (200, b""), (202, b""), (200, b"OK"), (200, {}), (200, [])])
def test_p38_a_patch_may_be_answered_with_nothing(server: Scripted, client: ScimClient, status: int, body: Any) -> None:
    """Success without a document says nothing of the resource; the caller has to read."""
    server.will(status, body)
    assert client.patch("Users", "1", {}) is None


def test_p37_an_error_under_a_200_fails_a_write(server: Scripted, client: ScimClient) -> None:
    """An Error document is an error even where the status says success."""
    server.will(200, error(status="400", detail="no"))
    with pytest.raises(OperationRefused):
        client.patch("Users", "1", {})


@pytest.mark.parametrize(
    ("body", "location", "made"),
    [
        ({"id": "1", "a": 2}, "/Users/9", {"id": "1", "a": 2}),
        ({"ID": 1}, "/Users/9", {"ID": 1}),
        ({"a": 2}, "https://elsewhere.example.com/x/Users/a%2Fb", {"a": 2, "id": "a/b"}),
        (b"", "/Users/9", {"id": "9"}),
        (b"", "", None),
        (b"", "/Users/..", None),
    ],
)
def test_p50_the_id_of_what_was_created(
    server: Scripted, client: ScimClient, body: Any, location: str, made: dict[str, Any] | None
) -> None:
    """From the body, else from the end of Location, which is never followed (P34)."""
    server.will(201, body, Location=location)
    assert client.create("Users", {}) == made
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("style", "operation"),
    [
        ("path", {"op": "replace", "path": "urn:x:2.0:User:editor", "value": True}),
        ("nested", {"op": "replace", "value": {"urn:x:2.0:User": {"editor": True}}}),
        ("flat", {"op": "replace", "value": {"urn:x:2.0:User:editor": True}}),
    ],
)
def test_p20_three_shapes_of_a_patch(style: patch.PatchStyle, operation: dict[str, Any]) -> None:
    """One operation, lower case (P23), a colon before the attribute (P21), a real boolean (P24)."""
    document = patch.replace(style, "editor", True, urn="urn:x:2.0:User")
    assert document == {"schemas": [patch.PATCH_OP], "Operations": [operation]}


@pytest.mark.parametrize("style", ["nested", "flat"])
def test_p20_core_attributes_are_not_nested(style: patch.PatchStyle) -> None:
    """``active`` stands by itself."""
    assert patch.replace(style, "active", False)["Operations"] == [{"op": "replace", "value": {"active": False}}]
    assert patch.replace("path", "active", False)["Operations"][0]["path"] == "active"


# -- finding ---------------------------------------------------------------------------------------------------


def users(*logins: str) -> dict[str, Any]:
    rows = [{"id": str(n), "userName": login} for n, login in enumerate(logins, 1)]
    return {"totalResults": len(rows), "Resources": rows}


def found(client: ScimClient, login: str) -> str | None:
    row = find(client, "Users", "userName", login, count=100)
    return None if row is None else row["id"]


def test_p68_a_filter_is_quoted_twice(server: Scripted, client: ScimClient) -> None:
    """The value is a JSON string, then percent-encoded: no plus stays a plus."""
    server.will(200, users())
    found(client, 'a+b"\\@x')
    assert server.seen[0][1] == "/scim-v2/Users?filter=userName%20eq%20%22a%2Bb%5C%22%5C%5C%40x%22"
    assert equals("userName", "é") == 'userName eq "é"'


def test_p29_a_login_is_found_in_any_case(server: Scripted, client: ScimClient) -> None:
    """What comes back is compared without regard to case."""
    server.will(200, users("Ada@Example.com "))
    assert found(client, "ada@example.com") == "1"


def test_a_login_nobody_has_is_not_found(server: Scripted, client: ScimClient) -> None:
    """A filter that ignores case, as one try shows, is believed when it finds nothing: from then on one request."""
    for listed in ([], ["bob"], ["bob"], []):
        server.will(200, users(*listed))
    assert found(client, "ada") is None
    assert found(client, "eve") is None
    asked = [unquote(target).partition("?")[2] for _, target, _, _ in server.seen]
    assert asked == [
        'filter=userName eq "ada"', "startIndex=1&count=1", 'filter=userName eq "BOB"', 'filter=userName eq "eve"'
    ]  # fmt: skip


def test_p69_a_filter_that_takes_prefixes(server: Scripted, client: ScimClient) -> None:
    """Of the rows that come back only the equal one counts."""
    server.will(200, users("adam", "ada", "ada2"))
    assert found(client, "ada") == "2"


def test_p69_two_that_fit_are_one_too_many(server: Scripted, client: ScimClient) -> None:
    """Several accounts of one login are an error, never a guess."""
    server.will(200, users("Ada", "ada"))
    with pytest.raises(AmbiguousName):
        found(client, "ada")


def test_p07_the_same_account_twice_is_one(server: Scripted, client: ScimClient) -> None:
    """Copies of one row are no ambiguity."""
    row = {"id": 1, "userName": "ada"}
    server.will(200, {"totalResults": 2, "Resources": [row, dict(row)]})
    assert found(client, "ada") == 1  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("refusal", [(400, error(scimType="invalidFilter")), (403, b""), (404, error()), (501, b"")])
def test_p67_a_refused_filter_means_a_walk(server: Scripted, client: ScimClient, refusal: tuple[int, Any]) -> None:
    """Where a server cannot filter, the listing is read to its end."""
    server.will(*refusal)
    server.will(200, {"totalResults": 3, "Resources": [{"id": "1", "userName": "eve"}, {"id": "2", "userName": "bob"}]})
    server.will(200, {"totalResults": 3, "Resources": [{"id": "2", "userName": "bob"}, {"id": "3", "userName": "ada"}]})
    assert found(client, "ada") == "3"
    assert [target.partition("?")[2] for _, target, _, _ in server.seen[1:]] == [
        "startIndex=1&count=100",
        "startIndex=2&count=100",
    ]


def test_p67_a_refused_filter_is_remembered(server: Scripted, client: ScimClient) -> None:
    """A client that was refused a filter once walks at once the next time; one on another attribute is still tried."""
    server.will(501)
    server.will(200, users("ada"))
    for _ in range(3):
        assert found(client, "ada") is not None
    find(client, "Users", "externalId", "7", count=100)
    filters = [target for _, target, _, _ in server.seen if "filter=" in target]
    assert len(filters) == 2 and "externalId" in filters[1]


def test_p67_an_ignored_filter_means_a_walk(server: Scripted, client: ScimClient) -> None:
    """Rows that do not fit show that the filter was not looked at: absence is then proven by a walk only."""
    server.will(200, users("eve", "bob"))
    assert found(client, "ada") is None
    assert [target.partition("?")[2] for _, target, _, _ in server.seen[1:]] == [
        "startIndex=1&count=100",
        "startIndex=2&count=100",
    ]


def test_p72_a_refused_token_is_refused(server: Scripted, client: ScimClient) -> None:
    """A 401 is no matter of filters."""
    server.will(401)
    with pytest.raises(CredentialsRefused):
        found(client, "ada")


def test_p06_a_filter_that_counts_but_does_not_show(server: Scripted, client: ScimClient) -> None:
    """Somebody who is counted exists; "not found" would be wrong."""
    server.will(200, {"totalResults": 1})
    with pytest.raises(ProtocolError):
        found(client, "ada")
