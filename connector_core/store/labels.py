"""What people call roles, groups and projects: by their names, with the id where two names are alike."""

from __future__ import annotations

import sqlite3
from collections import Counter

from connector_core.model import Key
from connector_core.names import lowered

_NAMED = """
SELECT DISTINCT n.type, n.resource_id, coalesce(r.name, CASE WHEN n.slug = 'assigned' THEN n.name END) AS name,
    r.name IS NOT NULL AS listed
FROM known_entitlements n LEFT JOIN current_resources r
ON r.connection = n.connection AND r.type = n.type AND r.id = n.resource_id WHERE n.connection = ?"""


def role_names(db: sqlite3.Connection, connection: int) -> dict[Key, str]:
    """Return the names of what can be held or held on, by key: those of resources, else those of plain roles."""
    return {Key(type, id): name for type, id, name, _ in db.execute(_NAMED, (connection,)) if name}


def role_labels(db: sqlite3.Connection, connection: int) -> dict[Key, str]:
    """Return what to print for each resource that is not to go by its id.

    One whose name is its id in another case, as ``Editor`` is ``editor``, goes by its id. A name that two bear, or that
    is another one's id, is followed by the id.
    """
    rows = [(Key(type, id), name) for type, id, name, listed in db.execute(_NAMED, (connection,)) if name and listed]
    names = [(key, name) for key, name in rows if lowered(name) != lowered(key.id)]
    times = Counter(lowered(name) for _, name in rows) + Counter(lowered(key.id) for key, _ in names)
    return {key: name if times[lowered(name)] == 1 else f"{name} ({key.id})" for key, name in names}
