"""The state file as the migrations leave it: tables, views, and the temporary tables of a sync."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

import svg

from connector_core.store.database import open_writer

ROOT = Path(__file__).parents[2]
GROUPS = {
    "Connections and events": "connections events resource_types known_entitlements",
    "The picture and its history": "current_resources resource_history activity grants grant_sources "
    "grant_history change_log touched",
    "A running sync": "sync_runs frontier staged staged_same staged_activity "
    "staged_grants staged_entitlements staged_unknown also_listed losses held_removals",
    "Operations and logs": "journal applies protected_accounts logs witnessed",
}
TEMPORARY = {
    "seen": "index: the staged rows by their key",
    "seen_grants": "index: staged grants by stream, reading and principal",
    "same": "index: resources read unchanged, by number",
    "unseen": "resources of the picture that this sync did not read",
    "leaving": "resources that are unseen, or already proven gone",
    "lost": "what the guard counts, by kind",
    "whole": "streams that were read whole",
    "given": "grants given by pages that do not list their principal",
    "denied": "grants of `given` that a read of their principal by its id does not show",
    "ending": "grants that end with this sync",
    "unread": "grants that stand although nothing gave them: unconfirmed",
    "coming": "staged rows that are new or differ from the picture",
    "gone": "resources proven gone",
    "starting": "grants that begin with this sync",
    "standing": "grants that stay, with another confirmation or source",
    "swap": "a grant that begins where another of its exclusive group ends",
}
BY_NAME = {"connection": "connections", "sync": "sync_runs", "entitlement": "known_entitlements", "began": "events",
           "since": "events", "ended": "events"}  # fmt: skip
"""What a column of whole numbers refers to where its table declares no reference: checked reads would cost too much."""
COLOURS = ("#e3f1ff", "#e6f6e6", "#fff3d6", "#f3e8ff")
WIDTH, GAP, TOP = 230, 14, 34


class Table(NamedTuple):
    sql: str
    columns: dict[str, str]
    """Name of each column, and the table that it refers to, or nothing."""


@cache
def state() -> dict[str, list[tuple[str, str, str, dict[str, str]]]]:
    """Return all tables, views, indexes and triggers of a new state file, by type."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        open_writer(path).close()
        with closing(sqlite3.connect(path)) as db:
            query = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
            found: dict[str, list[tuple[str, str, str, dict[str, str]]]] = {}
            for type, name, table, sql in db.execute(query).fetchall():
                found.setdefault(type, []).append((name, table, sql, columns(db, name)))
    return found


def columns(db: sqlite3.Connection, table: str) -> dict[str, str]:
    declared = {row[3]: row[2] for row in db.execute(f"PRAGMA foreign_key_list({table})")}
    types = {row[1]: row[2] for row in db.execute(f"PRAGMA table_info({table})")}
    implied = {name: BY_NAME.get(name, "") for name, type in types.items() if type == "INTEGER"}
    return {name: declared.get(name, implied.get(name, "")) for name in types}


def own_tables() -> dict[str, Table]:
    """Return our tables by name; SQLite's and the migrations' own are left out."""
    return {
        name: Table(tidy(sql), columns)
        for name, _, sql, columns in state()["table"]
        if not name.startswith(("sqlite_", "_"))
    }


def tidy(sql: str) -> str:
    """Return a statement without the blank lines that its pieces left."""
    return "\n".join(line.rstrip() for line in sql.splitlines() if line.strip()) + ";"


def grouped() -> dict[str, list[str]]:
    groups = {title: names.split() for title, names in GROUPS.items()}
    missing = own_tables().keys() ^ {name for names in groups.values() for name in names}
    if missing:
        raise SystemExit(f"docs/generate/schema.py: GROUPS and the state file differ in {sorted(missing)}")
    return groups


def tables() -> str:
    """Return each table as SQLite has it, with its indexes and triggers."""
    own, parts = own_tables(), []
    beside = [(table, tidy(sql)) for kind in ("index", "trigger") for _, table, sql, _ in state()[kind]]
    for title, names in grouped().items():
        statements = [s for name in names for s in (own[name].sql, *(sql for table, sql in beside if table == name))]
        parts.append(f"### {title}\n\n```sql\n" + "\n".join(statements) + "\n```")
    return "\n\n".join(parts)


def views() -> str:
    """Return the public views with their columns, in their order."""
    rows = [
        f"| `{name}` | {', '.join(f'`{column}`' for column in columns)} |" for name, _, _, columns in state()["view"]
    ]
    return "\n".join(["| view | columns |", "|---|---|", *sorted(rows)])


def temporary() -> str:
    """Return the temporary tables, and which file makes each."""
    made = {}
    for path in sorted((ROOT / "connector_core").rglob("*.py")):
        for kind, name in re.findall(r"CREATE TEMP (TABLE|VIEW) (\w+)", path.read_text("utf-8")):
            made[name] = (kind.lower(), path.relative_to(ROOT / "connector_core"))
    if made.keys() != TEMPORARY.keys():
        raise SystemExit(f"docs/generate/schema.py: describe {sorted(made.keys() ^ TEMPORARY.keys())} in TEMPORARY")
    rows = [f"| `temp.{name}` | {made[name][0]} | `{made[name][1]}` | {holds} |" for name, holds in TEMPORARY.items()]
    return "\n".join(["| name | kind | made by | holds |", "|---|---|---|---|", *rows])


def picture() -> str:
    """Return the tables as cards: a column for each group, each column that refers to a table with an arrow."""
    parts, lowest = [], 0
    for place, (title, names) in enumerate(grouped().items()):
        x, y = 10 + place * (WIDTH + GAP), TOP
        parts.append(svg.words(x, 20, title, bold=True, size=13))
        for name in names:
            lines = [column + (f" → {table}" if table else "") for column, table in own_tables()[name].columns.items()]
            parts.append(svg.card(x, y, WIDTH, name, lines, COLOURS[place]))
            y += svg.card_height(lines) + 10
        lowest = max(lowest, y)
    width = 10 + len(GROUPS) * (WIDTH + GAP)
    return svg.picture(width, lowest + 4, "The tables of the state file; an arrow names the table referred to", parts)
