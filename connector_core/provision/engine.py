"""Read, guard, write ahead, write once, verify, settle: the same for every connector, whose hooks only write.

The journal is ahead of the application: a row is there before a request leaves, so that whatever dies in between,
the next command finds out what came of it, by reading, and never writes twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

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
    ProtocolError,
    RateLimited,
    Unreachable,
)
from connector_core.model import (
    Entitlement,
    EntitlementKey,
    ErrorInfo,
    Grant,
    Json,
    Key,
    Operation,
    Outcome,
    Request,
    Resource,
)
from connector_core.provision.guards import Consent, Guards
from connector_core.provision.wishes import Found, Wish
from connector_core.session import Session
from connector_core.store.database import transaction
from connector_core.store.follow import Follower, Now
from connector_core.store.journal import Asked, Entry, Journal

_NEVER_DONE = (GuardRefused, CredentialsRefused, RateLimited)  # said before anything was done
_DECLINED = (OperationRefused, Conflict, NotFound)  # the application understood, and did not
_LOST = (Unreachable, Interrupted, ProtocolError)  # no answer, or none that can be read


class NotCarriedOut(ApplicationError):
    """The application answered that it was done, and is not as wished (P40)."""

    code = "not_carried_out"


class _Stopped(ConnectorCoreError):
    """Raised in place of sending, in a dry run."""

    def __init__(self, request: Request) -> None:
        super().__init__("a dry run stops before the request leaves")
        self.request = request


@frozen(kw_only=True)
class ProvisionPolicy:
    """Times in seconds. ``verify_for``: how long a read may differ from what was written (eventual consistency).

    ``settle_after``: how long a lost creation may still turn up before it counts as failed.
    """

    verify_for: float = 5.0
    verify_first: float = 0.2
    settle_after: float = 60.0


class WriteAhead:
    """What `HttpClient` calls before an unsafe request leaves: commits ``sent``, or in a dry run stops it."""

    def __init__(self) -> None:
        self.listener: Callable[[str, str, bytes | None], None] | None = None

    def __call__(self, method: str, url: str, body: bytes | None) -> None:
        if self.listener is None:
            raise GuardRefused(f"a {method} request was about to leave outside of any operation; it was stopped")
        self.listener(method, url, body)


@frozen(kw_only=True)
class Provisioner:
    """Carries out operations on one connection, one after the other, in one thread."""

    session: Session
    journal: Journal
    follower: Follower
    guards: Guards
    ahead: WriteAhead
    clock: Clock
    asked: Asked
    consent: Consent = field(factory=Consent)
    dry: bool = False
    policy: ProvisionPolicy = field(factory=ProvisionPolicy)

    # -- finding -------------------------------------------------------------------------------------------

    @property
    def account_type(self) -> str:
        return next(t.type for t in self.session.manifest.resource_types if "user" in t.traits)

    def entitlement(self, key: EntitlementKey | None) -> Entitlement | None:
        return next((e for e in self.session.manifest.entitlements if e.key == key), None)

    def by_login(self, login: str) -> Found:
        return Found.in_page(self.session.connector.find_account(self.session.client, login), self.account_type)

    def by_key(self, key: Key) -> Found:
        asked = Resource(type=key.type, id=key.id)
        return Found.in_page(self.session.connector.sync_resource(self.session.client, asked), key.type)

    def read(self, wish: Wish) -> Found:
        """The account as it is now. An id is never replaced by a look-up by name (P60)."""
        return self.by_key(wish.key) if wish.key is not None else self.by_login(wish.login or "")

    # -- one operation -------------------------------------------------------------------------------------

    def carry_out(
        self, wish: Wish, found: Found, *, reactivated: bool = False, part_of: int | None = None
    ) -> Operation:
        """Bring about one wish for an account that was just read as ``found``.

        :raises GuardRefused: nothing was written.
        """
        if self._is_so(wish, found):
            return self._unchanged(wish, found, reactivated)
        self.guards.check(wish, found, self.entitlement(wish.entitlement), self.consent, dry=self.dry)
        if self.dry:
            return self._shown(wish, found)
        id = self.journal.begin(
            wish.kind, self.asked, type=wish.type, key=wish.key, login=_login(wish, found),
            entitlement=wish.entitlement or _role(wish), wanted=wish.account, before=_snapshot(found),
        )  # fmt: skip
        return self._write(id, wish, found, reactivated)

    def _is_so(self, wish: Wish, found: Found) -> bool:
        """As read; where a role cannot be read, as an earlier operation left it in the picture."""
        so = wish.is_so(found)
        if so is None and wish.key is not None:
            held = self.follower.held(wish.key)
            so = bool(held) and (wish.entitlement in held) == (wish.kind == "grant")
        return bool(so)

    def _unchanged(self, wish: Wish, found: Found, reactivated: bool) -> Operation:
        """A success that sends nothing; in the journal all the same, as somebody asked for it."""
        if self.dry:
            return self._operation(wish, found, state="planned", outcome="unchanged")
        id = self.journal.begin(
            wish.kind, self.asked, type=wish.type, key=wish.key, login=_login(wish, found),
            entitlement=wish.entitlement or _role(wish), wanted=None, before=_snapshot(found),
        )  # fmt: skip
        self._finish(
            id, wish, found, "done", outcome="changed" if reactivated else "unchanged",
            verified=wish.is_so(found) is True, reactivated=reactivated,
            warnings=_role_warning(wish, found),
        )  # fmt: skip
        return self.journal.operation(id)

    def _shown(self, wish: Wish, found: Found) -> Operation:
        """What a write would send."""

        def stop(method: str, url: str, body: bytes | None) -> None:
            raise _Stopped(Request(method=method, path=_path(url), body=_readable(body)))

        self.ahead.listener = stop
        try:
            self._hook(wish)
        except _Stopped as stopped:
            request = stopped.request
        finally:
            self.ahead.listener = None
        replaced = self._replaced(wish, found.held, frozenset({wish.entitlement} if wish.entitlement else ()))
        return self._operation(
            wish, found, state="planned", outcome="changed", request=request, replaced=replaced and replaced.id
        )

    def _write(self, id: int, wish: Wish, before: Found, reactivated: bool) -> Operation:
        self.ahead.listener = lambda method, url, body: self.journal.sent(id, f"{method} {_path(url)}")
        try:
            outcome = self._hook(wish)
        except ConnectorCoreError as error:
            return self._failed(id, wish, before, error, reactivated)
        finally:  # whatever else is raised here: the next command finds out what became of it
            self.ahead.listener = None
        return self._verify(id, wish, before, outcome, reactivated)

    def _hook(self, wish: Wish) -> Outcome:
        connector, client, key = self.session.connector, self.session.client, wish.key
        if wish.kind == "create_account":
            assert wish.account is not None
            return connector.create_account(client, wish.account)
        assert key is not None
        if wish.kind == "delete_account":
            return connector.delete_account(client, Resource(type=key.type, id=key.id, login=wish.login))
        if wish.kind == "enable_account":
            return connector.enable_account(client, Resource(type=key.type, id=key.id, login=wish.login))
        assert wish.entitlement is not None
        write = connector.grant if wish.kind == "grant" else connector.revoke
        return write(client, Grant(wish.entitlement, key))

    # -- afterwards ----------------------------------------------------------------------------------------

    def _verify(self, id: int, wish: Wish, before: Found, outcome: Outcome, reactivated: bool) -> Operation:
        """By the reply's own body, else by reading, again and again for a few seconds."""
        after = Found.in_page(outcome.after, wish.type)
        wish = _named(wish, after)
        if not (outcome.verified and wish.is_so(after)):
            try:
                after = self._read_until_so(wish, after)
            except Interrupted:
                raise
            except ConnectorCoreError as unread:
                return self._unverified(id, wish, before, after, reactivated, f"it could not be read back: {unread}")
        so = wish.is_so(after)
        if so is None:
            return self._unverified(id, wish, before, after, reactivated, "what they hold cannot be read back")
        if not so and wish.kind == "create_account":
            return self._invited(id, wish, before, outcome, reactivated)
        if not so:
            error = NotCarriedOut(
                f"the application accepted it, but {wish.label} is still as before",
                hint="look into the application; the same command tries again",
            )
            return self._end(id, wish, after, "failed", error=error, reactivated=reactivated)
        return self._done(id, wish, before, after, reactivated)

    def _read_until_so(self, wish: Wish, after: Found) -> Found:
        deadline, pause = self.clock.monotonic() + self.policy.verify_for, self.policy.verify_first
        while True:
            found = self.read(wish)
            if wish.is_so(found) is not False or self.clock.monotonic() + pause > deadline:
                return found if found.resource is not None or wish.kind != "create_account" else after
            self.clock.sleep(pause)
            pause *= 2

    def _done(
        self, id: int, wish: Wish, before: Found, after: Found, reactivated: bool, warnings: tuple[str, ...] = ()
    ) -> Operation:
        warnings = (*warnings, *_role_warning(wish, after))
        replaced = self._replaced(wish, before.held, after.held)
        return self._end(
            id, wish, after, "done", verified=True, replaced=replaced, reactivated=reactivated, warnings=warnings
        )

    def _unverified(self, id: int, wish: Wish, before: Found, after: Found, reactivated: bool, why: str) -> Operation:
        """Done, as far as anybody can tell: the picture takes it as wished, unconfirmed."""
        now = self._as_wished(wish, after if after.resource else before)
        return self._end(
            id, wish, now, "done", reactivated=reactivated, warnings=(why,), confirmed=False,
            replaced=self._replaced(wish, self._held(wish, before), now.held),
        )  # fmt: skip

    def _invited(self, id: int, wish: Wish, before: Found, outcome: Outcome, reactivated: bool) -> Operation:
        """Created, and not to be seen yet: a person who has to sign in first (W14)."""
        shown = Found.in_page(outcome.after, wish.type)
        warning = "created, and not visible yet: the application may wait for the person to sign in"
        if shown.resource is None:
            return self._end(id, wish, shown, "done", warnings=(warning,), reactivated=reactivated)
        pending = evolve(shown, resource=evolve(shown.resource, status="pending"))
        return self._end(id, wish, pending, "done", warnings=(warning,), reactivated=reactivated)

    def _failed(self, id: int, wish: Wish, before: Found, error: ConnectorCoreError, reactivated: bool) -> Operation:
        """A write that ended in an error: only reading tells what it did. As wished is done, whatever was answered."""
        if isinstance(error, _NEVER_DONE) or not self._left(id):
            operation = self._end(id, wish, None, "failed", error=error, reactivated=reactivated)
            if isinstance(error, CredentialsRefused | Interrupted):
                error.report = operation
                raise error
            return operation
        try:
            found = self.read(wish)
        except ConnectorCoreError:
            return self._end(id, wish, None, self._state_after(wish, error), error=error, reactivated=reactivated)
        if wish.is_so(found):
            return self._adopted(id, _named(wish, found), before, found, error, reactivated)
        return self._end(id, wish, None, self._state_after(wish, error), error=error, reactivated=reactivated)

    def _adopted(
        self, id: int, wish: Wish, before: Found, found: Found, error: ConnectorCoreError, reactivated: bool
    ) -> Operation:
        if isinstance(error, Conflict):  # somebody else was first: nothing of this is ours
            warning = f"the application says that {wish.label} existed already"
            return self._end(
                id, wish, found, "done", outcome="unchanged", verified=True, reactivated=reactivated,
                warnings=(warning, *_role_warning(wish, found)),
            )  # fmt: skip
        return self._done(id, wish, before, found, reactivated, (f"answered with an error, yet done: {error}",))

    def _state_after(self, wish: Wish, error: ConnectorCoreError) -> str:
        """``failed`` where the application declined, or where a read shows that a repeatable write did nothing."""
        if isinstance(error, _DECLINED):
            return "failed"
        return "unknown" if isinstance(error, _LOST) or wish.kind == "create_account" else "failed"

    def _left(self, id: int) -> bool:
        return self.journal.operation(id).state == "sent"

    # -- settling ------------------------------------------------------------------------------------------

    def settle(self, is_alive: Callable[[str], bool]) -> list[Operation]:
        """Find out, by reading only, what became of operations whose holder died or whose answer never came."""
        settled = []
        for entry in self.journal.open_entries():
            if entry.state != "unknown" and is_alive(entry.holder):
                continue
            operation = self._settle(entry)
            if operation is not None:
                settled.append(operation)
        return settled

    def _settle(self, entry: Entry) -> Operation | None:
        wish = Wish(
            kind=entry.kind, type=entry.type, key=entry.key, login=entry.login, entitlement=entry.entitlement,
            account=entry.wanted,
        )  # fmt: skip
        if entry.state == "pending":
            never = ApplicationError("the program ended before the request was sent")
            return self._end(entry.id, wish, None, "failed", error=never)
        try:
            found = self.read(wish)
        except ApplicationError:
            return None
        so = wish.is_so(found)
        if so is None:
            return self._unverified(
                entry.id, wish, found, found, False, "the answer was lost, and it cannot be read back"
            )
        if so:
            return self._done(entry.id, _named(wish, found), Found(), found, False, ("the answer was lost; seen done",))
        age = self.clock.now() - (entry.sent or 0.0)
        if entry.kind == "create_account" and 0 <= age < self.policy.settle_after:
            if entry.state == "sent":
                with transaction(self.journal.db):
                    self.journal.finish(entry.id, "unknown")
            return None
        lost = ApplicationError("the answer was lost, and the application shows that it was not done")
        return self._end(entry.id, wish, found, "failed", error=lost)

    # -- writing down --------------------------------------------------------------------------------------

    def _end(
        self, id: int, wish: Wish, after: Found | None, state: str, *, outcome: str = "changed",
        verified: bool = False, replaced: EntitlementKey | None = None, reactivated: bool = False,
        warnings: tuple[str, ...] = (), error: ConnectorCoreError | None = None, confirmed: bool = True,
    ) -> Operation:  # fmt: skip
        self._finish(
            id, wish, after, state, outcome=outcome if state == "done" else None, verified=verified, replaced=replaced,
            reactivated=reactivated, warnings=warnings, error=error, confirmed=confirmed,
        )  # fmt: skip
        return self.journal.operation(id)

    def _finish(
        self, id: int, wish: Wish, after: Found | None, state: str, *, outcome: str | None, verified: bool = False,
        replaced: EntitlementKey | None = None, reactivated: bool = False, warnings: tuple[str, ...] = (),
        error: ConnectorCoreError | None = None, confirmed: bool = True,
    ) -> None:  # fmt: skip
        """The journal and the picture, in one transaction."""
        mask = self.session.http.mask
        info = ErrorInfo(code=error.code, message=mask(error.message), hint=error.hint) if error is not None else None
        resource = after.resource if after is not None else None
        key = wish.key or (resource.key if resource else None)
        with transaction(self.journal.db):
            event = None
            if after is not None and key is not None:
                event = self.follower.follow(id, self._now(key, after, confirmed))
            self.journal.finish(
                id, state, outcome=outcome, verified=verified, key=key, login=resource.login if resource else None,
                replaced=replaced, reactivated=reactivated, warnings=map(mask, warnings),
                error=info, event=event,
            )  # fmt: skip

    def _now(self, key: Key, found: Found, confirmed: bool) -> Now:
        if found.unknown and confirmed:  # what they hold was not part of this, and cannot be read
            return Now(key=key, resource=found.resource, held=self.follower.held(key), confirmed=False)
        return Now(key=key, resource=found.resource, held=found.held, confirmed=confirmed)

    def _as_wished(self, wish: Wish, found: Found) -> Found:
        """What the account holds after a write that cannot be read back."""
        held = set(self._held(wish, found))
        wished = wish.entitlement
        if wish.kind == "grant" and wished is not None:
            held = {e for e in held if not self._excludes(wished, e)} | {wished}
        elif wish.kind == "revoke" and wished is not None:
            held.discard(wished)
            fallback = self.entitlement(wished)
            if fallback is not None and fallback.falls_back_to is not None:
                held.add(fallback.falls_back_to)
        return evolve(found, held=frozenset(held), unknown=False)

    def _held(self, wish: Wish, found: Found) -> frozenset[EntitlementKey]:
        """As read, or where that is impossible as the picture has it."""
        if not found.unknown or wish.key is None:
            return found.held
        return frozenset(self.follower.held(wish.key))

    def _replaced(
        self, wish: Wish, before: frozenset[EntitlementKey], after: frozenset[EntitlementKey]
    ) -> EntitlementKey | None:
        """The entitlement of the same exclusive group that ended with it."""
        if wish.kind != "grant" or wish.entitlement is None:
            return None
        return next((e for e in sorted(before - after) if self._excludes(wish.entitlement, e)), None)

    def _excludes(self, one: EntitlementKey, other: EntitlementKey) -> bool:
        a, b = self.entitlement(one), self.entitlement(other)
        return (
            one != other and a is not None and b is not None and a.exclusive is not None and a.exclusive == b.exclusive
        )

    def _operation(self, wish: Wish, found: Found, **facts: object) -> Operation:
        entitlement = wish.entitlement or _role(wish)
        return Operation(
            id=None, kind=wish.kind, user_id=wish.key and wish.key.id, user=_login(wish, found),
            resource_type=entitlement and entitlement.type, role=entitlement and entitlement.id,
            entitlement=entitlement and entitlement.slug, requested_by=self.asked.who, reason=self.asked.reason,
            **facts,  # type: ignore[arg-type]
        )  # fmt: skip


