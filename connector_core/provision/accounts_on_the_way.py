"""What accounts hold while a plan is carried out, where it has several steps for one."""

from __future__ import annotations

from attrs import field, frozen

from connector_core.model import Key, Operation
from connector_core.provision.desired_state import DesiredState, Differs
from connector_core.provision.engine import Provisioner
from connector_core.provision.matching import Held
from connector_core.provision.plan import Step


@frozen
class AccountsOnTheWay:
    """Follows the steps of one apply.

    :param held: by id, what accounts hold, where that may be something else than their first step says.
    """

    engine: Provisioner
    held: dict[str, Held]
    _created: dict[str, Key] = field(factory=dict, init=False)

    def expected(self, step: Step) -> Held | None:
        """What the account must hold just before that step; None where it must be disabled."""
        before = None if step.before is None else frozenset(step.before)
        return self.held.get(step.user_id or "", before)

    def created(self, step: Step) -> Key:
        """The account that the plan created for a further grant.

        :raises Differs: it did not, or the application has not said yet under which id.
        """
        if step.user not in self._created:
            raise Differs(f"{step.user} has no account yet that was created by this plan", hint="make the plan again")
        return self._created[step.user]

    def note(self, step: Step, operation: Operation | None) -> None:
        """Take a step for done; None where it was not."""
        if operation is None or operation.state == "planned":
            return
        if step.kind == "create_account" and operation.user_id is not None:
            self._created[step.user] = Key(self.engine.account_type, operation.user_id)
        if step.kind in ("grant", "revoke") and step.user_id is not None:
            self.held[step.user_id] = self._after(step, step.user_id)

    def _after(self, step: Step, id: str) -> Held:
        expected, type = self.expected(step), self.engine.account_type
        if expected is None:  # it was disabled, and what it holds again shows only now
            return frozenset(self.engine.operations.follower.held(Key(type, id)))
        assert step.role is not None
        desired = DesiredState(kind=step.kind, type=type, entitlement=step.role)
        return self.engine.verifier.held_after(desired, expected)
