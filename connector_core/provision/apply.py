"""Carrying a plan out: looked over once against a listing, then each account again just before its write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from attrs import evolve, frozen

from connector_core.errors import ConnectorCoreError, CredentialsRefused, GuardRefused, Interrupted, StateError
from connector_core.model import ErrorInfo, Key, NewAccount, Operation
from connector_core.names import some
from connector_core.provision.accounts_on_the_way import AccountsOnTheWay
from connector_core.provision.desired_state import AGAIN, Differs
from connector_core.provision.earlier_applies import EarlierApplies
from connector_core.provision.engine import Provisioner
from connector_core.provision.matching import Held
from connector_core.provision.plan import Limits, Plan, Step, names
from connector_core.provision.planner import Planner
from connector_core.provision.requests import Requests

ApplyStatus = Literal["complete", "partial", "stopped", "interrupted"]
Ended = Literal["changed", "unchanged", "failed", "unknown", "differs"]
_SHOWN = 5  # accounts named in one message
_STOPS = (CredentialsRefused, StateError)  # no further step can fare better


@frozen(kw_only=True)
class Line:
    """One step of a plan and its result; ``operation`` is None where it was not begun."""

    step: Step
    operation: Operation | None = None
    error: ErrorInfo | None = None

    @property
    def ended(self) -> Ended:
        """``differs``: the account was no longer as planned, and was left as it is."""
        if self.error is not None and self.error.code == Differs.code:
            return "differs"
        if self.operation is None:
            return "failed"
        if self.operation.state in ("done", "planned"):
            return self.operation.outcome or "changed"
        return "failed" if self.operation.state in ("failed", "refused") else "unknown"


@frozen(kw_only=True)
class ApplyReport:
    """What one apply came to.

    ``complete``: every step is as planned; ``partial``: some are not; ``stopped`` by ``error``, and ``interrupted``:
    the rest was not tried. ``id`` is None of a dry run, whose lines say what they would come to.
    """

    id: int | None
    connection: str
    digest: str
    status: ApplyStatus
    lines: tuple[Line, ...] = ()
    error: ErrorInfo | None = None

    def count(self, ended: Ended) -> int:
        return sum(1 for line in self.lines if line.ended == ended)


def look_over(
    plan: Plan, planner: Planner, limits: Limits, engine: Provisioner, earlier: EarlierApplies
) -> Mapping[str, Held]:  # fmt: skip
    """Refuse a plan whose accounts are neither as planned nor already as wanted, before anything is written.

    The limits are judged by what is still to be done, and by the accounts that are there now.

    :param earlier: what other applies of the plan did.
    :return: by id, what accounts hold that an earlier apply enabled, or for which there are several steps.
    :raises GuardRefused: naming what differs, whom the plan may not touch, or the limit.
    """
    lying = [step.user for step in plan.steps if planner.weigh(step) != (step.effect, step.seats)]
    if lying:
        raise GuardRefused(
            f"the plan does not say what it does to {_some(lying)}; nothing was changed",
            hint="the connector or its settings changed, or the file was made by hand: make the plan again",
            guard="plan_forged",
        )
    protected = [step.user for step in plan.steps if planner.takes_from_protected(step)]
    if protected and not engine.consent.include_protected:
        raise GuardRefused(
            f"the plan takes access from protected accounts: {_some(protected)}; nothing was changed",
            hint="--include-protected overrides it, if that is meant", guard="protected",
        )  # fmt: skip
    remaining = tuple(step for step in plan.steps if not planner.is_done(step))
    limits.check(evolve(plan, steps=remaining), planner.enabled)
    by_account = plan.by_account()
    found = [
        planner.difference(s, earlier.came_back, by_account[s.account]) or earlier.undone_since(s, planner)
        for s in plan.steps
    ]
    if differing := [line for line in found if line is not None]:
        raise Differs(
            f"the application is no longer as it was planned for: {_some(differing, '; ')}; nothing was changed",
            hint=AGAIN,
        )
    several = {account for account, steps in by_account.items() if len(steps) > 1}
    return {a.id: a.held for a in planner.accounts if a.enabled and (a.id in several or earlier.came_back(a.id))}


def carry_out(
    plan: Plan, engine: Provisioner, apply: int | None, on_line: Callable[[Line], None] | None = None, *,
    enabled: Mapping[str, Held] | None = None,
) -> ApplyReport:  # fmt: skip
    """Every step in its order; continues after one that fails, and stops where credentials are refused.

    :param enabled: by id, what accounts hold that an earlier apply of the plan enabled, or that have several steps.
    :raises Interrupted: the same plan applied again finishes the rest; its ``report`` says how far it came.
    """
    requests = Requests(evolve(engine, asked=evolve(engine.asked, apply=apply)))
    report = ApplyReport(id=apply, connection=plan.connection, digest=plan.digest, status="complete")
    progress = AccountsOnTheWay(requests.engine, dict(enabled or {}))
    for step in plan.ordered():
        try:
            line = _line(requests, step, progress)
        except _STOPS as error:
            error.conceal(engine.session.http.mask)
            line = Line(step=step, operation=_begun(error), error=_info(error))
            report = evolve(report, status="stopped", error=_info(error))
        except Interrupted as error:
            raise _interrupted(error, report, plan) from error
        progress.note(step, line.operation if line.ended in ("changed", "unchanged") else None)
        if report.status == "complete" and line.ended not in ("changed", "unchanged"):
            report = evolve(report, status="partial")
        report = evolve(report, lines=(*report.lines, line))
        if on_line is not None:
            on_line(line)
        if report.status == "stopped":
            break
    return report


def _line(requests: Requests, step: Step, progress: AccountsOnTheWay) -> Line:
    try:
        operation = _operation(requests, step, progress)
    except (*_STOPS, Interrupted):
        raise
    except ConnectorCoreError as error:
        error.conceal(requests.engine.session.http.mask)
        return Line(step=step, operation=_begun(error), error=_info(error))
    return Line(step=step, operation=operation, error=_found_different(requests, step, operation) or operation.error)


def _operation(requests: Requests, step: Step, progress: AccountsOnTheWay) -> Operation:
    account_type = requests.engine.account_type
    if step.kind == "create_account":
        wanted = NewAccount(
            login=step.login or step.user, type=account_type, given_name=step.given_name, family_name=step.family_name,
            role=step.role,
        )  # fmt: skip
        return requests.create(wanted, planned=[Key(account_type, step.user_id)] if step.user_id else [])
    if step.is_for_new:
        assert step.role is not None
        return requests.grant(step.role, progress.created(step))
    key, expected = Key(account_type, step.user_id or ""), progress.expected(step)
    if step.kind == "delete_account":
        return requests.delete(key, expected=expected, login=step.login)
    assert step.role is not None
    if step.kind == "grant":
        return requests.grant(step.role, key, expected=expected, login=step.login)
    return requests.revoke(step.role, key, expected=expected, login=step.login)


def _found_different(requests: Requests, step: Step, operation: Operation) -> ErrorInfo | None:
    """The account holds another role: it was created elsewhere since the listing, or the application gave it."""
    if step.kind != "create_account" or operation.user_id is None:
        return None
    held = requests.engine.operations.follower.held(Key(requests.engine.account_type, operation.user_id))
    if step.role is None or not held or step.role in held:
        return None
    was = "is there already" if operation.outcome == "unchanged" else "was created"
    return _info(Differs(f"{step.user} {was} and holds {names(held)}", hint=AGAIN))


def _interrupted(error: Interrupted, report: ApplyReport, plan: Plan) -> Interrupted:
    interrupted = Interrupted(
        f"interrupted after {len(report.lines)} of {len(plan.steps)} steps",
        hint="the same apply again finishes the rest, and repeats nothing",
    )
    interrupted.report = evolve(report, status="interrupted", error=_info(interrupted))
    return interrupted


def _begun(error: ConnectorCoreError) -> Operation | None:
    return error.report if isinstance(error.report, Operation) else None


def _info(error: ConnectorCoreError) -> ErrorInfo:
    return ErrorInfo(code=error.code, message=error.message, hint=error.hint)


def _some(texts: list[str], between: str = ", ") -> str:
    return some(texts, _SHOWN, between, between)
