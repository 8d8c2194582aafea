"""Random operations, lost answers, restarts and syncs against a model: server, picture and journal never differ."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from kit.provision import ADA, BOB, EVE, Scene, after, answer, hang_up, scene

from connector_core.errors import ConnectorCoreError, GuardRefused, UnknownName
from connector_core.model import Operation
from connector_core.store.journal import Unsettled

PEOPLE = st.sampled_from([ADA, BOB, EVE, "dan@example.com"])
ROLE = st.sampled_from(["editor", "viewer"])
# what happens to the next write: nothing, or its answer is lost before or after it was carried out, or it is refused
FATE = st.sampled_from(
    ["well"] * 4 + ["lost before", "lost after", "refused", "error before", "error after", "nothing"]
)
FATES: dict[str, Any] = {
    "lost before": hang_up,
    "lost after": after(hang_up),
    "refused": answer(403, {"detail": "no"}),
    "error before": answer(500, {"detail": "oops"}),
    "error after": after(answer(500, {"detail": "oops"})),
    "nothing": answer(204),
}
FATE = st.sampled_from(["well"] * 4 + list(FATES))


class Provisioning(RuleBasedStateMachine):
    """The workspace is the model: it changes by what reaches it alone, and counts what does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.stack = ExitStack()
        self.here: Scene = self.stack.enter_context(scene(self.folder))
        self.here.connection.sync()

    def teardown(self) -> None:
        self.stack.close()
        shutil.rmtree(self.folder)

    # -- what people ask for -------------------------------------------------------------------------------

    @rule(user=PEOPLE, role=st.none() | ROLE, fate=FATE)
    def create(self, user: str, role: str | None, fate: str) -> None:
        self.ask(fate, "create_account", user, role=role)

    @rule(user=PEOPLE, fate=FATE)
    def delete(self, user: str, fate: str) -> None:
        self.ask(fate, "delete_account", user, yes=True)

    @rule(user=PEOPLE, role=ROLE, fate=FATE)
    def grant(self, user: str, role: str, fate: str) -> None:
        self.ask(fate, "grant", role, user)

    @rule(user=PEOPLE, role=ROLE, fate=FATE)
    def revoke(self, user: str, role: str, fate: str) -> None:
        self.ask(fate, "revoke", role, user, yes=True)

    @rule(user=PEOPLE, role=ROLE)
    def dry_run(self, user: str, role: str) -> None:
        before = self.here.faults.writes()
        try:
            assert self.here.connection.grant(role, user, dry_run=True).state == "planned"
        except UnknownName:
            assert self.here.workspace.find(user) is None
        assert self.here.faults.writes() == before

    # -- what happens besides ------------------------------------------------------------------------------

    @rule()
    def sync(self) -> None:
        self.here.connection.sync(accept_removals=True)

    @rule()
    def restart(self) -> None:
        self.here.restart()

    @rule(seconds=st.sampled_from([5, 70]))
    def wait(self, seconds: int) -> None:
        self.here.clock.advance(seconds)

    # -- what is to hold -----------------------------------------------------------------------------------

    def ask(self, fate: str, method: str, *arguments: str, **terms: Any) -> None:
        """One request, and what must be true of its answer whatever the server did."""
        here = self.here
        writes, truth = here.faults.writes().total(), here.truth()
        here.faults.rules.clear()
        if fate in FATES:
            for verb in ("POST", "PATCH", "DELETE"):
                here.faults.on(verb, FATES[fate], times=1)
        try:
            operation: Operation = getattr(here.connection, method)(*arguments, **terms)
        except (UnknownName, Unsettled, GuardRefused) as error:
            assert here.faults.writes().total() == writes, error
            assert here.truth() == truth
            return
        finally:
            here.faults.rules.clear()
        sent = here.faults.writes().total() - writes
        if operation.outcome == "unchanged" and fate != "refused":
            assert sent == 0
            assert here.truth() == truth
        if operation.state == "failed":
            assert here.truth() == truth or operation.kind == "grant"  # enabled first, and then refused
        if operation.state == "done" and operation.outcome == "changed":
            if operation.verified:  # what was accepted and is not to be seen may be an invitation
                self.require_as_asked(method, *arguments)
            again = getattr(here.connection, method)(*arguments, **terms)
            assert again.outcome == "unchanged"
            assert here.faults.writes().total() - writes == sent

    def require_as_asked(self, method: str, *arguments: str) -> None:
        truth = self.here.truth()
        if method == "create_account":
            assert arguments[0] in truth
        elif method == "delete_account":
            assert arguments[0] not in truth
        elif method == "grant":
            assert truth[arguments[1]] == arguments[0]
        else:
            assert truth.get(arguments[1]) != arguments[0]

    @invariant()
    def nobody_is_there_twice(self) -> None:
        logins = [user.login.casefold() for user in self.here.workspace.users()]
        assert len(logins) == len(set(logins))

    @invariant()
    def what_is_settled_is_true(self) -> None:
        """Nobody else writes here: once nothing is open, the picture is the truth, before any further sync."""
        if set(self.here.states()) & {"pending", "sent", "unknown"}:
            return
        assert self.here.picture() == self.here.truth()


def test_no_divergence_whatever_happens() -> None:
    """Server, access and journal agree once settled; nobody is there twice; what is unchanged sends nothing."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Provisioning,
        settings=settings(
            max_examples=12, stateful_step_count=12, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.mark.slow
def test_no_divergence_however_long() -> None:
    """The same, many times more."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Provisioning,
        settings=settings(
            max_examples=150, stateful_step_count=40, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_the_errors_that_the_machine_allows_are_errors_of_ours() -> None:
    """A wrong import here would let any error pass."""
    assert all(issubclass(error, ConnectorCoreError) for error in (UnknownName, Unsettled, GuardRefused))
