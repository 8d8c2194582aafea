"""`logs`: what happened in a sync or an operation, afterwards or while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from connector_core.cli.output import note, print_json, print_json_line, second
from connector_core.cli.program import Command, Options
from connector_core.cli.signals import interruptible
from connector_core.cli.table import Column, print_table
from connector_core.errors import Interrupted, UsageError
from connector_core.model import LEVELS, Level, LogLine

if TYPE_CHECKING:
    from connector_core.host.connection import Connection
    from connector_core.host.host import Host

_LOGS = (Column("AT (UTC)"), Column("LEVEL"), Column("MESSAGE", least=20, wrap=True))
_ALL = (_LOGS[0], Column("OF"), *_LOGS[1:])


@click.command(cls=Command)
@click.argument("connection")
@click.argument("number", type=int, required=False, metavar="[SYNC_OR_OPERATION]")
@click.option("--all", "everything", is_flag=True, help="Of all syncs and operations.")
@click.option(
    "--level", type=click.Choice(LEVELS), default="info", show_default=True,
    help="Lines of at least this level; debug has each request of an operation.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The last ones only.")
@click.option("--follow", "-f", is_flag=True, help="Go on showing lines as they come, until Ctrl-C.")
@click.pass_obj
def logs(
    options: Options, /, connection: str, number: int | None, everything: bool, level: Level, limit: int | None,
    follow: bool,
) -> int | None:  # fmt: skip
    """Show what happened in a sync or operation.

    Without a number, in the last sync. A grant, say, is an operation: connector-core operations lists them.

    With --follow, lines of everything that happens from now on; of one sync or operation, until it has ended. With
    --follow --json, a JSON document a line.
    """
    if (number is not None and everything) or (follow and (everything or limit)):
        raise UsageError("name a number, or --all, or --follow without --limit", hint="connector-core logs --help")
    with options.host() as host:
        asked = host.connection(connection)
        if follow:
            return _follow(options, host, asked, number, level)
        lines = asked.logs(number, level=level, everything=everything, limit=limit)
    if options.json:
        print_json({"connection": connection, "logs": [_document(line) for line in lines]})
    else:
        print_table(_ALL if everything else _LOGS, (_row(line, of=everything) for line in lines))
    return None


def _follow(options: Options, host: Host, asked: Connection, number: int | None, level: Level) -> int | None:
    """Until Ctrl-C, which is how one ends it and no error."""
    try:
        with interruptible(host.cancel):
            for line in asked.follow_logs(number, level=level):
                if options.json:
                    print_json_line(_document(line))
                else:
                    note("  ".join(filter(None, _row(line, of=number is None))))
    except Interrupted:
        return Interrupted.exit_code
    return None


def _document(line: LogLine) -> dict[str, object]:
    from attrs import asdict

    return asdict(line)


def _row(line: LogLine, *, of: bool) -> tuple[str, ...]:
    row = (second(line.at), line.level, line.message)
    return (row[0], _of(line), *row[1:]) if of else row


def _of(line: LogLine) -> str:
    if line.sync is not None:
        return f"sync {line.sync}"
    return f"operation {line.operation}" if line.operation is not None else ""
