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
from connector_core.provision.desired_state import AccountState, DesiredState
from connector_core.provision.operation_log import OperationLog, OperationResult, State

_NOTHING_DONE = (GuardRefused, CredentialsRefused, RateLimited)  # said before anything was done
_DECLINED = (OperationRefused, Conflict, NotFound)  # the application understood, and did not
_LOST = (Unreachable, Interrupted, ProtocolError, PluginError, RowRejected)  # no answer, or none that can be read

NOT_LISTED = "created, and not listed yet: the application may wait for the person to sign in"


class NotCarriedOut(ApplicationError):
    """The application answered that it was done, and is not as wished (P40)."""

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
    book: OperationLog
    clock: Clock
    patience: float = 5.0
    first: float = 0.2

    # -- where the application said yes --------------------------------------------------------------------

    def verify(self, wish: DesiredState, before: AccountState, outcome: Outcome) -> OperationResult:
        """What became of a write that was answered with success.

        :raises Interrupted: what became of it is to be settled.
        """
        shown = self._shown(wish, outcome)
        if wish.kind == "create_account":
            if shown.resource is None and outcome.after is not None and outcome.after.resources:
                return self.after_error(wish, before, _about_others(wish), left=True)
            return self._created(wish, shown, outcome)
        if outcome.verified and (ending := self._proven(wish, before, shown)):
            return ending
        try:
            after = self._read_until_done(wish, before)
        except Interrupted:
            raise
        except ConnectorCoreError as error:
            return self._unread(wish, before, error)
        so = self._is_achieved(wish, after)
        if so is None:
            return self.as_wished(wish, before, after, "what they hold cannot be read back")
        if so:
            return self.done(wish, before, after)
        return self.accepted(wish) if outcome.pending else self._not_carried_out(wish, after)

    def _shown(self, wish: DesiredState, outcome: Outcome) -> AccountState:
        """The account in the reply; a reply that shows another one, or half of one, shows nothing."""
        try:
            if outcome.after is None or wish.key is not None:
                return self.accounts.shown(outcome.after, wish.key) if wish.key is not None else AccountState()
            return AccountState.called(outcome.after, [wish.type], wish.login or "")
        except ConnectorCoreError:
            return AccountState()

    def _proven(self, wish: DesiredState, before: AccountState, shown: AccountState) -> OperationResult | None:
        """What a reply that is proof says.

        A reply without the account counts where no read gives all its grants, or `check_grant` is there to spare it.
        """
        if shown.resource is None and wish.kind == "disable_account":  # it is there, and not shown
            return None
        counts = shown.partial or self.accounts.is_checked(wish)
        if shown.resource is not None or wish.kind not in ("grant", "revoke"):
            so = self._is_achieved(wish, shown)
        else:
            so = None if counts else False
        if so is None and counts and not shown.unknown:
            after = shown if shown.resource is not None else before
            return evolve(self.as_wished(wish, before, after), verified=True, confirmed=True)
        return self.done(wish, before, shown) if so else None

    def _is_achieved(self, wish: DesiredState, found: AccountState) -> bool | None:
        """As the wish says; a read that does not give all grants denies one by another of its exclusive group."""
        so = wish.is_achieved(found)
        role = wish.entitlement if wish.kind == "grant" and not found.unknown else None
        if so is None and role is not None and any(self.accounts.excludes(role, held) for held in found.held):
            return False
        return so

    def _read_until_done(self, wish: DesiredState, before: AccountState) -> AccountState:
        """Read again and again for a few seconds, as long as it differs: eventual consistency (P51)."""
        deadline, pause = self.clock.monotonic() + self.patience, self.first
        while True:
            found = self.accounts.after_write(wish, before)
            left = deadline - self.clock.monotonic()
            if self._is_achieved(wish, found) is not False or left <= 0:
                return found
            self.clock.sleep(min(pause, left), self.accounts.calls.cancel)
            pause *= 2

    def accepted(self, wish: DesiredState) -> OperationResult:
        """Under way in the application: later reads find out when it is done."""
        error = Accepted(
            f"the application accepted it, and {wish.label} is still as before: it may be carried out later",
            hint="the next command or sync looks again; nothing has to be sent a second time",
        )
        return OperationResult(state="unknown", error=error)

    def _not_carried_out(self, wish: DesiredState, after: AccountState) -> OperationResult:
        error = NotCarriedOut(
            f"the application accepted it, but a read of {wish.label} does not show it",
            hint="look into the application; the same command tries again",
        )
        return OperationResult(state="failed", after=after, error=error)

    def _unread(self, wish: DesiredState, before: AccountState, error: ConnectorCoreError) -> OperationResult:
        """Accepted, and not to be read now. No account leaves the picture without proof."""
        why = f"it could not be read back: {error.message}"
        if wish.kind in ("grant", "revoke") and not self._removes(wish):
            return self.as_wished(wish, before, before, why)
        return OperationResult(state="done", outcome="changed", warnings=(why,))

    def _removes(self, wish: DesiredState) -> bool:
        entitlement = self.accounts.defined(wish.entitlement) if wish.entitlement else None
        return wish.kind == "revoke" and (entitlement is None or entitlement.on_revoke == "removes_account")

    # -- creations -----------------------------------------------------------------------------------------

    def _created(self, wish: DesiredState, shown: AccountState, outcome: Outcome) -> OperationResult:
        """An account counts as there once a read shows it: who is only invited may be in no listing (W14)."""
        if shown.resource is not None and self._is_old(wish, shown):
            return self._existed(wish, shown)
        if shown.resource is not None and not _is_asked_for(wish, shown.resource):
            return self.after_error(wish, AccountState(), _about_others(wish), left=True)
        wish = wish.named(shown)
        try:
            after = self._read_until_done(wish, AccountState())
        except Interrupted:
            raise
        except ConnectorCoreError as error:
            return self._invited(wish, shown, f"it could not be read back: {error.message}")
        if not after.there:
            return self._invited(wish, shown, NOT_LISTED)
        waits = (NOT_LISTED,) if after.resource is not None and after.resource.status == "pending" else ()
        if wish.is_achieved(after) is None:
            return self.as_wished(wish, AccountState(), after, *waits, "what they hold cannot be read back")
        return OperationResult(
            state="done", outcome="changed", verified=bool(wish.is_achieved(after)), after=after,
            warnings=(*waits, *role_warning(wish, after)),
        )  # fmt: skip

    def _invited(self, wish: DesiredState, shown: AccountState, why: str) -> OperationResult:
        """Accepted, and not to be seen: pending, with whatever the reply showed."""
        if shown.resource is None:
            return OperationResult(state="done", outcome="changed", warnings=(why,))
        return self.as_wished(wish, AccountState(), shown.pending(), why)

    def _is_old(self, wish: DesiredState, shown: AccountState) -> bool:
        """Whether the reply to a creation shows an account that the picture knows under another name (P46)."""
        known = self.book.follower.resource(shown.resource.key) if shown.resource else None
        return known is not None and not is_same(known.login, wish.login)

    def _existed(self, wish: DesiredState, found: AccountState) -> OperationResult:
        """Another creation was first: nothing of this is ours."""
        warning = f"the application says that {wish.label} existed already"
        return OperationResult(
            state="done", outcome="unchanged", verified=True, after=found,
            warnings=(warning, *role_warning(wish, found)),
        )  # fmt: skip

    # -- where it ended in an error ------------------------------------------------------------------------

    def after_error(
        self, wish: DesiredState, before: AccountState, error: ConnectorCoreError, *, left: bool
    ) -> OperationResult:
        """What became of a write that ended in an error: as wished is done, whatever was answered.

        :param left: whether a request left at all.
        """
        if not left or isinstance(error, _NOTHING_DONE):
            return OperationResult(state="failed", error=error)
        if isinstance(error, Interrupted):
            return OperationResult(state="unknown", error=error)
        try:
            found = self.accounts.read(wish) if isinstance(error, _DECLINED) else self._read_until_done(wish, before)
        except ConnectorCoreError:
            return OperationResult(state="failed" if isinstance(error, _DECLINED) else "unknown", error=error)
        if wish.is_satisfied(found):
            return self._so_all_the_same(wish.named(found), before, found, error)
        state = _state_after(wish, error)
        return OperationResult(
            state=state, error=_explained(error, wish, found), after=found if state == "failed" else None
        )

    def _so_all_the_same(
        self, wish: DesiredState, before: AccountState, found: AccountState, error: ConnectorCoreError
    ) -> OperationResult:
        if isinstance(error, Conflict) and wish.kind == "create_account":
            return self._existed(wish, found)
        ending = self.done(wish, before, found, f"answered with an error, yet it is so: {error.message}")
        if not isinstance(error, _DECLINED) or self._changed_since(wish, before):
            return ending
        return evolve(ending, outcome="unchanged")

    def _changed_since(self, wish: DesiredState, before: AccountState) -> bool:
        """Whether the account was read as otherwise just before the write: then the write did it, as `undo` must know.

        A declined creation is no such proof: an account that another program made meanwhile is not this host's.
        """
        if wish.kind == "create_account" or wish.is_satisfied(before) is not None:
            return wish.kind != "create_account" and not wish.is_satisfied(before)
        role = wish.entitlement if wish.kind == "grant" and not before.unknown else None
        return role is not None and any(self.accounts.excludes(role, held) for held in before.held)

    # -- endings that others use, too ----------------------------------------------------------------------

    def done(self, wish: DesiredState, before: AccountState, after: AccountState, *warnings: str) -> OperationResult:
        """As wished, and seen."""
        return OperationResult(
            state="done", outcome="changed", verified=wish.is_achieved(after) is True, after=after,
            replaced=self.replaced(wish, self.book.held(wish.key, before), after.held),
            warnings=(*warnings, *role_warning(wish, after)),
        )  # fmt: skip

    def as_wished(self, wish: DesiredState, before: AccountState, after: AccountState, *why: str) -> OperationResult:
        """Done as far as anybody can tell: the picture takes what they hold as wished, unconfirmed."""
        held = self.book.held(wish.key, before)
        wished = self.wished(wish, held)
        now = evolve(after, held=wished - held if after.partial else wished, unknown=False, seen=True)
        return OperationResult(
            state="done", outcome="changed", after=now, confirmed=False, warnings=why,
            replaced=self.replaced(wish, held, wished),
        )  # fmt: skip

    def wished(self, wish: DesiredState, held: frozenset[EntitlementKey]) -> frozenset[EntitlementKey]:
        """What is held once the wish is fulfilled."""
        role = wish.role
        if role is None:
            return held
        if wish.kind != "revoke":
            return frozenset(e for e in held if not self.accounts.excludes(role, e)) | {role}
        entitlement = self.accounts.defined(role)
        fallback = entitlement.falls_back_to if entitlement is not None else None
        return (held - {role}) | ({fallback} if fallback is not None else set())

    def replaced(
        self, wish: DesiredState, before: frozenset[EntitlementKey], after: frozenset[EntitlementKey]
    ) -> EntitlementKey | None:
        """The entitlement of the same exclusive group that ended with a grant."""
        if wish.kind != "grant" or wish.entitlement is None:
            return None
        role = wish.entitlement
        return next((e for e in sorted(before - after) if self.accounts.excludes(role, e)), None)


