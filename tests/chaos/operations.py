"""Everything that a host does to an application, on people of its own, and whether its word about it is true."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field, frozen

from chaos.oracle import Doubt, SyncOutcome, judge, words
from chaos.stage import ChaosCase, Picture, State
from chaos.syncing import recover, sync
from connector_core.errors import ConnectorCoreError
from connector_core.model import Operation
from connector_core.provision.apply import ApplyReport
from connector_core.testing.faults import Answer, Exchange

NEW = "newcomer@example.com"
SETTLED = 61.0  # seconds after which a lost creation counts as failed


@define
class Cell:
    """One operation on one scene, and what was seen of it. ``unheard``: a write whose answer nobody could read."""

    scene: ChaosCase
    before: Picture = field(factory=dict)
    picture: Picture | None = None
    unheard: bool = False
    violations: list[str] = field(factory=list)

    def start(self) -> None:
        self.scene.ledger.begin()
        self.before, self.picture = self.scene.ledger.now, self.scene.picture()
        self.scene.workspace.journal.clear()
        self.scene.faulty.after = self._listen

    def _listen(self, exchange: Exchange, answer: Answer) -> None:
        if exchange.method in ("POST", "PATCH", "PUT", "DELETE"):
            readable = not answer.body.strip() or (isinstance(answer.document, dict) and b"NaN" not in answer.body)
            odd = bool(answer.send or dict(answer.headers).get("Content-Encoding")) or len(answer.body) > 2**19
            said = answer.document.get("status") if isinstance(answer.document, dict) else None
            passing = answer.status >= 500 or 300 <= answer.status < 400 or str(said).startswith("5")
            self.unheard |= odd or passing or not readable or _about_others(exchange, answer)

    def truth(self) -> Picture:
        self.scene.ledger.note()
        return self.scene.ledger.now


def _about_others(exchange: Exchange, answer: Answer) -> bool:
    """Whether a creation was answered with another user than was asked for."""
    asked, said = exchange.document, answer.document
    if exchange.kind != "create" or not isinstance(said, dict) or "userName" not in said:
        return False
    return not str(said["userName"]).casefold().endswith(str(asked["userName"]))


@frozen(kw_only=True)
class Deed:
    """``kinds``: the requests it makes where nothing is wrong. ``act`` does it, and says what is wrong with it."""

    name: str
    kinds: frozenset[str]
    act: Callable[[Cell, Doubt], None]


def pick(cell: Cell, role: str | None, number: int = 0) -> tuple[str, str]:
    """Id and login of somebody enabled who holds that role."""
    found = sorted((s.login, id) for id, s in cell.before.items() if s.role == role and s.status == "enabled")
    login, id = found[number]
    return id, login


# -- asking ------------------------------------------------------------------------------------------------------------


def _check(cell: Cell, doubt: Doubt) -> None:
    cell.start()
    findings = cell.scene.connection.check()
    if not findings:
        cell.violations.append("nothing was found out")
    for finding in findings:
        cell.violations += words(f"{finding.message} {finding.hint or ''}")


def _run(cell: Cell, doubt: Doubt) -> None:
    cell.scene.change("leave", 0.4)
    cell.scene.change("join", 0.1)
    cell.start()
    outcome, _ = sync(cell.scene)
    cell.violations += judge(cell.picture, cell.scene.picture(), cell.scene.ledger, outcome, doubt)


def _plan(cell: Cell, doubt: Doubt) -> None:
    cell.start()
    path = _people(cell)
    try:
        plan = cell.scene.connection.plan(path)
    except ConnectorCoreError as error:
        cell.violations += words(error.message)
    else:
        kinds = sorted(step.kind for step in plan.steps)
        if kinds != ["create_account", "grant", "grant"] and not doubt.distorts and not doubt.unseen:
            cell.violations.append(f"a plan of {kinds}")
    info = cell.scene.connection.syncs(1)[0]
    outcome = SyncOutcome(status=info.status, reason=info.reason or "")
    cell.violations += judge(cell.picture, cell.scene.picture(), cell.scene.ledger, outcome, doubt)


def _people(cell: Cell) -> Any:
    """Who should have what: a newcomer, a viewer who becomes an editor, an editor who becomes a viewer."""
    path = cell.scene.folder / "people.csv"
    rows = [(NEW, "editor"), (pick(cell, "viewer")[1], "editor"), (pick(cell, "editor")[1], "viewer")]
    path.write_text("email,role\n" + "".join(f"{login},{role}\n" for login, role in rows))
    return path


# -- changing ----------------------------------------------------------------------------------------------------------


def _operation(
    cell: Cell, do: Callable[[], Operation], goal: Callable[[Picture], bool], touched: str | None, doubt: Doubt
) -> None:
    """One operation: its own word, the server's state and the picture must agree."""
    try:
        operation: Operation | None = do()
    except ConnectorCoreError as error:
        cell.violations += words(error.message)
        operation = error.report if isinstance(error.report, Operation) else None
    now = cell.truth()
    cell.violations += _word(cell, operation, goal, now, doubt)
    cell.violations += _others(cell, now, touched)
    _settle(cell, operation, goal)


