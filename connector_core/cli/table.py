"""Columns: as wide as they are, or on a terminal narrowed to fit it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from attrs import frozen
from rich.cells import cell_len, set_cell_size

from connector_core.cli.output import clean, columns, print_lines

_GAP = "  "
_LONGEST = 200  # letters of a cell: what is longer is for --json


@frozen
class Column:
    """``least``: how narrow it may become where there is no room; None: never narrower than what it holds.

    ``wrap``: what does not fit goes on in the next line instead of being cut; for one column of prose, the last.
    """

    head: str
    least: int | None = None
    right: bool = False
    wrap: bool = False


def print_table(head: Sequence[Column | str], rows: Iterable[Sequence[str | None]]) -> None:
    """A table without decoration, on standard output. A text is a column that keeps its width."""
    shape = [Column(column) if isinstance(column, str) else column for column in head]
    cells = [[_shortened(clean(cell or "")) for cell in row] for row in rows]
    room = columns("stdout")
    widths = [max(cell_len(text) for text in (c.head, *column)) for c, *column in zip(shape, *cells, strict=True)]
    if room is not None:
        widths = _fitting(shape, widths, room)
    lines = ([c.head for c in shape], *cells)
    print_lines("\n".join(line for row in lines for line in _lines(shape, row, widths)))


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
        textwrap.wrap(text, width, break_on_hyphens=False) if column.wrap and cell_len(text) > width else [text]
        for column, text, width in zip(shape, row, widths, strict=True)
    ]
    cut = [
        [_cut(text, width, column.right) for column, text, width in zip(shape, texts, widths, strict=True)]
        for texts in zip_longest(*parts, fillvalue="")
    ]
    return [_GAP.join(line).rstrip() for line in cut]


def _cut(text: str, width: int, right: bool) -> str:
    if cell_len(text) > width:
        text = f"{set_cell_size(text, width - 1).rstrip()}…"
    filling = " " * (width - cell_len(text))
    return filling + text if right else text + filling
