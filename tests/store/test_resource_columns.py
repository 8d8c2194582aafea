"""Each field of a resource is kept: in the picture, in its history, and while a sync runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve, fields
from kit.sync import Script, first, opened, user

from connector_core.model import Key, Page, Resource
from connector_core.store.columns import ACTIVITY, FIELDS, resource_of, values_of
from connector_core.testing import FakeClock

FULL = evolve(
    user("ada"), name="Ada", email="ada@example.com", status="disabled", account_type="service", manager="bo",
    mfa=True, parent=Key("group", "g1"), profile={"title": "Countess", "phones": [{"kind": "work"}]},
)  # fmt: skip


def test_a_resource_is_its_key_and_these_columns() -> None:
    """A field that is added to the class is a column of what is kept, or of what is kept apart as activity."""
    assert {*FIELDS, *ACTIVITY, "type", "id"} == {field.name for field in fields(Resource)}


@pytest.mark.parametrize("table", ["current_resources", "resource_history", "staged", "activity", "staged_activity"])
def test_every_table_of_resources_has_them(tmp_path: Path, table: str) -> None:
    """The migrations made a column for each."""
    Script({None: first("users"), ("users", 0): Page(resources=(FULL,))}).connect(tmp_path / "s.db").sync()
    with opened(tmp_path / "s.db") as db:
        columns = {row["name"] for row in db.execute(f"PRAGMA table_info({table})")}
    assert set(ACTIVITY if table.endswith("activity") else FIELDS) <= columns


def test_what_is_kept_is_what_was_read(tmp_path: Path) -> None:
    """Every field comes back as it was; a version of each that ended stays in the history; each is a change."""
    db, clock = tmp_path / "s.db", FakeClock()
    later = user("ada", name="A.", login="a@example.com")
    for version in (FULL, later):
        Script({None: first("users"), ("users", 0): Page(resources=(version,))}).connect(db, clock=clock).sync()
    with opened(db) as connection:
        (now,) = connection.execute("SELECT * FROM current_resources WHERE type = 'user'").fetchall()
        (then,) = connection.execute("SELECT * FROM resource_history WHERE type = 'user'").fetchall()
        changed = [what for (what,) in connection.execute("SELECT what FROM change_log ORDER BY id")]
    assert (resource_of(now), resource_of(then)) == (later, FULL)
    assert changed == list(FIELDS)


def test_values_of_many_are_those_of_each() -> None:
    """Encoding all at once gives what encoding one by one gives."""
    plain = [user("b"), FULL, evolve(user("c"), profile={"a": 'br"}\n,{"'})]
    assert values_of(plain) == [values_of([resource])[0] for resource in plain]
    assert values_of([]) == []
