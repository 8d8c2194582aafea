"""The floor: read every page and store every row with urllib3, json and sqlite3, and nothing else.

No retries, no checkpoints, no history, no comparison, no guard. What a careful program takes beyond this is what its
care costs. Prints ``{"users": how many it stored}``.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import urllib3

_EDITOR = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"
_TABLES = """
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, login, given_name, family_name, email, active) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS grants (user TEXT PRIMARY KEY, role) WITHOUT ROWID;
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Read all users of a SCIM server into a SQLite file, the short way.")
    parser.add_argument("url")
    parser.add_argument("db")
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    db = sqlite3.connect(options.db)
    db.executescript(_TABLES)
    for rows in pages(options.url, options.page_size, options.threads):
        store(db, rows)
    db.commit()
    print(json.dumps({"users": db.execute("SELECT count(*) FROM users").fetchone()[0]}))


def pages(url: str, size: int, threads: int) -> Iterator[list[dict[str, Any]]]:
    """The rows of each page, in order; the first page says how many there are."""
    http = urllib3.PoolManager(maxsize=threads)

    def page(start: int) -> dict[str, Any]:
        reply = http.request(
            "GET", f"{url}/Users?startIndex={start}&count={size}", headers={"Authorization": "Bearer x"}
        )
        listing: dict[str, Any] = json.loads(reply.data)
        return listing

    first = page(1)
    yield first["Resources"]
    starts = range(1 + size, first["totalResults"] + 1, size)
    if threads == 1:
        yield from (page(start)["Resources"] for start in starts)
    else:
        with ThreadPoolExecutor(threads) as pool:
            yield from (listing["Resources"] for listing in pool.map(page, starts))


def store(db: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
    """Users and their grants, over what was there before."""
    db.executemany(
        "INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?, ?, ?)",
        [
            (
                r["id"],
                r["userName"],
                r["name"]["givenName"],
                r["name"]["familyName"],
                r["emails"][0]["value"],
                r["active"],
            )
            for r in rows
        ],
    )
    db.executemany(
        "INSERT OR REPLACE INTO grants VALUES (?, ?)",
        [(r["id"], "editor" if r[_EDITOR]["editor"] else "viewer") for r in rows if r["active"]],
    )


if __name__ == "__main__":
    main()
