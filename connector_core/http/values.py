"""The limits of a client (timeouts, retry budget, sizes), and the steps that it reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from attrs import frozen

Auth = Callable[[bool], Mapping[str, str]]
"""Gives the headers that authenticate: ``auth(False)`` as they are, ``auth(True)`` renewed."""


@frozen(kw_only=True)
class HttpPolicy:
    """How patient a client is. Times in seconds, sizes in bytes."""

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    """The longest silence of the server, not the longest reply."""

    retry_budget: float = 120.0
    """How long one request may be repeated. A wait that the server asks for may still begin within it."""

    unreachable_tries: int = 3
    unreachable_budget: float = 10.0
    """Where no connection comes about, a mistake in the settings is likelier than a passing fault: give up early."""

    backoff_first: float = 0.5
    backoff_max: float = 20.0
    """A wait of our own is anything from zero to ``backoff_first`` doubled with each try, at most ``backoff_max``."""

    max_retry_after: float = 300.0
    """The longest single wait that the server can ask for."""

    max_body: int = 64 * 2**20
    """The largest reply, as sent and after unpacking (P77)."""

    deadline: float | None = None
    """How long the client may be used in all, counted from its making; None is for ever."""


@frozen(kw_only=True)
class HttpEvent:
    """One step, for logs and progress. ``url`` is the path alone; ``seconds`` taken, or to be waited."""

    kind: Literal["request", "response", "wait", "retry"]
    method: str
    url: str
    status: int | None = None
    seconds: float | None = None
    message: str = ""
