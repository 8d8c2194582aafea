"""Rows on their way into `staged`: where they come from, and what of them is compared with the picture."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from connector_core.convert import compact
from connector_core.model import Key, Page, Resource
from connector_core.store.connections import EntitlementRows

FIELDS = ("name", "login", "email", "status", "parent", "profile")
NO_FIELDS = (None,) * len(FIELDS)

Fields = tuple[str | None, ...]
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
    number: int | None
    fields: Fields | None

    @property
    def is_same(self) -> bool:
        """Whether its number says all of it."""
        return self.number is not None and not (self.changed or self.regrant or self.unknown)


# What a principal holds as given beside it by one stream: a subquery over a row ``r`` of the picture, as `held_text`
# writes it. A grant that this stream did not give, or that is unconfirmed, has its number negated: it must not pass
# for one that needs no touching.
HELD = """(
    SELECT json_group_array(CASE WHEN g.confirmed AND g.source = {stream} THEN g.entitlement ELSE -g.entitlement END)
    FROM grants g
    WHERE g.connection = :connection AND g.principal_type = r.type AND g.principal_id = r.id AND g.beside)"""


def sorted_out(page: Page, number: EntitlementRows) -> tuple[dict[Key, list[int]], list[PrincipalGrant]]:
    """A page's grants: those of principals that it lists, by principal, and the others."""
    held: dict[Key, list[int]] = {(r.type, r.id): [] for r in page.resources}  # type: ignore[misc]
    others = []
    for entitlement, principal in page.grants:
        beside = held.get(principal)
        if beside is None:
            others.append((*principal, number[entitlement]))
        else:
            beside.append(number[entitlement])
    return held, others


def held_text(held: list[int]) -> str:
    """As ``json_group_array`` writes them."""
    if not held:
        return "[]"
    return f"[{held[0]}]" if len(held) == 1 else compact(sorted(set(held)))


def fields_by_type(resources: Sequence[Resource]) -> dict[str, dict[str, Fields]]:
    """What is compared and kept of each resource, by type and id; of a key given twice the last (P07)."""
    groups: dict[str, dict[str, Fields]] = defaultdict(dict)
    for r, profile in zip(resources, _profiles(resources), strict=True):
        parent = str(r.parent) if r.parent else None
        groups[r.type][r.id] = (r.name, r.login, r.email, r.status, parent, profile)
    return groups


_IN_LINES = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",\n", ":"))


def _profiles(resources: Sequence[Resource]) -> list[str]:
    """The profile of each as `compact` writes it, encoded at once: one by one it takes five times as long.

    No text in JSON holds a line break, so each of them is between two items, and one beside braces between two objects.
    """
    texts = _IN_LINES.encode([dict(r.profile) for r in resources])[2:-2].split("},\n{")
    if len(texts) != len(resources):  # there are objects within profiles
        return [compact(dict(r.profile)) for r in resources]
    return [f"{{{text}}}".replace("\n", "") for text in texts]
