"""Rows that one reading of a list gives more than once (P07): their grants are merged, on one page and on several.

Copies contradict each other where their fields differ, or where together they hold two entitlements of one exclusive
group. Then the later one's fields stand, which of those entitlements is held counts as unknown until a read by id says
it, and the caller counts the row as rejected.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping

from connector_core.convert import compact
from connector_core.model import Key, Page
from connector_core.store.columns import FIELDS, Fields, values_of
from connector_core.store.rows import CONTRADICTED, Listed, Origin, StagedRow


class Copies:
    """Used by one thread, inside its transactions."""

    def __init__(self, db: sqlite3.Connection, sync: int) -> None:
        self._db = db
        self._sync = sync

    def on_page(self, page: Page) -> tuple[set[Key], list[Key]]:
        """Which resources one page gives more than once; and those of them whose fields differ."""
        if len({r.key for r in page.resources}) == len(page.resources):
            return set(), []
        times = Counter(r.key for r in page.resources)
        rows = [r for r in page.resources if times[r.key] > 1]
        fields: dict[Key, set[Fields]] = defaultdict(set)
        for resource, values in zip(rows, values_of(rows), strict=True):
            fields[resource.key].add(values)
        return set(fields), [key for key, values in fields.items() if len(values) > 1]

    def merge(
        self, rows: dict[str, StagedRow], before: Mapping[str, Listed], origin: Origin, repeated: set[Key]
    ) -> list[Key]:
        """Add to ``rows`` what this reading gave with their copies; which of them contradict those.

        :param repeated: what the page itself gave more than once: their grants are in ``rows`` together.
        """
        contradicting = []
        for id, row in rows.items():
            key = Key(row.type, id)
            if id in before and before[id].is_copy(origin):
                earlier = self._staged(before[id].seq)
                if row.fields != earlier.fields:
                    contradicting.append(key)
                row = _together(row, earlier)
            elif key not in repeated:
                continue
            if excluding := self._excluding(row):
                contradicting.append(key)
                held = [e for e in json.loads(row.held) if e not in excluding]
                row = row._replace(held=compact(held), unknown=row.unknown | CONTRADICTED, grants_differ=1)
            rows[id] = row
        return contradicting

    def _staged(self, seq: int) -> StagedRow:
        own = StagedRow._fields[:-1]
        query = f"SELECT {', '.join((*own, *FIELDS))} FROM staged WHERE seq = ?"
        values = tuple(self._db.execute(query, (seq,)).fetchone())
        row = dict(zip(own, values, strict=False))
        return StagedRow(**row, fields=values[len(own) :] if row["changed"] else None)

    def _excluding(self, row: StagedRow) -> set[int]:
        """What it holds of an exclusive group of which it holds, or held in a copy, several."""
        query = (
            "SELECT coalesce(s.exclusive, n.exclusive) AS exclusive, h.value FROM json_each(?) h "
            "JOIN known_entitlements n ON n.id = h.value "
            "LEFT JOIN staged_entitlements s ON s.sync = ? AND s.entitlement = n.id "
            "WHERE coalesce(s.exclusive, n.exclusive) IS NOT NULL"
        )
        groups: dict[str, set[int]] = defaultdict(set)
        for group, number in self._db.execute(query, (row.held, self._sync)):
            groups[group].add(number)
        most = 0 if row.unknown & CONTRADICTED else 1
        return {number for numbers in groups.values() if len(numbers) > most for number in numbers}


def _together(row: StagedRow, earlier: StagedRow) -> StagedRow:
    held = compact(sorted({*json.loads(row.held), *json.loads(earlier.held)}))
    return row._replace(unknown=row.unknown | earlier.unknown, held=held, grants_differ=1)
