"""Faults of the transport: what becomes of a reply between the server and its client. They strike any request."""

from __future__ import annotations

import contextlib
import gzip
import socket
import zlib
from collections.abc import Callable
from functools import cache

from attrs import evolve

from connector_core.clock import Clock
from connector_core.testing.faults.catalogue import ALL, listed
from connector_core.testing.faults.exchange import MEDIA_TYPE, Answer, Exchange, Proceed, page, reply

Send = Callable[[socket.socket, bytes], None]

LONGEST_STALL = 30.0  # real seconds after which a silent connection is dropped, should its client be as patient


def _lost(send: Send) -> Answer:
    return evolve(reply(200), send=send)


def _reset(line: socket.socket, raw: bytes) -> None:
    line.sendall(raw)
    raise ConnectionAbortedError


def _silence(line: socket.socket, raw: bytes) -> None:
    """Send, and then wait for the client to go."""
    line.sendall(raw)
    line.settimeout(LONGEST_STALL)
    with contextlib.suppress(OSError):
        line.recv(1)
    line.close()


def _half(raw: bytes) -> bytes:
    return raw[: raw.index(b"\r\n\r\n") + 4 + len(raw.partition(b"\r\n\r\n")[2]) // 2]


# -- no reply, or half of one --------------------------------------------------------------------------------------


@listed(ALL)
def reset_before_the_reply(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """The connection is reset, and nothing was done."""
    return _lost(lambda line, raw: _reset(line, b""))


@listed(ALL)
def p75_reset_after_it_was_done(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and the connection is reset before a word is said."""
    return evolve(proceed(exchange), send=lambda line, raw: _reset(line, b""))


@listed(ALL)
def reset_in_the_reply(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and the connection is reset in the middle of the reply."""
    return evolve(proceed(exchange), send=lambda line, raw: _reset(line, raw[: len(raw) // 2]))


@listed(ALL)
def reply_cut_short(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and the connection ends with half of the body."""
    answer = proceed(exchange)
    return evolve(answer, send=lambda line, raw: line.sendall(_half(raw))) if answer.body else None


@listed(ALL, times=1)
def p76_silent_and_not_done(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Nothing is done, and nothing said."""
    return _lost(lambda line, raw: _silence(line, b""))


@listed(ALL, times=1)
def p76_silent_and_done(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and nothing is said."""
    return evolve(proceed(exchange), send=lambda line, raw: _silence(line, b""))


@listed(ALL, times=1)
def p76_silent_in_the_reply(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and in the middle of the reply silence falls."""
    return evolve(proceed(exchange), send=lambda line, raw: _silence(line, _half(raw)[:-1]))


@listed(ALL)
def p76_drips(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and the reply drips in for 150 seconds."""
    return evolve(proceed(exchange), send=lambda line, raw: _drip(line, raw, exchange.clock))


def _drip(line: socket.socket, raw: bytes, clock: Clock, seconds: int = 150) -> None:
    size = len(raw) // seconds + 1
    for start in range(0, len(raw), size):
        clock.sleep(seconds * size / len(raw))
        line.sendall(raw[start : start + size])


# -- a reply that is not what it says ------------------------------------------------------------------------------


@listed(ALL)
def longer_than_it_says(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and more comes than the length that was announced."""
    answer = proceed(exchange)
    tail = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    return evolve(answer, send=lambda line, raw: line.sendall(answer.raw() + tail)) if answer.status != 204 else None


@listed(ALL)
def shorter_than_it_says(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and less comes than the length that was announced."""
    answer = proceed(exchange)
    length = len(answer.body) + 40
    return evolve(answer, send=lambda line, raw: line.sendall(answer.raw(length))) if answer.status != 204 else None


@listed(ALL)
def no_http_at_all(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and the reply is another protocol's."""
    return evolve(proceed(exchange), send=lambda line, raw: line.sendall(b"220 mail.example.com ESMTP ready\r\n"))


@listed(ALL)
def headers_without_end(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """It was done, and the reply has a thousand headers."""
    many = b"".join(b"X-%d: y\r\n" % number for number in range(1000))
    return evolve(proceed(exchange), send=lambda line, raw: line.sendall(raw.replace(b"\r\n", b"\r\n" + many, 1)))


# -- bodies (P77) --------------------------------------------------------------------------------------------------


def _instead(exchange: Exchange, proceed: Proceed, body: bytes, **headers: str) -> Answer:
    """It is carried out; the body is another."""
    answer = proceed(exchange)
    return evolve(answer, status=200 if answer.status == 204 else answer.status).holding(
        body, **{"Content_Type": MEDIA_TYPE, **headers}
    )


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)  # piece by piece: the bomb is for the client
    return b"".join(packer.compress(b" " * 1_000_000) for _ in range(100)) + packer.flush()


@listed(ALL)
def p77_gzip_bomb(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """100 MB in a body of 100 KB."""
    return _instead(exchange, proceed, _bomb(), Content_Encoding="gzip")


@listed(ALL)
def p77_page_of_100_megabytes(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """100 MB of white space, and then what was asked for."""
    answer = proceed(exchange)
    return evolve(answer, send=lambda line, raw: _flood(line, answer.body))


def _flood(line: socket.socket, body: bytes) -> None:
    chunk = b" " * 2**20
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (100 * len(chunk) + len(body)))
    for _ in range(100):
        line.sendall(chunk)
    line.sendall(body)


@listed(ALL)
def p77_nested_without_end(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Lists in lists, a hundred thousand deep."""
    return _instead(exchange, proceed, b'{"Resources":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@listed(ALL)
def p77_not_a_number(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """``NaN``, which is no JSON."""
    return _instead(exchange, proceed, b'{"totalResults": NaN, "id": NaN, "Resources": []}')


@listed(ALL)
def p77_a_number_of_10000_digits(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A total of ten thousand digits."""
    return _instead(exchange, proceed, b'{"Resources": [], "id": "x", "totalResults": ' + b"9" * 10_000 + b"}")


@listed(ALL)
def invalid_utf8(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Bytes that are no UTF-8."""
    return _instead(exchange, proceed, b'{"Resources": [], "totalResults": 0, "id": "\xff\xfe"}')


@listed(ALL)
def packed_and_damaged(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Half of a packed body."""
    packed = gzip.compress(proceed(exchange).body or b"{}" * 50)
    return _instead(exchange, proceed, packed[: len(packed) // 2], Content_Encoding="gzip")


@listed(ALL)
def html_with_200(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A sign-in page in place of everything; nothing is done."""
    return page("Please sign in")


# -- redirects (P47) -----------------------------------------------------------------------------------------------


@listed(ALL)
def p47_redirect_to_another_host(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Everything has moved to another host."""
    return reply(302, Location=f"https://elsewhere.example.com{exchange.path}")


@listed(ALL)
def p47_redirect_in_a_circle(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Everything has moved to where it is."""
    return reply(307, Location=exchange.path)
