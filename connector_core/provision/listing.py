"""The accounts that the application lists now: for names that no look-up finds, such as an e-mail."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterator

from connector_core.connectors.session import Session
from connector_core.errors import ApplicationError
from connector_core.model import Cursor, Key, Page, Resource
from connector_core.provision.calls import Calls
from connector_core.store.frontier import BARREN_PAGES

_MOST_PAGES = 10_000  # of one reading: a list may have no end


def listed_accounts(session: Session, calls: Calls, types: Collection[str]) -> Iterator[Resource]:
    """Read every list of the application once, page after page, and yield its accounts of these types.

    An account may be given more than once. A stream ends at a page that brings nothing but what it gave before (P03).

    :raises ApplicationError: the lists do not end, or cannot be read.
    """
    cursors: deque[Cursor | None] = deque([None])
    given: defaultdict[str | None, set[Key]] = defaultdict(set)
    barren: Counter[str | None] = Counter()
    for _ in range(_MOST_PAGES):
        if not cursors:
            return
        cursor = cursors.popleft()
        page = calls(lambda at=cursor: session.connector.sync_page(session.client, at))  # type: ignore[misc]
        stream = cursor.stream if cursor is not None else None
        barren[stream] += not (page.resources or page.grants or page.entitlements)
        if barren[stream] >= BARREN_PAGES:
            raise ApplicationError(f"the application's list {stream!r} does not end: {BARREN_PAGES} pages hold nothing")
        if _goes_on(page, given[stream]):
            cursors.extend(page.next)
        yield from (resource for resource in page.resources if resource.type in types)
    raise ApplicationError(
        f"the application's lists did not end within {_MOST_PAGES:,} pages",
        hint="name the account by its login or its id, which takes no list",
    )


def _goes_on(page: Page, given: set[Key]) -> bool:
    keys = {resource.key for resource in page.resources}
    is_repeated = bool(keys) and keys <= given
    given |= keys
    return not is_repeated
