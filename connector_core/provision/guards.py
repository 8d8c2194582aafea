"""What this host refuses to do, before any write."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

from attrs import field, frozen

from connector_core.config.configuration import ConnectionConfig
from connector_core.errors import GuardRefused
from connector_core.model import AccessRow, Entitlement, EntitlementKey, Key, Operation
from connector_core.protection import SETTING, Protection
from connector_core.provision.desired_state import AccountState, DesiredState


class Definitions(Protocol):
    """What entitlements are; None where that is not known."""

    def definition(self, desired: DesiredState) -> Entitlement | None: ...

    def entitlement(self, key: EntitlementKey) -> Entitlement | None: ...


@frozen(kw_only=True)
class Consent:
    """What a person has agreed to. ``confirm`` is asked with a sentence where ``yes`` does not say so already.

    ``on_planned`` is called with each operation before that, once no other guard refuses it.
    """

    yes: bool = False
    include_protected: bool = False
    confirm: Callable[[str], bool] | None = None
    on_planned: Callable[[Operation], None] | None = None


@frozen(kw_only=True)
class Guards:
    """The rules of one connection. ``protection``: which accounts are never removed or downgraded.

    ``protected``: the keys of accounts that it named once, whatever they are called now. ``remember``: called with the
    key of one that an entry names, and that entry. ``inheritors``: the accounts that inherit what a group holds.
    """

    protection: Protection = field(factory=Protection)
    protected: Collection[Key] = ()
    remember: Callable[[Key, str], None] = lambda key, entry: None
    inheritors: Callable[[Key], Iterable[AccessRow]] = lambda key: ()

    def check(self, desired: DesiredState, found: AccountState, loss: Loss, consent: Consent) -> None:
        """Refuse a write that takes away what no confirmation allows.

        :raises GuardRefused: with the switch that allows it, where one does.
        """
        entitlement = loss.entitlement
        if desired.kind == "revoke" and entitlement is not None and entitlement.on_revoke == "refused":
            why = entitlement.note or "the connector says so"
            raise GuardRefused(f"revoking {entitlement.name} is refused: {why}", guard="on_revoke")
        if loss.removes and desired.kind == "revoke" and found.unknown:
            raise GuardRefused(
                f"what {desired.label} holds cannot be read, and revoking {desired.entitlement} would remove them",
                hint="delete-user removes a person whatever they hold", guard="unreadable",
            )  # fmt: skip
        if loss.takes and self.is_protected(desired, found) and not consent.include_protected:
            hint = "--include-protected overrides it, if that is meant"
            raise GuardRefused(f"{desired.label} is protected", hint=hint, guard="protected")
        if loss.takes and not consent.include_protected and (member := self._protected_member(desired)) is not None:
            hint = "--include-protected overrides it, if that is meant"
            raise GuardRefused(
                f"{member} is protected, and inherits what {desired.label} holds", hint=hint, guard="protected"
            )

    def _protected_member(self, desired: DesiredState) -> str | None:
        """Return an account that loses by what is taken from a group, and is protected; None where there is none."""
        ids = {key.id for key in self.protected}
        if desired.key is None or not (ids or self.protection.entries):
            return None
        rows = self.inheritors(desired.key)
        protected = (r for r in rows if r.user_id in ids or self.protection.entry_for(r.user, r.email, r.user_id))
        return next((row.user or row.user_id for row in protected), None)

    def confirm(self, desired: DesiredState, loss: Loss, consent: Consent) -> bool:
        """Have a removal confirmed; whether a person had to be asked, which takes time.

        :raises GuardRefused: it is not confirmed.
        """
        if not loss.removes or consent.yes:
            return False
        note = f" {loss.entitlement.note}" if loss.entitlement is not None and loss.entitlement.note else ""
        disables = desired.kind == "disable_account"
        what = f"takes all access from {desired.label}" if disables else f"removes {desired.label} from the application"
        if consent.confirm is not None and consent.confirm(f"This {what}.{note}"):
            return True
        refused = "was not confirmed" if consent.confirm is not None else "needs to be confirmed"
        message = f"{'disabling' if disables else 'removing'} {desired.label} {refused}; nothing was changed"
        raise GuardRefused(message, hint="--yes confirms it", guard="confirmation")

    def is_protected(self, desired: DesiredState, found: AccountState) -> bool:
        """Whether an entry names the account, or named it once; what it names now is remembered."""
        names = [desired.login, desired.key and desired.key.id]
        if found.resource is not None:
            names += [found.resource.login, found.resource.email, found.resource.id]
        entry = self.protection.entry_for(*names)
        if entry is not None and desired.key is not None:
            self.remember(desired.key, entry)
        return entry is not None or desired.key in self.protected


@frozen(kw_only=True)
class Loss:
    """What a desired state takes away. ``removes``: a person's account; ``takes``: that, or anything they hold."""

    entitlement: Entitlement | None
    removes: bool
    takes: bool

    @classmethod
    def by(cls, desired: DesiredState, found: AccountState, definitions: Definitions) -> Loss:
        """Where what an entitlement is is not known, the worst is assumed."""
        entitlement = definitions.definition(desired)
        removes = desired.kind in ("delete_account", "disable_account") or (
            desired.kind == "revoke" and (entitlement is None or entitlement.on_revoke == "removes_account")
        )
        takes = (
            removes
            or desired.kind == "revoke"
            or (desired.kind == "grant" and _downgrades(entitlement, found, definitions))
        )
        return cls(entitlement=entitlement, removes=removes, takes=takes)


def _downgrades(granted: Entitlement | None, found: AccountState, definitions: Definitions) -> bool:
    """Whether granting it ends something that is more. What cannot be read may be lost."""
    if granted is None or granted.exclusive is None:
        return False
    if found.unknown:
        return not granted.paid
    ended = (e for key in found.held if (e := definitions.entitlement(key)) and e.excludes(granted))
    return any(not _is_less(e, granted) for e in ended)


def _is_less(one: Entitlement, other: Entitlement) -> bool:
    return (other.paid and not one.paid) or other.falls_back_to == one.key


def protection_of(settings: Any) -> Protection:
    """From the setting ``protected``, where the connector has one."""
    return Protection.of(getattr(settings, SETTING, ()))


def require_managed(config: ConnectionConfig) -> None:
    """Refuse everything on an unmanaged connection, before any request."""
    if not config.managed:
        raise GuardRefused(
            f"{config.name} is unmanaged: access is read there, never changed",
            hint=f"set managed = true for its app, or in [connections.{config.name}], to let this host change access",
            guard="unmanaged",
        )
