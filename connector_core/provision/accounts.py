"""Accounts in the application itself, found and read; and what its entitlements are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from attrs import evolve, field, frozen

from connector_core.connectors.session import Session
from connector_core.errors import ApplicationError, NotFound, OperationRefused, PluginError, Unsupported, UsageError
from connector_core.model import Entitlement, EntitlementKey, Grant, Key, Outcome, Page, Request, Resource
from connector_core.names import is_same
from connector_core.provision.calls import Calls
from connector_core.provision.desired_state import AccountState, DesiredState, meant
from connector_core.provision.listing import listed_accounts
from connector_core.store.journal import Journal


@frozen(kw_only=True)
class Accounts:
    """The accounts of one application. Every method but `excludes` may make requests, and raises what they raise.

    ``stored``: what the state knows of an entitlement.
    """

    session: Session
    calls: Calls
    journal: Journal
    stored: Callable[[EntitlementKey], Entitlement | None] = lambda key: None
    _defined: dict[EntitlementKey, Entitlement] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._learn(self.session.manifest.entitlements)

    @property
    def type(self) -> str:
        """The resource type of accounts that name none.

        :raises Unsupported: the connector has no accounts.
        """
        if not self.types:
            raise Unsupported(f"the connector {self.session.connector.name} has no accounts")
        return self.types[0]

    @property
    def types(self) -> list[str]:
        """The resource types that hold accounts."""
        return self.session.account_types

    def named_type(self, type: str | None) -> str:
        """Return the resource type of accounts of that name, by default the first.

        :raises UsageError: no accounts are of that type.
        """
        if type is not None and type not in self.types:
            raise UsageError(f"{type!r} is no type of accounts", hint=f"there are: {', '.join(self.types)}")
        return type or self.type

    @property
    def principal_types(self) -> list[str]:
        """The resource types that can hold entitlements."""
        return [each.type for each in self.session.manifest.resource_types if each.principal]

    # -- reading -------------------------------------------------------------------------------------------

    def by_login(self, login: str) -> AccountState:
        """The account of that login as a look-up gives it.

        :raises AmbiguousName: several accounts have it.
        """
        page = self.calls(lambda: self.session.connector.find_account(self.session.client, login))
        self._learn(page.entitlements)
        return evolve(AccountState.called(page, self.types, login), partial=True)

    def by_key(self, key: Key) -> AccountState:
        """The account of that id, and no other (P60)."""
        return self.shown(self._ask_for(key), key)

    def shown(self, page: Page | None, key: Key) -> AccountState:
        """The account in an answer about that id; partial where its type says that others list its grants."""
        return evolve(AccountState.at(page, key), partial=not self._gives_all(key.type))

    def _gives_all(self, type: str) -> bool:
        """Return whether a read by id gives all grants that such a resource holds. A look-up by login never does."""
        types = self.session.manifest.resource_types
        return any(each.type == type and each.grants == "with_resource" for each in types)

    def complete(self, desired: DesiredState, found: AccountState) -> AccountState:
        """The account with what matters for a grant or a revoke, where a look-up did not show it.

        `check_grant` is asked for it, or the account is read by its id.
        """
        found = self.checked(desired, found)
        matters = desired.kind == "revoke" or (desired.kind == "grant" and not found.held)
        lacks = matters and found.partial and desired.is_satisfied(found) is None
        if lacks and not found.unknown and desired.key and self._gives_all(desired.type):
            return self.read(desired)
        return found

    def checked(self, desired: DesiredState, found: AccountState) -> AccountState:
        """The same, with the answer of `check_grant` where the read does not say whether the grant is held."""
        if found.seen and desired.is_satisfied(found) is None and self.is_checked(desired):
            return self._with_answer(desired, found) or found
        return found

    def after_write(self, desired: DesiredState, before: AccountState) -> AccountState:
        """The account once it was written to: of a grant that `check_grant` answers, that one answer."""
        if desired.kind == "create_account":
            return self.listed(desired)
        if before.there and before.seen and self.is_checked(desired):
            return self._with_answer(desired, before) or self.read(desired)
        return self.read(desired)

    def is_checked(self, desired: DesiredState) -> bool:
        """Return whether `check_grant` is asked, and answers all that matters.

        Of an exclusive grant, others matter, too; a revocation may change the account itself.
        """
        if desired.entitlement is None or desired.key is None or "check_grant" not in self.session.connector.hooks:
            return False
        entitlement = self.definition(desired)
        if desired.kind == "revoke" and (entitlement is None or entitlement.on_revoke != "nothing"):
            return False
        exclusive = entitlement is not None and entitlement.exclusive is not None
        return not (exclusive and self._gives_all(desired.type))

    def _with_answer(self, desired: DesiredState, found: AccountState) -> AccountState | None:
        """The account with what `check_grant` says; None where it cannot tell."""
        assert desired.key is not None and desired.entitlement is not None
        grant, connector = Grant(desired.entitlement, desired.key), self.session.connector
        is_held = self.calls(lambda: connector.check_grant(self.session.client, grant))
        return None if is_held is None else found.with_answer(grant.entitlement, is_held)

    def by_possible_id(self, key: Key) -> AccountState:
        """As `by_key`, of an id that may be none, or none any more: some servers call that a bad request (P54)."""
        try:
            return self.by_key(key)
        except (NotFound, OperationRefused):
            return AccountState()

    def find(self, login: str, *, proof: bool = False) -> AccountState:
        """The account of that login, also where no look-up shows it: by the id under which the picture knows it.

        A filter may lag behind (P51), or hide who is inactive (P56) or invited (P14).

        :param proof: take only the application's "no such user" for an answer that the known id is gone (P55). Who is
            to be created may be asked for by an id that is none any more: the application itself refuses a second one.
        """
        found = self.by_login(login)
        shown = found.resource and found.resource.key
        others = [account for account in self._in_picture(login) if account.key != shown]
        return self._one_of(login, [found, *(self._known(a, login, proof and shown is None) for a in others)])

    def meant(self, text: str) -> AccountState:
        """The account that a text names, as the application has it now: by its login, its exact id, or its e-mail.

        :raises AmbiguousName: it names several: one by its login and another by its id, or several by one name.
        """
        likely_first = (self._by_login, self._by_id) if "@" in text else (self._by_id, self._by_login)
        found = self._one_of(text, [state for ask in likely_first for state in ask(text)])
        if found.resource is None and "@" in text:
            found = self._one_of(text, self._by_address_as_id(text))
        if found.resource is not None and (is_same(found.resource.login, text) or found.resource.id == text):
            return found
        return self._one_of(text, [found, *self._by_email(text)])

    def known_by_email(self, email: str) -> AccountState:
        """The account that has that e-mail and another login, of those in the picture, as the application has it now.

        :raises AmbiguousName: several have it.
        """
        return self._one_of(email, [self._known(account, email, False) for account in self._with_email(email)])

    def _by_email(self, email: str) -> list[AccountState]:
        """The accounts that have that e-mail now: those in the picture, and those that joined since the last sync.

        Connectors look accounts up by login, so that only the application's list shows who else has an e-mail.
        """
        known = {account.key: account for account in self._with_email(email)}
        states = [self._known(account, email, True) for account in known.values()]
        if "@" in email and "sync_page" in self.session.connector.hooks:
            listed = {
                a.key: a for a in listed_accounts(self.session, self.calls, self.types) if is_same(a.email, email)
            }
            states += [self._known(account, email, True) for key, account in listed.items() if key not in known]
        return states

    def _in_picture(self, login: str) -> list[Resource]:
        return [account for type in self.types for account in self.journal.known(type, login)]

    def _with_email(self, email: str) -> list[Resource]:
        return [account for type in self.types for account in self.journal.known_by_email(type, email)]

    def _by_login(self, text: str) -> list[AccountState]:
        return [self.find(text, proof=True)]

    def _by_id(self, text: str) -> list[AccountState]:
        """The accounts of that id. An address is asked for as an id only where no login fits, or where no sync ran."""
        keys = [Key(type, text.strip()) for type in self.types]
        known = [key for key in keys if self.journal.was_known_id(key)]
        if known or "@" not in text:
            return [self.by_key(key) if key in known else self.by_possible_id(key) for key in keys]
        return [] if self.journal.has_picture() else self._by_address_as_id(text)

    def _by_address_as_id(self, text: str) -> list[AccountState]:
        """The accounts whose id is an address: in many applications none is, and asking for one is an error."""
        try:
            return [self.by_possible_id(Key(type, text)) for type in self.types]
        except (ApplicationError, PluginError):  # no id is like that here
            return []

    def _known(self, known: Resource, name: str, proof: bool) -> AccountState:
        """An account of the picture as it is now, where it still has that name."""
        found = self.by_key(known.key) if proof else self.by_possible_id(known.key)
        if found.resource is None:
            return AccountState.invited(known) if self.journal.is_invited(known) else found
        if not (is_same(found.resource.login, name) or is_same(found.resource.email, name)):
            return AccountState()
        return found.pending() if known.status == "pending" else found

    def _one_of(self, text: str, states: Iterable[AccountState]) -> AccountState:
        """The one of these states that a text names."""
        known = {state.resource.key: state for state in states if state.resource is not None}
        found = meant(text, [state.resource for state in known.values() if state.resource is not None])
        return known[found.key] if found is not None else AccountState()

    def read(self, desired: DesiredState) -> AccountState:
        """The account as it is now."""
        if desired.key is None:
            return self.find(desired.login or "")
        found = self.checked(desired, self.by_key(desired.key))
        if desired.invited is None or desired.kind == "delete_account":
            return found
        return AccountState.invited(desired.invited) if found.resource is None else found.pending()

    def listed(self, desired: DesiredState) -> AccountState:
        """One that was just created: where no look-up shows it yet, and its id does, it is pending (W14)."""
        found = self.by_login(desired.login or "")
        if found.resource is not None or desired.key is None:
            return found
        return self.by_key(desired.key).pending()

    def others_called(self, login: str, key: Key | None) -> list[Resource]:
        """The accounts of that login, but the one of that id; disabled ones of old do not count."""
        page = self.calls(lambda: self.session.connector.find_account(self.session.client, login))
        accounts = [r for r in page.resources if r.type in self.types and r.key != key and r.status != "disabled"]
        return [r for r in accounts if is_same(r.login, login)]

    # -- writing -------------------------------------------------------------------------------------------

    def write(self, desired: DesiredState, on_write: Callable[[Request], None]) -> Outcome:
        """Have the connector bring about what is desired, with one request; ``pending`` where it was answered 202."""
        accepted = self.session.http.accepted
        outcome = self.calls(lambda: self._hook(desired), on_write)
        return evolve(outcome, pending=outcome.pending or self.session.http.accepted > accepted)

    def _hook(self, desired: DesiredState) -> Outcome:
        connector, client, key = self.session.connector, self.session.client, desired.key
        if desired.kind == "create_account":
            assert desired.account is not None
            return connector.create_account(client, desired.account)
        assert key is not None
        account = Resource(type=key.type, id=key.id, login=desired.login)
        if desired.kind == "delete_account":
            return connector.delete_account(client, account)
        if desired.kind in ("enable_account", "disable_account"):
            switch = connector.enable_account if desired.kind == "enable_account" else connector.disable_account
            return switch(client, account)
        assert desired.entitlement is not None
        change = connector.grant if desired.kind == "grant" else connector.revoke
        return change(client, Grant(desired.entitlement, key))

    # -- entitlements --------------------------------------------------------------------------------------

    def definition(self, desired: DesiredState) -> Entitlement | None:
        """What is to be granted or revoked; of a grant as the last sync read it, as it can remove no account."""
        if desired.entitlement is None:
            return None
        stored = self.stored(desired.entitlement) if desired.kind == "grant" else None
        return self._defined.get(desired.entitlement) or stored or self.entitlement(desired.entitlement)

    def entitlement(self, key: EntitlementKey) -> Entitlement | None:
        """What it is: as the manifest says, or as the application says of its resource; None where neither does."""
        if key not in self._defined:
            try:
                self._ask_for(key.resource)
            except (ApplicationError, UsageError):
                return None
        return self._defined.get(key)

    def defined(self, key: EntitlementKey) -> Entitlement | None:
        """What it is, as far as that was read before."""
        return self._defined.get(key)

    def excludes(self, one: EntitlementKey, other: EntitlementKey) -> bool:
        """Return whether a principal holds at most one of the two, as far as that was read before."""
        a, b = self._defined.get(one), self._defined.get(other)
        return a is not None and b is not None and a.excludes(b)

    def _ask_for(self, key: Key) -> Page | None:
        resource = Resource(type=key.type, id=key.id)
        page = self.calls(lambda: self.session.connector.sync_resource(self.session.client, resource))
        if page is not None:
            self._learn(page.entitlements)
        return page

    def _learn(self, entitlements: tuple[Entitlement, ...]) -> None:
        self._defined.update({e.key: e for e in entitlements})
