"""What this host refuses to do, before any write."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from attrs import frozen

from connector_core.config import ConnectionConfig
from connector_core.errors import GuardRefused
from connector_core.model import Entitlement
from connector_core.provision.wishes import Found, Wish


@frozen(kw_only=True)
class Consent:
    """What a person has agreed to. ``confirm`` is asked with a sentence where ``yes`` does not say so already."""

    yes: bool = False
    include_protected: bool = False
    confirm: Callable[[str], bool] | None = None


@frozen(kw_only=True)
class Guards:
    """The rules of one connection. ``protected``: logins, e-mails or ids that are never removed or downgraded."""

    protected: Collection[str] = ()

    @classmethod
    def of(cls, settings: Any) -> Guards:
        """From the setting ``protected``, where the connector has one."""
        return cls(protected=frozenset(str(name).casefold() for name in getattr(settings, "protected", ())))

    def check(self, wish: Wish, found: Found, entitlement: Entitlement | None, consent: Consent, *, dry: bool) -> None:
        """Refuse, or ask, before a write that takes something away.

        :raises GuardRefused: with the switch that allows it, where one does.
        """
        removes = removes_account(wish, entitlement)
        if wish.kind == "revoke" and entitlement is not None and entitlement.on_revoke == "refused":
            raise GuardRefused(f"revoking {entitlement.name} is refused: {entitlement.note or 'the connector says so'}")
        if removes and wish.kind == "revoke" and found.unknown:
            raise GuardRefused(
                f"what {wish.label} holds cannot be read, and revoking {wish.entitlement} would remove them",
                hint="delete-user removes a person whatever they hold",
            )
        if self.is_protected(wish, found) and (removes or downgrades(wish, found)) and not consent.include_protected:
            raise GuardRefused(f"{wish.label} is protected", hint="--include-protected overrides it, if that is meant")
        if removes and not dry and not consent.yes:
            self._ask(wish, entitlement, consent)

    def is_protected(self, wish: Wish, found: Found) -> bool:
        names = {wish.login, wish.key and wish.key.id}
        if found.resource is not None:
            names |= {found.resource.login, found.resource.email, found.resource.id}
        return any(name.casefold() in self.protected for name in names if name)

    def _ask(self, wish: Wish, entitlement: Entitlement | None, consent: Consent) -> None:
        note = f" {entitlement.note}" if entitlement is not None and entitlement.note else ""
        if consent.confirm is not None and consent.confirm(f"This removes {wish.label} from the application.{note}"):
            return
        refused = "was not confirmed" if consent.confirm is not None else "needs to be confirmed"
        raise GuardRefused(f"removing {wish.label} {refused}; nothing was changed", hint="--yes confirms it")


def require_managed(config: ConnectionConfig) -> None:
    """Refuse everything on an unmanaged connection, before any request."""
    if not config.managed:
        raise GuardRefused(
            f"{config.name} is unmanaged: access is read there, never changed",
            hint=f"set managed = true for its app, or in [connections.{config.name}], to let this host change access",
        )


def removes_account(wish: Wish, entitlement: Entitlement | None) -> bool:
    """Whether the wish takes a person's account away."""
    if wish.kind == "delete_account":
        return True
    return wish.kind == "revoke" and entitlement is not None and entitlement.on_revoke == "removes_account"


def downgrades(wish: Wish, found: Found) -> bool:
    """Whether somebody loses something by it; what cannot be read may be lost."""
    if wish.kind == "revoke":
        return True
    return wish.kind == "grant" and (found.unknown or bool(found.held - {wish.entitlement}))
