"""Activity: facts of a resource that change without meaning for access, such as its last login.

They are kept with their current value alone, apart from the versions of the resource, so that they never are a change.
A sync stages those that differ and publishes them with everything else. What a read does not say stays as it was.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from connector_core.clock import utc_time
from connector_core.model import Key, Resource
from connector_core.store.columns import ACTIVITY

_NAMES = ", ".join(ACTIVITY)
_NEWER = ", ".join(f"{name} = coalesce(excluded.{name}, {name})" for name in ACTIVITY)
_GIVEN = ", ".join(f"json_extract(value, '$[{number}]') AS {name}" for number, name in enumerate(ACTIVITY, 2))
_DIFFERS = " OR ".join(f"(n.{name} IS NOT NULL AND n.{name} IS NOT a.{name})" for name in ACTIVITY)
_STAGE = f"""
INSERT INTO staged_activity (sync, type, id, {_NAMES})
SELECT :sync, n.type, n.id, {", ".join(f"n.{name}" for name in ACTIVITY)}
FROM (SELECT json_extract(value, '$[0]') AS type, json_extract(value, '$[1]') AS id, {_GIVEN} FROM json_each(:rows)) n
LEFT JOIN activity a ON a.connection = :connection AND a.type = n.type AND a.id = n.id WHERE {_DIFFERS}
ON CONFLICT (sync, type, id) DO UPDATE SET {_NEWER}
"""
_KEEP = f"INSERT INTO activity (connection, type, id, {_NAMES})"

# After the resources are what they are now: an operation may have removed one since it was read.
PUBLISH_ACTIVITY = (
    f"{_KEEP} SELECT :connection, s.type, s.id, {', '.join(f's.{name}' for name in ACTIVITY)} "
    "FROM staged_activity s JOIN current_resources r ON r.connection = :connection AND r.type = s.type AND r.id = s.id "
    f"WHERE s.sync = :sync ON CONFLICT (connection, type, id) DO UPDATE SET {_NEWER}",
    "DELETE FROM activity WHERE (connection, type, id) IN (SELECT :connection, type, id FROM temp.gone)",
)


def stage_activity(db: sqlite3.Connection, connection: int, sync: int, resources: Sequence[Resource]) -> None:
    """Stage the activity that a page gives, where it is another than what is kept."""
    rows = [(*r.key, *_activity_of(r)) for r in resources if any(_activity_of(r))]
    if rows:
        db.execute(_STAGE, {"connection": connection, "sync": sync, "rows": json.dumps(rows)})


def keep_activity(db: sqlite3.Connection, connection: int, key: Key, resource: Resource | None) -> None:
    """Keep what a read of one resource says, at once; of one that is gone (None), keep nothing."""
    if resource is None:
        db.execute("DELETE FROM activity WHERE (connection, type, id) = (?, ?, ?)", (connection, *key))
    elif any(values := _activity_of(resource)):
        marks = ", ".join("?" * (3 + len(ACTIVITY)))
        keep = f"{_KEEP} VALUES ({marks}) ON CONFLICT (connection, type, id) DO UPDATE SET {_NEWER}"
        db.execute(keep, (connection, *key, *values))


def _activity_of(resource: Resource) -> tuple[str | None, ...]:
    """Return its values, times in UTC: the same moment is always the same text."""
    return tuple(utc_time(getattr(resource, name)) for name in ACTIVITY)
