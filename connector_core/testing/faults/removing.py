"""Faults of removal, and of users that do not exist (P54 to P58)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from connector_core.testing.faults.catalogue import always, listed, put
from connector_core.testing.faults.exchange import Answer, Exchange, Proceed, page, refused, reply

_BY_ID = frozenset({"one", "patch", "put", "delete"})
_DELETE = frozenset({"delete"})


def _unknown(name: str, summary: str, kinds: frozenset[str], answer: Callable[[], Answer], **more: Any) -> None:
    """A fault in replies about a user that does not exist."""

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        return answer() if proceed(exchange).status == 404 else None

    put(name, summary, lambda: act, kinds, **more)


_unknown("p54_unknown_id_is_a_400", "An unknown id is a bad request.", _BY_ID, lambda: refused(400, "bad id"))
_unknown("p54_unknown_id_is_a_500", "An unknown id is a 500.", _BY_ID, lambda: refused(500, "null pointer"))
_unknown("p54_unknown_id_is_a_410", "An unknown id is a 410.", _BY_ID, lambda: refused(410, "gone"))
_unknown("p55_unknown_id_is_html", "An unknown id is a web page.", _BY_ID, lambda: page("404 Not Found", 404))
_unknown("p55_unknown_id_is_an_empty_404", "An unknown id is an empty 404.", _BY_ID, lambda: reply(404))
_unknown(
    "p55_unknown_id_is_a_404_in_json", "An unknown id is a 404 in JSON that is not SCIM's.", _BY_ID,
    lambda: reply(404, {"error": "not found"}, Content_Type="application/json"),
)  # fmt: skip


@listed(_DELETE)
def p54_deleted_with_200(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A removal is answered 200, with a body."""
    return reply(200, {"message": "ok"}) if proceed(exchange).status == 204 else None


@listed(_DELETE)
def p54_deleted_with_202(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A removal is answered 202."""
    return reply(202) if proceed(exchange).status == 204 else None


@listed(_DELETE)
def p54_deletion_passed_over(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A removal is answered 204 and not made."""
    return reply(204)


for _kind in sorted(_BY_ID - {"put"}):
    always(
        f"p55_{_kind}_is_not_routed", f"A gateway's 404 in JSON to each {_kind}, also of users that exist.",
        lambda: reply(404, {"message": "no Route matched with those values"}, Content_Type="application/json"),
        frozenset({_kind}),
    )  # fmt: skip
    always(
        f"p55_{_kind}_is_an_empty_404", f"An empty 404 to each {_kind}, also of users that exist.",
        lambda: reply(404), frozenset({_kind}),
    )  # fmt: skip


always(
    "p55_delete_is_html", "A web page with a 404 to each removal, also of users that exist.",
    lambda: page("404 Not Found", 404), _DELETE,
)  # fmt: skip


@listed(_DELETE)
def p56_deleted_softly(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A removal makes the user inactive, and listed still."""
    operation = {"op": "replace", "path": "active", "value": False}
    schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]
    answer = proceed(exchange.sending({"schemas": schemas, "Operations": [operation]}, method="PATCH"))
    return reply(204) if answer.status < 300 else answer


for _status in (403, 409, 500):
    always(
        f"p57_deletion_blocked_{_status}", f"A removal is refused with a {_status}: this is the owner.",
        partial(refused, _status, "the owner cannot be deleted"), _DELETE,
    )  # fmt: skip


@listed(_DELETE, provoked=True)
def p58_delete_is_picky(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A removal with a body, a content type, or one media type alone is a bad request."""
    plain = (
        not exchange.body and not exchange.header("Content-Type") and "application/json" in exchange.header("Accept")
    )
    return None if plain else refused(400, "bad request")
