"""docs/reliability.md names the tests that hold us to what it promises: they are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "reliability.md"


def test_every_test_that_is_named_is_there() -> None:
    """A promise whose test was renamed or taken away shows up here."""
    named = set(re.findall(r"`(test_\w+)`", DOCUMENT.read_text("utf-8")))
    written = {
        name
        for path in TESTS.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(named) > 60
    assert sorted(named - written) == []
