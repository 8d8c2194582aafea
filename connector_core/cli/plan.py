"""`plan` and `apply`: from who should have what, to a reviewed list of operations, to done."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from connector_core.cli.output import exit_code_of, note, plural, print_json, say
from connector_core.cli.program import CHANGES, Command, Options
from connector_core.cli.progress import Reporter
from connector_core.cli.prompts import confirmation
from connector_core.cli.signals import interruptible
from connector_core.cli.table import Column, print_table
from connector_core.errors import GuardRefused, IncompleteError, Interrupted, UsageError

if TYPE_CHECKING:
    from connector_core.provision.apply import ApplyReport, Line
    from connector_core.provision.plan import Limits, Plan, Step

_STEPS = (
    Column("STEP"),
    Column("USER", least=20),
    Column("BEFORE", least=8),
    Column("AFTER", least=8),
    Column("PAID SEATS", right=True),
)
_EVERY = 10.0  # seconds between lines where the steps themselves are not printed


@click.command(cls=Command)
@click.argument("connection")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--out", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the plan [FILE.plan.json]."
)
@click.option("--prune", is_flag=True, help="Remove accounts that FILE does not name; else they are left alone.")
@click.option("--exact", is_flag=True, help="Revoke what people of FILE hold directly and it does not name.")
@click.option("--include-protected", is_flag=True, help="Also where it takes access from a protected account.")
@click.option("--undo", is_flag=True, help="Without FILE: take the last apply that changed anything back.")
@click.option("--apply", "number", type=int, metavar="N", help="With --undo: an earlier apply, by its number.")
@click.option("--exit-code", is_flag=True, help="Exit with 10 where there is something to do.")
@click.pass_obj
def plan(
    options: Options, /, connection: str, file: Path | None, out: Path | None, undo: bool, number: int | None,
    exit_code: bool, **how: Any,
) -> int:  # fmt: skip
    """Compare with who should have what; write down what to do.

    A fresh sync is made for it. FILE is a CSV with the columns email, role, given_name and family_name; the header is
    required. An empty role means: leave it as it is, or for a new account the application's default. Several roles of
    one person stand on several lines, or in one cell with semicolons between them.
    """
    from connector_core.provision.plan import refuse_other_file, write_plan

    if undo == (file is not None) or (undo and (how["prune"] or how["exact"])) or (number is not None and not undo):
        raise UsageError(
            "name a FILE, or --undo without --prune and --exact", hint="connector-core plan --help says more"
        )
    target = out or (file.with_name(f"{file.name}.plan.json") if file else Path(f"{connection}.undo.plan.json"))
    with options.host() as host, Reporter(options) as reporter, interruptible(host.cancel):
        host.refuse_precious(target, inputs=[file] if file else [])
        refuse_other_file(target)
        asked = host.connection(connection)
        made = asked.plan(file, undo=number, on_progress=reporter.progress, **how)
    write_plan(made, target)
    if options.json:
        print_json(_plan_document(made, target))
    else:
        _print_plan(made)
        note(f"next: connector-core apply {target}" if made.steps else "nothing to do")
    return CHANGES if exit_code and made.steps else 0


@click.command(cls=Command)
@click.argument("file", metavar="PLAN", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Carry it out without asking.")
@click.option("--reason", metavar="TEXT", help="Why; kept in the journal.")
@click.option(
    "--max-removals", type=click.IntRange(0), metavar="N", help="Allow this many removals [10, and 20 % of all]."
)
@click.option("--max-downgrades", type=click.IntRange(0), metavar="N", help="Allow this many downgrades [10].")
@click.option(
    "--max-upgrades", type=click.IntRange(0), metavar="N",
    help="Allow this many paid seats to be taken; one on which the application decides counts [10].",
)  # fmt: skip
@click.option("--include-protected", is_flag=True, help="Also where it takes access from a protected account.")
@click.pass_obj
def apply(
    options: Options, /, file: Path, yes: bool, max_removals: int | None, max_downgrades: int | None,
    max_upgrades: int | None, **terms: Any,
) -> int:  # fmt: skip
    """Carry a plan out, step by step.

    It is shown, confirmed, and checked against a fresh listing before anything is written.

    Interrupted in the middle, the same command again finishes the rest and repeats nothing. A plan that was carried out
    in full is not carried out again.
    """
    from connector_core.provision.plan import Limits, read_plan

    wanted = read_plan(file)
    limits = Limits(max_removals=max_removals, max_upgrades=max_upgrades, max_downgrades=max_downgrades)
    if not options.json:
        _print_plan(wanted)
    agreed = yes or not wanted.steps or _confirmed(options, wanted, limits)
    terms["confirm"] = lambda question: agreed  # what is refused, the host writes into the journal
    return _finish(options, *_carry_out(options, wanted, limits, terms))


def _confirmed(options: Options, wanted: Plan, limits: Limits) -> bool:
    """Ask a person. A plan that is over a limit is refused whatever the answer, and not asked about."""
    try:
        limits.check_numbers(wanted)
    except GuardRefused:
        return False
    ask = confirmation(options)
    return ask is not None and ask(f"This carries out {plural(len(wanted.steps), 'step')} on {wanted.connection}.")


def _carry_out(options: Options, wanted: Plan, limits: Limits, terms: Any) -> tuple[ApplyReport, int]:
    """The result, and its exit code."""
    from connector_core.provision.apply import ApplyReport

    telling = _Telling(options, len(wanted.steps))
    with options.host() as host, Reporter(options) as reporter, interruptible(host.cancel):
        try:
            asked = host.connection_for(wanted)
            report = asked.apply(wanted, limits=limits, on_progress=reporter.progress, on_line=telling, **terms)
        except Interrupted as error:
            if not isinstance(error.report, ApplyReport):
                raise
            say(f"{error.message}: {error.hint}")
            return error.report, error.exit_code
    return report, _exit_code(report)


class _Telling:
    """Says each step when it is done; with --json, how many, now and then, on standard error."""

    def __init__(self, options: Options, steps: int) -> None:
        self._options = options
        self._steps = steps
        self._done = 0
        self._last = time.monotonic()

    def __call__(self, line: Line) -> None:
        self._done += 1
        if not self._options.json:
            self._print(line)
        elif time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            self._options.remark(f"{self._done:,} of {plural(self._steps, 'step')} done")

    def _print(self, line: Line) -> None:
        error = line.error or (line.operation.error if line.operation else None)
        warnings = line.operation.warnings if line.operation else ()
        why = f": {error.message}" if error else f" ({'; '.join(warnings)})" if warnings else ""
        note(f"{self._done}/{self._steps}  {line.ended:9}  {line.step.effect:9}  {line.step.user}{why}")


# -- the result ------------------------------------------------------------------------------------------------


def _exit_code(report: ApplyReport) -> int:
    if report.error is not None:
        return exit_code_of(report.error.code)
    if report.count("failed") or report.count("unknown"):
        return IncompleteError.exit_code
    return GuardRefused.exit_code if report.count("differs") else 0


def _finish(options: Options, report: ApplyReport, code: int) -> int:
    from connector_core.convert import to_json
    from connector_core.provision.apply import Ended

    counts = {ended: report.count(ended) for ended in get_args(Ended)}
    error = {"error": to_json(report.error)} if report.error else {}
    if options.json:
        lines = [{"ended": line.ended, **_object(line)} for line in report.lines]
        print_json({"apply": report.id, "status": report.status, "counts": counts, "lines": lines, **error})
        return code
    came = ", ".join(f"{n} {ended}" for ended, n in counts.items() if n) or "nothing to do"
    note(f"apply {report.id}: {report.status}; {came}")
    if report.error is not None:
        say(f"error: {report.error.message}")
        say(f"hint: {report.error.hint or 'the same apply again finishes the rest'}")
    return code


def _plan_document(made: Plan, target: Path) -> dict[str, Any]:
    from connector_core.convert import to_json

    counts = {name: getattr(made, name) for name in ("removals", "downgrades", "upgrades", "seats", "unknown_seats")}
    plain = {name: value for name, value in _object(made).items() if name != "format_version"}
    return {"plan": str(target), **plain, **counts, "steps": to_json(made.ordered())}


def _object(value: object) -> dict[str, Any]:
    from connector_core.convert import to_json

    plain: Any = to_json(value)
    return dict(plain)


def _print_plan(made: Plan) -> None:
    for warning in made.warnings:
        say(f"warning: {warning}")
    if made.kept:
        say(f"warning: {plural(len(made.kept), 'protected account')} kept as before (--include-protected)")
    costs = not made.steps or any(step.seats != 0 for step in (*made.steps, *made.kept))
    columns = _STEPS if costs else _STEPS[:-1]
    if made.steps or made.kept:
        rows = [*map(_row, made.ordered()), *(("keep", *_row(step)[1:4], "") for step in made.kept)]
        print_table(columns, [row[: len(columns)] for row in rows])
    seats = f"; {made.seats:+,d} paid seats, {made.upgrades:,} newly taken" if costs else ""
    note(f"{plural(len(made.steps), 'step')}, {made.unchanged:,} unchanged; {plural(made.removals, 'removal')}{seats}")
    if made.unknown_seats:
        note(f"paid seats of {plural(made.unknown_seats, 'step')} are not known: the application decides the role")


def _row(step: Step) -> tuple[str, ...]:
    before = "" if step.before is None else ", ".join(e.id for e in step.before) or "-"
    role = step.role.id if step.role else "its own role" if step.user_id else "default role"
    after = "removed" if step.effect == "remove" else f"not {role}" if step.kind == "revoke" else role
    seats = "?" if step.seats is None else f"{step.seats:+d}" if step.seats else ""
    return (step.effect, step.user, before, after, seats)
