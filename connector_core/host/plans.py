"""Plan and apply: a fresh and complete picture compared with what is wanted, and the result carried out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from connector_core.clock import Clock, rfc3339
from connector_core.config.configuration import ConnectionConfig
from connector_core.connectors.session import Session
from connector_core.convert import to_json
from connector_core.errors import GuardRefused, IncompleteError
from connector_core.model import SyncReport
from connector_core.names import normalized
from connector_core.provision.apply import ApplyReport, Line, carry_out, look_over
from connector_core.provision.earlier_applies import EarlierApplies
from connector_core.provision.engine import Provisioner
from connector_core.provision.guards import protection_of
from connector_core.provision.options import ChangeOptions
from connector_core.provision.people_file import read_people
from connector_core.provision.plan import Limits, Plan, Step
from connector_core.provision.planner import Planner, accounts_in
from connector_core.provision.requests import named, names_of
from connector_core.provision.undo import pasts
from connector_core.store.applies import Applies
from connector_core.store.connections import connection_id, identity_of
from connector_core.store.lock import exclusive
from connector_core.store.protected import ProtectedAccounts
from connector_core.store.undo import AppliedChange, applied_by, applied_plan, changed_since

if TYPE_CHECKING:
    from connector_core.store.queries import Reader


def require_complete(report: SyncReport) -> None:
    """A plan needs the whole truth.

    :raises IncompleteError: the sync was not complete; ``report`` says why.
    """
    if report.sync.status != "complete":
        error = IncompleteError(
            f"the sync is {report.sync.status}: {report.sync.reason}",
            hint=f"a plan needs a complete picture; see connector-core logs {report.connection}",
        )
        error.report = report
        raise error


def require_confirmed(plan: Plan, terms: ChangeOptions) -> None:
    """Ask about the plan, where ``confirm`` is given and ``yes`` does not say it already.

    :raises GuardRefused: it was not confirmed.
    """
    confirm = terms.get("confirm")
    if confirm is None or terms.get("yes") or terms.get("dry_run") or not plan.steps:
        return
    if not confirm(f"This carries out {len(plan.steps)} steps on {plan.connection}."):
        raise GuardRefused(
            "the plan was not confirmed; nothing was changed", hint="--yes confirms it", guard="confirmation"
        )


def planner(session: Session, reader: Reader) -> Planner:
    """A planner for the accounts of the connector's first account type: a step names an account by its id alone."""
    protection = protection_of(session.settings)
    type = next(iter(session.account_types), "")
    others = {normalized(name) for name in reader.names_beside(type)}
    return Planner(
        (*session.manifest.entitlements, *reader.entitlements()),
        accounts_in(reader.rows(None).of_all(type)),
        lambda name: protection.entry_for(name) is not None,
        frozenset(key.id for key in ProtectedAccounts(reader.db, reader.id).remembered(protection)),
        "provision_revoke" in session.connector.hooks,
        lambda name: normalized(name) in others,
    )


def make_plan(
    config: ConnectionConfig, session: Session, reader: Reader, clock: Clock, *,
    path: Path | None = None, prune: bool = False, exact: bool = False, undo: int | None = None,
    include_protected: bool = False,
) -> Plan:  # fmt: skip
    """The plan that makes the picture as the file wants it, or with no file, that takes an earlier apply back.

    :raises GuardRefused: what is to be taken back was done at another address of the connection.
    """
    if (status := reader.picture().status) != "complete":  # another process has synced since
        raise IncompleteError(f"the last sync of {config.name} is {status}", hint="make the plan again")
    planning, unchanged = planner(session, reader), 0
    if path is not None:
        known = {e.key for e in (*session.manifest.entitlements, *reader.entitlements())}
        names = names_of(session.manifest.entitlements) | reader.role_names()
        people = read_people(path, lambda name: named(name, known, names))
        found = planning.compare(people, prune=prune, exact=exact, include_protected=include_protected)
        unchanged = found.unchanged
    else:
        changes = _changes_to_undo(reader, undo, session)
        past = pasts(changes, changed_since(reader, changes), oldest=reader.oldest)
        found = planning.undo(past, include_protected=include_protected)
    return Plan(
        connection=config.name, connector=config.connector, address=session.address, identity=reader.identity,
        picture=reader.picture().event or 0, created=rfc3339(clock.now()), accounts=planning.enabled,
        steps=found.steps, kept=found.kept, warnings=(*found.warnings, *_renamed(reader, found.steps)),
        unchanged=unchanged,
    ).sealed()  # fmt: skip


