"""One sitting of provisioning: state opened, holder named, session made, what was left open settled first."""

from __future__ import annotations

import getpass
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connector_core.clock import Clock, SystemClock
from connector_core.config import ConnectionConfig
from connector_core.provision.engine import Provisioner, ProvisionPolicy, WriteAhead
from connector_core.provision.guards import Consent, Guards
from connector_core.provision.holder import Holders
from connector_core.session import Session
from connector_core.store.connections import connection_id, find_connection, put_resource_types
from connector_core.store.database import transaction
from connector_core.store.follow import Follower
from connector_core.store.journal import Asked, Journal
from connector_core.terms import Terms


@contextmanager
def provisioner(
    db: sqlite3.Connection, path: Path, config: ConnectionConfig, session: Session, ahead: WriteAhead, clock: Clock,
    terms: Terms, policy: ProvisionPolicy | None = None,
) -> Iterator[Provisioner]:  # fmt: skip
    """An engine for one sitting; on entering, it has settled what earlier sittings left open."""
    holders = Holders(path)
    with holders.sitting() as holder:
        with transaction(db):
            connection = connection_id(db, config.name, config.connector)
            put_resource_types(db, connection, session.manifest.resource_types)
            follower = Follower(db, connection, clock)
            follower.define(session.manifest.entitlements)
        engine = Provisioner(
            session=session, journal=Journal(db, connection, clock, holder), follower=follower,
            guards=Guards.of(session.settings), ahead=ahead, clock=clock,
            asked=Asked(who=terms.get("who") or asker(), reason=terms.get("reason")),
            consent=Consent(
                yes=terms.get("yes", False), confirm=terms.get("confirm"),
                include_protected=terms.get("include_protected", False),
            ),
            dry=terms.get("dry_run", False), policy=policy or ProvisionPolicy(),
        )  # fmt: skip
        engine.settle(holders.is_alive)
        yield engine


def has_open(db: sqlite3.Connection, connection: str) -> bool:
    """Whether there is anything to settle."""
    row = find_connection(db, connection)
    return row is not None and bool(Journal(db, row["id"], SystemClock(), "").open_entries())


def asker() -> str:
    """Who asks, where nobody says: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # no such user in this container
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
