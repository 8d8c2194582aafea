"""Paging: every row is reached, from cursors alone, whatever a server does with count, total and startIndex."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from connector_core.errors import ApplicationError, OperationRefused, ProtocolError, StreamExpired
from connector_core.http import HttpClient
from connector_core.http.loopback import LoopbackServer
from connector_core.model import Cursor, Secret, Span
from connector_core.scim import ScimClient, bearer, paging

Answer = Callable[[dict[str, str]], tuple[int, dict[str, Any]]]
Read = Callable[..., paging.ListReading]


class Listing:
    """A server whose every reply is made by ``answer``; it keeps the parameters it was asked with."""

    def __init__(self) -> None:
        self.answer: Answer = lambda params: (200, {})
        self.asked: list[dict[str, str]] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        params = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        self.asked.append(params)
        status, document = self.answer(params)
        start_response(f"{status} -", [("Content-Type", "application/scim+json")])
        return [json.dumps(document).encode()]

    def serve(
        self,
        rows: int,
        *,
        cap: Callable[[int], int] = lambda start: 100,
        total: Callable[[int, int], Any] | None = None,
    ) -> None:
        """Rows 1 to ``rows``, at most ``cap(start)`` a page; ``total(rows, rows of the page)`` is what is claimed."""

        def answer(params: dict[str, str]) -> tuple[int, dict[str, Any]]:
            start, count = int(params["startIndex"]), int(params["count"])
            page = [{"id": str(n)} for n in range(start, min(rows, start + min(count, cap(start)) - 1) + 1)]
            claimed = rows if total is None else total(rows, len(page))
            # P04, P09: what a reply says of itself is of no use
            return 200, {"Resources": page, "totalResults": claimed, "itemsPerPage": 9999, "startIndex": 0}

        self.answer = answer

    @property
    def starts(self) -> list[int]:
        return [int(params["startIndex"]) for params in self.asked]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Listing, ScimClient]]:
    listing, http = Listing(), HttpClient()
    with LoopbackServer(listing) as running:
        yield listing, ScimClient(http, running.url, bearer(Secret("token")))
    http.close()


@pytest.fixture
def listing(server: tuple[Listing, ScimClient]) -> Listing:
    server[0].asked.clear()
    return server[0]


@pytest.fixture
def client(server: tuple[Listing, ScimClient]) -> ScimClient:
    return server[1]


@pytest.fixture
def read(listing: Listing, client: ScimClient) -> Read:
    return lambda cursor=None, count=100: paging.read(client, "Users", cursor or paging.first("s"), count=count)


def everything(read: Read, *, count: int = 100) -> tuple[list[str], list[Span]]:
    """Follow all cursors, the last ones first, as no order is promised; the ids that came, and the pages' spans."""
    cursors, ids, spans = [paging.first("s")], [], []
    while cursors:
        # through JSON and back, as the store keeps them
        kept = cursors.pop()
        reading = read(Cursor(kept.stream, json.loads(json.dumps(kept.position)), kept.index), count)
        ids += [row["id"] for row in reading.rows if isinstance(row, dict)]
        spans += [reading.span] if reading.span else []
        cursors += reading.next
        assert len(spans) < 500, "the walk does not end"
    return ids, spans


def numbers(rows: int) -> set[str]:
    return {str(n) for n in range(1, rows + 1)}


def test_a_first_cursor_asks_for_row_one(listing: Listing, read: Read) -> None:
    """Rows are numbered from 1 and ``count`` is always sent."""
    listing.serve(3)
    read()
    assert listing.asked == [{"startIndex": "1", "count": "100"}]


def test_the_first_page_hands_out_all_others(listing: Listing, read: Read) -> None:
    """A known total makes the pages that follow readable at once, each overlapping its neighbour by one row."""
    listing.serve(250)
    reading = read()
    assert reading.next == (
        Cursor("s", {"start": 100, "until": 199, "overlap": True}, 100),
        Cursor("s", {"start": 199, "overlap": True}, 199),
    )
    assert (reading.total, reading.span) == (250, Span(1, 100, "1", "100"))


