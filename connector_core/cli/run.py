"""`run`: the main job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.output import note, plural, print_json, say
from connector_core.cli.program import CHANGES, Command, Options
from connector_core.cli.progress import Reporter
from connector_core.cli.signals import interruptible
from connector_core.errors import IncompleteError, Interrupted, UsageError
from connector_core.model import SyncReport

if TYPE_CHECKING:
    from connector_core.host.connection import Connection
    from connector_core.host.host import Host

_MAX_WORKERS = 64
_WARNINGS = 20  # a thousand lines would hide the result


@click.command(cls=Command)
@click.argument("connection", required=False)
@click.option("--workers", type=click.IntRange(1, _MAX_WORKERS), metavar="N", help="Pages to ask for at once.")
@click.option("--fresh", is_flag=True, help="Begin a new sync instead of resuming an interrupted one.")
@click.option("--accept-removals", is_flag=True, help="Accept the removals that the last sync was held for.")
@click.option("--exit-code", is_flag=True, help="Exit with 10 where there are changes.")
@click.option("--every", metavar="TIME", help="Run again and again: every 90s, 15m, 6h, 7d.")
@click.option("--all", "everything", is_flag=True, help="With --every: all connections that are configured.")
@click.option("--sandbox", is_flag=True, help="Read the connector's own stand-in server instead.")
@click.pass_obj
def run(
    options: Options, /, connection: str | None, exit_code: bool, every: str | None, everything: bool, sandbox: bool,
    **how: Any,
) -> int:  # fmt: skip
    """Read all users and roles, and publish the result.

    A sync that was interrupted is resumed. A sync that would remove many people at once is held: nothing is removed
    until a person has looked and gives --accept-removals.

    With --every it runs until SIGTERM or Ctrl-C, less often while it fails; SIGHUP reads the configuration again.
    """
    if (connection is None) != everything or (everything and (every is None or sandbox)):
        raise UsageError("name one CONNECTION, or --all with --every", hint="connector-core run --help says more")
    if every is not None:
        return _again(options, connection, every, sandbox, exit_code, how)
    assert connection is not None
    with options.host() as host:
        asked = host.connection(_sandbox_of(host, connection) if sandbox else connection)
        report = _sync(options, host, asked, how)
        if options.json:
            print_json(_document(report))
        else:
            _print_warnings(report)
            if not options.quiet or report.sync.status != "complete":  # --quiet is for cron, which mails every line
                _print(report, first=sum(sync.event is not None for sync in asked.syncs()) == 1)
    if report.sync.status != "complete":
        return IncompleteError.exit_code
    return CHANGES if exit_code and report.changes.total else 0


def _again(
    options: Options, connection: str | None, every: str, sandbox: bool, exit_code: bool, how: dict[str, Any]
) -> int:
    from connector_core.cli.every import RunPrinter, run_until_stopped
    from connector_core.fleet.schedule import Rhythm, duration
    from connector_core.fleet.scheduled_runs import ScheduledRuns

    if exit_code or how["fresh"] or how["accept_removals"]:
        raise UsageError(
            "--every goes with neither --fresh, --accept-removals nor --exit-code", hint="say them in a run of its own"
        )

    def names(host: Host) -> list[str]:
        if connection is None:
            return [n for n in host.connections_in_use() if not host.connection(n).config.sandbox]
        return [_sandbox_of(host, connection) if sandbox else connection]

    printer = RunPrinter(options, lambda report: (_line(report), _document(report)))
    rhythm = Rhythm(every=duration(every))
    return run_until_stopped(ScheduledRuns(options.host, rhythm, names, printer, how["workers"]))


def _sandbox_of(host: Host, connection: str) -> str:
    from connector_core.config.configuration import SANDBOX

    return connection if connection.endswith(SANDBOX) else host.connection(connection).config.connector + SANDBOX


def _sync(options: Options, host: Host, asked: Connection, how: dict[str, Any]) -> SyncReport:
    with Reporter(options) as reporter:

        def stop() -> None:
            host.cancel()
            reporter.interrupted()

        try:
            with interruptible(stop):
                return asked.sync(on_progress=reporter.progress, on_event=reporter.event, **how)
        except Interrupted as error:
            error.hint = f"connector-core run {asked.name} resumes it"
            raise


def _document(report: SyncReport) -> dict[str, Any]:
    """The report as it is; ``error`` is there only where there was one."""
    from connector_core.convert import to_json

    document: Any = to_json(report)
    del document["error"]
    return dict(document)


def _line(report: SyncReport) -> str:
    """The result of one run of several."""
    sync, counts = report.sync, report.counts
    parts = [f"{sync.status}{f' ({sync.reason})' if sync.reason else ''}"]
    if sync.event is not None:
        parts += [plural(counts.user, "user"), _changes(report)]
    return f"{report.connection}: {', '.join([*parts, f'{sync.seconds:.1f} s'])}"


def _print_warnings(report: SyncReport) -> None:
    for warning in report.warnings[:_WARNINGS]:
        say(f"warning: {warning}")
    if (more := len(report.warnings) - _WARNINGS) > 0:
        say(f"warning: and {more:,} more (connector-core logs {report.connection} --level warning)")


def _print(report: SyncReport, *, first: bool) -> None:
    """Print the result, and what to look at next."""
    sync, counts = report.sync, report.counts
    note(f"{report.connection}: {sync.status}{f' ({sync.reason})' if sync.reason else ''}")
    if sync.event is None:
        note("  nothing was published: the picture is as it was")
    else:
        held = (plural(counts.user, "user"), plural(counts.role, "role"), plural(counts.grant, "grant"))
        note(f"  {', '.join(held)}")
        note("  the first picture: later syncs are compared with it" if first else f"  {_changes(report)}")
    work = (plural(sync.pages, "page"), plural(sync.requests, "request"), f"{sync.seconds:.1f} s")
    note(f"  sync {sync.id}: {', '.join(work)}{', resumed' if sync.resumed else ''}")
    note(f"  {_next(report)}")


def _changes(report: SyncReport) -> str:
    changes = report.changes
    if not changes.total:
        return "no changes"
    return f"{changes.added:,} added, {changes.removed:,} removed, {changes.changed:,} changed"


def _next(report: SyncReport) -> str:
    name = report.connection
    if report.sync.status == "held":
        return f"look at the application; where it is right: connector-core run {name} --accept-removals"
    if report.sync.status == "incomplete":
        return f"no account was removed without proof; why: connector-core logs {name}"
    return f"next: connector-core {'changes' if report.changes.total else 'access'} {name}"
