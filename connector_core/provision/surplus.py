"""What people hold beyond what a file names for them: what of it can be taken away, and what stays, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from attrs import field, frozen

from connector_core.model import EntitlementKey
from connector_core.names import some
from connector_core.provision.effects import Effects
from connector_core.provision.matching import Account
from connector_core.provision.people_file import Wanted
from connector_core.provision.plan import shown

_SHOWN = 5  # people named in one warning


@frozen
class Surplus:
    """Decides it for one person after the other. :param can_revoke: whether the connector revokes anything."""

    effects: Effects
    can_revoke: bool = True
    _left: dict[tuple[str, EntitlementKey], list[str]] = field(factory=lambda: defaultdict(list), init=False)
    _unnamed: list[str] = field(factory=list, init=False)

    def of(self, person: Wanted, account: Account | None) -> Iterator[EntitlementKey]:
        """What is to be revoked of what the account holds directly. Without a role in the file, nothing is."""
        if account is None or not account.enabled:
            return
        if not person.roles:
            if account.held:
                self._unnamed.append(shown(account.login, account.id))
            return
        replaced = frozenset[EntitlementKey]().union(*(self.effects.rivals(key) for key in person.roles))
        for key in sorted(account.held - frozenset(person.roles) - replaced):
            if (why := self._why_left(key)) is None:
                yield key
            else:
                self._left[why, key].append(shown(account.login, account.id))

    def _why_left(self, key: EntitlementKey) -> str | None:
        entitlement = self.effects.of(key)
        if not self.can_revoke or entitlement is None or entitlement.on_revoke == "refused":
            return "it cannot be revoked here"
        if entitlement.on_revoke == "removes_account":
            return "revoking it would remove the account"
        return "revoking it gives it back" if entitlement.falls_back_to == key else None

    def warnings(self) -> list[str]:
        """What was left, with whom and why."""
        left = [f"{key.id} stays with {some([*who], _SHOWN)}: {why}" for (why, key), who in sorted(self._left.items())]
        unnamed = (
            [f"no role is named for {some([*self._unnamed], _SHOWN)}: what is held stays"] if self._unnamed else []
        )
        return left + unnamed
