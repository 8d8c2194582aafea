"""What the applies of a plan changed, and what changed since: for taking a plan back."""

from __future__ import annotations

import json
from collections.abc import Iterable

from attrs import frozen

from connector_core.errors import UnknownName
from connector_core.model import Json, Operation
from connector_core.store.journal import operation_of
from connector_core.store.queries import Reader


@frozen(kw_only=True)
class AppliedChange:
    """An operation of an apply that changed an account.

    ``before``: how the account was; ``event``: from when on the picture shows the change.
    """

    operation: Operation
    before: Json
    event: int


@frozen(kw_only=True)
class AppliedPlan:
    """A plan of which something was carried out. ``address``: digest of where the application was."""

    digest: str
    address: str


@frozen(kw_only=True)
class LaterChange:
    """An account that an ``operation`` changed, or that was seen in the application (None), after an ``event``.

    ``altered``: a sync, or a read, showed other roles or another status of it.
    """

    id: str | None
    login: str | None
    event: int
    operation: int | None = None
    altered: bool = False


# What shows for the first time only then, of an account that could not be seen before (W14), is no change of it; nor is
# a status that could not be read for a while.
_SHOWS_NOW = (
    "(c.what = 'status' AND (c.before IN ('pending', 'unknown') OR c.after = 'unknown') "
    "OR c.kind = 'added' AND EXISTS (SELECT 1 FROM change_log x WHERE x.connection = c.connection "
    "AND x.event = c.event AND x.type = c.type AND x.resource_id = c.resource_id "
    "AND (x.what = 'account' OR x.what = 'status' AND x.before = 'pending')))"
)


def applied_plan(reader: Reader, apply: int | None) -> AppliedPlan:
    """Return the plan that an apply carried out.

    :param apply: the number of the apply; where None, the last one of a plan by which anything was changed.
    :raises UnknownName: there was none.
    """
    query = (
        "SELECT digest, plan ->> '$.address' AS address FROM applies a "
        "WHERE connection = ? AND (? IS NULL OR id = ?) ORDER BY EXISTS (SELECT 1 FROM journal j JOIN applies b "
        "ON b.id = j.apply WHERE b.connection = a.connection AND b.digest = a.digest AND j.state = 'done' "
        "AND j.outcome = 'changed') DESC, id DESC LIMIT 1"
    )
    plan = reader.db.execute(query, (reader.id, apply, apply)).fetchone()
    if plan is None:
        which = "plan" if apply is None else f"apply {apply}"
        raise UnknownName(f"{reader.name} has no {which} that was carried out")
    return AppliedPlan(digest=plan["digest"], address=plan["address"])


def applied_by(reader: Reader, digest: str) -> list[AppliedChange]:
    """Return what the applies of the plan with that digest changed, first to last."""
    query = (
        "SELECT j.* FROM journal j JOIN applies a ON a.id = j.apply WHERE a.connection = ? AND a.digest = ? "
        "AND j.state = 'done' AND j.outcome = 'changed' ORDER BY j.id"
    )
    return [
        AppliedChange(
            operation=operation_of(row), before=json.loads(row["before"]) if row["before"] else None,
            event=row["event"] or row["id"],
        )
        for row in reader.db.execute(query, (reader.id, digest))
    ]  # fmt: skip


def changed_since(reader: Reader, changes: Iterable[AppliedChange]) -> list[LaterChange]:
    """Return which accounts were changed since the first of these, by other operations or as syncs showed it.

    Those that were seen since, enabled, are among them.
    """
    changes = list(changes)
    first = min((change.operation.id or 0 for change in changes), default=0)
    ours = json.dumps(sorted({change.operation.apply for change in changes if change.operation.apply is not None}))
    query = (
        "SELECT account AS id, login, id AS event, id AS operation, 0 AS altered FROM journal "
        "WHERE connection = :connection "
        "AND id > :first AND state = 'done' AND outcome = 'changed' AND kind <> 'setup' "
        "AND (apply IS NULL OR apply NOT IN (SELECT value FROM json_each(:ours))) "
        "UNION ALL SELECT id, login, began, NULL, 0 FROM current_resources "
        "WHERE connection = :connection AND began > :first AND status <> 'disabled' "
        "UNION ALL SELECT id, login, began, NULL, 0 FROM resource_history "
        "WHERE connection = :connection AND began > :first AND status <> 'disabled' "
        "UNION ALL SELECT resource_id, NULL, event, NULL, 1 FROM change_log c WHERE connection = :connection "
        f"AND event > :first AND what IN ('grant', 'status') AND NOT {_SHOWS_NOW}"
    )
    rows = reader.db.execute(query, {"connection": reader.id, "first": first, "ours": ours})
    return [LaterChange(**{**dict(row), "altered": bool(row["altered"])}) for row in rows]
