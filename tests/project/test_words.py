"""The pages are written in plain field English: present tense, no private words."""

from __future__ import annotations

import re

import pytest
from kit.pages import page, pages

PRIVATE = re.compile(
    r"\b(somebody|nobody|everybody|whoever|anew|told|came of|gone on with|goes on|go on with|sitting|besides?)\b", re.I
)


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
