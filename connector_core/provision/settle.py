"""Find out, by reading only, what became of operations whose answer never came."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from connector_core.errors import (
    ApplicationError,
    ConnectorCoreError,
    CredentialsRefused,
    Interrupted,
    RateLimited,
    Unreachable,
)
from connector_core.model import Operation, Resource
from connector_core.provision.desired_state import AccountState, DesiredState
from connector_core.provision.operation_log import OperationResult
from connector_core.provision.verify import Verifier
from connector_core.store.database import transaction
from connector_core.store.journal import OpenOperation

_LATER = (Unreachable, RateLimited)  # the others would be answered no better


@frozen(kw_only=True)
class Settler:
    """``settle_after``: seconds for which a lost creation may still turn up before it counts as failed.

    ``accepted_for``: seconds within which what was accepted (202) may still be carried out.
    """

    verifier: Verifier
    settle_after: float = 60.0
    accepted_for: float = 7 * 86_400.0

    def settle(self, is_alive: Callable[[str], bool]) -> list[Operation]:
        """End what can be ended; what cannot be read now stays for the next time. Sends nothing but reads.

        :raises CredentialsRefused, Interrupted: nothing more can be read.
        """
        settled = []
        for entry in self.verifier.operations.journal.open_entries():
            if entry.state != "unknown" and is_alive(entry.holder):
                continue
            try:
                ending = self._ending(entry)
            except (CredentialsRefused, Interrupted):
                raise
            except _LATER:
                break
            except ConnectorCoreError:
                continue
            if ending.state == entry.state:  # nothing new
                continue
            settled.append(self.verifier.operations.end(entry.id, _desired(entry), ending))
            if entry.state == "unknown":  # it was announced when its answer did not come
                self.verifier.operations.ended.pop()
        return settled

    def _ending(self, entry: OpenOperation) -> OperationResult:
        if entry.state == "pending":
            return OperationResult(
                state="failed", error=ApplicationError("the program ended before the request was sent")
            )
        if entry.address not in (None, self.verifier.accounts.session.address):
            return self._elsewhere(entry)
        desired, verifier = self._invited(_desired(entry)), self.verifier
        seen = _CARRIED_OUT if entry.accepted else _SEEN
        found = (
            verifier.accounts.listed(desired) if desired.kind == "create_account" else verifier.accounts.read(desired)
        )
        desired = desired.named(found)
        so = desired.is_satisfied(found)
        if so and desired.is_achieved(found) is None:
            return verifier.as_desired(desired, AccountState(), found, seen, "what they hold cannot be read back")
        if so:
            return verifier.done(desired, _before(entry), found, seen)
        if entry.accepted:
            return self._accepted(entry, desired, found)
        if so is None:  # sending it again does no harm, taking it as done might
            return _failed("the answer was lost, and what they hold cannot be read", found)
        if entry.kind == "create_account" and self._may_turn_up(entry):
            return OperationResult(state="unknown")
        return _failed("the answer was lost, and the application shows that it was not done", found)

    def _elsewhere(self, entry: OpenOperation) -> OperationResult:
        """What the application at another address shows is no evidence."""
        error = ApplicationError(
            "the answer was lost; it was sent to an address that the connection had then",
            hint="with that address in its settings again, the next command finds out whether it was done",
        )
        if entry.state == "unknown":  # what was written down when its answer did not come stays
            operations = self.verifier.operations
            with transaction(operations.journal.db):
                operations.log.write(
                    operations.journal.db, "warning", f"operation {entry.id}: {error.message}; {error.hint}"
                )
        return OperationResult(state="unknown", error=error)

    def _invited(self, desired: DesiredState) -> DesiredState:
        """Of an invited account, not being listed yet proves nothing (W14)."""
        operations = self.verifier.operations
        account = operations.follower.resource(desired.key) if desired.key is not None else None
        if account is None or desired.kind == "create_account" or not operations.journal.is_invited(account):
            return desired
        return evolve(desired, invited=account)

    def _accepted(self, entry: OpenOperation, desired: DesiredState, found: AccountState) -> OperationResult:
        if self._age(entry) < self.accepted_for:
            return self.verifier.accepted(desired)
        days = round(self.accepted_for / 86_400)
        return _failed(f"the application accepted it, and has not carried it out within {days} days", found)

    def _may_turn_up(self, entry: OpenOperation) -> bool:
        return self._age(entry) < self.settle_after

    def _age(self, entry: OpenOperation) -> float:
        return abs(self.verifier.clock.now() - entry.sent)


def _failed(why: str, found: AccountState) -> OperationResult:
    return OperationResult(
        state="failed", after=found, error=ApplicationError(why, hint="the same command sends it again")
    )


def _desired(entry: OpenOperation) -> DesiredState:
    return DesiredState(
        kind=entry.kind, type=entry.type, key=entry.key, login=entry.login, account=entry.wanted,
        entitlement=entry.entitlement if entry.kind in ("grant", "revoke") else None,
    )  # fmt: skip


def _before(entry: OpenOperation) -> AccountState:
    """The account as it was before, as far as it matters for what ended."""
    if entry.key is None:
        return AccountState()
    return AccountState(resource=Resource(type=entry.key.type, id=entry.key.id), held=entry.held)


_CARRIED_OUT = "the application had only accepted it; by now it shows that it was done"
_SEEN = "the answer was lost; the application shows that it was done"
