"""What earlier applies of a plan did: no step is done twice, and what one of them began may be finished."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import field, frozen

from connector_core.model import EntitlementKey
from connector_core.names import normalized
from connector_core.provision.plan import Step
from connector_core.provision.planner import Planner
from connector_core.provision.undo import given_or_taken
from connector_core.store.undo import AppliedChange, LaterChange

_Place = tuple[str, str, EntitlementKey | None]
_COMING_BACK = ("enable_account", "grant")  # what brings a disabled account back, and gives it its roles


@frozen
class EarlierApplies:
    """The changes of all applies of one plan, first to last, and the later changes of accounts."""

    changes: Sequence[AppliedChange]
    later: Collection[LaterChange]
    _done: dict[_Place, int | None] = field(init=False)
    _last: dict[str, AppliedChange] = field(init=False)

    @_done.default
    def _operations(self) -> dict[_Place, int | None]:
        """By kind, account and role, which operation that was; not of a created account that was given no id."""
        done: dict[_Place, int | None] = {}
        for operation in (change.operation for change in self.changes):
            if operation.user_id is not None:
                role = given_or_taken(operation)
                done[operation.kind, operation.user_id, role] = operation.id
                done[operation.kind, normalized(operation.user or ""), role] = operation.id
        return done

    @_last.default
    def _last_of_each(self) -> dict[str, AppliedChange]:
        return {change.operation.user_id: change for change in self.changes if change.operation.user_id}

    def came_back(self, id: str) -> bool:
        """Whether the account of that id was enabled by this plan, and nothing happened to it since.

        What was begun after that and failed changed nothing.
        """
        last = self._last.get(id)
        return (
            last is not None and ("enable_account", id, None) in self._done and last.operation.kind in _COMING_BACK
            and not any(c.id == id and c.event > last.event and (c.operation or c.altered) for c in self.later)
        )  # fmt: skip

    def undone_since(self, step: Step, planner: Planner) -> str | None:
        """Return what another decision changed back: a step is carried out once, and so is the enabling for it."""
        role = step.role if step.kind in ("grant", "revoke") else None
        operation = self._done.get((step.kind, step.user_id or normalized(step.user), role))
        if operation is not None and not planner.is_done(step):
            return f"{step.user} was changed by this plan (operation {operation}), and changed again since"
        enabling = self._done.get(("enable_account", step.user_id or "", None))
        if enabling is not None and step.before is None and not planner.is_enabled(step.user_id):
            return f"{step.user} was enabled by this plan (operation {enabling}), and disabled again since"
        return None