def role_warning(wish: DesiredState, found: AccountState) -> tuple[str, ...]:
    """A role is never altered unasked; that it differs from the one asked for is said."""
    wanted = wish.role
    if wish.kind != "create_account" or wanted is None or not found.there or wanted in found.held:
        return ()
    if found.unknown or (found.partial and not found.held):
        return (f"whether they hold {wanted.id} cannot be read",)
    held = ", ".join(e.id for e in sorted(found.held)) or "no role"
    return (f"they hold {held}, not {wanted.id}; grant it if that is meant",)


def _is_asked_for(wish: DesiredState, account: Resource) -> bool:
    """Whether a new account is the one asked for: some servers put their domain before its login (P28).

    Its e-mail alone says nothing: another account may have it.
    """
    bare = re.split(r"[/\\]", account.login or "")[-1]
    return is_same(account.login, wish.login) or (is_same(bare, wish.login) and is_same(account.email, wish.login))


def _about_others(wish: DesiredState) -> ProtocolError:
    return ProtocolError(
        f"the creation of {wish.label} was answered with another account; whether it was carried out is not known",
        hint="look into the application; the next command finds out",
    )


def _state_after(wish: DesiredState, error: ConnectorCoreError) -> State:
    """``failed`` where the application declined, or where a read shows that a repeatable write did nothing."""
    if isinstance(error, _DECLINED):
        return "failed"
    return "unknown" if isinstance(error, _LOST) or wish.kind == "create_account" else "failed"


def _explained(error: ConnectorCoreError, wish: DesiredState, found: AccountState) -> ConnectorCoreError:
    """A conflict with an account that is not listed, or disabled, is described as that (P14, P48, P56)."""
    if isinstance(error, Conflict) and wish.kind == "create_account":
        disabled = "they are disabled: the same command again enables them"
        hidden = "an account has this login or e-mail and is not listed; look into the application"
        error.hint = disabled if found.resource is not None else hidden
    return error
