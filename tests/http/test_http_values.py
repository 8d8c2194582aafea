"""The parts of the HTTP room that need no network: waits, remedies, masks, proxies' exceptions, JSON."""

from __future__ import annotations

import base64
import html
import json
import time
import traceback
from collections.abc import Callable, Iterator
from email.utils import formatdate
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from connector_core.clock import rfc3339
from connector_core.errors import (
    ApplicationError,
    Conflict,
    CredentialsRefused,
    NotFound,
    OperationRefused,
    ProtocolError,
    RateLimited,
)
from connector_core.http import Remedy, Response, parse_retry_after, remedy
from connector_core.http.address import proxy_for
from connector_core.http.masking import Mask

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z, a Friday

# -- how long to wait ------------------------------------------------------------------------------------------

WAITS = {
    "120": 120,
    " 7 ": 7,
    "0.5": 0.5,
    "0": 0,
    "-5": 0,
    "1800000060": 60,
    "1800000060000": 60,
    "1700000000": 0,
    "1700000000000": 0,
    "Fri, 15 Jan 2027 08:01:00 GMT": 60,
    "Friday, 15-Jan-27 08:01:00 GMT": 60,
    "Fri Jan 15 08:01:00 2027": 60,
    "2027-01-15T08:01:00Z": 60,
    "2027-01-15T09:01:00.5+01:00": 60.5,
    "2027-01-15T08:01:00": 60,
    "Fri, 15 Jan 2027 07:59:00 GMT": 0,
}


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Pacific/Auckland")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
@pytest.mark.parametrize("value", WAITS)
def test_p61_waits_are_understood(value: str) -> None:
    """Every way in which servers name a wait is read, on a machine in any zone; the past is 0."""
    assert parse_retry_after(value, NOW) == pytest.approx(WAITS[value])


@pytest.mark.parametrize(
    "value", [None, "", " ", "soon", "NaN", "inf", "-inf", "1e999", "9" * 400, "Fri, 99 Jan 2027 08:01:00 GMT", "12:30"]
)
def test_p62_garbage_is_no_wait(value: str | None) -> None:
    """What cannot be understood is None, and raises nothing."""
    assert parse_retry_after(value, NOW) is None


@given(st.text() | st.text("-+0123456789TZ:., naif"), st.floats(0, 1e11))
def test_p62_no_value_raises(value: str, now: float) -> None:
    """Whatever a server writes, the answer is None or a finite number of seconds, zero or more."""
    wait = parse_retry_after(value, now)
    assert wait is None or 0 <= wait < float("inf")


@given(st.integers(0, 10**6))
def test_p61_all_ways_of_writing_agree(seconds: int) -> None:
    """The same moment means the same wait, however it is written."""
    moment = NOW + seconds
    ways = (str(seconds), str(moment), str(int(moment * 1000)), formatdate(moment, usegmt=True), rfc3339(moment))
    assert {parse_retry_after(way, NOW) for way in ways} == {seconds}


# -- what a status means ---------------------------------------------------------------------------------------

STATUSES = [
    (400, "GET", ApplicationError),
    (400, "POST", OperationRefused),
    (401, "GET", CredentialsRefused),
    (401, "PATCH", CredentialsRefused),
    (402, "POST", OperationRefused),
    (403, "get", CredentialsRefused),
    (403, "POST", OperationRefused),
    (404, "GET", ProtocolError),
    (404, "DELETE", ProtocolError),
    (405, "PUT", ApplicationError),
    (409, "POST", Conflict),
    (410, "GET", ProtocolError),
    (412, "PATCH", Conflict),
    (418, "HEAD", ApplicationError),
    (422, "PUT", OperationRefused),
    (429, "POST", RateLimited),
    (500, "POST", ApplicationError),
    (501, "GET", ApplicationError),
    (599, "GET", ApplicationError),
    (299, "GET", ProtocolError),
    (777, "GET", ProtocolError),
]