def _login(wish: Wish, found: Found) -> str | None:
    return (found.resource.login if found.resource else None) or wish.login


def _role(wish: Wish) -> EntitlementKey | None:
    """The role that a new account is to have."""
    return wish.account.role if wish.account else None


def _named(wish: Wish, found: Found) -> Wish:
    """The wish for the account that was made for it."""
    return wish if wish.key is not None or found.resource is None else evolve(wish, key=found.resource.key)


def _snapshot(found: Found) -> Json:
    """How the account was before: for taking it back."""
    if found.resource is None:
        return None
    r = found.resource
    held: list[Json] = [str(e) for e in sorted(found.held)]
    return {"id": r.id, "login": r.login, "status": r.status, "held": held, "profile": dict(r.profile)}


def _role_warning(wish: Wish, found: Found) -> tuple[str, ...]:
    """A role is never altered unasked; that it differs from the one asked for is said."""
    wanted = _role(wish)
    if wanted is None or not found.there or wanted in found.held:
        return ()
    if found.unknown:
        return (f"whether they hold {wanted.id} cannot be read",)
    held = ", ".join(e.id for e in sorted(found.held)) or "no role"
    return (f"they hold {held}, not {wanted.id}; grant it if that is meant",)


def _path(url: str) -> str:
    return urlsplit(url).path


def _readable(body: bytes | None) -> Json:
    try:
        parsed: Json = json.loads(body) if body else None
    except ValueError:
        return body.decode("utf-8", "replace") if body else None
    return parsed
