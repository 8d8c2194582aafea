"""Boxes with words, as SVG that shows on light and on dark ground."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

INK, GROUND, LINE = "#1f2933", "#ffffff", "#9aa5b1"
FONT = "ui-sans-serif, system-ui, Helvetica, Arial, sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"


def words(x: float, y: float, text: str, *, size: int = 12, bold: bool = False, mono: bool = False) -> str:
    return (
        f'<text x="{x}" y="{y}" fill="{INK}" font-size="{size}" font-weight="{"bold" if bold else "normal"}" '
        f'font-family="{MONO if mono else FONT}">{escape(text)}</text>'
    )


def box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="{colour}" stroke="{LINE}"/>'


def card(x: float, y: float, width: float, title: str, lines: Sequence[str], colour: str) -> str:
    """Return a box with a title and lines below it; `card_height` says how high it is."""
    shown = [words(x + 8, y + 34 + 14 * row, line, size=10, mono=True) for row, line in enumerate(lines)]
    return "\n".join([box(x, y, width, card_height(lines), colour), words(x + 8, y + 17, title, bold=True), *shown])


def card_height(lines: Sequence[str]) -> int:
    return 30 + 14 * len(lines)


def picture(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return the whole document; the title is what a screen reader says."""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="{GROUND}"/>',
        *parts,
        "</svg>\n",
    ])  # fmt: skip
