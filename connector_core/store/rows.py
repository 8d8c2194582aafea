"""Rows on their way into `staged`: where they come from, and what of them is compared with the picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from connector_core.convert import compact
from connector_core.model import Page, Resource
from connector_core.store.connections import EntitlementRows

FIELDS = ("name", "login", "email", "status", "parent", "profile")
NO_FIELDS = (None,) * len(FIELDS)

PrincipalGrant = tuple[str, str, int]  # type and id of who holds it, and the entitlement's number


class Origin(NamedTuple):
    """How rows came here: in which reading (a bit) of which stream, or read by their id, and so ``whole``."""

    stream: str
    asked: int
    bit: int = 0
    whole: bool = False


class Listed(NamedTuple):
    """A row staged before: where it lies, which stream listed it, and in which of its readings (bits)."""

    seq: int
    state: str
    stream: str
    readings: int

    def belongs_elsewhere(self, origin: Origin) -> bool:
        return self.state == "row" and self.stream != origin.stream and not origin.whole


class Row(NamedTuple):
    """A row to stage, in the order of its columns; `schema` says what they mean. ``fields`` None: as in the picture."""

    type: str
    id: str
    unknown: bool
    held: str
    regrant: bool
    changed: bool
    fields: tuple[str | None, ...] | None


def sorted_out(page: Page, number: EntitlementRows) -> tuple[dict[tuple[str, str], list[int]], list[PrincipalGrant]]:
    """A page's grants: those of principals that it lists, by principal, and the others."""
    held: dict[tuple[str, str], list[int]] = {(r.type, r.id): [] for r in page.resources}
    others = []
    for entitlement, principal in page.grants:
        beside = held.get(principal)
        if beside is None:
            others.append((*principal, number[entitlement]))
        else:
            beside.append(number[entitlement])
    return held, others


def numbers(held: list[int]) -> str:
    """As ``json_group_array`` writes them."""
    if not held:
        return "[]"
    return f"[{held[0]}]" if len(held) == 1 else compact(sorted(set(held)))


def fields_of(r: Resource) -> tuple[str | None, ...]:
    parent = str(r.parent) if r.parent else None
    return (r.name, r.login, r.email, r.status, parent, compact(dict(r.profile)) if r.profile else "{}")


def by_type(resources: Sequence[Resource]) -> dict[str, dict[str, Resource]]:
    """Resources by type and id; of a key given twice the last (P07)."""
    groups: dict[str, dict[str, Resource]] = defaultdict(dict)
    for r in resources:
        groups[r.type][r.id] = r
    return groups
