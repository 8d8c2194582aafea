"""What a page may hold: a row whose id no store can take is set aside, and texts without end are cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.sync import Script, editor, first, rows, user

from connector_core.connectors.limits import LONGEST, within_limits
from connector_core.model import Page
from connector_core.scim.reading import read_rows

PEOPLE = (user("ada"), user("bo\0b"), user("cy"))
GRANTS = (editor("ada"), editor("bo\0b"), editor("cy"))


def test_a_nul_in_an_id_rejects_that_row_only(tmp_path: Path) -> None:
    """The others are published; the sync is incomplete, and says why."""
    page = Page(resources=PEOPLE, grants=GRANTS)
    connection = Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db")
    report = connection.sync()
    assert (report.sync.status, report.rejected) == ("incomplete", 1)
    assert {(row.user_id, row.role) for row in rows(connection)} == {("ada", "editor"), ("cy", "editor")}
    assert any("NUL" in line.message for line in connection.logs())


def test_a_page_as_it_should_be_is_the_same_page() -> None:
    """No copy is made of what needs none."""
    page = Page(resources=PEOPLE[::2], grants=GRANTS[::2])
    assert within_limits(page) is page


@pytest.mark.parametrize("name", ["name", "login", "email", "profile"])
def test_a_value_over_4_kb_is_cut_with_a_warning(tmp_path: Path, name: str) -> None:
    """The row is kept, the value ends with an ellipsis, and the sync is complete."""
    endless = "x" * 2 * LONGEST
    facts = {name: {"note": endless, "floor": 3} if name == "profile" else endless}
    page = Page(resources=(user("ada", **facts), user("bo")), grants=(editor("ada"), editor("bo")))
    connection = Script({None: first("users"), ("users", 0): page}).connect(tmp_path / "s.db")
    report = connection.sync()
    assert (report.sync.status, report.counts.user) == ("complete", 2)
    assert report.warnings == (f"user:ada: a value of more than {LONGEST:,} characters was cut",)
    (cut,) = within_limits(page).resources[:1]
    kept = cut.profile["note"] if name == "profile" else getattr(cut, name)
    assert kept == "x" * (LONGEST - 1) + "…"
    assert name != "profile" or cut.profile["floor"] == 3


def test_a_scim_id_with_a_nul_reaches_the_limit(tmp_path: Path) -> None:
    """SCIM rows are read as they are sent; the host sets the id aside for every connector alike."""
    assert list(read_rows([{"id": "a\0b"}], "user", lambda row, found: found).read) == ["a\0b"]
