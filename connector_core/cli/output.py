"""What reaches people and scripts: JSON documents, tables, messages. Foreign text can forge none of them."""

from __future__ import annotations

import json
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click

from connector_core.errors import ConnectorCoreError

FORMAT_VERSION = 1
# C0 and C1 controls, and what reorders or hides text: bidirectional marks, overrides and isolates, line separators.
_DANGEROUS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_GAP = 2
_LEAST = 8  # columns are not made narrower than this on a narrow terminal


def clean(text: str) -> str:
    """Text that a terminal shows as it is: what would steer or reorder it is written out, such as ``\\x1b``."""
    return _DANGEROUS.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def print_json(document: dict[str, Any]) -> None:
    """One document on standard output."""
    text = json.dumps({"format_version": FORMAT_VERSION, **document}, ensure_ascii=False, indent=2)
    print(_DANGEROUS.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text))


def print_error(error: ConnectorCoreError, as_json: bool) -> int:
    """The error, with what to do next; gives its exit code."""
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
    else:
        say(f"error: {error.message}")
        if error.hint:
            say(f"  {error.hint}")
    return error.exit_code


def exit_code_of(code: str) -> int:
    """The exit code of the error with that code, as findings carry it."""
    kinds = [ConnectorCoreError]
    for kind in kinds:
        if kind.code == code:
            return kind.exit_code
        kinds += kind.__subclasses__()
    return ConnectorCoreError.exit_code


def say(message: str) -> None:
    """A line for the person, on standard error."""
    click.echo(clean(message), err=True)


def note(message: str) -> None:
    """A line of the answer, on standard output."""
    click.echo(clean(message))


def print_table(head: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Aligned columns: as wide as they are, or on a terminal shortened to fit it."""
    cells = [[clean(cell or "") for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(head, *cells, strict=True)]
    if sys.stdout.isatty():
        widths = _fitting(widths, shutil.get_terminal_size().columns)
    lines = [list(head), *cells]
    print("\n".join("  ".join(_fit(c, w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines))


def _fitting(widths: list[int], room: int) -> list[int]:
    """Take from the widest column, again and again, until all fit."""
    widths = list(widths)
    while sum(widths) + _GAP * (len(widths) - 1) > room and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _fit(text: str, width: int) -> str:
    if _width(text) <= width:
        return text + " " * (width - _width(text))
    while text and _width(text) >= width:
        text = text[:-1]
    return f"{text}…" + " " * (width - _width(text) - 1)


def _width(text: str) -> int:
    """How many columns a terminal gives it: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
