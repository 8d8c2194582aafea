"""docs/scim-facts.md explains each P- and W-number that the project uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kit.pages import ROOT, page

NUMBER = re.compile(r"(?<![A-Za-z0-9])(?:P(\d\d)(b?)|W(\d{1,2}))(?![A-Za-z0-9])")
IN_A_NAME = re.compile(r"_(?:p(\d\d)(b?)|w(\d{1,2}))(?=_)")
FOLDERS = ("connector_core", "plugins", "tests", "docs", "benchmarks", "cassettes")
BEYOND = {"P79"}  # test_p_numbers says that there is none


def numbers(text: str) -> set[str]:
    """Return the numbers in a text, test names included: ``P07``, ``P19b``, ``W4``."""
    found = [*NUMBER.findall(text), *IN_A_NAME.findall(text.replace("_", "__"))]
    return {f"P{p}{letter}" if p else f"W{int(w)}" for p, letter, w in found}


def explained() -> list[str]:
    return re.findall(r"^\| ([PW]\d+b?) \|", page("docs/scim-facts.md"), re.M)


def texts() -> list[Path]:
    names = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")]
    return [path for path in [*names, *ROOT.glob("*.md")] if "node_modules" not in path.parts]


def test_every_number_that_is_used_is_explained() -> None:
    """In code, tests and pages: no number without a row."""
    known = {*explained(), *BEYOND}
    assert {str(path.relative_to(ROOT)): n for path in texts() if (n := numbers(path.read_text("utf-8")) - known)} == {}


def test_the_rows_are_whole() -> None:
    """P01 to P78 and P19b, W1 to W31, each once and each with a source."""
    rows = explained()
    assert sorted(rows) == sorted([*(f"P{n:02}" for n in range(1, 79)), "P19b", *(f"W{n}" for n in range(1, 32))])
    cells = [
        line.strip("|").split("|") for line in page("docs/scim-facts.md").splitlines() if line[:3] in ("| P", "| W")
    ]
    assert [row for row in cells if not all(cell.strip() for cell in row)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("(P55, W4)", {"P55", "W4"}), ("def test_p02_p19b_w14_x():", {"P02", "P19b", "W14"}), ("UTF-8, MP3, P2P", set())],
)
def test_numbers_are_found(text: str, found: set[str]) -> None:
    """The search is one."""
    assert numbers(text) == found
