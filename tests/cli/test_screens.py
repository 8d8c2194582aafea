"""What a person sees: whole screens on terminals 80 and 120 columns wide, compared with those that somebody looked at.

``CONNECTOR_CORE_SCREENS=write pytest tests/cli/test_screens.py`` writes them again into ``tests/screens``: look at each
difference before it is committed.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from kit.cli import Home

SCREENS = Path(__file__).parents[1] / "screens"
WIDTHS = (80, 120)
NAME = "whimsical-sandbox"
COMMANDS = {
    "help": ["--help"],
    "help-run": ["run", "--help"],
    "capabilities": ["capabilities", "whimsical"],
    "check": ["check", NAME],
    "connections": ["connections"],
    "status": ["status"],
    "access": ["access", NAME],
    "access-role": ["access", NAME, "--role", "edittor"],
    "changes": ["changes", NAME, "--from", "1"],
    "history": ["history", NAME, "ada@example.com"],
    "syncs": ["syncs", NAME],
    "logs": ["logs", NAME, "--all"],
    "logs-operation": ["logs", NAME, "3", "--level", "debug"],
    "operations": ["operations", NAME],
    "grant-dry-run": ["grant", NAME, "editor", "omar.said@example.com", "--dry-run"],
    "plan": ["plan", NAME, "people.csv"],
    "run": ["run", NAME],
    "prune": ["prune", NAME, "--keep", "2", "--dry-run"],
    "unknown": ["acces"],
}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Three syncs, and every kind of operation in between; three days old."""
    home = Home(tmp_path_factory.mktemp("screens"))
    (home.folder / "people.csv").write_text(
        "email,role,given_name,family_name\nada@example.com,viewer,,\nzoe@example.com,editor,Zoe,Ng\n", "utf-8"
    )
    for command in (
        ["run", NAME],
        ["grant", NAME, "viewer", "ada@example.com", "--reason", "TICKET-7: no longer draws"],
        ["grant", NAME, "editor", "ada@example.com", "--reason", "TICKET-8: draws again after all, for a while"],
        ["create-user", NAME, "grace.o'neill-de-la-cruz@example.com", "--given-name", "Grace", "--role", "viewer"],
        ["delete-user", NAME, "zofia.wojcik@example.com", "--yes"],
        ["run", NAME],
        ["run", NAME],
    ):
        assert home(*command).code == 0
    assert home("delete-user", NAME, "omar.said@example.com").code == 8
    with closing(sqlite3.connect(home.db)) as db, db:
        then = (datetime.now(UTC) - timedelta(days=3, minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        db.execute("UPDATE journal SET who = 'grace@desk'")
        db.execute("UPDATE logs SET message = replace(message, substr(message, 1, instr(message, ' asks: ')), "
                   "'grace@desk ') WHERE message LIKE '% asks: %'")  # fmt: skip
        db.execute("UPDATE sync_runs SET finished = ?", (then,))
        db.execute("UPDATE events SET at = ? WHERE at IS NOT NULL", (then,))
    return home


@pytest.fixture
def home(lived: Home, tmp_path: Path) -> Home:
    """A copy, since some commands go on with it."""
    shutil.copytree(lived.folder, tmp_path, dirs_exist_ok=True)
    return Home(tmp_path)


def still(text: str) -> str:
    """What differs from run to run, blanked out without changing how wide it is."""
    text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?", lambda m: re.sub(r"\d", "0", m[0]), text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", lambda m: re.sub(r"[0-9a-f]", "x", m[0]), text)
    text = re.sub(r"\d\.\d+(?= s\b)", lambda m: re.sub(r"\d", "0", m[0]), text)
    return re.sub(r"\x1b\[K|\r", "", text)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_screens_are_as_somebody_saw_them(home: Home, name: str, width: int) -> None:
    """Letter by letter, and no line wider than the terminal."""
    _, seen = home.on_terminal(*COMMANDS[name], width=width)
    screen = still(seen)
    file = SCREENS / f"{name}-{width}.txt"
    if os.environ.get("CONNECTOR_CORE_SCREENS") == "write":
        SCREENS.mkdir(exist_ok=True)
        file.write_text(screen, "utf-8")
    assert screen == file.read_text("utf-8")


def test_no_screen_is_left_over() -> None:
    """Each file is one that is compared."""
    assert {file.name for file in SCREENS.iterdir()} == {f"{name}-{width}.txt" for name in COMMANDS for width in WIDTHS}
