"""What came back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import NoReturn, cast

from attrs import field, frozen
from urllib3 import HTTPHeaderDict

from connector_core.errors import ProtocolError
from connector_core.http.address import path_of
from connector_core.model import Json

_SHOWN = 80  # characters of a header that are worth showing


def _case_insensitive(headers: Mapping[str, str]) -> Mapping[str, str]:
    return HTTPHeaderDict(headers)


@frozen(kw_only=True, eq=False)
class Response:
    """A reply, read to its end. ``headers`` are looked up in any case; ``body`` is unpacked."""

    status: int
    headers: Mapping[str, str] = field(converter=_case_insensitive)
    body: bytes
    url: str
    method: str
    reads: bool = False
    """Whether the request changes nothing: by its method, or because it was marked so."""

    def __repr__(self) -> str:
        # Neither headers nor body nor query: each of them may hold a secret or a person (P74).
        return f"<Response {self.status} to {self.method} {path_of(self.url)}, {len(self.body)} bytes>"

    def json(self) -> Json:
        """The body as JSON, whatever its content type says (P65), a byte order mark allowed (P37).

        Raises `ProtocolError` where it is no JSON, or not JSON that can be kept: NaN, infinity, numbers of thousands
        of digits, nesting without end (P77).
        """
        try:
            text = self.body.decode("utf-8-sig")
            return cast(Json, json.loads(text, parse_constant=_refuse, parse_float=_finite))
        except (ValueError, RecursionError):
            pass
        # Raised out here: the decoder's error holds the whole body, and a traceback would carry it along.
        kind = self.headers.get("Content-Type", "no content type")
        kind = kind if len(kind) <= _SHOWN else "a long content type"  # cut, it could hold half a secret
        raise ProtocolError(
            f"{self.method} {path_of(self.url)} answered {self.status} with something that is not JSON ({kind!r}, "
            f"{len(self.body)} bytes)",
            hint="Check the address: web pages and proxies answer like this, an API does not.",
        )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number out of range")
    return number
