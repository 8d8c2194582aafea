"""The phases of a sync: read, read again where rows moved, compare, guard, look up what is missing, settle what
contradicts each other, publish.

Every phase is left only when the frontier is empty, and each step from one to the next can be repeated: so a sync that
died resumes where it was, whichever phase that was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from attrs import frozen

from connector_core.errors import ProtocolError
from connector_core.model import SyncStatus
from connector_core.store import runs
from connector_core.store.connections import put_resource_types
from connector_core.store.database import transaction
from connector_core.store.frontier import NO_STREAM
from connector_core.store.judge import Verdict, contradicted, judge_all, readings, single_readings
from connector_core.store.losses import LossTable
from connector_core.store.publish import Publisher
from connector_core.store.removals import Removals
from connector_core.store.staging import Staging
from connector_core.sync.reading import PageReader, SyncContext


@frozen(kw_only=True)
class StreamsSummary:
    """How a sync ended."""

    status: SyncStatus
    reason: str | None = None


@frozen(kw_only=True)
class _Judgement:
    """``state``: how many pages were committed, and the newest mark of an operation; ``objection``: why to hold."""

    state: tuple[int, int]
    verdicts: list[Verdict]
    objection: str | None


_UNORDERED = (
    "its rows may come in no fixed order, so that pages miss some: with a larger page_size it is read in fewer pages, "
    "and in one page none is missed"
)
_NAMED = 5  # lists that a reason names one by one
_Step = Callable[[], str | StreamsSummary]


class SyncEngine:
    """One process's run of one sync. All writing happens in the thread that calls `run`."""

    def __init__(self, db: sqlite3.Connection, connection: int, sync: int, means: SyncContext, *, accept: bool) -> None:
        """:param accept: accept the removals that the last held sync named."""
        self._db = db
        self._connection = connection
        self._sync = sync
        self._means = means
        self._accept = accept
        self._log = means.log
        self._clock = means.clock
        self._staging = Staging(db, connection, sync, means.clock, means.log)
        self._removals = Removals(db, connection, sync, self._staging.same, means.clock)
        self._losses = LossTable(db, connection, sync, means.clock)
        self._reading = PageReader(self._staging, means)
        self._judgement: _Judgement | None = None
        self._began = means.clock.monotonic()

    def run(self) -> StreamsSummary:
        """Go through the phases that are still ahead.

        :raises ConnectorCoreError: the sync has failed, or was interrupted; nothing of it is published.
        """
        put_resource_types(self._db, self._connection, self._means.manifest.resource_types)
        steps: dict[str, _Step] = {
            "reading": self._read, "rereading": self._reread, "comparing": self._compare, "confirming": self._confirm,
        }  # fmt: skip
        phase = runs.sync_row(self._db, self._sync)["phase"]
        with self._reading:
            while phase in steps:
                outcome = steps[phase]()
                if isinstance(outcome, StreamsSummary):
                    return outcome
                phase = outcome
                runs.set_phase(self._db, self._sync, phase)
            return self._publish_or_hold()

    @property
    def unreported(self) -> tuple[float, int]:
        """Seconds since it began, and requests that no commit has counted: for whom it failed."""
        return self._clock.monotonic() - self._began, self._reading.new_requests()

    # -- the phases ----------------------------------------------------------------------------------------

    def _read(self) -> str:
        self._staging.begin(self._means.manifest.entitlements)
        self._reading.drain("reading")
        self._log.add("info", f"read {self._reading.resources:,} resources")
        times = readings(self._db, self._sync)
        for verdict in judge_all(self._db, self._sync):
            if verdict.hidden and self._staging.frontier.is_first(verdict.stream):
                raise ProtocolError(f"{verdict.stream}: {verdict.reason}", hint="the token may count but not see them")
            if verdict.repeat and times[verdict.stream] == 1:
                reason = verdict.reason or "its rows could not be read"
                self._log.add("info", f"{verdict.stream}: {reason}; reading it once more")
                self._staging.frontier.read_again(verdict.stream)
        return "rereading"

    def _reread(self) -> str:
        """Read the second time; what only one reading gave, and copies that differ, are then read by their id."""
        self._reading.drain("reading again")
        most = self._means.policy.max_lookups
        contradictions = contradicted(self._db, self._sync) if self._can_look_up else {}
        for stream, times in readings(self._db, self._sync).items() if self._can_look_up else ():
            doubtful = contradictions.get(stream, [])
            doubtful += single_readings(self._db, self._sync, stream, most + 1) if times == 2 else []
            if len(doubtful) <= most:
                self._staging.frontier.look_up(stream, doubtful)
        return "comparing"

    def _compare(self) -> str | StreamsSummary:
        """Judge what would leave the picture; below the guard's limits, look each missing resource up by its id."""
        self._reading.drain("comparing")
        with transaction(self._db):
            if self._judged().objection is not None:
                return self._hold()
        if self._can_look_up:
            unseen = self._removals.unseen()
            if unseen:
                self._log.add("info", f"{len(unseen):,} resources are no longer listed; looking each up by its id")
            self._staging.frontier.look_up(NO_STREAM, unseen)
        return "confirming"

    def _confirm(self) -> str:
        """Look up what is missing; where a look-up denies what a stream gives, read both once more."""
        self._reading.drain("confirming")
        with transaction(self._db):
            self._judged()
            principals, streams = self._removals.disputed()
            if principals:
                self._log.add("info", f"lists and look-ups contradict each other on {len(principals):,} accounts")
            for stream in streams:
                self._staging.frontier.read_again(stream)
        self._staging.frontier.look_up(NO_STREAM, principals, reading=2)
        return "publishing"

    def _publish_or_hold(self) -> StreamsSummary:
        self._reading.drain("reading once more")
        with transaction(self._db):
            judgement = self._judged()
            if judgement.objection is not None:  # looking up may have found more grants ended
                return self._hold()
            if not self._can_look_up and self._incomplete(judgement.verdicts) is None:
                self._removals.take_unseen_as_gone()
            return self._publish(judgement.verdicts)

    def _publish(self, verdicts: list[Verdict]) -> StreamsSummary:
        reason = self._incomplete(verdicts)
        for verdict in verdicts:
            if verdict.unsteady:
                self._log.add("warning", f"{verdict.stream}: {_UNORDERED}")
        ending = StreamsSummary(status="complete" if reason is None else "incomplete", reason=reason)
        self._finish(ending)
        self._losses.remember(accepted=self._accept)
        counts = Publisher(self._db, self._connection, self._sync).publish(self._clock)
        said = f"published: {counts.added:,} added, {counts.removed:,} removed, {counts.changed:,} changed"
        self._log.write(self._db, "info", said)
        return ending

    def _hold(self) -> StreamsSummary:
        ending = StreamsSummary(status="held", reason=self._judged().objection)
        self._losses.hold()
        self._finish(ending)
        runs.discard_staged(self._db, self._connection)
        return ending

    def _finish(self, ending: StreamsSummary) -> None:
        """Write the ending together with what it means: a sync that died in between would be resumed wrongly."""
        if unknown := self._staging.unknown():
            self._log.add(
                "warning", f"what {unknown} accounts hold could not be read; earlier grants stand, unconfirmed"
            )
        if unknown := self._staging.unknown_entitlements():
            self._log.add("warning", f"who holds {unknown} entitlements could not be read; earlier grants stand")
        unlisted, first = self._staging.unlisted()
        if unlisted:
            said = f"{unlisted:,} principals of grants are in no list, such as {first}: what they hold is not shown"
            self._log.add("warning", said)
        self._log.write(self._db, "info", f"{ending.status}{f': {ending.reason}' if ending.reason else ''}")
        seconds, requests = self.unreported
        runs.finish(self._db, self._sync, ending.status, seconds, self._clock, requests=requests, reason=ending.reason)

    # -- judging -------------------------------------------------------------------------------------------

    def _judged(self) -> _Judgement:
        """Which streams add up, what would leave, and why not to publish that; inside a transaction.

        As the last time, where nothing was committed and no operation was verified since.
        """
        state = (self._staging.commits, self._staging.newest_mark())
        if self._judgement is None or self._judgement.state != state:
            verdicts = judge_all(self._db, self._sync)
            self._removals.find(verdicts, can_look_up=self._can_look_up)
            self._losses.find()
            self._judgement = _Judgement(state=state, verdicts=verdicts, objection=self._objection())
        return self._judgement

    def _objection(self) -> str | None:
        losses, earlier = self._losses.count(accepted=self._accept), self._losses.earlier()
        return self._means.policy.guard.objection(
            losses, earlier=earlier, address_changed=self._losses.address_changed()
        )

    def _incomplete(self, verdicts: list[Verdict]) -> str | None:
        """Why the sync is not complete: a stream that is not whole or was not begun, a row or resource not read."""
        reasons = [f"{v.stream or 'the beginning'}: {v.reason}" for v in verdicts if not v.adds_up]
        read = [v.stream for v in verdicts]
        reasons += [f"{name}: not read, its {n} grants stand" for name, n in self._removals.not_begun(read)]
        reasons = reasons[:_NAMED] + ([f"{len(reasons) - _NAMED} more lists"] if len(reasons) > _NAMED else [])
        if rejected := runs.rejected(self._db, self._sync) or sum(v.rejected for v in verdicts):
            reasons.append(f"{rejected} rows could not be read")
        if disputed := self._removals.disputed()[0]:
            reasons.append(f"what {len(disputed)} accounts hold is not the same in a list and in a look-up")
        if failed := self._staging.frontier.not_looked_up():
            reasons.append(f"{failed} resources that were not listed could not be looked up")
        return "; ".join(reasons) or None

    @property
    def _can_look_up(self) -> bool:
        return "sync_resource" in self._means.connector.hooks
