"""A reply that is no success, in the words of `connector_core.errors`.

The HTTP status decides; the body only adds detail (P63, P64), save for an Error document under a status of success
(P37), for cursors that expired (RFC 9865 section 2.3) and for a 404: a web page says nothing of a resource, and JSON
that is not SCIM's, or an empty body, is `Vague` (P55): a proxy, a wrong path or a switched-off SCIM answer 404, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connector_core.errors import (
    Conflict,
    ConnectorCoreError,
    NotFound,
    OperationRefused,
    ProtocolError,
    StreamExpired,
)
from connector_core.http.remedies import Remedy, remedy
from connector_core.model import Json

if TYPE_CHECKING:
    from connector_core.http import Response

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_SEARCHED = 2**20  # bytes in which a secret is hidden before any of it is cut away
DETAIL_LIMIT = 200  # characters of the application's text that a message carries

_DECLINED = (Remedy(400, 400, OperationRefused), Remedy(501, 501, OperationRefused))  # RFC 7644 section 3.12
_BY_SCIM_TYPE: Mapping[str, type[ConnectorCoreError]] = {
    "expiredcursor": StreamExpired,
    "invalidcursor": StreamExpired,
    "uniqueness": Conflict,  # P46: some say it with a 400
}
_HINTS: Mapping[int, str] = {
    401: "the token may be wrong, expired or rotated, or SCIM switched off",
    403: "the token may lack a permission, or SCIM may be switched off",
    404: "the address of the SCIM API may be wrong",
}


class Vague(NotFound):
    """A 404 that is not in SCIM's words: proof of nothing by itself (P55)."""


def readable(response: Response) -> Json:
    """The JSON in a reply, whatever its content type says (P65); None where there is none."""
    try:
        return response.json() if response.body.strip() else None
    except ProtocolError:
        return None


def check(response: Response, document: Json, *, mask: Callable[[str], str], hints: Mapping[int, str]) -> None:
    """Raise what the reply means, if it is no success.

    ``document`` is what `readable` made of it; ``hints`` are the connector's own words by status; ``mask`` hides
    secrets that a server may echo (P74).
    """
    error = _error_document(document)
    if response.status < 300 and error is None:
        return
    status = response.status if response.status >= 300 else _stated_status(error or {})
    kind = _kind(response, status, error, document)
    detail = tidy(mask(_detail(error, document, response)))
    where = f"{response.method} {urlsplit(response.url).path}"
    message = f"{mask(where)} answered {status or response.status}" + (f": {detail}" if detail else "")
    raise kind(message, hint=hints.get(status) or _HINTS.get(status))


def tidy(text: str) -> str:
    """One line of printable text, at most `DETAIL_LIMIT` characters."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 10 * DETAIL_LIMIT])
    line = " ".join(printable.split())
    return line if len(line) <= DETAIL_LIMIT else line[: DETAIL_LIMIT - 1] + "…"


def _kind(response: Response, status: int, error: Mapping[str, Any] | None, document: Json) -> type[ConnectorCoreError]:
    scim_type = (error or {}).get("scimType")
    if isinstance(scim_type, str) and (known := _BY_SCIM_TYPE.get(scim_type.casefold())):
        return known
    if status in (404, 410) and (isinstance(document, dict) or not response.body.strip()):
        return Vague if error is None else NotFound
    return remedy(status, "GET" if response.reads else response.method, _DECLINED)


def _error_document(document: Json) -> dict[str, Any] | None:
    """The SCIM Error in a body, also one that is wrapped one level deep (P64)."""
    if not isinstance(document, dict):
        return None
    if _is_error(document):
        return document
    inner = next(iter(document.values())) if len(document) == 1 else None
    return inner if isinstance(inner, dict) and _is_error(inner) else None


def _is_error(document: Mapping[str, Any]) -> bool:
    schemas = document.get("schemas") or document.get("schema")
    names = schemas if isinstance(schemas, list) else [schemas]
    return any(isinstance(name, str) and name.casefold() == ERROR.casefold() for name in names)


def _stated_status(error: Mapping[str, Any]) -> int:
    """The status an Error document gives itself, as number or text; 0 where it gives none that could be."""
    try:
        status = int(error.get("status") or 0)
    except (TypeError, ValueError, OverflowError):
        return 0
    return status if 100 <= status <= 599 else 0


def _detail(error: Mapping[str, Any] | None, document: Json, response: Response) -> str:
    said = error or (document if isinstance(document, dict) else {})
    for name in ("detail", "message", "error"):
        if isinstance(text := said.get(name), str) and text:
            return text
    start: bytes = response.body[:_SEARCHED]
    return start.decode("utf-8", "replace")
