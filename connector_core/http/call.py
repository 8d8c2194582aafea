"""One request of a connector, over all its attempts."""

from __future__ import annotations

from collections.abc import Mapping

import urllib3
from attrs import define
from urllib3.util import Url

from connector_core.http.remedies import SAFE
from connector_core.http.values import Auth

_MAY_READ = {*SAFE, "POST", "QUERY"}
_FOR_TOKEN = {*SAFE, "POST"}


@define(eq=False, kw_only=True)
class Call:
    """What is sent, and how far it is. ``reads``: it changes nothing, and so may be sent again."""

    method: str
    address: Url
    pool: urllib3.PoolManager
    headers: Mapping[str, str]
    body: bytes | None
    auth: Auth | None
    limit: str
    reads: bool
    for_token: bool = False
    announced: bool = False
    renewed: bool = False
    cancel_deadline: float = float("inf")

    @property
    def path(self) -> str:
        return self.address.path or "/"

    @property
    def must_be_announced(self) -> bool:
        """Whether it may change something, and `before_write` was not called yet."""
        return not (self.announced or self.for_token or self.reads)

    def __str__(self) -> str:
        return f"{self.method} {self.address.scheme}://{self.address.netloc}{self.path}"


def require_known_verb(method: str, *, reads: bool | None, for_token: bool) -> None:
    """Refuse a verb that changes something by its meaning, where the request would pass for one that does not.

    :raises ValueError: saying what is allowed.
    """
    if reads and method.upper() not in _MAY_READ:
        raise ValueError(f"{method} with reads=True: only a POST or a QUERY may say that it changes nothing")
    if for_token and method.upper() not in _FOR_TOKEN:
        raise ValueError(f"{method} within an auth: only a GET or a POST is a token request")


def reads_by_method(method: str) -> bool:
    """Whether a method changes nothing by itself (RFC 9110 section 9.2.1)."""
    return method.upper() in SAFE
