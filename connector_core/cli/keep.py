"""`backup`: a copy of the state, while it is in use."""

from __future__ import annotations

import click

from connector_core.cli.output import note, print_json
from connector_core.cli.program import Command, Options
from connector_core.files import expanded


@click.command(cls=Command)
@click.argument("file")
@click.option("--connection", metavar="NAME", help="Whose state, where each connection has a file of its own.")
@click.option("--force", is_flag=True, help="Put it in the place of a file that is there.")
@click.pass_obj
def backup(options: Options, /, file: str, connection: str | None, force: bool) -> None:
    """Copy the state into a file, also while it is in use.

    The copy is of one moment, looked over before it gets its name, and readable by you alone. It is a state file
    itself: --db FILE looks into it.
    """
    target = expanded(file)
    with options.host() as host:
        size = host.backup(target, connection=connection, force=force)
    if options.json:
        print_json({"file": str(target), "bytes": size})
    else:
        note(f"copied the state into {target} ({size:,} bytes)")