def test_p08_pages_overlap_by_one_row(listing: Listing, read: Read) -> None:
    """The last row of each page is the first of the next, so that a shift between two requests shows."""
    listing.serve(1000)
    ids, spans = everything(read)
    assert set(ids) == numbers(1000)
    ordered = sorted(spans)
    assert [(a.start + a.rows - 1, a.last) for a in ordered[:-1]] == [(b.start, b.first) for b in ordered[1:]]
    assert len(ordered) == 11  # 1000 rows, 99 new ones a page


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 99, 100, 101, 199, 200, 397])
def test_every_row_is_reached_whatever_the_total(listing: Listing, read: Read, rows: int) -> None:
    """Sizes around the seams leave no row out."""
    listing.serve(rows)
    assert set(everything(read)[0]) == numbers(rows)


@pytest.mark.parametrize("cap", [1, 2, 3, 50])
def test_p01_a_capped_count(listing: Listing, read: Read, cap: int) -> None:
    """The next start follows from the rows received, and the count asked for stays the same."""
    listing.serve(101, cap=lambda start: cap)
    assert set(everything(read)[0]) == numbers(101)
    assert {params["count"] for params in listing.asked} == {"100"}


def test_one_row_a_page_cannot_overlap_and_still_moves_on(listing: Listing, read: Read) -> None:
    """The start advances by one where the server gives a single row at a time."""
    listing.serve(4, cap=lambda start: 1)
    everything(read)
    assert sorted(listing.starts) == [1, 2, 3, 4]


@pytest.mark.parametrize("total", [None, lambda rows, page: None, lambda rows, page: page])
def test_p01_a_cap_that_varies(listing: Listing, read: Read, total: Any) -> None:
    """A page shorter than its share hands out the remainder itself."""
    listing.serve(300, cap=lambda start: 40 if start == 1 else 1 + start % 30, total=total)
    assert set(everything(read)[0]) == numbers(300)


def test_a_short_page_asks_for_its_remainder_only(listing: Listing, read: Read) -> None:
    """The remainder ends where the neighbour's share begins."""
    listing.serve(300, cap=lambda start: 100 if start == 1 else 60)
    reading = read(Cursor("s", {"start": 100, "until": 199, "overlap": True}, 100))
    assert reading.next == (Cursor("s", {"start": 159, "until": 199, "overlap": True}, 159),)
    assert read(reading.next[0]).next == ()


def test_a_full_page_of_a_share_has_no_next(listing: Listing, read: Read) -> None:
    """What follows a share belongs to the neighbour, though the total says more."""
    listing.serve(300)
    assert read(Cursor("s", {"start": 100, "until": 199, "overlap": True}, 100)).next == ()


def test_p01_p12_one_row_a_page_and_no_total(listing: Listing, read: Read) -> None:
    """A single new row is no repetition of the one before it."""
    listing.serve(4, cap=lambda start: 1, total=lambda rows, page: None)
    assert set(everything(read)[0]) == numbers(4)


def test_p02_total_equals_page_size(listing: Listing, read: Read) -> None:
    """A total that is the page's own length is not believed."""
    listing.serve(250, total=lambda rows, page: page)
    assert set(everything(read)[0]) == numbers(250)


def test_p02_an_ordinary_small_workspace_costs_one_request_more(listing: Listing, read: Read) -> None:
    """A total that equals the first page's length may be true: one more page tells, starting at the known last row."""
    listing.serve(60)
    everything(read)
    assert listing.starts == [1, 60]


def test_p02_a_total_that_is_always_100(listing: Listing, read: Read) -> None:
    """One server says 100 on every page, whatever it holds."""
    listing.serve(250, total=lambda rows, page: 100)
    assert set(everything(read)[0]) == numbers(250)