def _changes_to_undo(reader: Reader, apply: int | None, session: Session) -> list[AppliedChange]:
    done = applied_plan(reader, apply)
    if done.address != session.address:
        raise GuardRefused(
            f"what is to be taken back was done at an address that {reader.name} had then",
            hint="nothing was changed; put that address into its settings again, and make the plan again",
            guard="other_connection",
        )
    return applied_by(reader, done.digest)


def _renamed(reader: Reader, steps: Iterable[Step]) -> Iterator[str]:
    """Of accounts to be made under a login that another account had before, which one that is: it may be the person."""
    for step in steps:
        if step.user_id is None and (renamed := reader.names.renamed(step.user)) is not None:
            yield f"{renamed[0]}; a new account is planned"


def require_same_connection(plan: Plan, config: ConnectionConfig, session: Session, db: sqlite3.Connection) -> None:
    """:raises GuardRefused: the plan was made for another connection, or for another address of this one."""
    here = (identity_of(db, config.ref), config.connector, session.address)
    if (plan.identity, plan.connector, plan.address) != here:
        raise GuardRefused(
            f"the plan was made for {plan.connection}, a {plan.connector} at the address it had then",
            hint="nothing was changed; make the plan again", guard="other_connection",
        )  # fmt: skip


def applies_of(config: ConnectionConfig, engine: Provisioner) -> Applies:
    db = engine.journal.db
    return Applies(db=db, connection=connection_id(db, config.ref), clock=engine.clock)


def require_not_carried_out(plan: Plan, applies: Applies) -> None:
    """A plan is carried out once: what was decided after it is not undone by repeating it.

    :raises GuardRefused: saying when it was carried out in full.
    """
    before = applies.carried_out(plan.digest) if plan.steps else None
    if before is not None:
        number, when = before
        raise GuardRefused(
            f"the plan was carried out in full at {when} (apply {number}); nothing was changed",
            hint="make the plan again", guard="plan_repeated",
        )  # fmt: skip


def apply_plan(
    plan: Plan, limits: Limits, config: ConnectionConfig, reader: Reader, engine: Provisioner, path: Path,
    on_line: Callable[[Line], None] | None,
) -> ApplyReport:  # fmt: skip
    """Carry a plan out, after a look at a listing that was just read.

    :raises GuardRefused: nothing was written.
    :raises Busy: another process syncs or applies on this connection.
    """
    applies = applies_of(config, engine)
    with exclusive(path, engine.journal.db, config.ref, engine.clock):
        require_not_carried_out(plan, applies)  # by another process, since this one asked
        earlier = carried_out_before(reader, plan.digest)
        enabled = look_over(plan, planner(engine.session, reader), limits, engine, earlier)
        if engine.dry:
            return carry_out(plan, engine, None, on_line, enabled=enabled)
        _require_consent(plan, engine)
        id = applies.begin(plan.digest, to_json(plan), engine.asked)
        status = "interrupted"
        try:
            report = carry_out(plan, engine, id, on_line, enabled=enabled)
            status = report.status
            return report
        finally:
            applies.finish(id, status)


def _require_consent(plan: Plan, engine: Provisioner) -> None:
    """:raises GuardRefused: the plan removes accounts, and neither ``yes`` nor ``confirm`` says that this is meant."""
    if plan.removals and not engine.consent.yes:
        what = "1 account" if plan.removals == 1 else f"{plan.removals} accounts"
        raise GuardRefused(
            f"the plan removes {what}, which needs to be confirmed; nothing was changed",
            hint="yes=True confirms it, or confirm=, a function that is asked", guard="confirmation",
        )  # fmt: skip


def carried_out_before(reader: Reader, digest: str) -> EarlierApplies:
    """What earlier applies of the plan with that digest did, and what changed since."""
    changes = applied_by(reader, digest)
    return EarlierApplies(changes, changed_since(reader, changes) if changes else ())
