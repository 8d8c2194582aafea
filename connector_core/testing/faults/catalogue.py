"""What a fault is, the catalogue of all of them, and the middleware that lays them over an application."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from attrs import define, field, frozen

from connector_core.clock import Clock, SystemClock
from connector_core.testing.faults.exchange import Answer, Exchange, Proceed, answered, phrase, received

Act = Callable[[Exchange, Proceed], Answer | None]
"""What a fault does with a request: its own answer, or None to let the request pass as if it were not there."""

LISTS = frozenset({"list"})
QUERIES = LISTS | {"filter"}
READS = QUERIES | {"one"}
WRITES = frozenset({"create", "patch", "put", "delete"})
ALL = READS | WRITES | {"other"}

_NUMBER = re.compile(r"p(\d\d)(b?)(?:_|$)")


@frozen(kw_only=True)
class Description:
    """A line of the catalogue.

    ``number``: the behaviour's number in the documentation (``P02``), None for faults of the transport. ``kinds``:
    the requests that it can strike. ``unseen``: why no client can tell, where that is so. ``distorts``: what of a
    user it shows otherwise than it is (``login``, ``role``, ``status``, ``name``, ``email``). ``provoked``: it strikes
    only a client that does what it should not. ``times``: how often it strikes, unless said otherwise.
    """

    name: str
    summary: str
    kinds: frozenset[str]
    make: Callable[[], Act]
    unseen: str | None = None
    distorts: frozenset[str] = frozenset()
    provoked: bool = False
    times: int | None = None

    @property
    def number(self) -> str | None:
        found = _NUMBER.match(self.name)
        return f"P{found[1]}{found[2]}" if found else None


CATALOGUE: dict[str, Description] = {}
"""Every fault by name."""


@define(eq=False)
class Fault:
    """A fault in use: which requests it strikes, and how often it did. Made by `fault`; used by one server at a time.

    ``skip``: so many requests that it could strike pass first; ``times``: it strikes at most so often, None without
    end. ``fired`` counts the answers that are not what they would have been.
    """

    about: Description
    skip: int = 0
    times: int | None = None
    kinds: frozenset[str] = frozenset()
    fired: int = 0
    _act: Act | None = None
    _seen: int = 0
    _lock: threading.Lock = field(factory=threading.Lock, repr=False)

    @property
    def name(self) -> str:
        return self.about.name

    def __call__(self, exchange: Exchange, proceed: Proceed) -> Answer:
        if not self._may_strike(exchange):
            return proceed(exchange)
        plain: list[Answer] = []

        def go_on(asked: Exchange) -> Answer:
            if asked is not exchange:
                return proceed(asked)
            if not plain:  # a second call decorates it once
                plain.append(proceed(asked))
            return plain[0]

        assert self._act is not None
        answer = self._act(exchange, go_on)
        if answer is None or [answer] == plain:
            return plain[0] if plain else proceed(exchange)
        with self._lock:
            self.fired += 1
        return answer

    def _may_strike(self, exchange: Exchange) -> bool:
        if exchange.kind not in self.kinds:
            return False
        with self._lock:
            self._seen += 1
            return self._seen > self.skip and (self.times is None or self.fired < self.times)


def fault(name: str, *, skip: int = 0, times: int | None = None, kinds: Iterable[str] | None = None) -> Fault:
    """The fault of that name in the `CATALOGUE`, new and not fired.

    :param times: how often at most; by default as the catalogue says, which for most is without end.
    :param kinds: strike these requests only.

    Raises `KeyError` for a name that is none.
    """
    about = CATALOGUE[name]
    struck = about.kinds if kinds is None else about.kinds & frozenset(kinds)
    times = about.times if times is None else times
    return Fault(about, skip, times, struck, act=about.make())


class Faulty:
    """``app`` with faults laid over it, the first outermost: a WSGI application for a `LoopbackServer`.

    :param before: called with each request before anything else happens, where a test lets people come and go.
    :param after: called with each request and what it is answered, just before that leaves.
    :param clock: of faults that take time.
    """

    def __init__(
        self, app: Any, faults: Sequence[Fault] = (), *, before: Callable[[Exchange], None] | None = None,
        after: Callable[[Exchange, Answer], None] | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.app = app
        self.faults = list(faults)
        self.before = before
        self.after = after
        self.clock = clock or SystemClock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        exchange = received(environ, self.clock)
        if self.before is not None:
            self.before(exchange)
        answer = self._through(iter(list(self.faults)))(exchange)
        if self.after is not None:
            self.after(exchange, answer)
        if answer.send is not None:
            answer.send(exchange.line, answer.raw())
            raise ConnectionResetError  # what is left of this connection is of no use
        start_response(f"{answer.status} {phrase(answer.status)}", list(answer.headers))
        return [answer.body]

    def _through(self, faults: Iterator[Fault]) -> Proceed:
        struck = next(faults, None)
        if struck is None:
            return lambda exchange: answered(self.app, exchange)
        behind = self._through(faults)
        return lambda exchange: struck(exchange, behind)


# -- for those that are listed in the catalogue --------------------------------------------------------------------


def listed(
    kinds: frozenset[str], *, unseen: str | None = None, distorts: Iterable[str] = (), provoked: bool = False,
    times: int | None = None,
) -> Callable[[Act], Act]:  # fmt: skip
    """Put a function into the catalogue under its own name, its docstring as the summary."""

    def enter(act: Act) -> Act:
        _enter(act, lambda: act, kinds, unseen=unseen, distorts=distorts, provoked=provoked, times=times)
        return act

    return enter


def remembering(
    kinds: frozenset[str], *, provoked: bool = False, times: int | None = None
) -> Callable[[Callable[[], Act]], Callable[[], Act]]:
    """As `listed`, for a function that makes the act: one that remembers something between requests."""

    def enter(make: Callable[[], Act]) -> Callable[[], Act]:
        _enter(make, make, kinds, distorts=(), provoked=provoked, times=times)
        return make

    return enter


def _enter(named: Any, make: Callable[[], Act], kinds: frozenset[str], *, distorts: Iterable[str], **more: Any) -> None:
    put(named.__name__, named.__doc__ or "", make, kinds, distorts=distorts, **more)


def put(
    name: str,
    summary: str,
    make: Callable[[], Act],
    kinds: frozenset[str],
    *,
    distorts: Iterable[str] = (),
    **more: Any,
) -> None:
    """Enter one of a family that differs by a value alone. The same name twice is a mistake."""
    assert name not in CATALOGUE, f"there is a fault {name} already"
    CATALOGUE[name] = Description(
        name=name,
        summary=summary.strip().split("\n\n")[0],
        make=make,
        kinds=kinds,
        distorts=frozenset(distorts),
        **more,
    )


def always(name: str, summary: str, answer: Callable[[], Answer], kinds: frozenset[str], **more: Any) -> None:
    """Enter a fault that answers so and does nothing."""
    put(name, summary, lambda: lambda exchange, proceed: answer(), kinds, **more)


def altered(exchange: Exchange, proceed: Proceed, change: Callable[[Any], Any]) -> Answer | None:
    """The answer with its JSON changed, where it is a success that holds some."""
    answer = proceed(exchange)
    document = answer.document
    if answer.status >= 300 or not isinstance(document, dict) or answer.send is not None:
        return None
    changed = change(dict(document))
    if changed is None or json.dumps(changed) == json.dumps(document):  # to Python, 1 is True
        return None
    return answer.saying(changed)
