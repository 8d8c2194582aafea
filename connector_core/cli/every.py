"""`run --every`: what it prints, and the signals that stop it; `connector_core.fleet` runs the loop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import frozen

from connector_core.cli.output import error_member, note, print_json_line, say
from connector_core.cli.program import Options
from connector_core.cli.signals import on_hangup, stopping
from connector_core.clock import rfc3339
from connector_core.errors import ConnectorCoreError, Interrupted
from connector_core.fleet.scheduled_runs import FinishedRun, ScheduledRuns
from connector_core.model import SyncReport

_INTERRUPTED = 130


def run_until_stopped(runs: ScheduledRuns) -> int:
    """Run until SIGTERM (then 0) or SIGINT (then 130); both let the pages in hand be finished.

    :raises UsageError, ConfigurationError: no connection can be run.
    """
    runs.begin()
    with stopping(runs.stop), on_hangup(runs.read_again):
        number = runs.run()
    return 0 if number == signal.SIGTERM else _INTERRUPTED


@frozen
class RunPrinter:
    """Prints each run as it ends.

    :param shown: what is printed of a report, as text and as JSON.
    """

    options: Options
    shown: Callable[[SyncReport], tuple[str, dict[str, Any]]]

    def finished(self, run: FinishedRun, next_run: float | None) -> None:
        if isinstance(run.error, Interrupted):
            self.options.remark(f"{run.name}: interrupted; the next run within an hour resumes it")
            return
        text, document = self.shown(run.report) if run.report is not None else ("", {"connection": run.name})
        if self.options.json:
            error = error_member(run.error) if run.error is not None else {}
            print_json_line({**document, **error, "next_run": next_run and rfc3339(next_run)})
        elif run.error is not None:
            self._complain(run.error, run.name)
        else:
            note(text)
        if next_run is not None:
            when = datetime.fromtimestamp(next_run, UTC)
            self.options.remark(f"{run.name}: next run {when:%Y-%m-%d %H:%M:%S} UTC")

    def reread(self, error: ConnectorCoreError | None) -> None:
        if error is None:
            self.options.remark("read the configuration again")
        else:
            self._complain(error, "the configuration stays as it was")

    def _complain(self, error: ConnectorCoreError, what: str) -> None:
        say(f"error: {what}: {error.message}")
        if error.hint:
            say(f"hint: {error.hint}")
