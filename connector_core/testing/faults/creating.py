"""Faults of creation: conflicts, half an answer, and people who do not show yet (P45 to P53)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from attrs import evolve

from connector_core.testing.faults.catalogue import Act, always, listed, put, remembering
from connector_core.testing.faults.exchange import NOBODY, Answer, Exchange, Proceed, refused, reply
from connector_core.testing.faults.listing import everything, users

_CREATE = frozenset({"create"})
_FILTER = frozenset({"filter"})


def _hidden_duplicate(name: str, summary: str, answer: Callable[[Answer], Answer]) -> None:
    """A fault in which a filter finds no user, and a second creation gets a reply of its own."""

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        plain = proceed(exchange)
        if exchange.kind == "filter":
            return plain.saying(NOBODY) if plain.rows else None
        return answer(plain) if plain.status == 409 else None

    put(name, summary, lambda: act, _CREATE | _FILTER)


_hidden_duplicate(
    "p45_conflict_without_words", "Of who exists a filter finds nothing; a creation is a bare 409.",
    lambda plain: reply(409),
)  # fmt: skip
_hidden_duplicate(
    "p46_duplicate_is_a_400", "Of who exists a filter finds nothing; a creation is a 400.",
    lambda plain: refused(400, "the user exists"),
)  # fmt: skip
_hidden_duplicate(
    "p46_duplicate_is_a_500", "Of who exists a filter finds nothing; a creation is a 500.",
    lambda plain: refused(500, "duplicate key value violates unique constraint"),
)  # fmt: skip
always(
    "p48_email_taken", "Creation is refused: another user has the e-mail, and no user the login.",
    lambda: refused(409, "emails.value is taken", "uniqueness"), _CREATE,
)  # fmt: skip


@listed(_CREATE)
def p46_existing_shown_as_created(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A creation is answered 201 with a user that exists already."""
    rows = everything(exchange.sending(None, method="GET"), proceed)
    return reply(201, rows[0]) if rows else None


@listed(_CREATE)
def p49_created_and_503(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A creation is carried out and answered 503."""
    return refused(503, "timeout") if proceed(exchange).status < 300 else None


@listed(_CREATE)
def p50_created_without_a_body(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A creation is answered 201, with nothing but a Location."""
    return _cut_down(exchange, proceed, lambda answer: answer.holding(b""))


@listed(_CREATE)
def p50_created_without_location(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A creation is answered 201 without a Location."""
    return _cut_down(exchange, proceed, _nowhere)


@listed(_CREATE)
def p50_created_without_id(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A creation is answered 201 with the user, and neither id nor Location."""
    return _cut_down(
        exchange, proceed, lambda a: _nowhere(a).saying({k: v for k, v in a.document.items() if k != "id"})
    )


@listed(_CREATE)
def p50_created_without_a_word(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A creation is answered 201 with nothing at all."""
    return _cut_down(exchange, proceed, lambda answer: reply(201))


@listed(_CREATE)
def p50_created_with_a_wrong_id(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A creation is answered with an id that no user has."""
    return _cut_down(exchange, proceed, lambda a: _nowhere(a).saying({**a.document, "id": "provisional-1"}))


def _cut_down(exchange: Exchange, proceed: Proceed, cut: Callable[[Answer], Answer]) -> Answer | None:
    answer = proceed(exchange)
    return cut(answer) if answer.status == 201 and answer.document else None


def _nowhere(answer: Answer) -> Answer:
    return evolve(answer, headers=tuple((name, v) for name, v in answer.headers if name.lower() != "location"))


@remembering(_CREATE | _FILTER | {"list"})
def p51_created_and_not_listed_yet() -> Act:
    """Who was just created is in no answer to the three queries that follow."""
    created: dict[str, int] = {}

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        answer = proceed(exchange)
        if exchange.kind == "create":
            if answer.status == 201 and answer.document:
                created[str(answer.document.get("id"))] = 3
            return None
        hidden = {id for id, left in created.items() if left > 0}
        shown = [row for row in users(answer.rows) if str(row.get("id")) not in hidden]
        if shown == answer.rows or answer.rows is None:
            return None
        created.update({id: created[id] - 1 for id in hidden})
        total = answer.document.get("totalResults")
        total = total - len(answer.rows) + len(shown) if isinstance(total, int) else total
        return answer.saying({**answer.document, "Resources": shown, "totalResults": total})

    return act


for _status in (400, 402, 403):
    always(
        f"p52_no_seat_left_{_status}", f"Creation is refused with a {_status}: no seat is left.",
        partial(refused, _status, "all seats are taken"), _CREATE,
    )  # fmt: skip
always(
    "p53_password_wanted", "Creation is refused: a password is missing.",
    lambda: refused(400, "password is required", "invalidValue"), _CREATE,
)  # fmt: skip
