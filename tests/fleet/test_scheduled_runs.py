"""The loop behind `run --every`, in a program of one's own: no signals, no printing."""

from __future__ import annotations

from pathlib import Path

from attrs import define, field
from kit.sync import Script, first, users

from connector_core.errors import ConnectorCoreError
from connector_core.fleet.schedule import Rhythm
from connector_core.fleet.scheduled_runs import FinishedRun, ScheduledRuns
from connector_core.host.host import Host


@define
class RunWatcher:
    """Stops the loop after the first run, and keeps what it was shown."""

    runs: list[FinishedRun] = field(factory=list)
    rereads: list[ConnectorCoreError | None] = field(factory=list)
    loop: ScheduledRuns | None = None

    def finished(self, run: FinishedRun, next_run: float | None) -> None:
        assert next_run is not None
        assert self.loop is not None
        self.runs.append(run)
        self.loop.stop(7)

    def reread(self, error: ConnectorCoreError | None) -> None:
        self.rereads.append(error)


def test_a_program_runs_what_is_due_and_stops_it(tmp_path: Path) -> None:
    """Each run is shown with its report, the configuration is read again on request, and the number comes back."""
    script = Script({None: first("users"), ("users", 0): users("ada")})
    recorder = RunWatcher()
    opened: list[Host] = []

    def open_host() -> Host:
        opened.append(Host(tmp_path / "s.db", plugins={"script": script}, installed=False))
        return opened[-1]

    loop = recorder.loop = ScheduledRuns(open_host, Rhythm(every=3600.0), lambda host: ["script"], recorder)
    loop.begin()
    loop.read_again()
    assert loop.run() == 7
    (run,) = recorder.runs
    assert run.report is not None
    assert (run.ok, run.report.counts.user, recorder.rereads, len(opened)) == (True, 1, [None], 3)
