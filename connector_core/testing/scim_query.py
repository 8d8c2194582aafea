"""Listing users: one simple filter, and pages by index (RFC 7644 section 3.4.2.4) or by cursor (RFC 9865)."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from connector_core.clock import Clock
from connector_core.testing.scim_document import MESSAGES, Document, ScimError, invalid
from connector_core.testing.switches import Switches
from connector_core.testing.workspace import User, Workspace

_FILTER = re.compile(r'\s*([\w.]+)\s+eq\s+("(?:[^"\\]|\\.)*")\s*', re.IGNORECASE | re.ASCII)

_FIELDS: dict[str, Callable[[User], str | None]] = {
    "id": lambda user: user.id,
    "externalid": lambda user: user.external_id,
    "emails.value": lambda user: user.email and user.email.casefold(),
}


@frozen(kw_only=True)
class Window:
    """Which rows a reply holds, and what it says around them."""

    rows: Sequence[User]
    envelope: Document


def matching(workspace: Workspace, filter: str | None, switches: Switches) -> Sequence[User]:
    """Return the users listed, in the order of creation, or those that the filter finds. Raises `ScimError` 400."""
    users = workspace.users() if filter is None else _filtered(workspace, filter)
    return [user for user in users if not user.pending] if switches.pending_hidden else users


def _filtered(workspace: Workspace, filter: str) -> Sequence[User]:
    match = _FILTER.fullmatch(filter)
    attribute = match[1].casefold() if match else ""
    if match is None or attribute not in (*_FIELDS, "username"):
        raise invalid("supported: userName, id, externalId or emails.value, eq, a text", "invalidFilter")
    try:
        value = json.loads(match[2])
    except ValueError as error:
        raise invalid(str(error), "invalidFilter") from error
    if attribute == "username":
        found = workspace.find(value)
        return (found,) if found else ()
    wanted = value.casefold() if attribute == "emails.value" else value
    return [user for user in workspace.users() if _FIELDS[attribute](user) == wanted]


def window(users: Sequence[User], params: Mapping[str, str], switches: Switches, clock: Clock) -> Window:
    """The page that the parameters ask for. Raises `ScimError` 400; 501 for an index where cursors are all there is."""
    if "cursor" in params and "startIndex" in params:
        raise invalid("a cursor and a startIndex exclude each other")
    if switches.cursor_paging == "only" and "startIndex" in params:
        raise ScimError(501, "this server pages by cursor only")
    if switches.cursor_paging == "only" or ("cursor" in params and switches.cursor_paging != "off"):
        return _by_cursor(users, params, switches, clock)
    return _by_index(users, params, switches)


def _by_index(users: Sequence[User], params: Mapping[str, str], switches: Switches) -> Window:
    start = 1 if switches.index_paging_ignored else max(1, _number(params, "startIndex", 1))
    rows = users[start - 1 : start - 1 + _page_size(params, switches)]
    envelope = {"startIndex": start, "itemsPerPage": len(rows)}
    return Window(rows=rows, envelope=_total(len(users), len(rows), switches) | envelope)


def _by_cursor(users: Sequence[User], params: Mapping[str, str], switches: Switches, clock: Clock) -> Window:
    """A cursor names the last user given out, not a position: joiners and leavers between two pages shift nothing."""
    size = _page_size(params, switches)
    after = _read_cursor(params.get("cursor", ""), params, switches, clock)
    begin = bisect_right(users, after, key=lambda user: user.number)
    rows = users[begin : begin + size]
    envelope = _total(len(users), len(rows), switches) | {"itemsPerPage": len(rows)}
    if rows and begin + size < len(users):
        envelope["nextCursor"] = _make_cursor(rows[-1].number, params, clock)
    return Window(rows=rows, envelope=envelope)


def _make_cursor(after: int, params: Mapping[str, str], clock: Clock) -> str:
    state = {"after": after, "at": clock.now(), "count": params.get("count"), "filter": params.get("filter")}
    return base64.urlsafe_b64encode(json.dumps(state).encode()).decode().rstrip("=")


def _read_cursor(cursor: str, params: Mapping[str, str], switches: Switches, clock: Clock) -> int:
    """The number of the last user given out; 0 for an empty cursor, which asks for the first page."""
    if not cursor:
        return 0
    try:
        state: dict[str, Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        after, at = int(state["after"]), float(state["at"])
    except (ValueError, TypeError, KeyError) as error:
        raise invalid("this is no cursor of this server", "invalidCursor") from error
    if switches.cursor_timeout is not None and clock.now() - at > switches.cursor_timeout:
        raise invalid("the cursor has expired", "expiredCursor")
    if state.get("count") != params.get("count"):
        raise invalid("count must stay the same from page to page", "invalidCount")
    if state.get("filter") != params.get("filter"):
        raise invalid("the cursor belongs to another query", "invalidCursor")
    return after


def _page_size(params: Mapping[str, str], switches: Switches) -> int:
    asked = max(0, _number(params, "count", switches.default_page))
    return asked if switches.page_cap is None else min(asked, switches.page_cap)


def _number(params: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(params.get(name, default))
    except ValueError:
        raise invalid(f"{name} must be a number") from None


def _total(grand: int, rows: int, switches: Switches) -> Document:
    total = rows if switches.total == "page" else grand
    shown: Document = {"totalResults": str(total) if switches.total == "text" else total}
    return {"schemas": [f"{MESSAGES}:ListResponse"], **({} if switches.total == "absent" else shown)}
