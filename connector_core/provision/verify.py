"""What a write did: as its own reply shows it, else as the account reads afterwards."""

from __future__ import annotations

import re

from attrs import evolve, frozen

from connector_core.clock import Clock
from connector_core.errors import (
    ApplicationError,
    Conflict,
    ConnectorCoreError,
    CredentialsRefused,
    GuardRefused,
    Interrupted,
    NotFound,
    OperationRefused,
    PluginError,
    ProtocolError,
    RateLimited,
    RowRejected,
    Unreachable,
)
from connector_core.model import EntitlementKey, Outcome, Resource
from connector_core.names import is_same
from connector_core.provision.accounts import Accounts
from connector_core.provision.desired_state import AccountState, DesiredState, held_after
from connector_core.provision.operation_log import OperationLog, OperationResult, State

_NOTHING_DONE = (GuardRefused, CredentialsRefused, RateLimited)  # said before anything was done
_DECLINED = (OperationRefused, Conflict, NotFound)  # the application understood, and did not
_LOST = (Unreachable, Interrupted, ProtocolError, PluginError, RowRejected)  # no answer, or none that can be read

NOT_LISTED = "created, and not listed yet: the application may wait for the person to sign in"


class NotCarriedOut(ApplicationError):
    """The application answered that it was done, and it is not so (P40)."""

    code = "not_carried_out"


class Accepted(ApplicationError):
    """The application answered that it will carry it out (202), and has not done so yet."""

    code = "accepted"


