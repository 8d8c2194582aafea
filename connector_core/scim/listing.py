"""The envelope around the rows of a query (RFC 7644 section 3.4.2, RFC 9865 section 2)."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from connector_core.errors import ProtocolError
from connector_core.model import Json
from connector_core.scim.reading import ScimRow, to_text


@frozen(kw_only=True)
class ListReply:
    """One reply to a query: its rows, how many the server says there are in all, and the next cursor.

    What the server says of ``startIndex`` and ``itemsPerPage`` is left out, since it cannot be relied on (P04, P09).
    """

    rows: list[Json]
    total: int | None
    next_cursor: str | None
    garbled: bool = False
    """Whether a total was given that makes no sense."""

    def refuse_empty(self) -> None:
        """As `refuse_hidden`, for a whole listing: nor is it empty where a total that makes no sense is all it says."""
        self.refuse_hidden()
        if self.garbled and not self.rows and self.next_cursor is None:
            raise ProtocolError("the application lists none, and gives a total that makes no sense")

    def refuse_hidden(self) -> None:
        """Raise `ProtocolError` for a total above zero without any row: never an empty application (P06)."""
        if self.total and not self.rows and self.next_cursor is None:
            raise ProtocolError(
                f"the application counts {self.total} but lists none",
                hint="the token may count but not view; give it the permission to read",
            )


def parse(document: dict[str, Any]) -> ListReply:
    """Read an envelope, its keys in any case (P11); rows absent or null are none (P05).

    Raises `ProtocolError` where the reply is no list at all: taken for an empty one, it would look like an empty
    application.
    """
    envelope = ScimRow(document)
    rows, total = envelope.get("Resources"), envelope.get("totalResults")
    if rows is not None and not isinstance(rows, list):
        raise ProtocolError("the reply to a query holds Resources that are no list")
    if rows is None and total is None and "resources" not in map(str.casefold, document):
        raise ProtocolError("the reply to a query is no list: it has neither Resources nor totalResults")
    cursor = envelope.get("nextCursor")
    if isinstance(cursor, str) and to_text(cursor) != cursor:
        raise ProtocolError("the reply to a query holds a nextCursor that cannot be sent back")
    count, following = _count(total), cursor if isinstance(cursor, str) else None
    return ListReply(rows=rows or [], total=count, next_cursor=following, garbled=count is None and total is not None)


_MOST = 2**53  # rows that a number can mean; more is nonsense that no store could hold


def _count(value: Any) -> int | None:
    """A number of rows, also as text; None where it is missing or makes no sense (P12)."""
    try:
        count = -1 if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return count if 0 <= count <= _MOST else None
