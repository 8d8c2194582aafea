"""Writing down: what an operation came to, in the journal and in the picture, as one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Set
from typing import Literal

from attrs import field, frozen

from connector_core.errors import ConnectorCoreError, GuardRefused
from connector_core.model import EntitlementKey, ErrorInfo, Json, Key, Level, Operation
from connector_core.provision.accounts import Accounts
from connector_core.provision.desired_state import AccountState, DesiredState
from connector_core.store.database import transaction
from connector_core.store.follow import AccountSnapshot, Follower
from connector_core.store.journal import Journal, JournalDraft, Requester
from connector_core.store.logs import LogBuffer

State = Literal["done", "failed", "unknown", "refused"]
_LEVELS: dict[State, Level] = {"done": "info", "refused": "warning"}


@frozen(kw_only=True)
class OperationResult:
    """What an operation came to. ``after``: the account as it is now, for the picture; None leaves the picture alone.

    ``confirmed``: what the account holds was read, and is no mere intention.
    """

    state: State
    after: AccountState | None = None
    outcome: Literal["changed", "unchanged"] | None = None
    verified: bool = False
    confirmed: bool = True
    replaced: EntitlementKey | None = None
    warnings: tuple[str, ...] = ()
    error: ConnectorCoreError | None = None


@frozen(kw_only=True)
class OperationLog:
    """The journal, the picture and the log of one connection. ``ended``: what has ended and is not announced yet."""

    journal: Journal
    follower: Follower
    accounts: Accounts
    log: LogBuffer
    ended: deque[Operation] = field(factory=deque)

    def begin(self, desired: DesiredState, before: AccountState, asked: Requester, *, reactivated: bool = False) -> int:
        """Write it down before anything is sent; its number."""
        id = self.journal.begin(_facts(desired, before, reactivated), asked)
        self.log.add("info", _asked_for(desired, before, asked))
        with transaction(self.journal.db):  # whatever dies from here on, what was read before is to be seen
            self.log.flush(self.journal.db, id)
        return id

    def note(
        self,
        desired: DesiredState,
        found: AccountState,
        asked: Requester,
        ending: OperationResult,
        *,
        reactivated: bool = False,
    ) -> Operation:
        """Write down what was asked for and needs no request."""
        with transaction(self.journal.db):
            id = self.journal.insert(_facts(desired, found, reactivated), asked)
            self.log.add("info", _asked_for(desired, found, asked))
            self._end(id, desired, ending)
        return self._remember(id)

    def end(self, id: int, desired: DesiredState, ending: OperationResult) -> Operation:
        """Write down what it came to."""
        with transaction(self.journal.db):
            self._end(id, desired, ending)
        return self._remember(id)

    def _remember(self, id: int) -> Operation:
        operation = self.journal.operation(id)
        self.ended.append(operation)
        return operation

    def held(self, key: Key | None, found: AccountState) -> frozenset[EntitlementKey]:
        """What the account holds: as read, and where that is not all, or impossible, as the picture has it."""
        if key is None or not (found.unknown or found.partial):
            return found.held
        known = frozenset(self.follower.held(key)) - {found.checked}
        return known | (found.held if found.checked or not found.unknown else frozenset())

    def _end(self, id: int, desired: DesiredState, ending: OperationResult) -> None:
        mask, after = self.accounts.session.http.mask, ending.after
        resource = after.resource if after is not None else None
        key = desired.key or (resource.key if resource else None)
        event = None
        if after is not None and after.seen and key is not None:
            event = self.follower.follow(id, self._now(key, desired, after, ending))
        self.journal.finish(
            id, ending.state, outcome=ending.outcome, verified=ending.verified, key=key, replaced=ending.replaced,
            login=resource.login if resource else None, warnings=map(mask, ending.warnings),
            error=_info(ending.error, mask) if ending.error is not None else None, event=event,
            guard=ending.error.guard if isinstance(ending.error, GuardRefused) else None,
        )  # fmt: skip
        for warning in ending.warnings:
            self.log.add("warning", warning)
        if ending.error is not None:
            self.log.add_trace(ending.error)
        self.log.add(_LEVELS.get(ending.state, "error"), _ended(ending))
        self.log.flush(self.journal.db, id)

    def _now(self, key: Key, desired: DesiredState, after: AccountState, ending: OperationResult) -> AccountSnapshot:
        unknown = after.unknown and after.checked is None
        held = self.held(key, after) if unknown else after.held
        revoked = {desired.role} if desired.kind == "revoke" and ending.state == "done" else set()
        elsewhere = after.partial and after.resource is not None
        return AccountSnapshot(
            key=key, resource=after.resource, held=held if after.there else frozenset(),
            confirmed=ending.confirmed and not unknown,
            listed_elsewhere=self._listed_elsewhere(key, held, revoked) if elsewhere else frozenset(),
        )  # fmt: skip

    def _listed_elsewhere(
        self, key: Key, held: frozenset[EntitlementKey], revoked: Set[EntitlementKey | None]
    ) -> frozenset[EntitlementKey]:
        """Return the grants of the picture against which a read of the account proves nothing.

        What was revoked has ended, and so has another of an exclusive group that is held now.
        """
        missing = self.follower.held(key) - held - revoked
        return frozenset(e for e in missing if not any(self.accounts.excludes(e, other) for other in held))


def _facts(desired: DesiredState, before: AccountState, reactivated: bool) -> JournalDraft:
    return JournalDraft(
        kind=desired.kind, type=desired.type, key=desired.key, login=login_of(desired, before),
        entitlement=desired.role,
        wanted=desired.account, before=_snapshot(before), reactivated=reactivated, as_of=desired.as_of,
    )  # fmt: skip


def _asked_for(desired: DesiredState, before: AccountState, asked: Requester) -> str:
    what = f"{desired.kind} {desired.role}" if desired.role else desired.kind
    held = ", ".join(map(str, sorted(before.held))) or "nothing"
    status = before.resource.status if before.resource else "not there"
    known = "what is held cannot be read" if before.unknown else f"holds {held}"
    why = f"; reason: {asked.reason}" if asked.reason else ""
    return f"{asked.who} asks: {what} for {login_of(desired, before) or desired.key}, who is {status}, {known}{why}"


def _ended(ending: OperationResult) -> str:
    facts = [ending.outcome or "", "verified" if ending.verified else "not verified"] if ending.state == "done" else []
    facts += [f"{ending.replaced} ended with it"] if ending.replaced else []
    error = [ending.error.message] if ending.error else []
    return f"{ending.state}: {', '.join(filter(None, [*facts, *error]))}"


def login_of(desired: DesiredState, found: AccountState) -> str | None:
    return (found.resource.login if found.resource else None) or desired.login


def _info(error: ConnectorCoreError, mask: Callable[[str], str]) -> ErrorInfo:
    return ErrorInfo(code=error.code, message=mask(error.message), hint=error.hint and mask(error.hint))


def _snapshot(found: AccountState) -> Json:
    """How the account was before: for taking it back."""
    if found.resource is None:
        return None
    r = found.resource
    held: list[Json] = [str(e) for e in sorted(found.held)]
    return {"id": r.id, "login": r.login, "status": r.status, "held": held, "profile": dict(r.profile)}
