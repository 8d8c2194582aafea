"""Which account of the picture a name means: that of a line of the file, of a plan's step, of an earlier operation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from connector_core.errors import UsageError
from connector_core.model import AccessRow, EntitlementKey
from connector_core.names import ambiguous, fitting, is_same, normalized
from connector_core.provision.people_file import Wanted

Held = frozenset[EntitlementKey]


@frozen(kw_only=True)
class Account:
    """An account in the picture. What a disabled one holds does not count: it is not there."""

    id: str
    login: str
    email: str | None = None
    enabled: bool = True
    held: Held = frozenset()

    @property
    def names(self) -> tuple[str, ...]:
        """Everything by which a person may name it."""
        return tuple(filter(None, (self.id, self.login, self.email)))


def accounts_in(access: Iterable[AccessRow]) -> tuple[Account, ...]:
    """The accounts of a whole picture, with what they hold directly."""
    accounts: dict[str, Account] = {}
    for row in access:
        account = accounts.get(row.user_id) or Account(
            id=row.user_id, login=row.user or row.user_id, email=row.email, enabled=row.status != "disabled"
        )
        if row.role is not None and row.via is None:
            held = EntitlementKey(row.resource_type or "", row.role, row.entitlement or "")
            account = evolve(account, held=account.held | {held})
        accounts[row.user_id] = account
    return tuple(accounts.values())


@frozen
class Matching:
    """Finds accounts by their names, each by an index."""

    accounts: tuple[Account, ...]
    by_id: Mapping[str, Account] = field(init=False)
    _by_name: Mapping[str, list[Account]] = field(init=False)

    @by_id.default
    def _ids(self) -> Mapping[str, Account]:
        return {account.id: account for account in self.accounts}

    @_by_name.default
    def _names(self) -> Mapping[str, list[Account]]:
        """Enabled accounts come before disabled ones."""
        found: dict[str, list[Account]] = defaultdict(list)
        for account in sorted(self.accounts, key=lambda a: not a.enabled):
            for name in {normalized(name) for name in (account.login, account.email) if name}:
                found[name].append(account)
        return found

    def called(self, name: str) -> list[Account]:
        """Return the accounts that have that login or e-mail: the enabled ones, or else the disabled ones."""
        found = self._by_name.get(normalized(name), [])
        return [account for account in found if account.enabled] or list(found)

    def bearing(self, login: str | None) -> list[Account]:
        """Return the accounts that have that login."""
        return [a for a in self._by_name.get(normalized(login or ""), ()) if is_same(a.login, login)]

    def of(self, person: Wanted) -> Account | None:
        """Return the account that a line of the file names, or None where the person has none.

        An account with another address for a login belongs to another person, whatever its e-mail or its id is.

        :raises UsageError: several accounts fit, or only such another one; each is named with its id.
        """
        text = person.typed or person.login
        same_id = self.by_id.get(text)
        candidates = [*self._by_name.get(normalized(person.login), ()), *([same_id] if same_id else [])]
        found = fitting(text, {a.id: a for a in candidates}.values(), lambda account: account.enabled)
        if len(found) > 1:
            error = ambiguous(text, found)
            raise UsageError(error.message, hint="take the line out, and change the accounts one by one, by id")
        if found and "@" in found[0].login and not is_same(found[0].login, person.login):
            which = "id" if found[0].id == text else "e-mail"
            raise UsageError(
                f"{person.login} is the {which} of another account, whose login is {found[0].login} (id {found[0].id})",
                hint="name the account by its login; a person of their own needs another address",
            )
        return found[0] if found else None
