"""One grant is asked about by `check_grant`, and not by reading all that its principal holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.directory import CheckingConnector, Directory, DirectoryConnector, directory

from connector_core import Grant, Outcome, PluginError, Unreachable, hookimpl
from connector_core.host.connection import Connection

ADA = "ada@example.com"


def office(*members: str, groups: int = 3) -> Directory:
    app = Directory(*(f"g{number}" for number in range(1, groups + 1)))
    app.add("user", "1", login=ADA)
    app.add("user", "2", login="bo@example.com")
    app.members["g1"].update(members)
    return app


def held(connection: Connection) -> set[tuple[str | None, str | None, bool]]:
    return {(row.user, row.role, row.confirmed) for row in connection.access() if row.role}


def test_a_grant_with_200_groups_takes_three_requests(tmp_path: Path) -> None:
    """Look up, ask, write: where the reply to the write is no proof, the same question is asked once more."""
    app, connector = office(groups=200), CheckingConnector()
    with directory(app, tmp_path, connector) as connection:
        done = connection.grant("g7", ADA)
        assert (done.outcome, done.verified, len(app.asked)) == ("changed", True, 3)
        app.asked.clear()
        connector.proof = False
        done = connection.grant("g8", ADA)
        assert (done.outcome, done.verified, len(app.asked)) == ("changed", True, 4)
        assert held(connection) == {(ADA, "g7", True), (ADA, "g8", True)}


def test_what_is_so_already_is_found_by_the_same_question(tmp_path: Path) -> None:
    """Held is `unchanged` for a grant, not held for a revocation, whatever the picture has; the picture follows."""
    app = office("user:1")
    with directory(app, tmp_path) as connection:
        assert connection.grant("g1", ADA).outcome == "unchanged"
        app.members["g2"].add("user:1")
        assert connection.grant("g2", ADA).outcome == "unchanged"
        app.members["g1"].clear()
        assert connection.revoke("g1", ADA).outcome == "unchanged"
        assert (app.writes(), held(connection)) == ([], {(ADA, "g2", True)})


def test_a_revocation_is_verified_by_the_same_question(tmp_path: Path) -> None:
    """The grant ends in the picture, and no other."""
    app, connector = office("user:1", "user:2"), CheckingConnector()
    app.members["g2"].add("user:1")
    connector.proof = False
    with directory(app, tmp_path, connector) as connection:
        done = connection.revoke("g1", ADA)
        assert (done.outcome, done.verified, app.members["g1"]) == ("changed", True, {"user:2"})
        assert held(connection) == {(ADA, "g2", True), ("bo@example.com", "g1", True)}


def test_a_lost_answer_is_found_out_by_the_same_question(tmp_path: Path) -> None:
    """What was written is done, also where a read of the account says nothing of its groups."""

    class LosingAnswers(CheckingConnector):
        @hookimpl
        def provision_grant(self, client: Any, grant: Grant) -> Outcome:
            client("PUT", f"members/{grant.entitlement.id}/{grant.principal}")
            raise Unreachable("no answer")

    connector = LosingAnswers()
    connector.types = tuple(evolve(kind, grants="elsewhere") for kind in connector.types)
    with directory(office(), tmp_path, connector) as connection:
        done = connection.grant("g1", ADA)
        assert (done.state, done.outcome, done.verified) == ("done", "changed", True)


@pytest.mark.parametrize("answer", [None, "yes"])
def test_an_answer_that_is_none_leaves_it_to_the_read(tmp_path: Path, answer: object) -> None:
    """None is no answer; what is neither True, False nor None breaks the contract, and nothing is written."""

    class OddlyAnswering(DirectoryConnector):
        @hookimpl
        def check_grant(self) -> object:
            return answer

    app = office("user:1")
    with directory(app, tmp_path, OddlyAnswering()) as connection:
        if answer is None:
            assert connection.grant("g1", ADA).outcome == "unchanged"
        else:
            with pytest.raises(PluginError, match="check_grant answered str where True, False or None"):
                connection.grant("g1", ADA)
        assert app.writes() == []
