"""Comparing who should have what with the picture: which steps it takes, what they cost, whether they still fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import evolve, field, frozen

from connector_core.errors import UsageError
from connector_core.model import Entitlement, EntitlementKey
from connector_core.names import is_address, is_same
from connector_core.provision.effects import Effects
from connector_core.provision.matching import Account, Held, Matching, accounts_in
from connector_core.provision.people_file import Wanted, wrong_lines
from connector_core.provision.plan import Effect, PlanKind, Step, names, shown
from connector_core.provision.surplus import Surplus
from connector_core.provision.undo import Past, left_alone

__all__ = ["Account", "Comparison", "Past", "Planner", "accounts_in"]


@frozen(kw_only=True)
class Comparison:
    """What has to be done, what is left out because the account is protected, and what a reviewer should know."""

    steps: tuple[Step, ...] = ()
    kept: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    unchanged: int = 0  # lines of the file that take no step


@frozen
class Planner:
    """Compares with a complete picture.

    :param protected: whether a login, e-mail or id is never removed or downgraded, unless it is included expressly.
    :param protected_ids: ids of accounts that are protected whatever they are called now.
    :param others: whether a name is that of an account of another type, for which no plan is made.
    :param can_revoke: whether the connector can revoke anything.
    """

    entitlements: tuple[Entitlement, ...]
    accounts: tuple[Account, ...]
    protected: Callable[[str], bool] = lambda name: False
    protected_ids: frozenset[str] = frozenset()
    can_revoke: bool = True
    others: Callable[[str], bool] = lambda name: False
    _matching: Matching = field(init=False)
    _effects: Effects = field(init=False)

    @_matching.default
    def _index(self) -> Matching:
        return Matching(self.accounts)

    @_effects.default
    def _weights(self) -> Effects:
        return Effects(self.entitlements)

    @property
    def enabled(self) -> int:
        """How many accounts are enabled."""
        return sum(account.enabled for account in self.accounts)

    # -- making a plan -------------------------------------------------------------------------------------

    def compare(
        self, people: Iterable[Wanted], *, prune: bool, exact: bool = False, include_protected: bool = False
    ) -> Comparison:  # fmt: skip
        """The steps to what ``people`` should have. An account that no line names is left alone, unless ``prune``.

        :param exact: take from these people what they hold directly and no line names.
        :raises UsageError: naming each line that means several accounts, or one that another line means, too.
        """
        matched = self._matched(people)
        towards = [self._towards(person, account) for person, account in matched]
        surplus = Surplus(self._effects, self.can_revoke)
        if exact:
            for each, (person, account) in zip(towards, matched, strict=True):
                each += [self._step("revoke", account, key) for key in surplus.of(person, account) if account]
        unchanged, steps = sum(not each for each in towards), [step for each in towards for step in each]
        if prune:
            named = {account.id for _, account in matched if account is not None}
            unnamed = [a for a in self.accounts if a.enabled and a.id not in named]
            steps += [self._removal(a) for a in unnamed if len(self._twins(a)) == 1]
        warnings = surplus.warnings() + (self._twin_warnings(unnamed) if prune else [])
        return evolve(self._guarded(steps, warnings, include_protected), unchanged=unchanged)

    def _twins(self, account: Account) -> list[Account]:
        """The enabled accounts of its login, itself among them: a step is for one account of one login."""
        return [a for a in self._matching.bearing(account.login) if a.enabled] or [account]

    def _twin_warnings(self, unnamed: Iterable[Account]) -> list[str]:
        twins = {tuple(sorted(a.id for a in t)): a for a in unnamed if len(t := self._twins(a)) > 1}
        return [
            f"{shown(account.login, account.id)} is the login of several accounts (ids {', '.join(ids)}), "
            "which are left alone: delete-user removes them one by one, by id"
            for ids, account in twins.items()
        ]

    def _matched(self, people: Iterable[Wanted]) -> list[tuple[Wanted, Account | None]]:
        """Each line of the file with its account."""
        matched: list[tuple[Wanted, Account | None]] = []
        mistakes: list[str] = []
        first: dict[str, Wanted] = {}
        for person in people:
            mistakes += self._contradictions(person)
            try:
                account = self._matching.of(person)
                if account is not None and (other := first.setdefault(account.id, person)) is not person:
                    raise UsageError(f"{person.login} and {other.login} are both the account with the id {account.id}")
                if account is None and self.others(person.login):
                    raise UsageError(f"{person.login} is an account of another type than plans are for")
                matched.append((person, account))
            except UsageError as error:
                mistakes.append(f"line {person.line}: {error.message}" if person.line else error.message)
        if mistakes:
            raise wrong_lines(mistakes)
        return matched

    def _contradictions(self, person: Wanted) -> Iterator[str]:
        """Which roles of a person nothing can hold together, with the line of the later one."""
        for number, key in enumerate(person.roles):
            if clash := min(self._effects.excluded(key, person.roles[:number]), default=None):
                yield (
                    f"line {person.lines.get(key, person.line)}: {person.login} can hold only one of "
                    f"{clash.id} (line {person.lines.get(clash, person.line)}) and {key.id}"
                )

    def undo(self, past: Iterable[Past], *, include_protected: bool = False) -> Comparison:
        """The steps back to how each account was, but for accounts about which something was decided since."""
        warnings: list[str] = []
        steps = [step for was in past if (step := self._undone(was, warnings))]
        return self._guarded(steps, warnings, include_protected)

    def _undone(self, was: Past, warnings: list[str]) -> Step | None:
        account, others = self._now(was)
        removed = was.held is not None and self._was_removed(was)
        why = left_alone(was, account, others, removed=removed)
        if why is None and removed and account is None and not is_address(was.user):
            why = "has a login that is no e-mail address, and is not created again"
        if why is not None:
            warnings.append(f"{shown(was.user, was.user_id or ascii(was.user))} {why}")
            return None
        if removed:
            if len(was.held or ()) > 1:
                warnings.append(f"{was.user} held {names(was.held or ())}: one of them comes back with the account")
            return self._towards(self._wanted(was), account)[0]
        if account is None or not account.enabled:
            return None
        if was.disabled:
            return self._disabled_again(account, warnings)
        return self._removal(account) if was.held is None else self._back(was, account, warnings)

    def _disabled_again(self, account: Account, warnings: list[str]) -> Step | None:
        """Revoke what disables the account: it was there before the plan, and is not deleted."""
        for key in sorted(account.held):
            if self._effects.removes_account(key):
                return self._step("revoke", account, key)
        warnings.append(
            f"{shown(account.login, account.id)} was disabled before, and holds {names(account.held)} now, which the "
            "connector cannot revoke in a way that disables it: it stays enabled; disable it in the application"
        )
        return None

    def _now(self, was: Past) -> tuple[Account | None, list[Account]]:
        """The account of that id, and the others of its login; where no id was given, the only one of that login."""
        if was.user_id is None:
            found = self._matching.called(was.user)
            return (found[0], []) if len(found) == 1 else (None, found)
        others = [a for a in self._matching.bearing(was.user) if a.id != was.user_id]
        return self._matching.by_id.get(was.user_id), others

    def _was_removed(self, was: Past) -> bool:
        """Whether the plan removed the account, which was there and enabled."""
        if was.granted is not None or was.revoked is None:
            return was.granted is None
        return self._effects.removes_account(was.revoked)

    def _wanted(self, was: Past) -> Wanted:
        role = min(was.held, default=None) if was.held else None
        return Wanted(login=was.user, role=role, given_name=was.given_name, family_name=was.family_name)

    def _back(self, was: Past, account: Account, warnings: list[str]) -> Step | None:
        """Give back what was revoked, or what a grant replaced; a grant that replaced nothing is revoked."""
        before = was.held or frozenset()
        if was.revoked is not None and was.revoked in before - account.held:
            return self._step("grant", account, was.revoked)
        if was.granted is None or was.granted in before or was.granted not in account.held:
            return None
        replaced = min(self._effects.excluded(was.granted, before), default=None)
        if replaced is not None:
            return self._step("grant", account, replaced)
        entitlement = self._effects.of(was.granted)
        if entitlement is not None and entitlement.exclusive is not None:
            warnings.append(f"{was.user}: what they held before {was.granted.id} is not known; it stays")
            return None
        return self._step("revoke", account, was.granted)

    def _towards(self, person: Wanted, account: Account | None) -> list[Step]:
        """A step for each role that is missing; for an account that is to be made, first the one that makes it."""
        if account is None or (not account.enabled and person.role is None):
            first = Step(
                kind="create_account", user=person.login if account is None else shown(account.login, account.id),
                user_id=account.id if account else None, login=account.login if account else None, role=person.role,
                given_name=person.given_name, family_name=person.family_name,
            )  # fmt: skip
            before = (person.role,) if person.role else ()
            more = [Step(kind="grant", user=first.user, role=key, before=before) for key in person.further]
            return [self._effects.weighed(step) for step in (first, *more)]
        missing = [key for key in person.roles if not (account.enabled and key in account.held)]
        return [self._step("grant", account, key) for key in missing]

    def _removal(self, account: Account) -> Step:
        return self._step("delete_account", account)

    def _step(self, kind: PlanKind, account: Account, role: EntitlementKey | None = None) -> Step:
        before = tuple(sorted(account.held)) if account.enabled else None
        step = Step(
            kind=kind, user=shown(account.login, account.id), user_id=account.id, login=account.login, role=role,
            before=before,
        )  # fmt: skip
        return self._effects.weighed(step)

    def _guarded(self, steps: Iterable[Step], warnings: list[str], include_protected: bool) -> Comparison:
        """Protected accounts keep what they have."""
        steps = tuple(steps)
        kept = () if include_protected else tuple(s for s in steps if self.takes_from_protected(s))
        return Comparison(steps=tuple(s for s in steps if s not in kept), kept=kept, warnings=tuple(warnings))

    # -- what a step does ----------------------------------------------------------------------------------

    def takes_from_protected(self, step: Step) -> bool:
        """Whether a protected account loses something by it; where that is not known, it may."""
        account = self._matching.by_id.get(step.user_id or "")
        known = {step.user, step.user_id or "", *(account.names if account else ())}
        takes = step.effect in ("remove", "downgrade", "change")
        return takes and (step.user_id in self.protected_ids or any(map(self.protected, known)))

    def weigh(self, step: Step) -> tuple[Effect, int | None]:
        """What a step does, and to how many paid seats; None where only the application knows."""
        return self._effects.weigh(step)

    def is_done(self, step: Step) -> bool:
        """Whether the account is as the step wants it already."""
        if step.user_id is None:
            return any(a.enabled and self._as_wanted(step, a.held) for a in self._matching.bearing(step.user))
        account = self._matching.by_id.get(step.user_id)
        if account is None or not account.enabled:
            return step.effect == "remove"
        return self._as_wanted(step, account.held)

    def is_enabled(self, id: str | None) -> bool:
        """Whether there is an account of that id, enabled."""
        account = self._matching.by_id.get(id or "")
        return account is not None and account.enabled

    # -- whether a plan still fits -------------------------------------------------------------------------

    def difference(
        self, step: Step, came_back: Callable[[str], bool], others: Sequence[Step] = ()
    ) -> str | None:  # fmt: skip
        """What keeps an account from being as the step expects or already as it wants; None where nothing does.

        :param came_back: whether the account of that id was enabled by this plan, and nothing happened to it since.
        :param others: the plan's steps for the same account, which may have been carried out.
        """
        if step.user_id is None:
            return self._difference_for_new(step, others)
        account = self._matching.by_id.get(step.user_id)
        if account is not None and not is_same(account.login, step.login):
            return f"the account with the id {account.id} is called {account.login} now, planned for {step.user}"
        if other := next((a for a in self._matching.bearing(step.login) if a.enabled and a.id != step.user_id), None):
            return f"{step.user} is another account now, with the id {other.id}"
        if account is None or not account.enabled:
            as_it_should = step.effect == "remove" or (account is not None and step.before is None)
            return None if as_it_should else f"{step.user} is gone"
        if self._as_wanted(step, account.held):
            return None
        if step.before is None:
            return None if came_back(account.id) else f"{step.user} is enabled and holds {names(account.held)}"
        if self._reached(account.held, step, others):
            return None
        return f"{step.user} holds {names(account.held)}, planned for {names(step.before)}"

    def _reached(self, held: Held, step: Step, others: Sequence[Step]) -> bool:
        """Whether that is what the plan was made for, and what others of its steps for the account did since."""
        expected = frozenset(step.before or ())
        for other in others if held != expected else ():
            if other is not step and other.kind in ("grant", "revoke") and self._as_wanted(other, held):
                expected = self._effects.after(other, expected)
        return held == expected

    def _difference_for_new(self, step: Step, others: Sequence[Step]) -> str | None:
        found = self._matching.called(step.user)
        if not found or (found[0].enabled and self._as_wanted(step, found[0].held)):
            return None
        if step.is_for_new and found[0].enabled and self._reached(found[0].held, step, others):
            return None
        what = f"is there already and holds {names(found[0].held)}" if found[0].enabled else "is there, disabled"
        return f"{step.user} {what}"

    def _as_wanted(self, step: Step, held: Held) -> bool:
        if step.kind == "create_account":
            return step.role is None or step.role in held or not held  # with no known role: not known
        return step.role is not None and (step.role in held) == (step.kind == "grant")
