"""Long answers on standard output: written while they are read, as the same document and the same table."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from connector_core.cli.output import print_json
from connector_core.cli.table import PAGE, Column, print_table


def test_a_document_is_written_while_it_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    """The first rows are out before the last one is made; it is one document, a line for each row."""
    out: list[str] = []

    def rows() -> Iterator[dict[str, int]]:
        yield from ({"row": number} for number in range(10_000))
        out.append(capsys.readouterr().out)
        yield {"row": 10_000}

    def counted() -> Iterator[int]:
        yield len(out)

    print_json({"rows": rows(), "after": counted(), "none": iter(())})
    assert out[0].startswith('{\n  "format_version": 1,\n  "rows": [\n    {"row": 0},\n    {"row": 1},\n')
    document = out[0] + capsys.readouterr().out
    assert json.loads(document) == {
        "format_version": 1, "rows": [{"row": number} for number in range(10_001)], "after": [1], "none": [],
    }  # fmt: skip
    assert len(document.splitlines()) == 10_001 + 9


def test_a_row_wider_than_the_first_page_widens_its_column(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is cut; there is one head; columns stay as wide as they have become."""
    rows = [("a", "x")] * PAGE + [("a" * 30, "y")] + [("b", "z")] * PAGE
    print_table(["NAME", "WHAT"], iter(rows))
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[1], lines[PAGE]) == ("NAME  WHAT", "a     x", "a     x")
    assert (lines[PAGE + 1], lines[-1]) == ("a" * 30 + "  y", "b" + " " * 31 + "z")
    assert sum(line.startswith("NAME") for line in lines) == 1


def test_an_empty_table_is_its_head(capsys: pytest.CaptureFixture[str]) -> None:
    """Without rows there is a head still."""
    print_table([Column("NAME"), "WHAT"], ())
    assert capsys.readouterr().out == "NAME  WHAT\n"