@frozen(kw_only=True)
class Verifier:
    """Finds out what became of a write.

    ``patience``: seconds for which a read may differ; ``first``: how long to wait before the second.
    """

    accounts: Accounts
    operations: OperationLog
    clock: Clock
    patience: float = 5.0
    first: float = 0.2

    # -- where the application said yes --------------------------------------------------------------------

    def verify(self, desired: DesiredState, before: AccountState, outcome: Outcome) -> OperationResult:
        """What became of a write that was answered with success.

        :raises Interrupted: what became of it is to be settled.
        """
        shown = self._shown(desired, outcome)
        if desired.kind == "create_account":
            if shown.resource is None and outcome.after is not None and outcome.after.resources:
                return self.after_error(desired, before, _about_others(desired), left=True)
            return self._created(desired, shown, outcome)
        if outcome.verified and (ending := self._proven(desired, before, shown)):
            return ending
        try:
            after = self._read_until_done(desired, before)
        except Interrupted:
            raise
        except ConnectorCoreError as error:
            return self._unread(desired, before, error)
        so = self._is_achieved(desired, after)
        if so is None:
            return self.as_desired(desired, before, after, "what they hold cannot be read back")
        if so:
            return self.done(desired, before, after)
        return self.accepted(desired) if outcome.pending else self._not_carried_out(desired, after)

    def _shown(self, desired: DesiredState, outcome: Outcome) -> AccountState:
        """The account in the reply; a reply that shows another one, or half of one, shows nothing."""
        try:
            if outcome.after is None or desired.key is not None:
                return self.accounts.shown(outcome.after, desired.key) if desired.key is not None else AccountState()
            return AccountState.called(outcome.after, [desired.type], desired.login or "")
        except ConnectorCoreError:
            return AccountState()

    def _proven(self, desired: DesiredState, before: AccountState, shown: AccountState) -> OperationResult | None:
        """What a reply that is proof says.

        A reply without the account counts where no read gives all its grants, or `check_grant` is there to spare it.
        """
        if shown.resource is None and desired.kind == "disable_account":  # it is there, and not shown
            return None
        counts = shown.partial or self.accounts.is_checked(desired)
        if shown.resource is not None or desired.kind not in ("grant", "revoke"):
            so = self._is_achieved(desired, shown)
        else:
            so = None if counts else False
        if so is None and counts and not shown.unknown:
            after = shown if shown.resource is not None else before
            return evolve(self.as_desired(desired, before, after), verified=True, confirmed=True)
        return self.done(desired, before, shown) if so else None

    def _is_achieved(self, desired: DesiredState, found: AccountState) -> bool | None:
        """As it says itself; a read that does not give all grants denies one by another of its exclusive group."""
        so = desired.is_achieved(found)
        role = desired.entitlement if desired.kind == "grant" and not found.unknown else None
        if so is None and role is not None and any(self.accounts.excludes(role, held) for held in found.held):
            return False
        return so

    def _read_until_done(self, desired: DesiredState, before: AccountState) -> AccountState:
        """Read again and again for a few seconds, as long as it differs: eventual consistency (P51)."""
        deadline, pause = self.clock.monotonic() + self.patience, self.first
        while True:
            found = self.accounts.after_write(desired, before)
            left = deadline - self.clock.monotonic()
            if self._is_achieved(desired, found) is not False or left <= 0:
                return found
            self.clock.sleep(min(pause, left), self.accounts.calls.cancel)
            pause *= 2

    def accepted(self, desired: DesiredState) -> OperationResult:
        """Under way in the application: later reads find out when it is done."""
        error = Accepted(
            f"the application accepted it, and {desired.label} is still as before: it may be carried out later",
            hint="the next command or sync looks again; nothing has to be sent a second time",
        )
        return OperationResult(state="unknown", error=error)

    def _not_carried_out(self, desired: DesiredState, after: AccountState) -> OperationResult:
        error = NotCarriedOut(
            f"the application accepted it, but a read of {desired.label} does not show it",
            hint="look into the application; the same command tries again",
        )
        return OperationResult(state="failed", after=after, error=error)

    def _unread(self, desired: DesiredState, before: AccountState, error: ConnectorCoreError) -> OperationResult:
        """Accepted, and not to be read now. No account leaves the picture without proof."""
        why = f"it could not be read back: {error.message}"
        if desired.kind in ("grant", "revoke") and not self._removes(desired):
            return self.as_desired(desired, before, before, why)
        return OperationResult(state="done", outcome="changed", warnings=(why,))

    def _removes(self, desired: DesiredState) -> bool:
        entitlement = self.accounts.defined(desired.entitlement) if desired.entitlement else None
        return desired.kind == "revoke" and (entitlement is None or entitlement.on_revoke == "removes_account")

    # -- creations -----------------------------------------------------------------------------------------

    def _created(self, desired: DesiredState, shown: AccountState, outcome: Outcome) -> OperationResult:
        """An account counts as there once a read shows it: who is only invited may be in no listing (W14)."""
        if shown.resource is not None and self._is_old(desired, shown):
            return self._existed(desired, shown)
        if shown.resource is not None and not _is_asked_for(desired, shown.resource):
            return self.after_error(desired, AccountState(), _about_others(desired), left=True)
        desired = desired.named(shown)
        try:
            after = self._read_until_done(desired, AccountState())
        except Interrupted:
            raise
        except ConnectorCoreError as error:
            return self._invited(desired, shown, f"it could not be read back: {error.message}")
        if not after.there:
            return self._invited(desired, shown, NOT_LISTED)
        waits = (NOT_LISTED,) if after.resource is not None and after.resource.status == "pending" else ()
        if desired.is_achieved(after) is None:
            return self.as_desired(desired, AccountState(), after, *waits, "what they hold cannot be read back")
        return OperationResult(
            state="done", outcome="changed", verified=bool(desired.is_achieved(after)), after=after,
            warnings=(*waits, *role_warning(desired, after)),
        )  # fmt: skip

    def _invited(self, desired: DesiredState, shown: AccountState, why: str) -> OperationResult:
        """Accepted, and not to be seen: pending, with whatever the reply showed."""
        if shown.resource is None:
            return OperationResult(state="done", outcome="changed", warnings=(why,))
        return self.as_desired(desired, AccountState(), shown.pending(), why)

    def _is_old(self, desired: DesiredState, shown: AccountState) -> bool:
        """Whether the reply to a creation shows an account that the picture knows under another name (P46)."""
        known = self.operations.follower.resource(shown.resource.key) if shown.resource else None
        return known is not None and not is_same(known.login, desired.login)

    def _existed(self, desired: DesiredState, found: AccountState) -> OperationResult:
        """Another creation was first: nothing of this is ours."""
        warning = f"the application says that {desired.label} existed already"
        return OperationResult(
            state="done", outcome="unchanged", verified=True, after=found,
            warnings=(warning, *role_warning(desired, found)),
        )  # fmt: skip

    # -- where it ended in an error ------------------------------------------------------------------------

    def after_error(
        self, desired: DesiredState, before: AccountState, error: ConnectorCoreError, *, left: bool
    ) -> OperationResult:
        """What became of a write that ended in an error: what is so is done, whatever was answered.

        :param left: whether a request left at all.
        """
        if not left or isinstance(error, _NOTHING_DONE):
            return OperationResult(state="failed", error=error)
        if isinstance(error, Interrupted):
            return OperationResult(state="unknown", error=error)
        try:
            found = (
                self.accounts.read(desired) if isinstance(error, _DECLINED) else self._read_until_done(desired, before)
            )
        except ConnectorCoreError:
            return OperationResult(state="failed" if isinstance(error, _DECLINED) else "unknown", error=error)
        if desired.is_satisfied(found):
            return self._so_all_the_same(desired.named(found), before, found, error)
        state = _state_after(desired, error)
        return OperationResult(
            state=state, error=_explained(error, desired, found), after=found if state == "failed" else None
        )

    def _so_all_the_same(
        self, desired: DesiredState, before: AccountState, found: AccountState, error: ConnectorCoreError
    ) -> OperationResult:
        if isinstance(error, Conflict) and desired.kind == "create_account":
            return self._existed(desired, found)
        ending = self.done(desired, before, found, f"answered with an error, yet it is so: {error.message}")
        if not isinstance(error, _DECLINED) or self._changed_since(desired, before):
            return ending
        return evolve(ending, outcome="unchanged")

    def _changed_since(self, desired: DesiredState, before: AccountState) -> bool:
        """Whether the account was read as otherwise just before the write: then the write did it, as `undo` must know.

        A declined creation is no such proof: an account that another program made meanwhile is not this host's.
        """
        if desired.kind == "create_account" or desired.is_satisfied(before) is not None:
            return desired.kind != "create_account" and not desired.is_satisfied(before)
        role = desired.entitlement if desired.kind == "grant" and not before.unknown else None
        return role is not None and any(self.accounts.excludes(role, held) for held in before.held)

    # -- endings that others use, too ----------------------------------------------------------------------

    def done(self, desired: DesiredState, before: AccountState, after: AccountState, *warnings: str) -> OperationResult:
        """Done, and seen."""
        return OperationResult(
            state="done", outcome="changed", verified=desired.is_achieved(after) is True, after=after,
            replaced=self.replaced(desired, self.operations.held(desired.key, before), after.held),
            warnings=(*warnings, *role_warning(desired, after)),
        )  # fmt: skip

    def as_desired(
        self, desired: DesiredState, before: AccountState, after: AccountState, *why: str
    ) -> OperationResult:
        """Done as far as anybody can tell: the picture takes what they hold as desired, unconfirmed."""
        held = self.operations.held(desired.key, before)
        then = self.held_after(desired, held)
        now = evolve(after, held=then - held if after.partial else then, unknown=False, seen=True)
        return OperationResult(
            state="done", outcome="changed", after=now, confirmed=False, warnings=why,
            replaced=self.replaced(desired, held, then),
        )  # fmt: skip

    def held_after(self, desired: DesiredState, held: frozenset[EntitlementKey]) -> frozenset[EntitlementKey]:
        """What is held once it is so."""
        role = desired.role
        if role is None:
            return held
        revoked = desired.kind == "revoke"
        excluded = () if revoked else [e for e in held if self.accounts.excludes(role, e)]
        entitlement = self.accounts.defined(role) if revoked else None
        return held_after(role, held, revoked=revoked, excluded=excluded, entitlement=entitlement)

    def replaced(
        self, desired: DesiredState, before: frozenset[EntitlementKey], after: frozenset[EntitlementKey]
    ) -> EntitlementKey | None:
        """The entitlement of the same exclusive group that ended with a grant."""
        if desired.kind != "grant" or desired.entitlement is None:
            return None
        role = desired.entitlement
        return next((e for e in sorted(before - after) if self.accounts.excludes(role, e)), None)