def _word(
    cell: Cell, operation: Operation | None, goal: Callable[[Picture], bool], now: Picture, doubt: Doubt
) -> Iterator[str]:
    """Its own word, where the client can know: ``active`` that is never shown hides that somebody was disabled."""
    so = goal(now)
    if operation is None:
        if so and not goal(cell.before):
            yield "refused, though it was carried out"
        return
    if operation.error is not None:
        yield from words(operation.error.message)
    if operation.state == "done" and not so and not (doubt.lies and not operation.verified):
        yield f"done ({operation.outcome}, verified: {operation.verified}), and it is not so: {operation.warnings}"
    unreadable = doubt.distorts & {"status", "role"}
    if operation.state == "failed" and so and not goal(cell.before) and not unreadable and not doubt.lies:
        yield f"failed, and it is so: {operation.error}"
    if operation.state in ("unknown", "sent", "pending") and not cell.unheard:
        yield f"{operation.state}, though the answer came: {operation.error}"
    if operation.verified and operation.user_id is not None:
        shown, is_ = (cell.scene.picture() or {}).get(operation.user_id), now.get(operation.user_id)
        if is_ is not None and (shown is None or not _shows(shown, is_, doubt, operation)):
            yield f"verified, and the picture shows {shown}, not {is_}"


def _shows(shown: State, is_: State, doubt: Doubt, operation: Operation) -> bool:
    invited = operation.kind == "create_account" and shown.status == "pending"  # no look-up shows them (W14)
    hidden = "status" in doubt.distorts and shown.status == "unknown"
    unreadable = "role" in doubt.distorts and shown.role is None
    return (shown.status == is_.status or invited or hidden) and (shown.role == is_.role or unreadable)


def _others(cell: Cell, now: Picture, touched: str | None) -> Iterator[str]:
    """Nobody but who was meant is touched, in the application or in the picture; nobody is created twice."""
    for id, was in cell.before.items():
        if id != touched and now.get(id) != was:
            yield f"{was.login} was not meant, and became {now.get(id)}"
    picture = cell.scene.picture() or {}
    for id, shown in (cell.picture or {}).items():
        if id != touched and picture.get(id) != shown and picture.get(id) != now.get(id):
            yield f"{shown.login} was not meant, and is shown as {picture.get(id)}"
    if touched is not None and touched in (cell.picture or {}) and touched not in picture and touched in now:
        yield f"{now[touched].login} left the picture, and is there"
    posts = cell.scene.workspace.writes()["POST"]
    if posts > 1:
        yield f"{posts} creations were sent"


def _settle(cell: Cell, operation: Operation | None, goal: Callable[[Picture], bool]) -> None:
    """What was unknown is found out by the next command, without a write."""
    if operation is None or operation.state not in ("unknown", "sent"):
        return
    cell.scene.lay([])
    cell.scene.clock.advance(SETTLED)
    cell.scene.workspace.journal.clear()
    sync(cell.scene)
    settled = next(op for op in cell.scene.connection.operations() if op.id == operation.id)
    if settled.state != ("done" if goal(cell.truth()) else "failed"):
        cell.violations.append(f"settled as {settled.state}, and it is {goal(cell.truth())}: {settled.error}")
    if cell.scene.workspace.journal:
        cell.violations.append("settling wrote")


def _has(now: Picture, id: str, role: str | None = None) -> bool:
    state = now.get(id)
    return state is not None and state.status == "enabled" and role in (None, state.role)


def _named(now: Picture, login: str) -> State | None:
    return next((s for s in now.values() if s.login.casefold() == login.casefold()), None)


def _create(cell: Cell, doubt: Doubt) -> None:
    cell.start()
    _operation(
        cell, lambda: cell.scene.connection.create_account(NEW, given_name="New", role="editor"),
        lambda now: (_named(now, NEW) or State("", "", None)).status == "enabled", None, doubt,
    )  # fmt: skip


def _create_existing(cell: Cell, doubt: Doubt) -> None:
    """Of somebody who joined since the last sync, spelled otherwise: the picture does not know them."""
    cell.scene.workspace.add(NEW.title(), email=NEW.title(), given_name="New", role=False)
    cell.start()
    _operation(cell, lambda: cell.scene.connection.create_account(NEW), lambda now: True, None, doubt)


