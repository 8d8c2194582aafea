"""Rows that one reading of a list gives more than once (P07): their grants are merged, on one page and on several.

Copies contradict each other where their fields differ, or where together they hold two entitlements of one exclusive
group. Then the later one's fields stand, the grants of all stand, and the caller counts the row as rejected.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from connector_core.convert import compact
from connector_core.model import EntitlementKey, Key, Page
from connector_core.store.columns import FIELDS, Fields, values_of
from connector_core.store.rows import Listed, Origin, StagedRow


class Copies:
    """Used by one thread, inside its transactions."""

    def __init__(self, db: sqlite3.Connection, sync: int) -> None:
        self._db = db
        self._sync = sync

    def on_page(self, page: Page, numbers: Mapping[EntitlementKey, int]) -> list[Key]:
        """Which resources one page gives more than once with other content."""
        if len({r.key for r in page.resources}) == len(page.resources):
            return []
        times = Counter(r.key for r in page.resources)
        rows = [r for r in page.resources if times[r.key] > 1]
        fields: dict[Key, set[Fields]] = defaultdict(set)
        held: dict[Key, set[int]] = defaultdict(set)
        for resource, values in zip(rows, values_of(rows), strict=True):
            fields[resource.key].add(values)
        for entitlement, principal in page.grants:
            if principal in fields:
                held[principal].add(numbers[entitlement])
        return [key for key, values in fields.items() if len(values) > 1 or self._exclude(held[key])]

    def merge(self, rows: dict[str, StagedRow], before: Mapping[str, Listed], origin: Origin) -> list[Key]:
        """Add to ``rows`` what this reading gave with their copies; which of them contradict those."""
        contradicting = []
        for id in [id for id in rows if id in before and before[id].is_copy(origin)]:
            row = rows[id]
            earlier = self._staged(before[id].seq)
            held = sorted({*json.loads(row.held), *json.loads(earlier.held)})
            rows[id] = row._replace(unknown=row.unknown | earlier.unknown, held=compact(held), grants_differ=1)
            if row.fields != earlier.fields or (row.held != earlier.held and self._exclude(held)):
                contradicting.append(Key(row.type, id))
        return contradicting

    def _staged(self, seq: int) -> StagedRow:
        own = StagedRow._fields[:-1]
        query = f"SELECT {', '.join((*own, *FIELDS))} FROM staged WHERE seq = ?"
        values = tuple(self._db.execute(query, (seq,)).fetchone())
        row = dict(zip(own, values, strict=False))
        return StagedRow(**row, fields=values[len(own) :] if row["changed"] else None)

    def _exclude(self, held: Iterable[int]) -> bool:
        """Whether two of these entitlements are of one exclusive group."""
        numbers = sorted(held)
        query = (
            "SELECT coalesce(s.exclusive, n.exclusive) AS exclusive FROM json_each(?) h JOIN known_entitlements n "
            "ON n.id = h.value LEFT JOIN staged_entitlements s ON s.sync = ? AND s.entitlement = n.id "
            "WHERE coalesce(s.exclusive, n.exclusive) IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
        )
        names = (json.dumps(numbers), self._sync)
        return len(numbers) > 1 and self._db.execute(query, names).fetchone() is not None
