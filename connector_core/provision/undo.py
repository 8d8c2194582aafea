"""Taking a plan back: how each account was before it, and which accounts are left alone since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from connector_core.model import EntitlementKey, Operation
from connector_core.names import is_same, normalized
from connector_core.provision.matching import Account, Held
from connector_core.provision.plan import names, shown
from connector_core.store.undo import AppliedChange, LaterChange


@frozen(kw_only=True)
class Past:
    """How an account was before an earlier plan touched it; ``held`` None where there was none, or a disabled one.

    ``disabled``: there was one, disabled. ``granted`` and ``revoked``: what the plan gave it, or took from it; where
    that is more than one thing, there is a `Past` of each, and ``given`` is all that it gave.
    ``created_with``: the role of its creation. ``changed_by``: the last operation that changed it since;
    ``seen_since``: whether the application showed an enabled account of that id or login since; ``altered``: whether a
    sync showed that its roles or its status changed since; ``forgotten``: whether what happened since was pruned, at
    least in part.
    """

    user: str
    user_id: str | None = None
    held: Held | None = None
    disabled: bool = False
    granted: EntitlementKey | None = None
    revoked: EntitlementKey | None = None
    given: Held = frozenset()
    created_with: EntitlementKey | None = None
    given_name: str | None = None
    family_name: str | None = None
    changed_by: int | None = None
    seen_since: bool = False
    altered: bool = False
    forgotten: bool = False


def pasts(changes: Iterable[AppliedChange], later: Iterable[LaterChange], *, oldest: int = 0) -> list[Past]:
    """Return how each account was before the first of these changes, and what happened since the last; latest first.

    :param oldest: the event of the oldest picture that is kept.
    """
    past: dict[tuple[str, EntitlementKey | None], Past] = {}
    ended: dict[str, int] = {}
    given: dict[str, Held] = {}
    was_there: dict[str, bool] = {}
    for change in changes:
        operation = change.operation
        name = operation.user_id or normalized(operation.user or "")
        before = _before(operation, change.before if isinstance(change.before, dict) else {})
        there = was_there.setdefault(name, before.held is not None)
        key = _entitlement(operation, operation.role)
        place = (name, given_or_taken(operation) if there else None)
        past[place] = _with_change(past.get(place, before), operation, key)
        given[name] = given.get(name, frozenset()) | {e for e in (past[place].granted,) if e}
        ended[name] = max(change.event, operation.id or 0)
    since = _by_name(later)
    return [
        evolve(_with_later(was, ended[name], since), forgotten=ended[name] < oldest, given=given[name])
        for (name, _), was in reversed(past.items())
    ]


def _with_change(was: Past, operation: Operation, key: EntitlementKey | None) -> Past:
    return evolve(
        was, granted=key if operation.kind == "grant" else was.granted,
        revoked=key if operation.kind == "revoke" else was.revoked,
        created_with=key if operation.kind == "create_account" else was.created_with,
    )  # fmt: skip


def _by_name(later: Iterable[LaterChange]) -> Mapping[str, list[LaterChange]]:
    named: dict[str, list[LaterChange]] = defaultdict(list)
    for change in later:
        for name in {change.id, normalized(change.login or "")} - {None, ""}:
            named[str(name)].append(change)
    return named


def _with_later(was: Past, ended: int, since: Mapping[str, list[LaterChange]]) -> Past:
    names = {was.user_id or "", normalized(was.user)}
    later = [change for name in names for change in since.get(name, ()) if change.event > ended]
    operations = [change.operation for change in later if change.operation is not None]
    return evolve(
        was, changed_by=max(operations, default=None), altered=any(change.altered for change in later),
        seen_since=any(change.operation is None and not change.altered for change in later),
    )  # fmt: skip


def left_alone(was: Past, account: Account | None, others: Sequence[Account], *, removed: bool) -> str | None:
    """Return why an account is not put back as it was; None where nothing was decided about it since.

    :param account: the one of that id, as it is now; ``others``: those that have its login now.
    :param removed: whether the plan removed it.
    """
    if was.changed_by is not None:
        return f"was changed by operation {was.changed_by} since, and is left alone"
    if account is not None and not is_same(account.login, was.user):
        return f"is called {shown(account.login, account.id)} now, and stays as it is"
    if any(other.enabled or removed for other in others):
        return "is another account now, which stays"  # P60
    there = account is not None and account.enabled
    if removed and (there or was.seen_since):
        return "was there again since, and is left alone"
    if not removed and not there and was.held is not None:
        return "left since, and stays away"
    return _decided_since(was, account)


def _decided_since(was: Past, account: Account | None) -> str | None:
    """Return what the picture shows of a later decision about the roles or the status of an account."""
    if was.altered:
        return "has other roles or another status since, and is left alone"
    if was.created_with is not None and account is not None and account.held - {was.created_with} - was.given:
        return f"holds {names(account.held)} now, and is left alone"
    if was.forgotten:
        return "may have been changed since, as that history was pruned, and is left alone"
    return None


def _before(operation: Operation, snapshot: Mapping[str, Any]) -> Past:
    """What the journal kept of the account; what a grant replaced was held, even where it could not be read."""
    held = None
    if snapshot and snapshot.get("status") != "disabled":
        replaced = _entitlement(operation, operation.replaced)
        held = frozenset(map(EntitlementKey.parse, snapshot.get("held", ()))) | {e for e in (replaced,) if e}
    profile = snapshot.get("profile") or {}
    return Past(
        user=operation.user or operation.user_id or "", user_id=operation.user_id, held=held,
        disabled=snapshot.get("status") == "disabled",
        given_name=profile.get("given_name"), family_name=profile.get("family_name"),
    )  # fmt: skip


def given_or_taken(operation: Operation) -> EntitlementKey | None:
    """What a grant gave or a revocation took; None of any other operation."""
    return _entitlement(operation, operation.role) if operation.kind in ("grant", "revoke") else None


def _entitlement(operation: Operation, role: str | None) -> EntitlementKey | None:
    """The operation's entitlement, on that role."""
    return EntitlementKey(operation.resource_type or "", role, operation.entitlement or "") if role else None
