"""What a person asks for, as wishes: the account found in the application itself, coming back, and its steps."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

from attrs import evolve, frozen

from connector_core.errors import AmbiguousName, UnknownName, UsageError
from connector_core.model import EntitlementKey, Key, NewAccount, Operation, Resource
from connector_core.provision.engine import Provisioner
from connector_core.provision.wishes import Found, Wish
from connector_core.store.database import transaction


@frozen
class Requests:
    """The four requests. ``user`` is an e-mail in any case, or an id.

    Every method reads, then writes at most once for each step, and returns what came of it. Raises `GuardRefused`
    where nothing may be written, `UnknownName` for somebody never heard of, and the errors of reading.
    """

    engine: Provisioner

    def create(self, account: NewAccount) -> Operation:
        """An account, enabled; one that exists is left as it is."""
        engine = self.engine
        wish = Wish(kind="create_account", type=engine.account_type, login=account.login, account=account)
        found = engine.by_login(account.login)
        if found.resource is None and (invited := engine.journal.invited(account.login)) is not None:
            pending = self._pending(invited, account.login)
            return engine.carry_out(evolve(wish, key=invited), pending)
        if found.resource is None:
            return engine.carry_out(wish, found)
        wish = evolve(wish, key=found.resource.key)
        if found.there:
            return engine.carry_out(wish, found)
        return self._come_back(wish, found, account.role)

    def delete(self, user: str | Key) -> Operation:
        """No account; one that is gone or disabled already is left as it is."""
        return self._take(Wish(kind="delete_account", type=self.engine.account_type), user)

    def revoke(self, entitlement: EntitlementKey, user: str | Key) -> Operation:
        """The entitlement no longer held."""
        wish = Wish(kind="revoke", type=self.engine.account_type, entitlement=entitlement)
        return self._take(wish, user)

    def grant(self, entitlement: EntitlementKey, user: str | Key) -> Operation:
        """The entitlement held; a disabled account is enabled first."""
        found, key = self._find(user)
        if found.resource is None or key is None:
            raise self._unknown(user)
        wish = self._for(Wish(kind="grant", type=key.type, entitlement=entitlement), found, key)
        return self.engine.carry_out(wish, found) if found.there else self._come_back(wish, found, entitlement)

    def role(self, name: str) -> EntitlementKey:
        """The entitlement that ``id``, ``type:id`` or ``type:id:slug`` names: one of the connector's, or one ever read.

        :raises UnknownName: none. :raises AmbiguousName: several.
        """
        own = {e.key for e in self.engine.session.manifest.entitlements}
        return _named(name, own | set(self.engine.follower.known()))

    # -- inside --------------------------------------------------------------------------------------------

    def _take(self, wish: Wish, user: str | Key) -> Operation:
        found, key = self._find(user)
        if found.resource is not None and key is not None:
            return self.engine.carry_out(self._for(wish, found, key), found)
        name = user.id if isinstance(user, Key) else user
        if not self.engine.journal.was_known(wish.type, name):
            raise self._unknown(user)
        gone = evolve(wish, key=key, login=None if key else name)
        return self.engine.carry_out(gone, found)

    def _find(self, user: str | Key) -> tuple[Found, Key | None]:
        """The account, and the id under which it was found or looked for."""
        engine = self.engine
        if isinstance(user, Key):
            return engine.by_key(user), user
        name = user.strip()
        if not name or any(not c.isprintable() for c in name):
            raise UsageError("a user is named by e-mail or id, in printable characters")
        if "@" not in name:
            key = Key(engine.account_type, name)
            found = engine.by_key(key)
            if found.resource is not None or engine.journal.was_known_id(key):
                return found, key
        found = engine.by_login(name)
        if found.resource is not None:
            return found, found.resource.key
        if (invited := engine.journal.invited(name)) is not None:
            return self._pending(invited, name), invited
        return found, None

    def _come_back(self, wish: Wish, found: Found, role: EntitlementKey | None) -> Operation:
        """Enable a disabled account, a journal step of its own, then go on with what was asked for."""
        engine = self.engine
        assert found.resource is not None
        step = engine.carry_out(evolve(wish, kind="enable_account", entitlement=None, account=None), found)
        if step.state != "done":
            return step
        now = engine.by_key(found.resource.key)
        if wish.kind == "create_account" and role is not None and role not in now.held:
            main = engine.carry_out(evolve(wish, kind="grant", entitlement=role), now, reactivated=True)
        else:
            main = engine.carry_out(wish, now, reactivated=True)
        if step.id is not None and main.id is not None:
            with transaction(engine.journal.db):
                engine.journal.link(step.id, main.id)
        return main

    def _for(self, wish: Wish, found: Found, key: Key) -> Wish:
        return evolve(wish, key=key, login=found.resource.login if found.resource else None)

    def _pending(self, key: Key, login: str) -> Found:
        """Invited, and not visible: it is there, and what it holds cannot be read."""
        return Found(resource=Resource(type=key.type, id=key.id, login=login, status="pending"), unknown=True)

    def _near(self, name: str) -> str | None:
        found = get_close_matches(name, self.engine.journal.logins(), 3)
        return f"did you mean {' or '.join(found)}?" if found else None

    def _unknown(self, user: str | Key) -> UnknownName:
        name = user.id if isinstance(user, Key) else user
        if self.engine.journal.was_known(self.engine.account_type, name):
            return UnknownName(f"the application has {name} no longer", hint="create-user makes a new account")
        return UnknownName(f"the application has no user {name!r}", hint=self._near(name))


def _named(role: str, known: Collection[EntitlementKey]) -> EntitlementKey:
    found = [key for key in known if role in (key.id, str(key.resource), str(key))]
    if not found:
        raise UnknownName(f"there is no role {role!r}", hint=f"there are: {', '.join(sorted({k.id for k in known}))}")
    if len(found) > 1:
        raise AmbiguousName(f"{role!r} may be any of {', '.join(map(str, found))}", hint="name it as type:id:slug")
    return found[0]
