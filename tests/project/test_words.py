"""The pages, and the rooms below, are written in plain field English: present tense, no private words."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.pages import ROOT, page, pages

PRIVATE = re.compile(
    r"\b(somebody|nobody|everybody|whoever|anew|told|came of|gone on with|goes on|go on with|sitting|besides?)\b", re.I
)
ALLOWED = re.compile(r"a-token-that-nobody-guesses|\b\w+\.beside\b|\bbeside(?= TO inline| INTEGER)")
"""Every test's token, and a column of earlier versions."""

ROOMS = ("connector_core", "plugins", "benchmarks", "examples", "tests/kit", "tests/servers")
"""Rooms whose comments, docstrings and messages are held to it."""


def prose(text: str) -> str:
    """Return a page without fenced blocks and without what stands in backticks."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^( *)```.*?^\1```", "", text, flags=re.M | re.S))


@pytest.mark.parametrize("name", pages())
def test_no_private_words(name: str) -> None:
    """A reader whose first language is not English meets the field's words only."""
    lines = prose(page(name)).splitlines()
    assert [line for line in lines if PRIVATE.search(line)] == []


def test_private_words_are_found() -> None:
    """The search is one, and leaves code alone."""
    assert PRIVATE.search(prose("It is gone on with."))
    assert not PRIVATE.search(prose("`test_somebody`\n```sql\n-- begun anew\n```\n"))


def said(path: Path) -> Iterator[str]:
    """Yield the comments and texts of a Python file, with their lines."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING):
                lines = ALLOWED.sub("", prose(token.string)).splitlines()
                yield from (f"{path.name}:{token.start[0]}: {line}" for line in lines)


@pytest.mark.parametrize("room", ROOMS)
def test_no_private_words_in_code(room: str) -> None:
    """Who maintains the code reads the field's words, too."""
    lines = [line for path in sorted((ROOT / room).rglob("*.py")) for line in said(path)]
    assert lines
    assert [line for line in lines if PRIVATE.search(line)] == []
