"""What is desired for an account, and whether it is so already: idempotence is judged on the goal, not on a status."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Self

from attrs import evolve, frozen

from connector_core.errors import GuardRefused, ProtocolError
from connector_core.model import Entitlement, EntitlementKey, Key, NewAccount, OperationKind, Page, Resource
from connector_core.names import ambiguous, fitting, is_same


class Differs(GuardRefused):
    """An account is neither as planned nor as wanted, or is another one by now."""

    code = "differs"
    guard = "differs"


@frozen(kw_only=True)
class AccountState:
    """An account as it was just read. ``resource`` None: there is none. ``unknown``: what it holds cannot be read.

    ``partial``: it may hold more than ``held``, as the read does not give all grants. ``checked``: the entitlement of
    which `check_grant` said whether it is held, whatever the read shows. ``seen`` is false where the journal alone
    speaks for it: an invited account that cannot be seen yet (W14).
    """

    resource: Resource | None = None
    held: frozenset[EntitlementKey] = frozenset()
    unknown: bool = False
    partial: bool = False
    checked: EntitlementKey | None = None
    seen: bool = True

    @classmethod
    def at(cls, page: Page | None, key: Key) -> Self:
        """That account in an answer to "what is it now?"; None is the one answer that says it is gone.

        :raises ProtocolError: the answer is about something else, or cannot be read: proof of nothing.
        """
        if page is None:
            return cls()
        resource = next((r for r in page.resources if r.key == key), None)
        if resource is None:
            why = next((f"it cannot be read: {row.reason}" for row in page.rejected), "it brought something else")
            raise ProtocolError(f"{key} was asked for, and the answer is of no use: {why}")
        return cls.of(page, resource)

    @classmethod
    def called(cls, page: Page, types: Collection[str], login: str) -> Self:
        """The account of that login, or else of that e-mail (`connector_core.names`); none where the page is empty.

        :raises ProtocolError: the answer is about another account, or cannot be read. :raises AmbiguousName: several.
        """
        accounts = [r for r in page.resources if r.type in types]
        if (found := meant(login, accounts)) is not None:
            return cls.of(page, found)
        if accounts or page.rejected:
            why = page.rejected[0].reason if page.rejected else f"it brought {accounts[0].login}"
            raise ProtocolError(f"{login} was looked up, and the answer is of no use: {why}")
        return cls()

    @classmethod
    def of(cls, page: Page, resource: Resource) -> Self:
        held = frozenset(g.entitlement for g in page.grants if g.principal == resource.key)
        return cls(resource=resource, held=held, unknown=resource.key in page.unknown)

    @classmethod
    def invited(cls, resource: Resource) -> Self:
        """In place of an account that the application does not show until the person has signed in."""
        return cls(resource=resource, unknown=True, seen=False)

    @property
    def there(self) -> bool:
        """A disabled account is not there: it has no access, and comes back only by being enabled."""
        return self.resource is not None and self.resource.status != "disabled"

    def may_have_held(self, before: AccountState) -> bool:
        """Return whether what is held now may be what was held ``before``, as far as the two reads give it."""
        return self.partial or self.held == before.held or (before.partial and before.held <= self.held)

    @property
    def login(self) -> str | None:
        """The name that the account bears; its id where it has none."""
        return (self.resource.login or self.resource.id) if self.resource is not None else None

    def with_answer(self, entitlement: EntitlementKey, is_held: bool) -> AccountState:
        """The same, and whether it holds that entitlement, as `check_grant` said."""
        held = self.held | {entitlement} if is_held else self.held - {entitlement}
        return evolve(self, held=held, checked=entitlement, partial=True)

    def pending(self) -> AccountState:
        """The same, not listed yet."""
        if self.resource is None or not self.there:
            return self
        return evolve(self, resource=evolve(self.resource, status="pending"))


@frozen(kw_only=True)
class DesiredState:
    """One change to one account. ``key`` is None only where no id is known: of an account to create, or long gone.

    ``expected_login``: the login that a plan decided it for; ``expected``: what the account must hold just before the
    write of a plan, None where it must be disabled. ``invited``: what stands for the account while it cannot be seen.
    ``as_of``: the newest operation when it was looked up, of an account to create.
    """

    kind: OperationKind
    type: str
    key: Key | None = None
    login: str | None = None
    entitlement: EntitlementKey | None = None
    account: NewAccount | None = None
    expected: frozenset[EntitlementKey] | None = None
    expected_login: str | None = None
    invited: Resource | None = None
    as_of: int = 0

    @property
    def label(self) -> str:
        """The account as a person names it."""
        return self.login or self.expected_login or (self.key.id if self.key else "?")

    @property
    def role(self) -> EntitlementKey | None:
        """What is to be granted or revoked, or what a new account is to have."""
        return self.entitlement or (self.account.role if self.account else None)

    def is_satisfied(self, found: AccountState) -> bool | None:
        """Whether there is nothing to do; None where that cannot be read. The role of an account that exists is no
        part of desiring the account: it is never altered unasked.
        """
        if self.kind in ("create_account", "enable_account"):
            return found.there
        if self.kind == "delete_account":
            return not found.there
        if self.kind == "disable_account":  # what does not say whether it is enabled proves nothing
            return None if found.resource is not None and found.resource.status == "unknown" else not found.there
        if not found.there:
            return self.kind == "revoke"
        holds = self.entitlement in found.held
        if found.checked is not None and found.checked == self.entitlement:
            return holds == (self.kind == "grant")
        if found.unknown or (found.partial and not holds):
            return None
        return holds == (self.kind == "grant")

    def is_achieved(self, found: AccountState) -> bool | None:
        """Whether a write of ours shows: as `is_satisfied`, with the role that a new account was to have."""
        if self.kind != "create_account" or self.role is None or not found.there:
            return self.is_satisfied(found)
        return None if found.unknown else self.role in found.held

    def named(self, found: AccountState) -> DesiredState:
        """The same for the account that was made."""
        return self if found.resource is None else evolve(self, key=found.resource.key)

    def require_login(self, found: AccountState) -> None:
        """:raises Differs: the account bears another login than the one that a plan was made for."""
        if self.expected_login is None or found.resource is None or is_same(found.login, self.expected_login):
            return
        raise Differs(
            f"the account with the id {found.resource.id} is called {found.login} now, planned for "
            f"{self.expected_login}", hint=AGAIN,
        )  # fmt: skip

    def require_expected(self, found: AccountState) -> None:
        """:raises Differs: the account holds something else than a plan expected, or is enabled unexpectedly."""
        if self.expected is None:
            if self.expected_login is not None and found.there:
                raise Differs(f"{self.label} is enabled by now, which the plan did not expect", hint=AGAIN)
            return
        if found.unknown:
            return
        if not found.there:
            raise Differs(f"{self.label} has no access any more, which the plan did not expect", hint=AGAIN)
        if found.held != self.expected and not (found.partial and found.held <= self.expected):
            held, expected = (", ".join(e.id for e in sorted(h)) or "nothing" for h in (found.held, self.expected))
            raise Differs(f"{self.label} holds {held}, planned for {expected}", hint=AGAIN)


def held_after(
    role: EntitlementKey, held: frozenset[EntitlementKey], *, revoked: bool, excluded: Iterable[EntitlementKey],
    entitlement: Entitlement | None,
) -> frozenset[EntitlementKey]:  # fmt: skip
    """What is held once a role was granted, or ``revoked``.

    :param excluded: what no account can hold together with it.
    :param entitlement: what the role is, where that is known.
    """
    if not revoked:
        return held.difference(excluded) | {role}
    fallback = entitlement.falls_back_to if entitlement is not None else None
    return held - {role} | (frozenset({fallback}) if fallback is not None else frozenset())


def meant(text: str, accounts: Iterable[Resource]) -> Resource | None:
    """Return the account that a text names, of those that were read; None where it names none of them.

    :raises AmbiguousName: several fit; each is named with its id.
    """
    last = {account.key: account for account in accounts}  # of one that was given twice the last (P07)
    found = fitting(text, last.values(), lambda account: account.status != "disabled")
    if len(found) > 1:
        raise ambiguous(text, found)
    return found[0] if found else None


AGAIN = "make the plan again"
