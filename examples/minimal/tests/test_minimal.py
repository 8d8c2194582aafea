"""The connector, read through the host as its users will."""

from __future__ import annotations

from pathlib import Path

import connector_core_minimal

from connector_core import Host


def test_people_and_teams_are_read(tmp_path: Path) -> None:
    """Everything in one pass; a second one finds no changes."""
    with Host(tmp_path / "state.db", plugins={"minimal": connector_core_minimal}, installed=False) as host:
        team = host.connection("minimal", settings={"token": "any"})
        assert team.sync().sync.status == "complete"
        held = {(row.user, row.role) for row in team.access()}
        assert ("ada@example.com", "compilers") in held and ("alan@example.com", "machines") in held
        assert team.sync().changes.total == 0
