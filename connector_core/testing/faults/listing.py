"""Faults of listings: what servers do to pages, their rows and their totals (P01 to P16)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count as numbers
from typing import Any

from connector_core.testing.faults.catalogue import LISTS, QUERIES, Act, altered, listed, put, remembering
from connector_core.testing.faults.exchange import Answer, Exchange, Proceed, refused

_FROM_THEIR_LIST = "the list and its total agree with each other in every request"

Rows = list[Any]


# -- how pages are asked for ---------------------------------------------------------------------------------------


@listed(QUERIES)
def p01_count_capped(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Three rows a page at most, whatever is asked for."""
    return proceed(exchange.asking(count=3)) if exchange.number("count", 100) > 3 else None


@listed(LISTS)
def p02_total_is_page_length(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The total is the page's own length."""
    return altered(exchange, proceed, lambda d: {**d, "totalResults": len(d.get("Resources") or [])})


@listed(LISTS)
def p03_start_ignored(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Every page is the first."""
    return proceed(exchange.asking(startIndex=1)) if exchange.number("startIndex", 1) > 1 else None


@listed(QUERIES)
def p04_items_per_page_echoed(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """``itemsPerPage`` is the count asked for, not the rows given."""
    return altered(exchange, proceed, lambda d: {**d, "itemsPerPage": exchange.number("count", 100)})


@listed(QUERIES)
def p05_resources_absent(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Without rows there is no ``Resources``."""
    return altered(exchange, proceed, lambda d: d if d.get("Resources") else _without(d, "Resources"))


@listed(QUERIES)
def p05_resources_null(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Without rows ``Resources`` is null."""
    return altered(exchange, proceed, lambda d: {**d, "Resources": d.get("Resources") or None})


@listed(QUERIES)
def p06_total_without_rows(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The token may count, and not view."""
    return altered(exchange, proceed, lambda d: {**d, "Resources": []})


@listed(QUERIES)
def p09_start_echoed_as_zero(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """``startIndex`` comes back as 0."""
    return altered(exchange, proceed, lambda d: {**d, "startIndex": 0})


@listed(LISTS)
def p09_counted_from_zero(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The first row has the index 0, so that who begins with 1 misses it."""
    return proceed(exchange.asking(startIndex=exchange.number("startIndex", 1) + 1))


@listed(QUERIES, provoked=True)
def p10_count_of_zero_refused(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """``count=0`` is a bad request."""
    return refused(400, "count must be positive") if exchange.params.get("count") == "0" else None


@listed(QUERIES)
def p11_keys_in_lower_case(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """``resources`` and ``totalresults``."""
    return altered(exchange, proceed, lambda d: {name.lower(): value for name, value in d.items()})


@listed(QUERIES)
def p12_total_as_text(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The total is a text."""
    return altered(exchange, proceed, lambda d: {**d, "totalResults": str(d.get("totalResults"))})


@listed(QUERIES)
def p12_total_absent(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """There is no total."""
    return altered(exchange, proceed, lambda d: _without(d, "totalResults"))


@listed(QUERIES)
def p12_total_is_no_number(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The total is "many"."""
    return altered(exchange, proceed, lambda d: {**d, "totalResults": "many"})


@listed(QUERIES)
def total_of_a_billion(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The total is 10 to the 9th."""
    return altered(exchange, proceed, lambda d: {**d, "totalResults": 10**9})


@listed(LISTS)
def p16_always_one_more_page(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Each page says that one row follows it."""
    start = exchange.number("startIndex", 1)
    return altered(exchange, proceed, lambda d: {**d, "totalResults": start + len(d.get("Resources") or [])})


# -- which rows are shown ------------------------------------------------------------------------------------------


def _rearranged(name: str, summary: str, arrange: Callable[[Rows], Rows], **more: Any) -> None:
    """A fault that serves pages of the whole list as ``arrange`` makes it."""

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        whole = everything(exchange, proceed)
        return None if whole is None else _page(exchange, proceed, whole, arrange(whole))

    put(name, summary, lambda: act, LISTS, **more)


def everything(exchange: Exchange, proceed: Proceed) -> Rows | None:
    """All rows of the listing that lies behind, or None where it fails."""
    rows: Rows = []
    while True:
        answer = proceed(exchange.asking(startIndex=len(rows) + 1, count=200, cursor=None))
        page, document = answer.rows, answer.document
        if page is None or answer.send is not None:
            return None
        rows += page
        if not page or len(rows) >= _whole(document.get("totalResults")) or len(rows) > 2000:
            return rows


def _whole(total: Any) -> int:
    return total if isinstance(total, int) else 10**9


def _page(exchange: Exchange, proceed: Proceed, before: Rows, rows: Rows, total: int | None = None) -> Answer | None:
    """The page of ``rows`` that is asked for, if it is another than that of ``before``."""
    start, count = exchange.number("startIndex", 1), exchange.number("count", 100)
    shown = rows[start - 1 : start - 1 + count]
    total = len(rows) if total is None else total
    if shown == before[start - 1 : start - 1 + count] and total == len(before):
        return None
    envelope = proceed(exchange).document
    if not isinstance(envelope, dict):
        return None
    numbers = {"totalResults": total, "startIndex": start, "itemsPerPage": len(shown)}
    return proceed(exchange).saying({**envelope, **numbers, "Resources": shown})


def users(rows: Rows | None) -> list[dict[str, Any]]:
    """Those that are still users: another fault may have made something else of a row."""
    return [row for row in rows or [] if isinstance(row, dict)]


def _lot(row: Any) -> int:
    """A number that is the same for a user in every request."""
    return sum(str(row.get("id")).encode()) if isinstance(row, dict) else 1


_rearranged(
    "p07_rows_repeated", "Each row comes twice, and counts twice.", lambda rows: [row for row in rows for _ in range(2)]
)
_rearranged(
    "p07_copies_differ", "The last row comes twice, the copies with different names.",
    lambda rows: [*rows, *({**row, "displayName": "Another Name"} for row in users(rows[-1:]))], distorts=["name"],
)  # fmt: skip
_rearranged(
    "p14_members_hidden", "Every third member is in no list; who asks by id is shown them.",
    lambda rows: [row for row in rows if _lot(row) % 3], unseen=_FROM_THEIR_LIST,
)  # fmt: skip
_rearranged(
    "p15_inactive_left_out", "Who is not active is in no list; who asks by id is shown them.",
    lambda rows: [row for row in users(rows) if row.get("active") is not False], unseen=_FROM_THEIR_LIST,
)  # fmt: skip
_rearranged(
    "forgets_half", "One request is answered as if every second user were not there.",
    lambda rows: rows[::2], times=1,
)  # fmt: skip
_rearranged(
    "forgets_half_for_good", "Every second user is in no list; who asks by id is shown them.",
    lambda rows: [row for row in rows if _lot(row) % 2], unseen=_FROM_THEIR_LIST,
)  # fmt: skip
_rearranged("forgets_everybody", "The list is empty, and says so.", lambda rows: [], unseen=_FROM_THEIR_LIST)


@listed(LISTS, times=1)
def p08_window_moved(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A page begins one row later than asked, as if a user before it had left."""
    start = exchange.number("startIndex", 1)
    return proceed(exchange.asking(startIndex=start + 1)) if start > 1 else None


@listed(LISTS, times=1)
def p08_empty_page(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A page in the middle is empty."""
    change = altered(exchange, proceed, lambda d: {**d, "Resources": [], "itemsPerPage": 0})
    return change if exchange.number("startIndex", 1) > 1 else None


@listed(LISTS)
def page_1_past_the_end(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """There is no total, and behind the end comes the first page again."""
    asked = exchange.asking(startIndex=1) if proceed(exchange).rows == [] else exchange
    answer = proceed(asked)
    return answer if answer.rows is None else answer.saying(_without(answer.document, "totalResults"))


@remembering(LISTS)
def rows_in_another_order() -> Act:
    """Each request is answered in another order."""
    turn = numbers(1)

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        whole = everything(exchange, proceed)
        by = next(turn) % max(1, len(whole or []))
        return _page(exchange, proceed, whole, whole[by:] + whole[:by]) if whole else None

    return act


@remembering(LISTS, times=10**9)
def p16_pages_without_end() -> Act:
    """After the end come more and more unknown people."""
    ghosts = numbers(1)

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        answer = proceed(exchange)
        rows = answer.rows
        if rows is None:
            return None
        missing = exchange.number("count", 100) - len(rows)
        rows = [*rows, *(_ghost(next(ghosts)) for _ in range(missing))]
        total = exchange.number("startIndex", 1) + 10 * len(rows)
        return answer.saying({**answer.document, "Resources": rows, "totalResults": total, "itemsPerPage": len(rows)})

    return act


def _ghost(number: int) -> dict[str, Any]:
    return {"id": f"ghost-{number}", "userName": f"ghost-{number}@example.com", "active": True}


# -- cursors (RFC 9865) --------------------------------------------------------------------------------------------


def _by_cursor(exchange: Exchange, proceed: Proceed, following: Callable[[int], str | None]) -> Answer:
    """A page by cursor over a listing by index; ``following``: the next cursor, from the index behind (or 0)."""
    if "cursor" not in exchange.params:
        return refused(501, "this server pages by cursor only")
    text = exchange.params["cursor"].removeprefix("at-")
    start = int(text) if text.isdigit() else 1
    answer = proceed(exchange.asking(cursor=None, startIndex=start))
    rows, document = answer.rows, answer.document
    if rows is None:
        return answer
    total = _whole(document.get("totalResults"))
    document = _without(document, "startIndex", "nextCursor")
    more = rows and start + len(rows) <= total
    cursor = following(start + len(rows) if more else 0)
    return answer.saying(document if cursor is None else {**document, "nextCursor": cursor})


def _plainly(after: int) -> str | None:
    return f"at-{after}" if after else None


@listed(LISTS)
def p13_cursors_only(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Pages are asked for by cursor; an index is refused with a 501."""
    return _by_cursor(exchange, proceed, _plainly)


@remembering(LISTS)
def p13_a_cursor_expires() -> Act:
    """Cursors only, of which one has expired when it is used."""
    expired: list[str] = []

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        cursor = exchange.params.get("cursor", "")
        if cursor and not expired:
            expired.append(cursor)
            return refused(400, "the cursor has expired", "expiredCursor")
        return _by_cursor(exchange, proceed, _plainly)

    return act


@listed(LISTS)
def p13_cursors_always_expire(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Cursors only, all of which have expired when they are used."""
    if exchange.params.get("cursor"):
        return refused(400, "the cursor has expired", "expiredCursor")
    return _by_cursor(exchange, proceed, _plainly)


@listed(LISTS)
def p16_cursors_in_a_circle(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Behind the last page comes the cursor of the first."""
    return _by_cursor(exchange, proceed, lambda after: f"at-{after or 1}")


@remembering(LISTS)
def p16_empty_pages_without_end() -> Act:
    """Behind the last page come empty ones, each with a cursor to the next."""
    turn = numbers(10_000)
    return lambda exchange, proceed: _by_cursor(exchange, proceed, lambda after: f"at-{after or _turn(turn)}")


def _turn(turn: Any) -> int:
    number: int = next(turn)
    return number


def _without(document: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}
