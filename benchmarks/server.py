"""A SCIM server that only lists users, much faster than anything that reads from it: ``python benchmarks/server.py``.

It prints its address and answers until it is stopped. Every token is good. Who measures can send it lines::

    change   from now on one member in a hundred is another, or as before again
    stats    it prints {"answered": pages, "refused": by the limit, "seconds": from the first page to the last}
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from people import People

_START = re.compile(rb"[?&]startIndex=(\d+)")
_COUNT = re.compile(rb"[?&]count=(\d+)")
_REASONS = {200: b"OK", 404: b"Not Found", 429: b"Too Many Requests"}


class Limit:
    """At most ``rate`` requests a second: a bucket that holds one second's worth. 0 is no limit."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at = time.monotonic()

    def wait(self) -> float:
        """0.0 where a request may pass now, else the seconds until one may."""
        if not self._rate:
            return 0.0
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0


class BenchmarkApplication:
    """What is answered, and what was."""

    def __init__(self, users: int, page_cap: int, rate: float) -> None:
        self._people, self._others = People(users), People(users, changed=True)
        self._page_cap = page_cap
        self._limit = Limit(rate)
        self._answered = self._refused = 0
        self._first = self._last = 0.0

    def obey(self, orders: Iterable[str]) -> None:
        """Do what the lines say, as they come."""
        for order in map(str.strip, orders):
            if order == "change":
                self._people, self._others = self._others, self._people
                print("{}", flush=True)
            elif order == "stats":
                seconds = self._last - self._first
                stats = {"answered": self._answered, "refused": self._refused, "seconds": seconds}
                print(json.dumps(stats), flush=True)

    def answer(self, target: bytes) -> bytes:
        """The whole reply to a GET."""
        if not target.partition(b"?")[0].endswith(b"/Users"):
            return _reply(404, b"{}")
        if wait := self._limit.wait():
            self._refused += 1
            return _reply(429, b"{}", b"Retry-After: %d\r\n" % math.ceil(wait))
        self._answered += 1
        self._last = time.monotonic()
        self._first = self._first or self._last
        start, count = _START.search(target), _COUNT.search(target)
        wanted = int(count[1]) if count else self._page_cap
        return _reply(200, self._people.page(int(start[1]) if start else 1, min(wanted, self._page_cap)))


class Wire(asyncio.Protocol):
    """One connection: requests in, replies out, each ``latency`` seconds after its request."""

    def __init__(self, application: BenchmarkApplication, latency: float) -> None:
        self._application = application
        self._latency = latency
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Requests without a body, and so complete at an empty line."""
        *requests, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for request in requests:
            reply = self._application.answer(request.split(b" ", 2)[1])
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, reply)
            else:
                self._transport.write(reply)


def _reply(status: int, body: bytes, headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d %b\r\nContent-Type: application/scim+json\r\nContent-Length: %d\r\n%b\r\n%b" % (
        status, _REASONS[status], len(body), headers, body,
    )  # fmt: skip


async def serve(application: BenchmarkApplication, latency: float, port: int) -> None:
    """Answer on loopback until cancelled."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Wire(application, latency), "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A fast SCIM server of invented users, on loopback.")
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--page-cap", type=int, default=1000, help="rows a page, at most")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument(
        "--rate", type=float, default=0.0, help="requests a second, at most; beyond it 429; 0: no limit"
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    options = parser.parse_args()
    application = BenchmarkApplication(options.users, options.page_cap, options.rate)
    threading.Thread(target=application.obey, args=(sys.stdin,), daemon=True).start()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(application, options.latency, options.port))


if __name__ == "__main__":
    main()
