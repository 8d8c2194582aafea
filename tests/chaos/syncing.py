"""Syncs of a scene: how they end, and that everything comes right once nothing is wrong."""

from __future__ import annotations

from typing import Any

from chaos.oracle import SyncOutcome
from chaos.stage import ChaosCase
from connector_core.errors import ConnectorCoreError


def sync(scene: ChaosCase, **more: Any) -> tuple[SyncOutcome, int]:
    """Sync; how it ended, and how many requests it took. An exception that is not ours goes through."""
    try:
        report = scene.connection.sync(**more)
    except ConnectorCoreError as error:
        report = error.report
        if report is None:
            return SyncOutcome(status="failed", reason=error.message), 0
        assert report.sync.status in ("failed", "interrupted"), report
        return SyncOutcome(status=report.sync.status, reason=error.message), report.sync.requests
    return SyncOutcome(status=report.sync.status, reason=report.sync.reason or ""), report.sync.requests


def recover(scene: ChaosCase) -> list[str]:
    """With nothing wrong any more, the next sync is complete and right, where a person accepts what was held."""
    scene.ledger.begin()
    outcome, _ = sync(scene)
    if outcome.status == "held":
        outcome, _ = sync(scene, accept_removals=True)
    if outcome.status != "complete":
        return [f"with nothing wrong any more: {outcome.status}, {outcome.reason}"]
    picture = scene.picture() or {}
    wrong = {id for id in {*picture, *scene.ledger.now} if picture.get(id) != scene.ledger.now.get(id)}
    return [f"{id}: {picture.get(id)} after recovery, is {scene.ledger.now.get(id)}" for id in sorted(wrong)]
