"""`connector-core` alone: the connections, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from connector_core.cli.connections import document, print_statuses, statuses
from connector_core.cli.output import note, print_json
from connector_core.cli.program import Options

if TYPE_CHECKING:
    from connector_core.host.status import ConnectionStatus

_NEXT = {  # by label: a command, and what it is for; of several connections the first one that needs it is named
    "held": ("logs {0} --level warning", "says what the sync was held for"),
    "failing": ("check {0}", "finds out what is wrong"),
    "incomplete": ("logs {0} --level warning", "says what is missing"),
    "interrupted": ("run {0}", "resumes the sync"),
    "new": ("run {0}", "reads it for the first time"),
    "connected": ("access {0}", "shows who has what"),
}


def show_overview(options: Options) -> None:
    """Print the connections in use, the one line that matters of each, and the commands that come next."""
    with options.host() as host:
        rows = statuses(host, False)
        connectors = sorted(info.name for info in host.plugins() if info.error is None)
    following = _following(rows, connectors)
    if options.json:
        commands = [f"connector-core {command}" for command, _ in following]
        print_json({"connections": [document(row) for row in rows], "next": commands})
        return
    if rows:
        print_statuses(rows)
    else:
        note("no connection is set up yet")
    for command, why in following:
        note(f"next: connector-core {command}  ({why})")


def _following(rows: Sequence[ConnectionStatus], connectors: Sequence[str]) -> list[tuple[str, str]]:
    """The commands that come next, each with its purpose."""
    found = []
    for label, (command, why) in _NEXT.items():
        if named := next((row.connection for row in rows if row.label == label), None):
            found.append((command.format(named), why))
    if not rows:
        found += [(f"run {name} --sandbox", "reads a stand-in server, without an account") for name in connectors[:1]]
        found += [(f"add {name}", "sets a connection up") for name in connectors]
    return [*found, ("--help", "lists the commands")]
