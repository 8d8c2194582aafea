"""Read, guard, write ahead, write once, verify: the same for every connector, whose hooks only write.

The journal is ahead of the application: a row is there before a request leaves, so that whatever dies in between,
the next command finds the result by reading, and never writes twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from attrs import evolve, field, frozen

from connector_core.clock import Clock
from connector_core.connectors.session import Session
from connector_core.errors import ConnectorCoreError, CredentialsRefused, GuardRefused, Interrupted
from connector_core.model import Operation, Request
from connector_core.names import is_same
from connector_core.provision.accounts import Accounts
from connector_core.provision.calls import WriteAhead
from connector_core.provision.desired_state import AGAIN, AccountState, DesiredState, Differs
from connector_core.provision.guards import Consent, Guards, Loss
from connector_core.provision.operation_log import OperationLog, OperationResult, login_of
from connector_core.provision.verify import Verifier, role_warning
from connector_core.store.follow import Follower
from connector_core.store.journal import Journal, Requester

__all__ = ["ProvisionPolicy", "Provisioner", "WriteAhead"]


@frozen(kw_only=True)
class ProvisionPolicy:
    """Times in seconds. ``verify_for``: how long a read may differ from what was written (eventual consistency).

    ``settle_after``: how long a lost creation may still turn up before it counts as failed. ``call_deadline``: how
    long a hook may take.
    """

    verify_for: float = 5.0
    settle_after: float = 60.0
    call_deadline: float = 900.0


class _Stopped(ConnectorCoreError):
    """Raised in place of sending, in a dry run."""

    def __init__(self, request: Request) -> None:
        super().__init__("a dry run stops before the request leaves")
        self.request = request


@frozen(kw_only=True)
class Provisioner:
    """Brings about desired states on one connection, one after the other, in one thread."""

    accounts: Accounts
    operations: OperationLog
    verifier: Verifier
    guards: Guards
    clock: Clock
    asked: Requester
    consent: Consent = field(factory=Consent)
    dry: bool = False

    @property
    def session(self) -> Session:
        return self.accounts.session

    @property
    def journal(self) -> Journal:
        return self.operations.journal

    @property
    def follower(self) -> Follower:
        return self.operations.follower

    @property
    def account_type(self) -> str:
        return self.accounts.type

    def carry_out(self, desired: DesiredState, found: AccountState, *, reactivated: bool = False) -> Operation:
        """Bring about a desired state of an account that was just read as ``found``.

        :param reactivated: it was disabled, and enabled for this.
        :raises GuardRefused: nothing was sent; ``report`` is the operation as refused, except in a dry run.
        :raises CredentialsRefused, Interrupted: ``report`` is the operation as far as it came.
        """
        found = self.accounts.complete(desired, found)
        with self.noting_refusals(desired, found):
            self._require_same_account(desired, found)
            if self._is_so(desired, found):
                return self.unchanged(desired, found, reactivated=reactivated)
            desired.require_expected(found)
            loss = Loss.by(desired, found, self.accounts)
            self.guards.check(desired, found, loss, self.consent)
            self.announce_planned(desired, found)
            asked = not self.dry and self.guards.confirm(desired, loss, self.consent)
        if self.dry:
            return self._shown(desired, found)
        if asked:
            return self._confirmed(desired, found, reactivated=reactivated)
        id = self.operations.begin(desired, found, self.asked, reactivated=reactivated)
        return self._write(id, desired, found)

    def _confirmed(self, desired: DesiredState, before: AccountState, *, reactivated: bool) -> Operation:
        """Carry out what a person took the time to confirm, on the account that they were asked about.

        :raises Differs: it is another one by now, or holds something else.
        """
        now = self.accounts.read(desired)
        with self.noting_refusals(desired, now):
            if now.there and not (is_same(now.login, before.login) and now.may_have_held(before)):
                raise Differs(
                    f"{desired.label} was changed while the question waited for its answer; nothing was written",
                    hint="the same command asks again",
                )
        sure = evolve(self, consent=evolve(self.consent, yes=True, on_planned=None))
        return sure.carry_out(desired, now, reactivated=reactivated)

    @contextmanager
    def noting_refusals(self, desired: DesiredState, found: AccountState) -> Iterator[None]:
        """Write what a guard refuses within this into the journal: ``report`` of its error, except in a dry run."""
        try:
            yield
        except GuardRefused as error:
            if not self.dry:
                error.report = self.operations.note(
                    desired, found, self.asked, OperationResult(state="refused", error=error)
                )
            raise

    def unchanged(
        self, desired: DesiredState, found: AccountState, *warnings: str, reactivated: bool = False
    ) -> Operation:
        """A success that sends nothing; in the journal all the same, as it was asked for."""
        if self.dry:
            return self._planned(desired, found, OperationResult(state="done", outcome="unchanged", warnings=warnings))
        ending = OperationResult(
            state="done", outcome="changed" if reactivated else "unchanged", after=found,
            verified=found.seen and desired.is_satisfied(found) is True,
            warnings=(*warnings, *role_warning(desired, found)),
        )  # fmt: skip
        return self.operations.note(desired, found, self.asked, ending, reactivated=reactivated)

    def _require_same_account(self, desired: DesiredState, found: AccountState) -> None:
        """:raises Differs: by now the id of a plan's step bears another login, or its login is another account's."""
        desired.require_login(found)
        if desired.expected_login is None:
            return
        for other in self.accounts.others_called(desired.expected_login, desired.key):
            raise Differs(f"{desired.expected_login} is another account now, with the id {other.id}", hint=AGAIN)

    def _is_so(self, desired: DesiredState, found: AccountState) -> bool:
        """As read; where a role cannot be read, as the last operation left it, if that was the same and seen done."""
        so = desired.is_satisfied(found)
        if (
            so is None
            and desired.key is not None
            and self.journal.is_repeated(desired.kind, desired.key, desired.entitlement)
        ):
            held = self.operations.held(desired.key, found)
            so = bool(held) and (desired.entitlement in held) == (desired.kind == "grant")
        return bool(so)

    def _write(self, id: int, desired: DesiredState, before: AccountState) -> Operation:
        try:
            outcome = self.accounts.write(desired, lambda r: self.journal.sent(id, f"{r.method} {r.path}"))
        except ConnectorCoreError as error:
            left = self.journal.operation(id).state == "sent"
            operation = self.operations.end(id, desired, self.verifier.after_error(desired, before, error, left=left))
            if isinstance(error, CredentialsRefused | Interrupted):
                _raise(error, operation)
            return operation
        return self.operations.end(id, desired, self.verifier.verify(desired, before, outcome))

    # -- before a write, and instead of one ----------------------------------------------------------------------

    def announce_planned(self, desired: DesiredState, found: AccountState, *, reactivated: bool = False) -> None:
        """Say what is about to be written, to who wants to know."""
        if self.consent.on_planned is not None:
            self.consent.on_planned(evolve(self._changed(desired, found), reactivated=reactivated))

    def _changed(self, desired: DesiredState, found: AccountState) -> Operation:
        held = self.operations.held(desired.key, found)
        replaced = self.verifier.replaced(desired, held, self.verifier.held_after(desired, held))
        return self._planned(desired, found, OperationResult(state="done", outcome="changed", replaced=replaced))

    def _shown(self, desired: DesiredState, found: AccountState) -> Operation:
        """What a write would send."""

        def stop(request: Request) -> NoReturn:
            raise _Stopped(request)

        request = None
        try:
            self.accounts.write(desired, stop)
        except _Stopped as stopped:
            request = stopped.request
        return evolve(self._changed(desired, found), request=request)

    def _planned(self, desired: DesiredState, found: AccountState, ending: OperationResult) -> Operation:
        role = desired.role
        return Operation(
            id=None, kind=desired.kind, user_id=desired.key and desired.key.id, user=login_of(desired, found),
            state="planned",
            resource_type=role and role.type, role=role and role.id, entitlement=role and role.slug,
            outcome=ending.outcome, replaced=ending.replaced and ending.replaced.id,
            warnings=(*ending.warnings, *role_warning(desired, found)),
            requested_by=self.asked.who, reason=self.asked.reason,
        )  # fmt: skip


def _raise(error: ConnectorCoreError, operation: Operation) -> NoReturn:
    error.report = operation
    raise error
