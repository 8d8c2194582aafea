"""What to do about a status: a table, to which a plugin adds rows of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from connector_core.errors import (
    ApplicationError,
    Conflict,
    ConnectorCoreError,
    CredentialsRefused,
    OperationRefused,
    ProtocolError,
    RateLimited,
)

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1), and so may be sent again."""


class Remedy(NamedTuple):
    """A row: the statuses ``first`` to ``last`` of reads, writes or both mean ``error``."""

    first: int
    last: int
    error: type[ConnectorCoreError]
    of: Literal["reads", "writes", "both"] = "both"

    def fits(self, status: int, method: str) -> bool:
        verbs = "reads" if method.upper() in SAFE else "writes"
        return self.first <= status <= self.last and self.of in (verbs, "both")


REMEDIES: tuple[Remedy, ...] = (
    Remedy(401, 401, CredentialsRefused),
    Remedy(402, 402, OperationRefused),
    Remedy(403, 403, CredentialsRefused, "reads"),
    Remedy(403, 403, OperationRefused, "writes"),  # a seat limit, an owner: not the token (P52, P57)
    Remedy(404, 404, ProtocolError),  # a wrong path says the same; only a body proves "no such thing" (P55)
    Remedy(405, 405, ApplicationError),
    Remedy(409, 409, Conflict),
    Remedy(410, 410, ProtocolError),
    Remedy(412, 412, Conflict),
    Remedy(429, 429, RateLimited),
    Remedy(400, 499, OperationRefused, "writes"),
    Remedy(400, 499, ApplicationError, "reads"),
    Remedy(500, 599, ApplicationError),
)
"""The first row that fits counts."""


def remedy(status: int, method: str, rows: Iterable[Remedy] = ()) -> type[ConnectorCoreError]:
    """The error class for a status that is no success. ``rows`` come before those of the table.

    A status that no row knows is not expected: `ProtocolError`.
    """
    fitting = (row.error for row in (*rows, *REMEDIES) if row.fits(status, method))
    return next(fitting, ProtocolError)
