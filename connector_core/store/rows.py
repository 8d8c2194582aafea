"""Rows on their way into `staged`: where they come from, and what of them is compared with the picture."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from connector_core.convert import compact
from connector_core.model import EntitlementKey, Page, Resource
from connector_core.store.columns import FIELDS, Fields, values_of

NO_FIELDS = (None,) * len(FIELDS)

CONTRADICTED = 2  # in ``unknown``: copies of one list hold what excludes each other, so that it is read by its id

PrincipalGrant = tuple[str, str, int]  # type and id of who holds it, and the entitlement's number


class Origin(NamedTuple):
    """How rows came here: in which reading (a bit) of which stream, or read by their id."""

    stream: str
    asked: int
    bit: int = 0
    read_by_id: bool = False


class Listed(NamedTuple):
    """A row staged before: where it lies, which stream listed it, and in which of its readings (bits)."""

    seq: int
    state: str
    stream: str
    readings: int

    def belongs_elsewhere(self, origin: Origin) -> bool:
        return self.state == "row" and self.stream != origin.stream and not origin.read_by_id

    def is_copy(self, origin: Origin) -> bool:
        """Whether the same reading of the same stream gave it before."""
        is_same_reading = self.stream == origin.stream and bool(self.readings & origin.bit)
        return self.state == "row" and is_same_reading and not origin.read_by_id


class StagedRow(NamedTuple):
    """A row to stage, in the order of its columns; `schema` says what they mean. ``fields`` None: as in the picture.

    Flags are numbers, as SQLite has them: of a bool, sqlite3 looks up each time how to bind it.
    """

    type: str
    id: str
    unknown: int
    held: str
    grants_differ: int
    changed: int
    number: int | None
    fields: Fields | None


Current = tuple[Any, ...]
"""A row of the picture: its id, its number, what it holds (`HELD`, after the name of a stream), and its fields."""


def given(page: Page, numbers: Mapping[EntitlementKey, int]) -> tuple[dict[tuple[str, str], str], list[PrincipalGrant]]:
    """A page's grants: those of principals that it lists, by principal and as `HELD` writes them, and the others."""
    listed = {(r.type, r.id) for r in page.resources}
    held: dict[tuple[str, str], str] = {}
    others = []
    for entitlement, principal in page.grants:
        number = numbers[entitlement]
        if principal not in listed:
            others.append((*principal, number))
        elif principal not in held:
            held[principal] = f"[{number}]"
        else:
            held[principal] = compact(sorted({*json.loads(held[principal]), number}))
    return held, others


def compared(
    type: str, fields: Mapping[str, Fields], held: Mapping[tuple[str, str], str], unknown: Collection[tuple[str, str]],
    current: Mapping[str, Current], stream: str,
) -> tuple[dict[str, StagedRow], dict[str, StagedRow]]:  # fmt: skip
    """The rows of one type compared with the picture, by id: those that are as they are there, and the others."""
    same, others = {}, {}
    for id, mine in fields.items():
        key = (type, id)
        holds = held.get(key, "[]")
        was = current.get(id, _NOTHING)
        changed = was[3:] != mine
        is_unknown = bool(unknown) and key in unknown
        grants_differ = is_unknown or was[2] != stream + holds
        row = StagedRow(type, id, +is_unknown, holds, +grants_differ, +changed, was[1], mine if changed else None)
        if changed or grants_differ or row.number is None:
            others[id] = row
        else:
            same[id] = row
    return same, others


_NOTHING = (None, None, None)  # of the picture

# What a principal holds as given with it by one stream: a subquery over a row ``r`` of the picture. A grant that this
# stream did not give, or that is unconfirmed, has its number negated: it must not pass for one that needs no touching.
HELD = """(
    SELECT json_group_array(CASE WHEN g.confirmed AND g.source = {stream} THEN g.entitlement ELSE -g.entitlement END)
    FROM grants g
    WHERE g.connection = r.connection AND g.principal_type = r.type AND g.principal_id = r.id AND g.inline)"""

# The same, after the name of the stream, where one stream gave all of it: kept in `current_resources.held`, so that
# comparing a row takes no look at its grants. NULL where that look is needed, as after any change of a grant: triggers
# see to that.
HELD_NOW = """(
    SELECT min(g.source) || json_group_array(g.entitlement) FROM grants g
    WHERE g.connection = current_resources.connection AND g.principal_type = current_resources.type
    AND g.principal_id = current_resources.id AND g.inline HAVING min(g.source) = max(g.source) AND min(g.confirmed))"""


def fields_by_type(resources: Sequence[Resource]) -> dict[str, dict[str, Fields]]:
    """What is compared and kept of each resource, by type and id; of a key given twice the last (P07)."""
    groups: dict[str, dict[str, Fields]] = defaultdict(dict)
    for r, fields in zip(resources, values_of(resources), strict=True):
        groups[r.type][r.id] = fields
    return groups