@pytest.mark.parametrize(("status", "method", "error"), STATUSES)
def test_p52_a_status_has_one_remedy(status: int, method: str, error: type[Exception]) -> None:
    """The table names the error class, and tells a refused token from a refused operation."""
    assert remedy(status, method) is error


def test_a_plugin_adds_rows() -> None:
    """Rows that are passed come before those of the table, and leave the others as they are."""
    rows = [Remedy(404, 404, NotFound, "reads"), Remedy(420, 420, RateLimited)]
    answers = [remedy(status, method, rows) for status, method in ((404, "GET"), (404, "PUT"), (420, "PUT"))]
    assert answers == [NotFound, ProtocolError, RateLimited]


# -- masks -----------------------------------------------------------------------------------------------------


def test_p74_a_secret_is_hidden_in_every_shape() -> None:
    """As it is, percent-encoded both ways, and in Base64."""
    mask = Mask(["a b/c+d=é"])
    assert (
        mask("x a b/c+d=é, a%20b%2Fc%2Bd%3D%C3%A9, a+b%2Fc%2Bd%3D%C3%A9, YSBiL2MrZD3DqQ==") == "x ***, ***, ***, ***=="
    )


SHAPED = 'Ab/c+d"e&f=<é>0123456789'


@pytest.mark.parametrize("case", [str, str.lower, str.upper])
@pytest.mark.parametrize(
    "shape",
    [
        lambda s: s,
        lambda s: quote(s, safe=""),
        lambda s: quote(s, safe="").lower(),
        lambda s: quote(quote(s, safe=""), safe=""),
        html.escape,
        lambda s: json.dumps(s)[1:-1],
        lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
        lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    ],
)
def test_p74_a_secret_is_hidden_however_it_is_quoted(shape: Callable[[str], str], case: Callable[[str], str]) -> None:
    """For JSON, HTML and addresses, once or twice; a host name in an address is put into lower case besides."""
    assert Mask([SHAPED])(f"<{case(shape(SHAPED))}>") == "<***>"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "x", "xy", '{"token":"'])
def test_p74_a_secret_within_base64_is_hidden(encode: Callable[[bytes], bytes], before: str) -> None:
    """Wherever in the encoded text it begins: what is left of it decodes to no more than its ends."""
    encoded = encode(f"{before}{SHAPED}and more".encode()).decode()
    shown = Mask([SHAPED])(encoded)
    assert "***" in shown
    left = shown.replace("*", "").encode()
    assert SHAPED[3:-3] not in base64.urlsafe_b64decode(left + b"=" * (-len(left) % 4)).decode("latin-1")


@pytest.mark.parametrize("length", range(8, len(SHAPED)))
def test_p74_a_secret_that_somebody_cut_is_hidden(length: int) -> None:
    """A text that was cut to so many characters may end in the middle of one."""
    assert Mask([SHAPED])(f"the plugin said {SHAPED[:length]}") == "the plugin said ***"


def test_p74_a_secret_inside_another_is_hidden_whole() -> None:
    """The longer secret goes first."""
    assert Mask(["token", "token-and-more"])("token-and-more token") == "*** ***"


def test_no_secret_hides_nothing() -> None:
    """Empty and tiny secrets do not turn every text into asterisks."""
    assert Mask(["", " ", "a"])("a word") == "a word"


@given(st.text(min_size=4).filter(lambda text: len(text.strip()) >= 4), st.text(), st.text())
def test_p74_no_secret_survives(secret: str, before: str, after: str) -> None:
    """Wherever a secret stands, it is gone, unless it is made of asterisks."""
    hidden = Mask([secret])(before + secret.strip() + after)
    assert secret.strip() not in hidden or "*" in secret


# -- past the proxy --------------------------------------------------------------------------------------------

