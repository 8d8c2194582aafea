"""One process's provisioning: opens the state, names the holder, makes the session, settles what was left open."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector_core.clock import Clock, SystemClock
from connector_core.config.configuration import ConnectionConfig
from connector_core.connectors.plugins import Plugins
from connector_core.connectors.session import Session
from connector_core.errors import ConnectorCoreError
from connector_core.host.audit import asker
from connector_core.host.traffic import Traffic
from connector_core.provision.accounts import Accounts
from connector_core.provision.calls import Calls, WriteAhead
from connector_core.provision.engine import Provisioner, ProvisionPolicy
from connector_core.provision.guards import Consent, Guards, protection_of
from connector_core.provision.holder import Holders
from connector_core.provision.operation_log import OperationLog
from connector_core.provision.options import ChangeOptions
from connector_core.provision.settle import Settler
from connector_core.provision.verify import Verifier
from connector_core.store.connections import ConnectionRef, connection_id, find_connection, put_resource_types
from connector_core.store.database import transaction
from connector_core.store.follow import Follower
from connector_core.store.journal import Journal, Requester
from connector_core.store.logs import LogBuffer
from connector_core.store.protected import ProtectedAccounts


@contextmanager
def provisioner(
    db: sqlite3.Connection, path: Path, config: ConnectionConfig, session: Session, ahead: WriteAhead, clock: Clock,
    terms: ChangeOptions, traffic: Traffic, *, cancel: threading.Event | None = None,
    policy: ProvisionPolicy | None = None,
) -> Iterator[Provisioner]:  # fmt: skip
    """An engine for one process's run; on entering, it has settled what earlier runs left open.

    :param traffic: receives the session's requests; its lines go into the log of each operation.
    """
    holders, policy = Holders(path), policy or ProvisionPolicy()
    calls = Calls(ahead=ahead, clock=clock, cancel=cancel or threading.Event(), deadline=policy.call_deadline)
    with holders.sitting() as holder:
        verifier = _verifier(db, config, session, calls, holder, policy)
        log = traffic.log = verifier.operations.log
        session.connector.voice.log = log.add
        with _logging_refusals(db, log):
            guards = _guards(db, config, session, verifier.operations.follower)
            Settler(verifier=verifier, settle_after=policy.settle_after).settle(holders.is_alive)
            yield Provisioner(
                accounts=verifier.accounts, operations=verifier.operations, verifier=verifier, guards=guards,
                clock=clock, asked=Requester(who=terms.get("who") or asker(), reason=terms.get("reason")),
                consent=_consent(terms), dry=terms.get("dry_run", False),
            )  # fmt: skip


def announce(engine: Provisioner, plugins: Plugins) -> None:
    """Announce every operation that has ended, once; what plugins complain of goes into the log, secrets masked."""
    ended, log, db = engine.operations.ended, engine.operations.log, engine.journal.db
    while ended:
        for complaint in plugins.announce("operation_finished", operation=ended.popleft()):
            log.write(db, "error", complaint)


@contextmanager
def _logging_refusals(db: sqlite3.Connection, log: LogBuffer) -> Iterator[None]:
    """What ended in an error before it became an operation has no other place where it could be seen later."""
    try:
        yield
    except ConnectorCoreError as error:
        if error.report is None:
            with transaction(db):
                log.write(db, "warning", f"{error.code}: {error.message}")
        raise


def _verifier(
    db: sqlite3.Connection, config: ConnectionConfig, session: Session, calls: Calls, holder: str,
    policy: ProvisionPolicy,
) -> Verifier:  # fmt: skip
    """The connection's rows are made where this is the first that anybody hears of it."""
    with transaction(db):
        connection = connection_id(db, config.ref)
        put_resource_types(db, connection, session.manifest.resource_types)
        follower = Follower(db, connection, calls.clock)
        follower.define(session.manifest.entitlements)
    journal = Journal(db, connection, calls.clock, holder, session.address)
    accounts = Accounts(session=session, calls=calls, journal=journal, stored=follower.defined)
    log = LogBuffer(connection, calls.clock, session.http.mask)
    operations = OperationLog(journal=journal, follower=follower, accounts=accounts, log=log)
    return Verifier(accounts=accounts, operations=operations, clock=calls.clock, patience=policy.verify_for)


def _guards(
    db: sqlite3.Connection, config: ConnectionConfig, session: Session, follower: Follower
) -> Guards:  # fmt: skip
    protection = protection_of(session.settings)
    with transaction(db):
        accounts = ProtectedAccounts(db, connection_id(db, config.ref))
        protected = accounts.refresh(protection)
    return Guards(
        protection=protection, protected=protected, remember=accounts.remember, inheritors=follower.inheritors
    )


def _consent(terms: ChangeOptions) -> Consent:
    return Consent(
        yes=terms.get("yes", False), confirm=terms.get("confirm"), on_planned=terms.get("on_planned"),
        include_protected=terms.get("include_protected", False),
    )  # fmt: skip


def has_open(db: sqlite3.Connection, ref: ConnectionRef) -> bool:
    """Whether there is anything to settle."""
    row = find_connection(db, ref)
    return row is not None and bool(Journal(db, row["id"], SystemClock(), "").open_entries())
