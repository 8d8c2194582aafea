"""`AnswerRows`: an answer of any size, read from the state while it is gone through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import chain, islice
from typing import Generic, SupportsIndex, TypeVar, overload

_PAGE = 500

T = TypeVar("T", covariant=True)


class AnswerRows(Collection[T], Generic[T]):
    """The rows of an answer, in their order.

    An answer of up to 500 rows is read at once. Going through a longer one holds a page of it, and keeps the state file
    open until the end: what is read is of the moment of the question, whatever is published meanwhile. Going through it
    again asks again. An index behind the first page, ``==`` and ``reversed`` read all rows into memory; ``len`` counts
    them.
    """

    def __init__(self, ask: Callable[[], Iterator[T]]) -> None:
        """:param ask: begins the answer; what it raises for the first rows is raised here."""
        self._ask = ask
        rows = ask()
        self._first = tuple(islice(rows, _PAGE))
        self._is_all = len(self._first) < _PAGE
        self._unread = [] if self._is_all else [rows]

    def __iter__(self) -> Iterator[T]:
        if self._is_all:
            return iter(self._first)
        try:
            return chain(self._first, self._unread.pop())
        except IndexError:
            return self._ask()

    def __len__(self) -> int:
        return len(self._first) if self._is_all else sum(1 for _ in self)

    def __bool__(self) -> bool:
        return bool(self._first)

    def __contains__(self, row: object) -> bool:
        return any(row == mine for mine in self)

    @overload
    def __getitem__(self, at: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...
    def __getitem__(self, at: SupportsIndex | slice) -> T | tuple[T, ...]:
        if not isinstance(at, slice) and 0 <= at.__index__() < len(self._first):
            return self._first[at]
        return tuple(self)[at]

    def __reversed__(self) -> Iterator[T]:
        return reversed(tuple(self))

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, AnswerRows | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._first) if self._is_all else f"<AnswerRows from {self._first[0]!r} on>"