DIRECT = [
    ("https://api.example.com/", "api.example.com"),
    ("https://API.example.com/", "x.example.org, Example.COM"),
    ("https://api.example.com/", ".example.com"),
    ("https://api.example.com/", "*"),
    ("https://api.example.com:8443/", "example.com:8443"),
    ("https://10.1.2.3/", "10.0.0.0/8"),
    ("https://[2001:db8::1]/", "2001:db8::/32"),
    ("https://[2001:db8::1]/", "2001:db8::1"),
    ("https://127.0.0.1/", ""),
    ("https://[::1]/", ""),
    ("http://localhost/", ""),
]
PROXIED = [
    ("https://app.localhost/", ""),
    ("https://api.example.com/", ""),
    ("https://api.example.com/", "ample.com"),
    ("https://api.example.com/", "www.api.example.com"),
    ("https://api.example.com/", "example.com:8443"),
    ("https://api.example.com/", "10.0.0.0/8,nonsense/99"),
    ("https://11.1.2.3/", "10.0.0.0/8"),
]


@pytest.mark.parametrize(("url", "no_proxy"), DIRECT)
def test_exceptions_go_past_the_proxy(url: str, no_proxy: str) -> None:
    """NO_PROXY takes names, domains, ports and networks; this machine needs no exception."""
    assert proxy_for(parse_url(url), {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": no_proxy}) is None


@pytest.mark.parametrize(("url", "no_proxy"), PROXIED)
def test_all_else_goes_through_the_proxy(url: str, no_proxy: str) -> None:
    """What no exception names goes through the proxy."""
    assert proxy_for(parse_url(url), {"HTTPS_PROXY": "proxy:3128", "no_proxy": no_proxy}) == "http://proxy:3128"


# -- JSON ------------------------------------------------------------------------------------------------------


def _response(body: bytes, **headers: str) -> Response:
    return Response(status=200, headers=headers, body=body, url="https://api.example.com/Users?x=1", method="GET")


@pytest.mark.parametrize(
    ("body", "value"),
    [(b'\xef\xbb\xbf{"a": 1}', {"a": 1}), ('["é"]'.encode(), ["é"]), (b"1.5", 1.5), (b" null\n", None)],
)
def test_p37_json_is_read_with_and_without_a_byte_order_mark(body: bytes, value: object) -> None:
    """JSON is read by content, whatever the content type says (P65)."""
    assert _response(body, Content_Type="text/html").json() == value


HOSTILE = {
    "empty": b"",
    "html": b"<html>",
    "latin-1": "é".encode("latin-1"),
    "NaN": b'{"a": NaN}',
    "infinity": b"[-Infinity]",
    "out of range": b"1e999",
    "giant number": b"1" * 5000,
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "two documents": b"{}{}",
    "cut short": b'{"a": [1, 2',
}


@pytest.mark.parametrize("case", HOSTILE)
def test_p77_what_is_not_plain_json_is_an_error(case: str) -> None:
    """Nonsense, NaN, giant numbers and endless nesting are one kind of error, whose text holds none of the body."""
    with pytest.raises(ProtocolError, match="GET /Users answered 200 with something that is not JSON") as caught:
        _response(HOSTILE[case]).json()
    shown = "".join(traceback.format_exception(caught.value))
    assert len(shown) < 3000
    assert caught.value.__context__ is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_json_comes_back_as_it_was_written(value: object) -> None:
    """What another JSON library writes is read back equal."""
    assert _response(json.dumps(value).encode()).json() == value


def test_p74_no_header_is_cut_where_it_could_hold_half_a_secret() -> None:
    """A mask knows whole secrets: a content type that is too long to be shown is not shown at all."""
    token = "s3cr3t-" * 10
    for before in range(0, 90, 10):
        with pytest.raises(ProtocolError) as caught:
            _response(b"<html>", **{"Content-Type": "x" * before + token}).json()
        assert "s3cr3t" not in Mask([token])(str(caught.value))


def test_p74_a_response_shows_neither_query_nor_headers_nor_body() -> None:
    """`repr` is safe to log."""
    assert repr(_response(b"secret", Key="secret")) == "<Response 200 to GET /Users, 6 bytes>"
