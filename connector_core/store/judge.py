"""Whether a stream was read in full: paging is not stateful in SCIM, so equal counts alone prove little.

Neighbouring pages of a numbered listing overlap by a row. A seam that does not fit, or a total that differs between
pages, shows that rows moved while they were read (P08).
"""

from __future__ import annotations

import sqlite3
from itertools import pairwise

from attrs import frozen

from connector_core.model import Key


@frozen(kw_only=True)
class Verdict:
    """``moved``: why rows are known to have moved while reading, or None. ``missing``: why it does not add up, or None.

    A stream adds up when both are None.
    """

    stream: str
    moved: str | None = None
    missing: str | None = None

    @property
    def adds_up(self) -> bool:
        return self.moved is None and self.missing is None

    @property
    def reason(self) -> str | None:
        return self.moved or self.missing


def streams(db: sqlite3.Connection, sync: int) -> list[str]:
    """The streams of a sync, in the order in which they began; the one of the very first cursor left out."""
    query = (
        "SELECT stream FROM frontier WHERE sync = ? AND kind = 'page' AND stream <> '' GROUP BY stream ORDER BY min(id)"
    )
    return [row["stream"] for row in db.execute(query, (sync,))]


def readings(db: sqlite3.Connection, sync: int, stream: str) -> int:
    """How many times a stream was read: 1 or 2."""
    query = "SELECT max(reading) FROM frontier WHERE sync = ? AND kind = 'page' AND stream = ?"
    count: int = db.execute(query, (sync, stream)).fetchone()[0]
    return count


def judge(db: sqlite3.Connection, sync: int, stream: str) -> Verdict:
    """Judge the last reading of a stream whose cursors are all done."""
    last = readings(db, sync, stream)
    query = (
        "SELECT id, total, rows, fresh, start, first, last, looped FROM frontier "
        "WHERE sync = ? AND kind = 'page' AND stream = ? AND reading = ? AND state = 'done' ORDER BY id"
    )
    pages = db.execute(query, (sync, stream, last)).fetchall()
    distinct = _distinct(db, sync, stream)
    totals = [p["total"] for p in pages if p["total"] is not None]
    if totals and distinct > max(totals) and all(p["total"] in (None, p["rows"]) for p in pages):
        totals = []  # each page gives its own length for the total (P02): it says nothing
    moved = _moved(pages, totals)
    if not totals:
        return Verdict(stream=stream, moved=moved, missing=_never_ended(pages))
    if distinct == totals[-1]:
        # A second reading was compared with the first, id by id: what is left may be counted although rows moved.
        return Verdict(stream=stream, moved=moved if last == 1 else None)
    return Verdict(stream=stream, moved=moved, missing=f"the server counts {totals[-1]}, its pages gave {distinct}")


def single_readings(db: sqlite3.Connection, sync: int, stream: str) -> list[Key]:
    """The resources that only one of two readings gave."""
    query = (
        "SELECT type, id FROM staged WHERE sync = ? AND stream = ? AND state = 'row' AND readings IN (1, 2) "
        "AND NOT whole"
    )
    return [Key(*row) for row in db.execute(query, (sync, stream))]


def _moved(pages: list[sqlite3.Row], totals: list[int]) -> str | None:
    if len(set(totals)) > 1:
        return f"the total changed from {totals[0]} to {totals[-1]} while reading"
    numbered = sorted((p for p in pages if p["start"] is not None and p["rows"]), key=lambda p: p["start"])
    for before, after in pairwise(numbered):
        overlapping = after["start"] == before["start"] + before["rows"] - 1
        if overlapping and None not in (before["last"], after["first"]) and before["last"] != after["first"]:
            return f"rows moved while reading: row {after['start']} was {before['last']}, then {after['first']}"
    return None


def _never_ended(pages: list[sqlite3.Row]) -> str | None:
    """Where there is no total, a walk has ended by the server's word: a short or empty page, or no further cursor.

    A full page of rows known already is no such word (P03), nor is a cursor that was followed before.
    """
    final = max(pages, key=lambda p: (p["start"] or 0, p["id"]), default=None)
    if final is None or any(p["looped"] for p in pages) or (not final["fresh"] and final["rows"] > 1):
        return "the server never said that its list had ended"
    return None


def _distinct(db: sqlite3.Connection, sync: int, stream: str) -> int:
    query = "SELECT count(*) FROM staged WHERE sync = ? AND stream = ? AND state IN ('row', 'rejected')"
    count: int = db.execute(query, (sync, stream)).fetchone()[0]
    return count