def _delete(cell: Cell, doubt: Doubt) -> None:
    cell.start()
    id, login = pick(cell, "viewer", 1)
    _operation(
        cell, lambda: cell.scene.connection.delete_account(login, yes=True), lambda now: not _has(now, id), id, doubt
    )


def _delete_by_id(cell: Cell, doubt: Doubt) -> None:
    cell.start()
    id, _ = pick(cell, "editor", 1)
    _operation(
        cell, lambda: cell.scene.connection.delete_account(id, yes=True), lambda now: not _has(now, id), id, doubt
    )


def _delete_gone(cell: Cell, doubt: Doubt) -> None:
    """Of somebody who left since the last sync."""
    cell.start()
    id, login = pick(cell, "viewer", 1)
    cell.scene.workspace.remove(id)
    cell.scene.ledger.note()
    cell.before = cell.scene.ledger.now
    _operation(cell, lambda: cell.scene.connection.delete_account(login, yes=True), lambda now: True, id, doubt)


def _grant(cell: Cell, doubt: Doubt) -> None:
    cell.start()
    id, login = pick(cell, "viewer")
    _operation(
        cell, lambda: cell.scene.connection.grant("editor", login), lambda now: _has(now, id, "editor"), id, doubt
    )


def _revoke(cell: Cell, doubt: Doubt) -> None:
    """By id, which asks for one user."""
    cell.start()
    id, _ = pick(cell, "editor")
    _operation(
        cell, lambda: cell.scene.connection.revoke("editor", id), lambda now: not _has(now, id, "editor"), id, doubt
    )


def _revoke_viewer(cell: Cell, doubt: Doubt) -> None:
    cell.start()
    id, login = pick(cell, "viewer", 1)
    _operation(
        cell, lambda: cell.scene.connection.revoke("viewer", login, yes=True), lambda now: not _has(now, id), id, doubt
    )


def _apply(cell: Cell, doubt: Doubt) -> None:
    cell.start()
    faults, cell.scene.faulty.faults = cell.scene.faulty.faults, []
    plan = cell.scene.connection.plan(_people(cell))
    cell.scene.faulty.faults = faults
    goals = {step.user: _goal(step.user_id, step.role and step.role.id) for step in plan.steps}
    report: Any = None
    try:
        report = cell.scene.connection.apply(plan, yes=True)
    except ConnectorCoreError as error:
        cell.violations += words(error.message)
        report = error.report
    now = cell.truth()
    for line in report.lines if isinstance(report, ApplyReport) else ():
        if line.operation is not None:
            cell.violations += _word(cell, line.operation, goals[line.step.user], now, doubt)
    meant = {step.user_id for step in plan.steps}
    for id, was in cell.before.items():
        if id not in meant:
            cell.violations += [f"{was.login} was not meant, and became {now.get(id)}"] if now.get(id) != was else []
    if cell.scene.workspace.writes()["POST"] > 1:
        cell.violations.append("more than one creation was sent")


def _goal(id: str | None, role: str | None) -> Callable[[Picture], bool]:
    if id is None:
        return lambda now: _named(now, NEW) is not None
    return lambda now: _has(now, id, role)


DEEDS = (
    Deed(name="check", kinds=frozenset({"list"}), act=_check),
    Deed(name="run", kinds=frozenset({"list", "one"}), act=_run),
    Deed(name="create", kinds=frozenset({"filter", "create"}), act=_create),
    Deed(name="create existing", kinds=frozenset({"filter"}), act=_create_existing),
    Deed(name="delete", kinds=frozenset({"filter", "delete", "one", "list"}), act=_delete),
    Deed(name="delete by id", kinds=frozenset({"delete", "one", "list"}), act=_delete_by_id),
    Deed(name="delete gone", kinds=frozenset({"filter", "one", "list"}), act=_delete_gone),
    Deed(name="grant", kinds=frozenset({"filter", "patch"}), act=_grant),
    Deed(name="revoke", kinds=frozenset({"patch", "one"}), act=_revoke),
    Deed(name="revoke viewer", kinds=frozenset({"filter", "patch"}), act=_revoke_viewer),
    Deed(name="plan", kinds=frozenset({"list"}), act=_plan),
    Deed(name="apply", kinds=frozenset({"list", "filter", "create", "patch", "one"}), act=_apply),
)


def perform(scene: ChaosCase, deed: Deed, doubt: Doubt) -> list[str]:
    """Do it, and judge; what is wrong. Where it reads or applies, everything comes right once nothing is wrong."""
    cell = Cell(scene)
    deed.act(cell, doubt)
    if deed.name in ("run", "apply"):
        scene.lay([])
        scene.clock.advance(SETTLED)
        cell.violations += recover(scene)
    return cell.violations
