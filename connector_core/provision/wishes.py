"""What is wished for an account, and whether it is so already: idempotence is judged on the goal, not on a status."""

from __future__ import annotations

from attrs import frozen

from connector_core.model import EntitlementKey, Key, NewAccount, OperationKind, Page, Resource


@frozen(kw_only=True)
class Found:
    """An account as it was just read. ``resource`` None: there is none. ``unknown``: what it holds cannot be read."""

    resource: Resource | None = None
    held: frozenset[EntitlementKey] = frozenset()
    unknown: bool = False

    @classmethod
    def in_page(cls, page: Page | None, type: str) -> Found:
        """The account of that type in a page; the first, where a connector gives more."""
        resource = next((r for r in page.resources if r.type == type), None) if page is not None else None
        if page is None or resource is None:
            return cls()
        held = frozenset(g.entitlement for g in page.grants if g.principal == resource.key)
        return cls(resource=resource, held=held, unknown=resource.key in page.unknown)

    @property
    def there(self) -> bool:
        """A disabled account is not there: it has no access, and comes back only by being enabled."""
        return self.resource is not None and self.resource.status != "disabled"


@frozen(kw_only=True)
class Wish:
    """One change to one account. ``key`` is None only for an account that is to be created."""

    kind: OperationKind
    type: str
    key: Key | None = None
    login: str | None = None
    entitlement: EntitlementKey | None = None
    account: NewAccount | None = None

    def is_so(self, found: Found) -> bool | None:
        """Whether the account is as wished; None where that cannot be read."""
        if self.kind in ("create_account", "enable_account"):
            return found.there
        if self.kind == "delete_account":
            return not found.there
        if self.kind == "revoke" and not found.there:
            return True
        if found.there and found.unknown:
            return None
        return found.there and (self.entitlement in found.held) == (self.kind == "grant")

    @property
    def label(self) -> str:
        """The account as a person names it."""
        return self.login or (self.key.id if self.key else "?")