def test_p12_without_a_total_pages_are_read_until_nothing_new_comes(listing: Listing, read: Read) -> None:
    """No total: one page after another, to the page that brings only the row that was known."""
    listing.serve(250, total=lambda rows, page: None)
    assert set(everything(read)[0]) == numbers(250)
    assert listing.starts == [1, 100, 199, 250]


def test_p10_a_count_that_is_ignored(listing: Listing, read: Read) -> None:
    """More rows than asked for are rows all the same."""
    listing.answer = lambda params: (200, {"Resources": [{"id": n} for n in range(150)], "totalResults": 150})
    reading = read()
    assert len(reading.rows) == 150
    assert [cursor.index for cursor in reading.next] == [150]


def test_a_lying_total_hands_out_a_thousand_cursors_at_most(listing: Listing, read: Read) -> None:
    """A billion users are a window of 1,000 pages, the last of which opens the next."""
    listing.serve(150_000, total=lambda rows, page: 10**9)
    reading = read()
    assert len(reading.next) == paging.WINDOW
    last = reading.next[-1]
    assert last == Cursor("s", {"start": 99_001, "overlap": True}, 99_001)
    following = read(last).next
    assert len(following) == paging.WINDOW
    assert following[0].index == 99_100


def test_an_empty_page_has_no_next(listing: Listing, read: Read) -> None:
    """Behind an empty page there is nothing, whatever the total says."""
    listing.serve(10, total=lambda rows, page: 10**9)
    reading = read(Cursor("s", {"start": 50}, 50))
    assert (reading.next, reading.span) == ((), Span(50, 0, None, None))


def test_the_last_page_goes_on_where_the_total_has_grown(listing: Listing, read: Read) -> None:
    """Joiners during the walk are read by the open-ended last page."""
    listing.serve(150)
    last = read().next[-1]
    listing.serve(320)
    assert [cursor.index for cursor in read(last).next] == [199, 298]


@pytest.mark.parametrize("total", ["many", -1, 1.5e300, {"all": 7}])
def test_p06_p12_no_rows_and_a_total_without_sense(read: Read, listing: Listing, total: Any) -> None:
    """A list that is empty but for a total that makes no sense is an error, never an empty application."""
    listing.answer = lambda params: (200, {"Resources": [], "totalResults": total})
    with pytest.raises(ProtocolError):
        read()


def test_p06_rows_counted_but_not_shown(read: Read, listing: Listing) -> None:
    """A total without any row is an error, never an empty workspace."""
    listing.answer = lambda params: (200, {"Resources": [], "totalResults": 7})
    with pytest.raises(ProtocolError, match="counts 7 but lists none") as caught:
        read()
    assert "view" in str(caught.value.hint)


def test_spans_name_no_id_that_cannot_be_read(listing: Listing, read: Read) -> None:
    """Ids are text in a span, and None where a row has none."""
    listing.answer = lambda params: (200, {"Resources": [{"ID": 7}, {"id": ""}], "totalResults": 2})
    assert read().span == Span(1, 2, "7", None)


# -- RFC 9865 --------------------------------------------------------------------------------------------------


def cursors_of(pages: dict[str, dict[str, Any]], index: tuple[int, dict[str, Any]] | None = None) -> Answer:
    return lambda params: index if index and "startIndex" in params else (200, pages[params.get("cursor", "")])


def test_p13_a_next_cursor_is_followed(listing: Listing, read: Read) -> None:
    """Once the server names a cursor, startIndex is forgotten; an empty page in between ends nothing."""
    listing.answer = cursors_of(
        {
            "": {"Resources": [{"id": "1"}], "totalResults": 2, "nextCursor": "b/+="},
            "b/+=": {"Resources": [], "nextCursor": "c"},
            "c": {"Resources": [{"id": "2"}]},
        }
    )
    assert everything(read)[0] == ["1", "2"]
    assert listing.asked[1:] == [{"cursor": "b/+=", "count": "100"}, {"cursor": "c", "count": "100"}]
    assert read().next == (Cursor("s", {"cursor": "b/+="}, None),)


