"""Faults of look-ups: filters, and one user by id (P29, P67 to P69)."""

from __future__ import annotations

from functools import partial
from itertools import count as numbers
from typing import Any

from attrs import evolve

from connector_core.testing.faults.catalogue import Act, altered, always, listed, remembering
from connector_core.testing.faults.exchange import NOBODY, Answer, Exchange, Proceed, refused, reply
from connector_core.testing.faults.listing import everything, users

_ONE = frozenset({"one"})
_FILTER = frozenset({"filter"})


def _login(exchange: Exchange) -> str:
    """The login that is looked up or created, in one case."""
    document = exchange.document
    text = str(document.get("userName")) if isinstance(document, dict) else exchange.params.get("filter", "")
    return text.partition('"')[2].rpartition('"')[0].casefold() if '"' in text else text.casefold()


for _status in (400, 403, 404, 501):
    always(
        f"p67_filter_refused_{_status}", f"Filters are refused with a {_status}.",
        partial(refused, _status, "filtering is not supported", "invalidFilter"), _FILTER,
    )  # fmt: skip
always("p67_filter_fails", "Filters are answered 500.", lambda: refused(500, "filter"), _FILTER)
always("p51_filter_finds_nobody", "A filter finds no user.", lambda: reply(200, NOBODY), _FILTER)


@listed(_FILTER)
def p67_filter_ignored(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A filter is ignored: a page of all users is found."""
    return proceed(exchange.asking(filter=None))


@listed(_FILTER)
def p68_quotes_refused(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A filter with its value in quotes is a bad request."""
    return refused(400, "unexpected character", "invalidFilter") if '"' in exchange.params["filter"] else None


@listed(_FILTER)
def p69_filter_is_a_prefix(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """``eq`` finds all users whose login begins with the value."""
    plain = proceed(exchange)
    whole = users(everything(exchange.asking(filter=None), proceed))
    found = [row for row in whole if str(row.get("userName", "")).casefold()[:1] == _login(exchange)[:1]]
    return plain.saying({**NOBODY, "totalResults": len(found), "Resources": found}) if plain.rows is not None else None


@listed(_FILTER)
def p29_filter_minds_the_case(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A filter finds only who is spelled as asked."""
    asked = exchange.params["filter"].partition('"')[2].rpartition('"')[0]

    def same(row: Any) -> bool:
        return bool(row.get("userName") == asked)

    return altered(exchange, proceed, lambda d: _only(d, [row for row in users(d.get("Resources")) if same(row)]))


def _only(document: dict[str, Any], rows: list[Any]) -> dict[str, Any]:
    return {**document, "Resources": rows, "totalResults": len(rows)}


@remembering(_FILTER)
def filter_finds_somebody_else() -> Act:
    """A filter finds one user, and the wrong one."""
    turn = numbers()

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        whole = users(everything(exchange.asking(filter=None), proceed))
        others = [row for row in whole if str(row.get("userName", "")).casefold() != _login(exchange)]
        return reply(200, _only(NOBODY, [others[next(turn) % len(others)]])) if others else None

    return act


@listed(_ONE)
def somebody_else_by_id(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """An id is answered with another user."""
    collection = exchange.path.rpartition("/")[0]
    listing = evolve(exchange, path=collection)
    others = [row for row in users(everything(listing, proceed)) if str(row.get("id")) != exchange.id]
    return reply(200, others[0]) if others else None