def role_warning(desired: DesiredState, found: AccountState) -> tuple[str, ...]:
    """A role is never altered unasked; that it differs from the one asked for is said."""
    wanted = desired.role
    if desired.kind != "create_account" or wanted is None or not found.there or wanted in found.held:
        return ()
    if found.unknown or (found.partial and not found.held):
        return (f"whether they hold {wanted.id} cannot be read",)
    held = ", ".join(e.id for e in sorted(found.held)) or "no role"
    return (f"they hold {held}, not {wanted.id}; grant it if that is meant",)


def _is_asked_for(desired: DesiredState, account: Resource) -> bool:
    """Whether a new account is the one asked for: some servers put their domain before its login (P28).

    Its e-mail alone says nothing: another account may have it.
    """
    bare = re.split(r"[/\\]", account.login or "")[-1]
    return is_same(account.login, desired.login) or (
        is_same(bare, desired.login) and is_same(account.email, desired.login)
    )


def _about_others(desired: DesiredState) -> ProtocolError:
    return ProtocolError(
        f"the creation of {desired.label} was answered with another account; whether it was carried out is not known",
        hint="look into the application; the next command finds out",
    )


def _state_after(desired: DesiredState, error: ConnectorCoreError) -> State:
    """``failed`` where the application declined, or where a read shows that a repeatable write did nothing."""
    if isinstance(error, _DECLINED):
        return "failed"
    return "unknown" if isinstance(error, _LOST) or desired.kind == "create_account" else "failed"


def _explained(error: ConnectorCoreError, desired: DesiredState, found: AccountState) -> ConnectorCoreError:
    """A conflict with an account that is not listed, or disabled, is described as that (P14, P48, P56)."""
    if isinstance(error, Conflict) and desired.kind == "create_account":
        disabled = "they are disabled: the same command again enables them"
        hidden = "an account has this login or e-mail and is not listed; look into the application"
        error.hint = disabled if found.resource is not None else hidden
    return error