@pytest.mark.parametrize("status", [400, 501])
def test_p13_a_server_with_cursors_only(listing: Listing, read: Read, status: int) -> None:
    """Where an index is refused, the walk begins with an empty cursor."""
    listing.answer = cursors_of({"": {"Resources": [{"id": "1"}], "nextCursor": ""}}, (status, {"detail": "no index"}))
    assert everything(read)[0] == ["1"]
    assert listing.asked[-1] == {"cursor": "", "count": "100"}


def test_p13_a_refusal_that_is_not_about_the_index(listing: Listing, read: Read) -> None:
    """Where cursors are refused too, the first refusal is the one to show."""
    listing.answer = lambda params: (400, {"detail": "index" if "startIndex" in params else "cursor"})
    with pytest.raises(OperationRefused, match="index"):
        read()


def test_p13_a_server_without_any_paging_is_no_server_of_cursors(listing: Listing, read: Read) -> None:
    """Where an index is refused and an empty cursor passed over, a full page is no proof of the end."""

    def answer(params: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if "startIndex" in params:
            return 400, {"detail": "no index"}
        rows = [{"id": str(n)} for n in range(1, min(7, int(params["count"])) + 1)]
        return 200, {"Resources": rows, "totalResults": len(rows)}

    listing.answer = answer
    with pytest.raises(OperationRefused, match="no index"):
        read(count=5)
    assert len(read(count=10).rows) == 7


@pytest.mark.parametrize("kind", ["expiredCursor", "invalidCursor", "EXPIREDCURSOR"])
def test_p13_an_expired_cursor(listing: Listing, read: Read, kind: str) -> None:
    """A cursor the server no longer knows says so by its own error."""
    listing.answer = lambda params: (400, {"schemas": [f"{SCIM}:Error"], "scimType": kind, "status": "400"})
    with pytest.raises(StreamExpired):
        read(Cursor("s", {"cursor": "old"}))


SCIM = "urn:ietf:params:scim:api:messages:2.0"

# -- walking alone ---------------------------------------------------------------------------------------------


def test_a_walk_brings_every_row(listing: Listing, client: ScimClient) -> None:
    """Pages one after another, for whoever needs all rows at once."""
    listing.serve(250)
    assert {row["id"] for row in paging.walk(client, "Users", count=100)} == numbers(250)  # type: ignore[index, call-overload]


@pytest.mark.parametrize("total", [20, 5, None])
def test_p16_a_walk_that_never_ends_is_given_up(
    listing: Listing, client: ScimClient, total: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People whom nobody knows, on ever more pages: it ends by the total of the first page, or else by a cap."""
    monkeypatch.setattr(paging, "_MOST_PAGES", 300)

    def endless(params: dict[str, str]) -> tuple[int, dict[str, Any]]:
        start = int(params["startIndex"])
        return 200, {"Resources": [{"id": str(n)} for n in range(start, start + 5)], "totalResults": total}

    listing.answer = endless
    if total == 20:  # the following pages say more and more
        listing.answer = lambda params: (200, {**endless(params)[1], "totalResults": int(params["startIndex"]) + 19})
    with pytest.raises(ApplicationError, match="did not end within"):
        deque(paging.walk(client, "Users", count=5), maxlen=0)
    assert len(listing.asked) == (111 if total == 20 else 301)


@pytest.mark.parametrize("total", [250, None, 10**9, 100])
def test_p03_p16_a_walk_that_goes_in_circles_ends(listing: Listing, client: ScimClient, total: int | None) -> None:
    """Where every page is the first, the second ends the walk."""
    page = [{"id": n} for n in range(100)]
    listing.answer = lambda params: (200, {"Resources": page, "totalResults": total})
    assert len(list(paging.walk(client, "Users", count=100))) == 100
    assert len(listing.asked) == 2
