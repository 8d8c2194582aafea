"""What a person asks for, as desired states: the account found in the application, coming back, and its steps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from attrs import evolve, frozen

from connector_core.errors import AmbiguousName, GuardRefused, UnknownName, UsageError
from connector_core.model import Entitlement, EntitlementKey, Key, NewAccount, Operation
from connector_core.names import entitlements_named, is_same, some
from connector_core.provision.desired_state import AGAIN, AccountState, DesiredState, Differs
from connector_core.provision.engine import Provisioner
from connector_core.provision.principals import Principals, checked_name

Held = frozenset[EntitlementKey]


@frozen
class Requests:
    """The requests. ``user`` is a login, an id, ``type:id`` or an e-mail, as `connector_core.names` reads it; of a
    grant or a revocation also the name of a group.

    A plan names ids, and says what each account is ``expected`` to hold and which ``login`` to bear.

    Every method reads, then writes at most once for each step, and returns the result. Raises `GuardRefused`
    where nothing may be written, `UnknownName` for a name that was never known, and the errors of reading.
    """

    engine: Provisioner

    def create(self, account: NewAccount, *, planned: Collection[Key] | None = None) -> Operation:
        """An account, enabled; one that exists is left as it is.

        :param planned: of a plan, the disabled account that it enables for that: one, or none. None without a plan.
        """
        engine = self.engine
        login, as_of = checked_name(account.login), engine.journal.newest()
        found = engine.accounts.find(login)
        self._refuse_second_account(login, found)
        _refuse_other_type(account, found)
        base = DesiredState(kind="create_account", type=account.type, login=login, account=account, as_of=as_of)
        desired = self._desired(found, base)
        if planned is not None:
            with engine.noting_refusals(desired, found):
                _require_planned(login, found, planned)
        if found.resource is None and engine.journal.was_invited(account.type, login):
            return engine.unchanged(desired, found, "invited before, and not visible yet; delete-user takes that back")
        if found.resource is not None and not found.there:
            return self._come_back(desired, found)
        renamed = engine.journal.renamed(login) if found.resource is None else None
        operation = engine.carry_out(desired, found)
        return operation if renamed is None else evolve(operation, warnings=(*operation.warnings, renamed[0]))

    def delete(self, user: str | Key, *, expected: Held | None = None, login: str | None = None) -> Operation:
        """No account; one that is gone or disabled already is left as it is."""
        desired = DesiredState(
            kind="delete_account", type=self.engine.account_type, expected=expected, expected_login=login
        )
        return self._take(desired, user, holder=False)

    def disable(self, user: str | Key) -> Operation:
        """The account kept, without access; one that is disabled or gone already is left as it is."""
        desired = DesiredState(kind="disable_account", type=self.engine.account_type)
        return self._take(desired, user, holder=False)

    def enable(self, user: str | Key) -> Operation:
        """The account enabled, with what the application gives it then."""
        found, key = self.principals.find(user)
        if found.resource is None:
            raise self._unknown(user, key)
        desired = DesiredState(kind="enable_account", type=self.engine.account_type)
        return self.engine.carry_out(self._desired(found, desired), found)

    def revoke(
        self, entitlement: EntitlementKey, user: str | Key, *, expected: Held | None = None, login: str | None = None
    ) -> Operation:
        """The entitlement no longer held."""
        desired = DesiredState(
            kind="revoke", type=self.engine.account_type, entitlement=entitlement, expected=expected,
            expected_login=login,
        )  # fmt: skip
        return self._take(desired, user, holder=True)

    def grant(
        self, entitlement: EntitlementKey, user: str | Key, *, expected: Held | None = None, login: str | None = None
    ) -> Operation:
        """The entitlement held; a disabled account is enabled first."""
        found, key = self.principals.find(user, holder=True)
        base = DesiredState(
            kind="grant", type=key.type if key else self.engine.account_type, key=key, entitlement=entitlement,
            expected=expected, expected_login=login,
        )  # fmt: skip
        if found.resource is None:
            with self.engine.noting_refusals(base, found):
                base.require_expected(found)
            raise self._unknown(user, key)
        desired = self._desired(found, base)
        return self.engine.carry_out(desired, found) if found.there else self._come_back(desired, found)

    @property
    def principals(self) -> Principals:
        return Principals(self.engine.accounts, self.engine.journal, self.engine.follower)

    def role(self, name: str) -> EntitlementKey:
        """The entitlement that a text names (`entitlements_named`): one of the connector's, or one ever read.

        :raises UnknownName: none, or it is called otherwise by now. :raises AmbiguousName: several.
        """
        plain, follower = self.engine.session.manifest.entitlements, self.engine.operations.follower
        own = {e.key for e in plain}
        found = named(name, own | set(follower.known()), names_of(plain) | follower.role_names())
        if name not in (found.id, str(found.resource), str(found)) and found not in own:
            self._require_name(name, found.resource)
        return found

    def _require_name(self, name: str, key: Key) -> None:
        """:raises UnknownName: the application calls it otherwise by now: another one may have that name."""
        now = self.engine.accounts.by_possible_id(key).resource
        if now is not None and not is_same(now.name, name):
            raise UnknownName(
                f"{name!r} was the name of {key} at the last sync, which is called {now.name} now",
                hint="sync again, or name it as type:id",
            )

    # -- finding -------------------------------------------------------------------------------------------

    def _desired(self, found: AccountState, desired: DesiredState) -> DesiredState:
        """The desired state of that very account or group."""
        if found.resource is None:
            return desired
        invited, key = found.resource if found.resource.status == "pending" else None, found.resource.key
        return evolve(desired, type=key.type, key=key, login=self.principals.label(found), invited=invited)

    # -- taking --------------------------------------------------------------------------------------------

    def _take(self, desired: DesiredState, user: str | Key, *, holder: bool) -> Operation:
        found, key = self.principals.find(user, holder=holder)
        if found.resource is not None:
            return self.engine.carry_out(self._desired(found, desired), found)
        if key is not None:
            if not self.engine.journal.was_known_id(key):
                raise self.principals.unknown_id(key)
            return self.engine.carry_out(evolve(desired, key=key, type=key.type), found)
        name = str(user).strip()
        if not self.principals.was_known(name):
            raise self.principals.unknown(name)
        gone = evolve(desired, login=name)
        self.principals.refuse_renamed(name)
        if self.principals.was_invited(name):
            return self.engine.unchanged(gone, evolve(found, seen=False), _INVITATION)
        return self.engine.carry_out(gone, found)

    def _unknown(self, user: str | Key, key: Key | None) -> UnknownName:
        """Return the error for one that the application does not have.

        :raises AmbiguousName: it is there, under another login.
        """
        if key is not None:
            return self.principals.unknown_id(key)
        self.principals.refuse_renamed(str(user).strip())
        return self.principals.unknown(str(user).strip())

    def _refuse_second_account(self, address: str, found: AccountState) -> None:
        """What is another account's e-mail names that account, and a second one would be the same person's.

        An application that gives logins of its own finds its account by the address, and no address is its login.

        :raises UsageError: the picture has it, under another login; with its id.
        """
        other = found if found.resource is not None else self.engine.accounts.known_by_email(address)
        if other.resource is None or is_same(other.login, address) or (other is found and "@" not in str(found.login)):
            return
        raise UsageError(
            f"{address} is the e-mail of another account, whose login is {other.login} (id {other.resource.id})",
            hint="name that account by its login or id; a person of their own needs another address",
        )

    # -- coming back ---------------------------------------------------------------------------------------

    def _come_back(self, desired: DesiredState, found: AccountState) -> Operation:
        """Enable a disabled account, then give the role asked for, each a journal step; then what was asked for.

        What an account holds again once it is enabled is guarded like what any other account holds.
        """
        with self.engine.noting_refusals(desired, found):
            desired.require_login(found)
            desired.require_expected(found)
        needed = ["provision_enable_account", *(["provision_grant"] if desired.role is not None else [])]
        self.engine.session.connector.require(*needed)
        self.engine.announce_planned(desired, found, reactivated=True)
        engine = evolve(self.engine, consent=evolve(self.engine.consent, on_planned=None))
        steps = [engine.carry_out(evolve(desired, kind="enable_account", entitlement=None, account=None), found)]
        if steps[0].state == "planned":
            return self._planned(desired, steps[0])
        if steps[0].state != "done":
            return self._as_asked(desired, steps[0])
        try:
            return self._finish_return(engine, desired, steps)
        except GuardRefused as error:
            then = error.hint or "nothing else was changed"
            error.hint = f"the account was enabled, and holds what it held before; {then}"
            raise

    def _finish_return(self, engine: Provisioner, desired: DesiredState, steps: list[Operation]) -> Operation:
        """Give an account that was just enabled what was asked for."""
        now = engine.accounts.read(desired)
        if desired.kind == "create_account" and desired.role is not None and desired.role not in now.held:
            steps.append(engine.carry_out(evolve(desired, kind="grant", entitlement=desired.role, account=None), now))
            now = engine.accounts.read(desired)
        if steps[-1].state != "done":
            return self._as_asked(desired, steps[-1])
        if desired.expected_login is not None:
            # The plan expected it disabled, and it is enabled for the plan now.
            desired = evolve(desired, expected=now.held)
        main = engine.carry_out(desired, now, reactivated=True)
        engine.journal.link([step.id for step in steps if step.id is not None], main)
        return main

    def _planned(self, desired: DesiredState, step: Operation) -> Operation:
        """A dry run shows the first request, which enables the account."""
        then = (f"{desired.role.id} is granted after that",) if desired.role is not None else ()
        return evolve(self._as_asked(desired, step), reactivated=True, warnings=(*step.warnings, *then))

    def _as_asked(self, desired: DesiredState, step: Operation) -> Operation:
        """A step in the words of what was asked for, where it ends there."""
        role = desired.role
        return evolve(
            step, kind=desired.kind, resource_type=role and role.type, role=role and role.id,
            entitlement=role and role.slug,
        )  # fmt: skip


_INVITATION = "the application gave no id for them: the invitation may still be accepted; cancel it there"


def named(role: str, known: Collection[EntitlementKey], names: Mapping[Key, str] | None = None) -> EntitlementKey:
    """The one of ``known`` that a text names, as `entitlements_named` says.

    :raises UnknownName: none. :raises AmbiguousName: several.
    """
    found = entitlements_named(role, known, names)
    if len(found) > 1:
        raise AmbiguousName(f"{role!r} may be any of {some([*map(str, found)])}", hint="name it as type:id:slug")
    return found[0]


def names_of(own: Iterable[Entitlement]) -> dict[Key, str]:
    """What the connector itself calls its plain roles: they need no sync."""
    return {e.resource: e.name for e in own if e.slug == "assigned"}


def _refuse_other_type(account: NewAccount, found: AccountState) -> None:
    """:raises UsageError: an account of another type has that login."""
    if found.resource is not None and found.resource.type != account.type:
        raise UsageError(
            f"{account.login} is the login of an account of the type {found.resource.type} (id {found.resource.id})",
            hint=f"an account of the type {account.type} needs another login",
        )


def _require_planned(login: str, found: AccountState, planned: Collection[Key]) -> None:
    """:raises Differs: another account has that login than the plan found; an enabled one where it found none is so."""
    if found.resource is None and planned:
        raise Differs(f"{login} is gone", hint=AGAIN)
    if found.resource is None or found.resource.key in planned or (found.there and not planned):
        return
    what = "is another account now" if planned else "is there, disabled"
    raise Differs(f"{login} {what}, with the id {found.resource.id}", hint=AGAIN)
