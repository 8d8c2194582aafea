"""A capped read of a reply, and unpacking it."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

_CHUNK = 2**18
_SHOWN = 40  # characters of a header that are worth showing
_GZIP_MAGIC = b"\x1f\x8b"
_ASK_OPERATOR = "Try again; if it stays, something between here and the application alters replies."


class Unreadable(Exception):
    """Why a body was not taken, as the end of "was answered with ...", and what to do about it."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


def read_body(reply: BaseHTTPResponse, cap: int, still_allowed: Callable[[], None]) -> bytes:
    """All of it, unpacked. Raises `Unreadable` where it is larger than ``cap`` bytes, packed or not (P77), or damaged.

    ``still_allowed`` is called whenever something arrived and may raise: a server that sends a byte now and then
    never runs into the read timeout (P76). ``read1`` gives what has come; ``read`` would wait for a whole chunk.
    """
    chunks, size = [], 0
    while chunk := reply.read1(_CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        if size > cap:
            raise _too_large(cap)
        still_allowed()
    return _unpacked(b"".join(chunks), reply.headers.get("Content-Encoding", ""), cap)


def _unpacked(raw: bytes, encoding: str, cap: int) -> bytes:
    unpack = _UNPACKERS.get(encoding.strip().lower())
    if unpack is None:
        packing = repr(encoding) if len(encoding) <= _SHOWN else "something"  # cut, it could hold half a secret
        raise Unreadable(f"a body packed as {packing}, which was not asked for", _ASK_OPERATOR)
    try:
        body = unpack(raw, cap + 1)
    except (OSError, EOFError, zlib.error):
        raise Unreadable("a packed body that is damaged or cut short", _ASK_OPERATOR) from None
    if len(body) > cap:
        raise _too_large(cap)
    return body


def _as_is(raw: bytes, most: int) -> bytes:
    return raw


def _gunzip(raw: bytes, most: int) -> bytes:
    # Proxies and recorders that unpack on the way often leave the header behind: then there is nothing to do.
    return gzip.GzipFile(fileobj=io.BytesIO(raw)).read(most) if raw.startswith(_GZIP_MAGIC) else raw


def _inflate(raw: bytes, most: int) -> bytes:
    # "deflate" means zlib by the standard (RFC 9110 section 8.4.1.2) and the bare stream by old custom.
    zlib_header = len(raw) > 1 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2]) % 31 == 0
    unpacker = zlib.decompressobj(zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)
    body = unpacker.decompress(raw, most)
    if raw and not unpacker.eof and len(body) < most:
        raise EOFError
    return body


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "": _as_is,
    "identity": _as_is,
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
}
ACCEPTED = "gzip, deflate"


def _too_large(cap: int) -> Unreadable:
    return Unreadable(f"more than {cap:,} bytes", "Ask for smaller pages, where the connector has a setting for it.")
