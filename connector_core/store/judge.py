"""Whether a stream was read in full: paging is not stateful in SCIM, so equal counts alone prove little.

Neighbouring pages of a numbered listing overlap by a row. A seam that does not fit, or a total that differs between
pages, shows that rows moved while they were read (P08).
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from itertools import pairwise

from attrs import frozen

from connector_core.model import Key
from connector_core.store.rows import CONTRADICTED


@frozen(kw_only=True)
class Verdict:
    """``reason``: why a stream does not add up, or None where it does. ``hidden``: a total, and no rows (P06).

    ``unanswered``: there was no answer, or a warning in place of one; ``rejected``: rows that could not be read.
    ``repeat``: whether a second reading may help. ``unsteady``: it was read twice, in pages, and does not add up.
    """

    stream: str
    reason: str | None = None
    hidden: bool = False
    unanswered: bool = False
    rejected: int = 0
    repeat: bool = False
    unsteady: bool = False

    @property
    def adds_up(self) -> bool:
        return self.reason is None

    @property
    def is_whole(self) -> bool:
        """Whether a grant that the stream gave before, and does not give now, has ended."""
        return self.adds_up and not self.rejected


def judge_all(db: sqlite3.Connection, sync: int) -> list[Verdict]:
    """A verdict on each stream of a sync. Their cursors are all done."""
    return [judge(db, sync, stream, times) for stream, times in readings(db, sync).items()]


def readings(db: sqlite3.Connection, sync: int) -> dict[str, int]:
    """How many times each stream was read, 1 or 2, in the order in which they began."""
    query = (
        "SELECT stream, max(reading) FROM frontier WHERE sync = ? AND kind = 'page' GROUP BY stream ORDER BY min(id)"
    )
    return dict(db.execute(query, (sync,)).fetchall())


def judge(db: sqlite3.Connection, sync: int, stream: str, reading: int) -> Verdict:
    """Judge a stream by its last ``reading``."""
    query = (
        "SELECT state, total, rows, new_rows, start, first, last, cut, rejected, warned FROM frontier WHERE sync = ? "
        "AND kind = 'page' AND stream = ? AND reading = ? AND state IN ('done', 'failed') ORDER BY answered"
    )
    answers = db.execute(query, (sync, stream, reading)).fetchall()
    pages = [page for page in answers if page["state"] == "done"]
    if len(pages) < len(answers):
        return Verdict(stream=stream, reason="a page of it could not be read", unanswered=True)
    if any(page["warned"] for page in pages):
        return Verdict(stream=stream, reason="a warning came in place of rows", unanswered=True, repeat=True)
    totals = _totals(pages)
    if totals and totals[-1] and not any(p["rows"] for p in pages):
        return Verdict(stream=stream, reason=f"the server counts {totals[-1]} and shows none", hidden=True, repeat=True)
    reason = _mismatch(db, sync, stream, reading, pages, totals)
    rejected = sum(page["rejected"] for page in pages)
    nothing_else = rejected > 0 and rejected == sum(page["rows"] for page in pages)
    return Verdict(
        stream=stream, reason=reason, rejected=rejected, repeat=reason is not None or nothing_else,
        unsteady=reading == 2 and reason is not None and len(pages) > 2,
    )  # fmt: skip


def _mismatch(
    db: sqlite3.Connection, sync: int, stream: str, reading: int, pages: list[sqlite3.Row], totals: list[int]
) -> str | None:
    """Why a stream does not add up."""
    if reading == 1:
        return _moved(pages, totals) or _missing(db, sync, stream, pages, totals)
    # Compared with the first reading, id by id, what is left may be counted although rows moved (but see _unexplained).
    moved = None if totals else _moved(pages, totals)
    return _unexplained(db, sync, stream) or moved or _missing(db, sync, stream, pages, totals)


def single_readings(db: sqlite3.Connection, sync: int, stream: str, limit: int) -> list[Key]:
    """At most ``limit`` of the resources that only one of two readings gave, and that were not read by their id."""
    query = (
        "SELECT type, id FROM staged WHERE sync = ?1 AND stream = ?2 AND state = 'row' AND readings IN (1, 2) "
        "AND NOT read_by_id UNION ALL "
        "SELECT r.type, r.id FROM temp.same s JOIN current_resources r ON r.number = s.number "
        "AND r.connection = (SELECT connection FROM sync_runs WHERE id = ?1) "
        "WHERE s.stream = ?2 AND s.readings IN (1, 2) ORDER BY type, id LIMIT ?3"
    )
    return [Key(*row) for row in db.execute(query, (sync, stream, limit))]


def contradicted(db: sqlite3.Connection, sync: int) -> dict[str, list[Key]]:
    """The resources of which copies in one stream hold what excludes each other, by stream: one look at all rows."""
    found: defaultdict[str, list[Key]] = defaultdict(list)
    query = f"SELECT stream, type, id FROM staged WHERE sync = ? AND unknown & {CONTRADICTED}"
    for stream, type, id in db.execute(query, (sync,)):
        found[stream].append(Key(type, id))
    return found


def _unexplained(db: sqlite3.Connection, sync: int, stream: str) -> str | None:
    if single_readings(db, sync, stream, 1):
        return "two readings gave different rows, and not all of them could be looked up"
    return None


def _totals(pages: list[sqlite3.Row]) -> list[int]:
    """The totals that mean something, in the order in which they came.

    Where each page gives its own length for the total it says nothing (P02), nor does a page behind the end with 0.
    """
    told = [p for p in pages if p["total"] is not None]
    if all(p["total"] == p["rows"] for p in told) and any(p["rows"] for p in told):
        return []
    behind_the_end = any(p["rows"] for p in pages)
    return [p["total"] for p in told if p["rows"] or p["total"] or not behind_the_end]


def _moved(pages: list[sqlite3.Row], totals: list[int]) -> str | None:
    """Why rows are known to have moved, or may have, while the stream was read."""
    if len(set(totals)) > 1:
        return f"the total changed from {totals[0]} to {totals[-1]} while reading"
    numbered = sorted((p for p in pages if p["start"] is not None and p["rows"]), key=lambda p: int(p["start"]))
    for before, after in pairwise(numbered):
        end = before["start"] + before["rows"] - 1
        if after["start"] > end:
            return f"rows may have moved while reading: no page holds both row {end} and the next one"
        if after["start"] == end and before["last"] != after["first"]:
            return f"rows moved while reading: row {end} was {before['last']}, then {after['first']}"
    return None


def _missing(db: sqlite3.Connection, sync: int, stream: str, pages: list[sqlite3.Row], totals: list[int]) -> str | None:
    if not totals:
        return _never_ended(pages)
    distinct = _distinct(db, sync, stream)
    return None if distinct == totals[-1] else f"the server counts {totals[-1]}, its pages gave {distinct}"


def _never_ended(pages: list[sqlite3.Row]) -> str | None:
    """Where there is no total, a walk has ended by the server's word: a short or empty page, or no further cursor.

    A page of rows known already is no such word (P03), unless it held nothing but the row that pages overlap by.
    """
    final = max(pages, key=lambda p: p["start"] or 0, default=None)
    if final is not None and not any(p["cut"] for p in pages):
        ends = [p["start"] + p["rows"] - 1 for p in pages if p["start"] is not None and p["rows"] > 1]
        if final["new_rows"] or not final["rows"] or (final["rows"] == 1 and final["start"] in ends):
            return None
    return "the server never said that its list had ended"


# One that yielded to an operation was listed all the same.
_LISTED = "(s.state IN ('row', 'rejected') OR (s.state = 'yielded' AND s.readings > 0))"


def _distinct(db: sqlite3.Connection, sync: int, stream: str) -> int:
    """The resources that a stream listed; of one that lists none, the principals of its grants."""
    query = (
        "SELECT (SELECT count(*) FROM temp.same WHERE stream = ?2) + "
        "(SELECT count(*) FROM staged s WHERE sync = ?1 AND stream = ?2 AND " + _LISTED + ") + "
        "(SELECT count(*) FROM also_listed a JOIN temp.seen USING (type, id) JOIN staged s USING (seq) "
        "WHERE a.sync = ?1 AND a.stream = ?2 AND " + _LISTED + ")"
    )
    count: int = db.execute(query, (sync, stream)).fetchone()[0]
    if count == 0:
        principals = "SELECT DISTINCT principal_type, principal_id FROM temp.seen_grants WHERE stream = ?"
        count = db.execute(f"SELECT count(*) FROM ({principals})", (stream,)).fetchone()[0]
    return count
