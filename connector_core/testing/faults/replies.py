"""Faults of any reply: statuses, errors and headers that are not what they should be (P37, P47, P61 to P74)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial

from attrs import evolve

from connector_core.clock import rfc3339
from connector_core.testing.faults.catalogue import ALL, READS, WRITES, Act, altered, listed, put, remembering
from connector_core.testing.faults.exchange import MEDIA_TYPE, Answer, Exchange, Proceed, page, refused, reply

_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"

# -- successes that are none (P37) ---------------------------------------------------------------------------------


@listed(ALL)
def p37_empty_200(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It is carried out, and the body is empty."""
    answer = proceed(exchange)
    return evolve(answer.holding(b""), status=200) if answer.status < 300 else None


@listed(ALL)
def p37_error_with_200(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Nothing is done, and an Error document comes with a 200."""
    return evolve(refused(500, "internal error"), status=200)


@listed(ALL)
def p37_byte_order_mark(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A byte order mark before the JSON."""
    answer = proceed(exchange)
    return answer.holding(b"\xef\xbb\xbf" + answer.body) if answer.body else None


@listed(READS)
def p37_keys_twice(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The first key of an object comes twice, the first time with nothing in it."""
    answer = proceed(exchange)
    return answer.holding(b'{"Resources": null, "id": null, ' + answer.body[1:]) if answer.body[:1] == b"{" else None


# -- slow down (P61, P62) ------------------------------------------------------------------------------------------

_WAIT = 7.0

_FORMS: dict[str, Callable[[float], dict[str, str]]] = {
    "seconds": lambda now: {"Retry-After": "7"},
    "a_fraction": lambda now: {"Retry-After": "7.5"},
    "a_date": lambda now: {"Retry-After": format_datetime(_moment(now), usegmt=True)},
    "an_old_date": lambda now: {"Retry-After": _moment(now).strftime("%A, %d-%b-%y %H:%M:%S GMT")},
    "rfc3339": lambda now: {"Retry-After": rfc3339(now + _WAIT)},
    "epoch_seconds": lambda now: {"Retry-After": str(int(now + _WAIT))},
    "epoch_milliseconds": lambda now: {"Retry-After": str(int((now + _WAIT) * 1000))},
    "a_reset_header": lambda now: {"X-RateLimit-Reset": str(int(now + _WAIT))},
    "nothing": lambda now: {},
    "a_word": lambda now: {"Retry-After": "soon"},
    "the_past": lambda now: {"Retry-After": "-5"},
    "a_thousand_years": lambda now: {"Retry-After": "31536000000"},
    "infinity": lambda now: {"Retry-After": "inf"},
}


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(now + _WAIT, UTC)


def _throttled(form: Callable[[float], dict[str, str]]) -> Act:
    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        headers = tuple(form(exchange.clock.now()).items())
        return evolve(refused(429, "too many requests"), headers=headers)

    return act


for _form, _headers in _FORMS.items():
    put(
        f"p61_429_with_{_form}", f"Twice 429, with {_form.replace('_', ' ')} for a wait.",
        partial(_throttled, _headers), ALL, times=2,
    )  # fmt: skip


@listed(ALL, times=2)
def p61_429_with_a_wait_in_the_body(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Twice 429, the wait in the body alone."""
    return reply(429, {"message": "slow down", "retry_after": _WAIT})


@listed(ALL)
def p61_429_for_ever(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Always 429, come back in 30 seconds."""
    return refused(429, "too many requests", Retry_After="30")


@remembering(ALL)
def unavailable_for_a_minute() -> Act:
    """503 for a minute of the clock."""
    until: list[float] = []

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        now = exchange.clock.monotonic()
        until[:] = until or [now + 60]
        return refused(503, "being maintained", Retry_After="20") if now < until[0] else None

    return act


@listed(ALL)
def unavailable(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Always 503, without a word of when to come back."""
    return refused(503, "being maintained")


# -- errors in strange words (P63 to P65) --------------------------------------------------------------------------


@listed(ALL)
def p63_500_as_html(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """500 with a web page."""
    return page("Something went wrong", 500)


@listed(ALL, times=2)
def p63_502_twice(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Twice 502, from a proxy."""
    return page("Bad gateway", 502)


@listed(WRITES)
def p63_500_though_done(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A write is carried out, and answered 500."""
    return _though_done(exchange, proceed, page("Something went wrong", 500))


@listed(WRITES)
def p63_400_though_done(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A write is carried out, and answered 400."""
    return _though_done(exchange, proceed, refused(400, "bad request"))


def _though_done(exchange: Exchange, proceed: Proceed, answer: Answer) -> Answer | None:
    return answer if proceed(exchange).status < 300 else None


@listed(ALL)
def p64_error_wrapped(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """400, its Error document one level deep, with a number for its status and a text for its schemas."""
    return reply(400, {"error": {"schemas": _ERROR, "status": 400, "detail": "no such thing today"}})


@listed(ALL)
def p64_status_disagrees(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """400, and the body speaks of a 404."""
    return evolve(refused(404, "not found"), status=400)


@listed(ALL)
def p64_control_characters(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """400, with a detail that would steer a terminal."""
    return refused(400, "\x1b[2J\x1b[31mall well\x07\r\nsync complete \u202egnp.exe" + "x" * 5000)


@listed(ALL)
def p65_json_as_html(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """JSON that says it is a web page."""
    answer = proceed(exchange)
    return answer.holding(answer.body, Content_Type="text/html; charset=utf-8") if answer.body else None


@listed(ALL)
def p65_type_reversed(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """``application/json+scim``."""
    answer = proceed(exchange)
    return answer.holding(answer.body, Content_Type="application/json+scim") if answer.body else None


@listed(ALL)
def p65_type_absent(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """No content type."""
    answer = proceed(exchange)
    kept = tuple((name, value) for name, value in answer.headers if name.lower() != "content-type")
    return evolve(answer, headers=kept)


@listed(WRITES - {"delete"})
def p66_media_type_refused(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """``application/scim+json`` is refused with a 415."""
    return refused(415, "unsupported media type") if MEDIA_TYPE in exchange.header("Content-Type") else None


# -- credentials, or the wrong door (P72 to P74) -------------------------------------------------------------------


@listed(ALL)
def p72_401(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The token is refused."""
    return refused(401, "the token has expired")


@listed(ALL)
def p72_403(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The token is forbidden."""
    return refused(403, "SCIM is not set up")


@listed(ALL)
def p72_404_in_json(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """SCIM is switched off: a gateway says in JSON of its own that there is nothing anywhere."""
    return reply(404, {"message": "no Route matched with those values"}, Content_Type="application/json")


@listed(ALL, times=10**9)
def p72_404_in_scims_words(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """SCIM is switched off, and stays off: it says itself, of everything, that there is no such thing."""
    return refused(404, "resource not found")


@listed(ALL)
def p72_404_as_html(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The address is wrong: a web server says in HTML that there is nothing."""
    return page("404 Not Found", 404)


@listed(ALL)
def p72_404_without_a_word(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """404 with an empty body, anywhere."""
    return reply(404)


@listed(ALL, provoked=True)
def p73_two_slashes(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Two slashes in a row lead nowhere."""
    return refused(404, "no such path") if "//" in exchange.path else None


@listed(ALL)
def p74_token_echoed(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """An error that repeats the token, in its body and its headers."""
    sent = exchange.header("Authorization")
    return refused(400, f"cannot use {sent}", sent, Location=f"https://elsewhere.example.com/?t={sent.split()[-1]}")


# -- discovery (P71) -----------------------------------------------------------------------------------------------


@listed(ALL, provoked=True)
def p71_no_discovery(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """There is no ServiceProviderConfig, nor anything like it."""
    return refused(404, "not found") if exchange.kind == "other" else None


@listed(ALL, provoked=True)
def p71_discovery_lies(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """ServiceProviderConfig says that nothing is supported."""
    off = {"supported": False}
    change = altered(exchange, proceed, lambda d: {**d, "patch": off, "filter": off})
    return change if exchange.kind == "other" else None
