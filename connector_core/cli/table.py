"""Columns: as wide as they are, or on a terminal narrowed to fit it; a long table is laid out a page at a time."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import TypeVar

from attrs import frozen
from rich.cells import cell_len, set_cell_size

from connector_core.cli.output import clean, columns, print_lines

PAGE = 1000  # rows
_GAP = "  "
_LONGEST = 200  # letters of a cell: what is longer is for --json

T = TypeVar("T")


@frozen
class Column:
    """``least``: how narrow it may become where there is no room; None: never narrower than what it holds.

    ``wrap``: what does not fit continues in the next line instead of being cut; for one column of prose, the last.
    """

    head: str
    least: int | None = None
    right: bool = False
    wrap: bool = False


def print_table(head: Sequence[Column | str], rows: Iterable[Sequence[str | None]]) -> None:
    """A table without decoration, on standard output. A text is a column that keeps its width.

    The first page says how wide columns are; a later one can only widen them.
    """
    shape = [Column(column) if isinstance(column, str) else column for column in head]
    lines = iter(rows)
    above, wide = [[c.head for c in shape]], [0] * len(shape)
    while page := [*above, *([_shortened(clean(cell or "")) for cell in row] for row in islice(lines, PAGE))]:
        above = []
        wide = [max(width, *map(_width, column)) for width, *column in zip(wide, *page, strict=True)]
        room = columns("stdout")
        widths = wide if room is None else _fitting(shape, wide, room)
        print_lines("\n".join(line for row in page for line in _lines(shape, row, widths)))


def begun(rows: Iterable[T]) -> tuple[list[T], Iterator[T]]:
    """Return the first page, and all rows: to look at some before the columns are named."""
    lines = iter(rows)
    first = list(islice(lines, PAGE))
    return first, chain(first, lines)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _fitting(shape: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """Take what is missing from the columns that may give way, the last one first."""
    widths = list(widths)
    missing = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    for at, column in reversed(list(enumerate(shape))):
        if column.least is not None:
            given = max(0, min(missing, widths[at] - max(column.least, len(column.head))))
            widths[at] -= given
            missing -= given
    return widths


def _lines(shape: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A row as lines; more than one where a cell wraps."""
    parts = [
        textwrap.wrap(text, width, break_on_hyphens=False) if column.wrap and _width(text) > width else [text]
        for column, text, width in zip(shape, row, widths, strict=True)
    ]
    cut = [
        [_cut(text, width, column.right) for column, text, width in zip(shape, texts, widths, strict=True)]
        for texts in zip_longest(*parts, fillvalue="")
    ]
    return [_GAP.join(line).rstrip() for line in cut]


def _cut(text: str, width: int, right: bool) -> str:
    if _width(text) > width:
        text = f"{set_cell_size(text, width - 1).rstrip()}…"
    filling = " " * (width - _width(text))
    return filling + text if right else text + filling


def _width(text: str) -> int:
    """How many columns of a terminal it takes."""
    return len(text) if text.isascii() else cell_len(text)
