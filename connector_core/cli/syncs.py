"""`syncs`: which syncs ran."""

from __future__ import annotations

import click

from connector_core.cli.output import print_json, second
from connector_core.cli.program import Command, Options
from connector_core.cli.table import Column, print_table
from connector_core.model import SyncInfo

_SYNCS = (
    Column("SYNC", right=True),
    Column("STATUS"),
    Column("STARTED (UTC)"),
    Column("TOOK", right=True),
    Column("PAGES", right=True),
    Column("REASON", least=20, wrap=True),
)


@click.command(cls=Command)
@click.argument("connection")
@click.option("--limit", type=click.IntRange(1), default=20, metavar="N", show_default=True, help="The newest ones.")
@click.pass_obj
def syncs(options: Options, connection: str, limit: int) -> None:
    """List the syncs that ran, the newest first."""
    with options.host() as host:
        rows = host.connection(connection).syncs(limit)
    if options.json:
        from attrs import asdict

        print_json({"connection": connection, "syncs": [asdict(row) for row in rows]})
    else:
        print_table(_SYNCS, map(_sync, rows))


def _sync(sync: SyncInfo) -> tuple[str | None, ...]:
    took, pages = f"{sync.seconds:,.1f} s", f"{sync.pages:,}"
    return (str(sync.id), sync.status, second(sync.started), took, pages, sync.reason)
