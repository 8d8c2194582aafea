"""`run`: the main job."""

from __future__ import annotations

from typing import Any

import click

from connector_core.cli.output import note, print_json, say
from connector_core.cli.program import Command, Options, interruptible
from connector_core.cli.progress import Reporter
from connector_core.errors import ConnectorCoreError
from connector_core.model import SyncReport

INCOMPLETE, CHANGES = 6, 10


@click.command(cls=Command)
@click.argument("connection")
@click.option("--workers", type=click.IntRange(1, 64), metavar="N", help="Pages to ask for at once.")
@click.option("--fresh", is_flag=True, help="Begin anew, also where an interrupted sync could be gone on with.")
@click.option("--accept-removals", is_flag=True, help="Accept the removals that the last sync was held for.")
@click.option("--exit-code", is_flag=True, help="Exit with 10 where there are changes.")
@click.option("--sandbox", is_flag=True, help="Use the connector's own stand-in server instead of the application.")
@click.pass_obj
def run(
    options: Options, connection: str, workers: int | None, fresh: bool, accept_removals: bool, exit_code: bool,
    sandbox: bool,
) -> int:  # fmt: skip
    """Read everything from the application, and publish what it came to.

    A sync that was interrupted is gone on with. A sync that would remove many people at once is held, and nothing is
    removed, until it was looked at and --accept-removals says so.
    """
    name = f"{connection}-sandbox" if sandbox and not connection.endswith("-sandbox") else connection
    with options.host() as host, interruptible(host.cancel), Reporter(options) as reporter:
        try:
            report = host.connection(name).sync(
                workers=workers, fresh=fresh, accept_removals=accept_removals,
                on_progress=reporter.progress, on_event=reporter.event,
            )  # fmt: skip
        except ConnectorCoreError as error:
            if error.report is None or not options.json:
                raise
            reporter.stop()
            print_json(_document(error.report, error))
            return error.exit_code
    if options.json:
        print_json(_document(report))
    else:
        _print(report)
    if report.sync.status != "complete":
        return INCOMPLETE
    return CHANGES if exit_code and report.changes.total else 0


def _document(report: SyncReport, error: ConnectorCoreError | None = None) -> dict[str, Any]:
    from connector_core.convert import to_json

    document: Any = to_json(report)
    if error is None:
        document.pop("error")
    else:
        document["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
    return dict(document)


def _print(report: SyncReport) -> None:
    """What came of it, and what to look at next."""
    sync, counts, name = report.sync, report.counts, report.connection
    for warning in report.warnings:
        say(f"warning: {warning}")
    note(f"{name}: {sync.status}{f' ({sync.reason})' if sync.reason else ''}")
    if sync.event is not None:
        note(f"  {counts.user} users, {counts.role} roles, {counts.grant} grants")
        note(f"  {_changes(report)}")
    resumed = ", resumed" if sync.resumed else ""
    note(f"  sync {sync.id}: {sync.pages} pages, {sync.requests} requests, {sync.seconds:.1f} s{resumed}")
    note(f"  {_next(report)}")


def _changes(report: SyncReport) -> str:
    changes = report.changes
    if not changes.total:
        return "no changes"
    return f"{changes.added} added, {changes.removed} removed, {changes.changed} changed"


def _next(report: SyncReport) -> str:
    name = report.connection
    if report.sync.status == "held":
        return f"nothing was removed; look at the application, then: connector-core run {name} --accept-removals"
    if report.sync.status == "incomplete":
        return f"nothing unproven was removed; why: connector-core logs {name}"
    command = "changes" if report.changes.total else "access"
    return f"next: connector-core {command} {name}"
