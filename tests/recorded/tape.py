"""vcrpy, set up for SCIM: what of an exchange is kept, and when a request is the recorded one."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import vcr

from recorded.scrubber import Scrubber

FOLDER = Path(__file__).parents[2] / "cassettes" / "whimsical"
HOME = "https://whimsical.example.com/scim-v2"  # every recorded server lives here, whichever port it had

_KEPT_HEADERS = frozenset(("accept", "content-type", "etag", "location", "retry-after", "www-authenticate"))
_COMPARED = ("method", "scheme", "host", "port", "path", "query", "scim_body")


def replay(name: str) -> AbstractContextManager[Any]:
    """Answer from the cassette, each exchange once; a request that is not in it is an error."""
    return _machine("none").use_cassette(f"{name}.yaml")


def record(
    name: str, base_url: str, token: str, scrubber: Scrubber | None = None, *, folder: Path = FOLDER
) -> AbstractContextManager[Any]:
    """Let requests through and keep them, without ``token`` and as if ``base_url`` were `HOME`.

    :param scrubber: for a real workspace; what an invented one says of its people may stay.
    """
    cassette = folder / f"{name}.yaml"
    cassette.unlink(missing_ok=True)
    machine = _machine("all", _Hooks(base_url, token, scrubber))
    return machine.use_cassette(str(cassette))


class _Hooks:
    """Run on each exchange before it is written; vcrpy hands copies."""

    def __init__(self, base_url: str, token: str, scrubber: Scrubber | None) -> None:
        self._plain = {base_url: HOME, token: "(token)"}
        self._scrubber = scrubber

    def request(self, request: Any) -> Any:
        request.uri = self._apply(request.uri, self._scrubber and self._scrubber.url)
        request.body = self._body(request.body)
        request.headers = _kept(request.headers)
        return request

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        headers = _kept(response["headers"])
        url = self._scrubber and self._scrubber.url
        for name in [name for name in headers if name.lower() == "location"]:
            headers[name] = [self._apply(value, url) for value in headers[name]]
        return {**response, "headers": headers, "body": {"string": self._body(response["body"]["string"])}}

    def _body(self, raw: bytes | None) -> bytes | None:
        if raw is None:
            return None
        scrubbed = self._scrubber.body(raw) if self._scrubber else raw
        return self._apply((scrubbed or b"").decode()).encode()

    def _apply(self, text: str, scrub: Callable[[str], str] | None = None) -> str:
        for real, shown in self._plain.items():
            text = text.replace(real, shown)
        return scrub(text) if scrub else text


def _machine(mode: str, hooks: _Hooks | None = None) -> Any:
    machine = vcr.VCR(
        cassette_library_dir=str(FOLDER),
        record_mode=mode,
        match_on=_COMPARED,
        filter_headers=["authorization"],
        decode_compressed_response=True,
        before_record_request=hooks and hooks.request,
        before_record_response=hooks and hooks.response,
    )
    machine.register_matcher("scim_body", same_document)
    return machine


def same_document(one: Any, other: Any) -> None:
    """Bodies are compared as JSON: vcrpy itself does so for ``application/json`` only, not for SCIM's media type."""
    assert _document(one.body) == _document(other.body), "the bodies differ"


def _document(body: bytes | str | None) -> Any:
    return json.loads(body) if body else None


def _kept(headers: Any) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if name.lower() in _KEPT_HEADERS}
