"""`syncs` and `logs`: which syncs ran, and what happened in one."""

from __future__ import annotations

import click

from connector_core.cli.output import note, print_json, print_table
from connector_core.cli.program import Command, Options


@click.command(cls=Command)
@click.argument("connection")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="The newest ones only.")
@click.pass_obj
def syncs(options: Options, connection: str, limit: int) -> None:
    """List the syncs that ran, newest first."""
    with options.host() as host:
        rows = host.connection(connection).syncs(limit)
    if options.json:
        from attrs import asdict

        print_json({"connection": connection, "syncs": [asdict(row) for row in rows]})
        return
    table = [
        (str(s.id), s.status, s.started[:19].replace("T", " "), f"{s.seconds:.1f} s", str(s.pages), s.reason)
        for s in rows
    ]
    print_table(("SYNC", "STATUS", "STARTED", "TOOK", "PAGES", "REASON"), table)


@click.command(cls=Command)
@click.argument("connection")
@click.argument("sync", type=int, required=False)
@click.pass_obj
def logs(options: Options, connection: str, sync: int | None) -> None:
    """Show what happened in a sync; in the last one where none is named."""
    with options.host() as host:
        lines = host.connection(connection).logs(sync)
    if options.json:
        from attrs import asdict

        print_json({"connection": connection, "logs": [asdict(line) for line in lines]})
        return
    for line in lines:
        note(f"{line.at}  {line.level:7}  {line.message}")
