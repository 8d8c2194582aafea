"""`connections` and `status`: how connections are doing, and whether one needs a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.output import minute, note, print_json
from connector_core.cli.program import Command, Options
from connector_core.cli.table import Column, print_table

if TYPE_CHECKING:
    from connector_core.host.host import Host
    from connector_core.host.status import ConnectionStatus

NEEDS_PERSON = 6
_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


@click.command(cls=Command)
@click.option("--all", "everything", is_flag=True, help="Also those that are neither configured nor used yet.")
@click.pass_obj
def connections(options: Options, /, everything: bool) -> None:
    """List the connections, and how each is doing.

    Those that are neither configured nor used yet are left out, unless --all is given.
    """
    with options.host() as host:
        rows = statuses(host, everything)
    if options.json:
        print_json({"connections": [document(row) for row in rows]})
        return
    print_statuses(rows)


def print_statuses(rows: Sequence[ConnectionStatus]) -> None:
    """Print a table, a line for each connection."""
    head: list[Column | str] = [
        Column("CONNECTION"), Column("APP", least=8), Column("OWNER", least=8), "MANAGED", "STATE", "LAST COMPLETE",
        "NEXT RUN", Column("WHY", least=12, wrap=True),
    ]  # fmt: skip
    lines = [_row(row) for row in rows]
    if not any(row.next_run for row in rows):
        head.remove("NEXT RUN")
        lines = [[*line[:-2], line[-1]] for line in lines]
    print_table(head, lines)


@click.command(cls=Command)
@click.argument("connection", required=False)
@click.pass_obj
def status(options: Options, /, connection: str | None) -> int:
    """Say how connections are doing, for monitoring.

    Exits with 6 where one needs a person: its last sync failed, was held, or was incomplete, or whatever runs it every
    so often has stopped.
    """
    with options.host() as host:
        rows = [host.status(connection)] if connection else statuses(host, False)
    troubled = [row for row in rows if row.needs_person]
    if options.json:
        print_json({"ok": not troubled, "connections": [document(row) for row in rows]})
    else:
        for row in rows:
            late = ", its next run is overdue" if row.overdue else ""
            note(f"{row.connection}: {row.label}{_since(row)}{late}{f': {row.why}' if row.why else ''}")
    return NEEDS_PERSON if troubled else 0


def statuses(host: Host, everything: bool) -> list[ConnectionStatus]:
    """Return how connections are doing: those in use, or all that can be named."""
    return [host.status(name) for name in (host.connection_names() if everything else host.connections_in_use())]


def document(row: ConnectionStatus) -> dict[str, Any]:
    """Return the connection as scripts see it."""
    from connector_core.convert import to_json

    document: Any = to_json(row)
    return dict(document)


def _row(row: ConnectionStatus) -> list[str | None]:
    managed = "managed" if row.managed else "unmanaged"
    complete = f"{ago(row.age)} ago" if row.age is not None else "never"
    return [row.connection, row.app, row.owner, managed, f"{row.label}{_since(row)}", complete, _next(row), row.why]


def _next(row: ConnectionStatus) -> str | None:
    if row.next_run is None:
        return None
    return f"{'overdue: ' * row.overdue}{minute(row.next_run)}"


def _since(row: ConnectionStatus) -> str:
    return f" since {minute(row.since)}" if row.since else ""


def ago(seconds: float) -> str:
    """A duration as people say it: ``5 min``, ``3 h``, ``2 d``."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
