"""Reading a listing page by page, so that pages can be read at once, twice, and after a crash.

Nothing is remembered between two calls: the cursor holds the position. There are three kinds of position:

- ``{"start": s}``: from row s to the end of the listing, however far that is;
- ``{"start": s, "until": e}``: rows s to e, others read what follows;
- ``{"cursor": text}``: the server's own cursor (RFC 9865, P13).

``"overlap": true`` with a start says that row s is also the last of the page before it. Pages overlap by that one
row so that the host can see whether rows moved between two requests (P08).

Rows are counted, never believed: the next start comes from the rows received, not from the count asked for or from
what the reply says of itself (P01, P04, P09). A walk ends without a next cursor. Walks that go round in circles (P03,
P16) are ended by the host, which knows all ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from attrs import evolve, frozen

from connector_core.errors import ApplicationError, OperationRefused
from connector_core.model import Cursor, Json, Span
from connector_core.scim.listing import ListReply
from connector_core.scim.reading import id_of

if TYPE_CHECKING:
    from connector_core.scim.client import ScimClient

_MOST_PAGES = 10_000  # of a walk; a listing of unknown length may have as many
_SPARE_PAGES = 100
WINDOW = 1000  # cursors handed out at once, at most: a total can lie


@frozen(kw_only=True)
class ListReading:
    """One page: its rows as they were sent, the cursors that follow, and what a `Page` says of a listing."""

    rows: list[Json]
    next: tuple[Cursor, ...]
    total: int | None
    span: Span | None


@frozen
class _Place:
    """An index position, unpacked: rows are numbered from 1, ``until`` is the last one wanted or None."""

    start: int
    until: int | None = None
    overlap: bool = False

    def cursor(self, stream: str) -> Cursor:
        position: dict[str, Any] = {"start": self.start}
        if self.until is not None:
            position["until"] = self.until
        if self.overlap:
            position["overlap"] = True
        return Cursor(stream, position, self.start)


def first(stream: str) -> Cursor:
    """Where a listing begins."""
    return _Place(1).cursor(stream)


def read(client: ScimClient, endpoint: str, cursor: Cursor, *, count: int) -> ListReading:
    """The page at ``cursor``, asking for ``count`` rows: the same number for all pages of a listing (RFC 9865).

    Raises `ProtocolError` where a listing shows none of the rows it counts (P06), `StreamExpired` where the server no
    longer knows the cursor.
    """
    position = cursor.position
    assert isinstance(position, dict), "a position of this listing is an object"
    if "cursor" in position:
        return _read_cursor(client, endpoint, cursor.stream, str(position["cursor"]), count)
    place = _Place(**position)
    if place.start == 1:
        return _read_first(client, endpoint, cursor.stream, count)
    reply = client.query(endpoint, {"startIndex": place.start, "count": count})
    return _index_reading(cursor.stream, place, reply)


def walk(client: ScimClient, endpoint: str, *, count: int) -> Iterator[Json]:
    """All rows of a listing, page after page; ends at an empty page and at one that brings no new id (P03).

    Raises `ApplicationError` where it does not end (P16).
    """
    cursors, seen, pages, most = deque([first(endpoint)]), set[str | None](), 0, _MOST_PAGES
    while cursors:
        reading = read(client, endpoint, cursors.popleft(), count=count)
        most, pages = min(most, _most_pages(reading)) if pages == 0 else most, pages + 1
        if pages > most:
            raise ApplicationError(f"the application's list did not end within {most} pages")
        ids = {id_of(row) for row in reading.rows}
        if ids <= seen:
            return
        seen |= ids
        cursors.extend(reading.next)
        yield from reading.rows


def _most_pages(reading: ListReading) -> int:
    """How long a walk may be that begins so: twice as long as its total says, if that is not a page's own (P02)."""
    rows, total = len(reading.rows), reading.total
    return _MOST_PAGES if total is None or total <= rows else _SPARE_PAGES + 2 * total // max(1, rows - 1)


def _read_first(client: ScimClient, endpoint: str, stream: str, count: int) -> ListReading:
    try:
        reply = client.query(endpoint, {"startIndex": 1, "count": count})
    except OperationRefused as refused:
        try:  # the server may know cursors only, and begins with an empty one (P13)
            reading = _read_cursor(client, endpoint, stream, "", count)
            if not reading.next and len(reading.rows) >= count > 1 and not _knows_cursors(client, endpoint):
                raise refused
        except ApplicationError:
            raise refused from None
        return reading
    reply.refuse_empty()
    if reply.next_cursor is not None:
        return _cursor_reading(stream, reply)
    return _index_reading(stream, _Place(1), reply)


def _knows_cursors(client: ScimClient, endpoint: str) -> bool:
    """Whether a page of one row leads to another: a server without any paging takes an empty cursor, too."""
    return client.query(endpoint, {"cursor": "", "count": 1}).next_cursor is not None


def _read_cursor(client: ScimClient, endpoint: str, stream: str, cursor: str, count: int) -> ListReading:
    reply = client.query(endpoint, {"cursor": cursor, "count": count})
    if not cursor:
        reply.refuse_empty()
    return _cursor_reading(stream, reply)


def _cursor_reading(stream: str, reply: ListReply) -> ListReading:
    following = () if reply.next_cursor is None else (Cursor(stream, {"cursor": reply.next_cursor}),)
    return ListReading(rows=reply.rows, next=following, total=reply.total, span=None)


def _index_reading(stream: str, place: _Place, reply: ListReply) -> ListReading:
    rows = reply.rows
    span = Span(place.start, len(rows), id_of(rows[0]), id_of(rows[-1])) if rows else Span(place.start, 0, None, None)
    following = _following(place, len(rows), reply.total)
    return ListReading(rows=rows, next=tuple(p.cursor(stream) for p in following), total=reply.total, span=span)


def _following(place: _Place, rows: int, total: int | None) -> list[_Place]:
    """Where to go on after ``rows`` rows from ``place`` on."""
    if rows == 0:
        return []
    end = place.start + rows - 1
    more = total is not None and total > end
    # With one row a page nothing can overlap: the walk has to move on.
    after = _Place(place.start + max(1, rows - 1), overlap=rows > 1)
    if place.until is not None:
        wanted = end < place.until and (more or total is None)
        return [evolve(after, until=place.until)] if wanted else []
    if more:
        return _window(after, rows, total or 0)
    if place.overlap and rows == 1:  # it brought nothing but the row that was known
        return []
    if place.start > 1 and total == end:
        return []
    # No total, or one that may be no more than this page's own length (P02): only the next page can tell.
    return [after]


def _window(after: _Place, rows: int, total: int) -> list[_Place]:
    """The places of all pages up to ``total``, as long as the first; the last of at most `WINDOW` is open-ended.

    Being open-ended, it opens the next window, and reads what was added meanwhile.
    """
    step = max(1, rows - 1)
    last_start = total - after.overlap  # a later start would bring nothing new
    starts = range(after.start, max(after.start, last_start) + 1, step)[:WINDOW]
    places = [_Place(start, start + rows - 1, after.overlap) for start in starts]
    return [*places[:-1], evolve(places[-1], until=None)]
