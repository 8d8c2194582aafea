"""What a step does: to what its account holds, and to the number of paid seats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from connector_core.model import Entitlement, EntitlementKey
from connector_core.provision.desired_state import held_after
from connector_core.provision.matching import Held
from connector_core.provision.plan import Effect, Step


@frozen
class Effects:
    """Knows what an application's entitlements do; of two with the same key the first counts."""

    entitlements: tuple[Entitlement, ...]
    _by_key: Mapping[EntitlementKey, Entitlement] = field(init=False)
    _groups: Mapping[str, list[Entitlement]] = field(init=False)

    @_by_key.default
    def _keys(self) -> Mapping[EntitlementKey, Entitlement]:
        return {e.key: e for e in reversed(self.entitlements)}

    @_groups.default
    def _exclusive(self) -> Mapping[str, list[Entitlement]]:
        groups: dict[str, list[Entitlement]] = defaultdict(list)
        for entitlement in self._by_key.values():
            if entitlement.exclusive is not None:
                groups[entitlement.exclusive].append(entitlement)
        return groups

    def of(self, key: EntitlementKey) -> Entitlement | None:
        """What it is, where that is known."""
        return self._by_key.get(key)

    def excluded(self, key: EntitlementKey, among: Iterable[EntitlementKey]) -> Held:
        """Those of ``among`` that no account can hold together with it."""
        entitlement = self.of(key)
        if entitlement is None or entitlement.exclusive is None:
            return frozenset()
        return frozenset(k for k in among if (other := self.of(k)) is not None and entitlement.excludes(other))

    def rivals(self, key: EntitlementKey) -> Held:
        """All that no account can hold together with it."""
        entitlement = self.of(key)
        group = entitlement.exclusive if entitlement is not None else None
        return frozenset(e.key for e in self._groups.get(group or "", ()) if e.key != key)

    def paid(self, held: Iterable[EntitlementKey]) -> int:
        """How many paid seats that takes."""
        return sum(1 for key in held if (e := self.of(key)) is not None and e.paid)

    def after(self, step: Step, held: Held) -> Held:
        """What the account of a grant or a revocation holds once it is done."""
        assert step.role is not None
        return held_after(
            step.role, held, revoked=step.kind == "revoke", excluded=self.excluded(step.role, held),
            entitlement=self.of(step.role),
        )  # fmt: skip

    def removes_account(self, key: EntitlementKey) -> bool:
        """Whether revoking it takes the account away."""
        entitlement = self.of(key)
        return entitlement is not None and entitlement.on_revoke == "removes_account"

    def weighed(self, step: Step) -> Step:
        """The step, with what it does."""
        effect, seats = self.weigh(step)
        return evolve(step, effect=effect, seats=seats)

    def weigh(self, step: Step) -> tuple[Effect, int | None]:
        """What a step does, and to how many paid seats; None where only the application knows."""
        before = frozenset(step.before or ())
        if step.kind == "delete_account":
            return "remove", -self.paid(before)
        if step.kind == "create_account" or step.before is None:
            return "create", self._default_seats() if step.role is None else self.paid({step.role})
        assert step.role is not None
        if step.kind == "grant":
            return self._weigh_grant(step, before)
        if self.removes_account(step.role):
            return "remove", -self.paid(before)
        return "downgrade", self.paid(self.after(step, before)) - self.paid(before)

    def _default_seats(self) -> int | None:
        """What a role that the application chooses costs: nothing where no seat is paid for."""
        return None if self.paid(self._by_key) else 0

    def _weigh_grant(self, step: Step, before: Held) -> tuple[Effect, int | None]:
        assert step.role is not None
        lost, rivals = self.excluded(step.role, before), self.rivals(step.role)
        seats = self.paid(self.after(step, before)) - self.paid(before)
        if rivals and not lost and seats == 0 and not step.is_for_new:  # they may hold one of them that cannot be read
            return "change", None if self.paid(rivals) else 0
        if seats:
            return "upgrade" if seats > 0 else "downgrade", seats
        return "change" if lost else "upgrade", 0
