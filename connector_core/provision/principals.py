"""Which account, group or other principal a text names, as the application has it now; and the errors where none is."""

from __future__ import annotations

from difflib import get_close_matches

from attrs import frozen

from connector_core.errors import AmbiguousName, UnknownName, UsageError
from connector_core.model import Key
from connector_core.names import is_same, key_in
from connector_core.provision.accounts import Accounts
from connector_core.provision.desired_state import AccountState
from connector_core.store.follow import Follower
from connector_core.store.journal import Journal


@frozen
class Principals:
    """Finds principals. An account is named as `connector_core.names` says; a group by its id or its name, too."""

    accounts: Accounts
    journal: Journal
    follower: Follower

    def find(self, user: str | Key, *, holder: bool = False) -> tuple[AccountState, Key | None]:
        """Return who is meant, and the id under which it was found or looked for.

        :param holder: anything that can hold entitlements may be meant, groups among them; else only an account.
        :raises AmbiguousName: it names several.
        """
        accounts, journal = self.accounts, self.journal
        if isinstance(user, Key):
            return accounts.by_key(user), user
        name = checked_name(user)
        types = accounts.principal_types if holder else accounts.types
        if (key := key_in(user, types)) is not None:
            return (accounts.by_key(key) if journal.was_known_id(key) else accounts.by_possible_id(key)), key
        found = accounts.meant(name)
        if holder:
            found = self._of_any_type(name, found)
        if found.resource is not None:
            return found, found.resource.key
        keys = (Key(type, name) for type in accounts.types)
        return found, next((key for key in keys if journal.was_known_id(key)), None)

    def _of_any_type(self, name: str, account: AccountState) -> AccountState:
        """The account, or the group or other principal of that id or name, as the picture knows it.

        :raises AmbiguousName: there are several.
        """
        types = [type for type in self.accounts.principal_types if type not in self.accounts.types]
        states = [account, *map(self.accounts.by_possible_id, self.follower.named(name, types))]
        found = {
            r.key: state for state in states if (r := state.resource) is not None
            and (state is account or r.id == name or is_same(r.name, name))
        }  # fmt: skip
        if len(found) > 1:
            raise AmbiguousName(f"{name!r} may mean any of: {', '.join(map(str, found))}", hint="name it as type:id")
        return next(iter(found.values()), AccountState())

    def label(self, state: AccountState) -> str | None:
        """Return the name that people know it by: an account's login, or the name of what has none."""
        r = state.resource
        return None if r is None else r.login or (r.name if r.type not in self.accounts.types else None)

    def was_known(self, name: str) -> bool:
        """Return whether an account of that id or login was ever in the picture or the journal."""
        return any(self.journal.was_known(type, name) for type in self.accounts.types)

    def was_invited(self, login: str) -> bool:
        """Return whether an account of that login was created, and its id is not known yet."""
        return any(self.journal.was_invited(type, login) for type in self.accounts.types)

    def refuse_renamed(self, login: str) -> None:
        """That no account has a login does not prove that the one that had it is gone.

        :raises AmbiguousName: it is there, under another login.
        """
        for key in [key for type in self.accounts.types for key in self.journal.ids_called(type, login)]:
            found = self.accounts.by_key(key)
            if found.there and found.resource is not None and not is_same(found.resource.login, login):
                raise AmbiguousName(
                    f"{login} is called {found.resource.login} now (id {key.id})",
                    hint="name the account by its login of today, or by its id",
                )

    def unknown_id(self, key: Key) -> UnknownName:
        """Return the error for an id that nothing has. An id is never taken for a login, also where one is the same."""
        what = "an account" if key.type in self.accounts.types else f"a {key.type}"
        if self.journal.was_known_id(key):
            hint = "create-user makes a new account" if key.type in self.accounts.types else None
            return UnknownName(f"the application no longer has {what} with the id {key.id}", hint=hint)
        hint = f"{key} names an id; a name is written without {key.type}:"
        return UnknownName(f"the application has no {what.split()[1]} with the id {key.id!r}", hint=hint)

    def unknown(self, name: str) -> UnknownName:
        """Return the error for a name that no principal has now."""
        if self.was_invited(name):
            return UnknownName(f"{name} was invited, and is not visible yet", hint="try again once they signed in")
        if self.was_known(name):
            return UnknownName(f"the application has {name} no longer", hint="create-user makes a new account")
        logins = [login for type in self.accounts.types for login in self.journal.logins(type)]
        near = get_close_matches(name, logins, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else self._other_hint(name)
        return UnknownName(f"the application has no user {name!r}", hint=hint)

    def _other_hint(self, name: str) -> str | None:
        types = [type for type in self.accounts.principal_types if type not in self.accounts.types]
        type, colon, _ = name.partition(":")
        known = {each.type for each in self.accounts.session.manifest.resource_types}
        if colon and type in known and type not in self.accounts.principal_types:
            return f"a {type} holds nothing: only {', '.join(self.accounts.principal_types)} can"
        return f"a {types[0]} is named by its name, once a sync read it, or as {types[0]}:ID" if types else None


def checked_name(name: str) -> str:
    """:raises UsageError: nothing can have that name."""
    name = name.strip()
    if not name or not name.isprintable():
        raise UsageError("a user is named by e-mail or id, in printable characters")
    return name
