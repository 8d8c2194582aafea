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
from connector_core.store.journal import OpenOperation

_LATER = (Unreachable, RateLimited)  # the others would be answered no better


@frozen(kw_only=True)
class Settler:
    """``settle_after``: seconds for which a lost creation may still turn up before it counts as failed."""

    verifier: Verifier
    settle_after: float = 60.0

    def settle(self, is_alive: Callable[[str], bool]) -> list[Operation]:
        """End what can be ended; what cannot be read now stays for the next time. Sends nothing but reads.

        :raises CredentialsRefused, Interrupted: nothing more can be read.
        """
        settled = []
        for entry in self.verifier.book.journal.open_entries():
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
            settled.append(self.verifier.book.end(entry.id, _wish(entry), ending))
        return settled

    def _ending(self, entry: OpenOperation) -> OperationResult:
        wish, verifier = self._invited(_wish(entry)), self.verifier
        if entry.state == "pending":
            return OperationResult(
                state="failed", error=ApplicationError("the program ended before the request was sent")
            )
        found = verifier.accounts.listed(wish) if wish.kind == "create_account" else verifier.accounts.read(wish)
        wish = wish.named(found)
        so = wish.is_satisfied(found)
        if so and wish.is_achieved(found) is None:
            return verifier.as_wished(wish, AccountState(), found, _SEEN, "what they hold cannot be read back")
        if so:
            return verifier.done(wish, _before(entry), found, _SEEN)
        if so is None:  # sending it again does no harm, taking it as done might
            return _failed("the answer was lost, and what they hold cannot be read", found)
        if entry.kind == "create_account" and self._may_turn_up(entry):
            return OperationResult(state="unknown")
        return _failed("the answer was lost, and the application shows that it was not done", found)

    def _invited(self, wish: DesiredState) -> DesiredState:
        """Of somebody who is invited, that nobody sees them yet proves nothing (W14)."""
        book = self.verifier.book
        account = book.follower.resource(wish.key) if wish.key is not None else None
        if account is None or wish.kind == "create_account" or not book.journal.is_invited(account):
            return wish
        return evolve(wish, invited=account)

    def _may_turn_up(self, entry: OpenOperation) -> bool:
        return abs(self.verifier.clock.now() - (entry.sent or 0.0)) < self.settle_after


def _failed(why: str, found: AccountState) -> OperationResult:
    return OperationResult(
        state="failed", after=found, error=ApplicationError(why, hint="the same command sends it again")
    )


def _wish(entry: OpenOperation) -> DesiredState:
    return DesiredState(
        kind=entry.kind, type=entry.type, key=entry.key, login=entry.login, account=entry.wanted,
        entitlement=entry.entitlement if entry.kind in ("grant", "revoke") else None,
    )  # fmt: skip


def _before(entry: OpenOperation) -> AccountState:
    """The account as it was before, as far as it matters for what ended."""
    if entry.key is None:
        return AccountState()
    return AccountState(resource=Resource(type=entry.key.type, id=entry.key.id), held=entry.held)


_SEEN = "the answer was lost; the application shows that it was done"
