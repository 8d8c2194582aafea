"""A plan is for the accounts of one type: a step names an account by its id, which another type's may have, too."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.directory import Directory, directory

from connector_core.errors import UsageError

BUILD = "build@example.com"
ANN = "ann@example.com"
BOB = "bob@example.com"


def application() -> Directory:
    """Ann, and a robot whose id is Ann's; Bob, and no more."""
    app = Directory("g1")
    app.add("user", "7", login=ANN)
    app.add("user", "8", login=BOB)
    app.add("service", "7", login=BUILD)
    app.members["g1"] = {"service:7"}
    return app


def people(folder: Path, *lines: str) -> Path:
    path = folder / "people.csv"
    path.write_text("\n".join(["email,role", *lines, ""]))
    return path


def test_accounts_of_another_type_are_neither_removed_nor_taken_for_those_of_the_same_id(tmp_path: Path) -> None:
    """Ann is no member because a robot with her id is one, and ``prune`` leaves robots alone."""
    with directory(application(), tmp_path) as connection:
        plan = connection.plan(people(tmp_path, f"{ANN},g1"), prune=True)
    assert {(step.kind, step.user) for step in plan.steps} == {("grant", ANN), ("delete_account", BOB)}


def test_a_line_that_names_an_account_of_another_type_is_an_error(tmp_path: Path) -> None:
    """With its line; no account of that name is made beside it."""
    with directory(application(), tmp_path) as connection:
        file = people(tmp_path, f"{BUILD},g1")
        with pytest.raises(UsageError, match=f"line 2: {BUILD} is an account of another type"):
            connection.plan(file)
