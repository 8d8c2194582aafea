"""A plan: the steps from what accounts have to what they should have, reviewed before any is carried out.

A plan says of each account how it was when the plan was made. Applying it begins by looking whether that is still so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from attrs import Factory, evolve, field, frozen

from connector_core.convert import compact, from_json, to_json
from connector_core.errors import ConfigurationError, ConnectorCoreError, GuardRefused, UsageError
from connector_core.files import read_bytes, write_private
from connector_core.model import EntitlementKey, Json

FORMAT_VERSION = 2  # 1 did not name the login of each account
_LARGEST = 64 * 2**20  # bytes
_LONGEST = 500  # characters of an error that are worth showing
PlanKind = Literal["create_account", "delete_account", "grant", "revoke"]
Effect = Literal["downgrade", "change", "create", "upgrade", "remove"]
_ORDER: Mapping[Effect, int] = {"downgrade": 0, "change": 1, "create": 2, "upgrade": 2, "remove": 3}


@frozen(kw_only=True)
class Step:
    """One operation of a plan.

    ``user`` is the login as people see it; ``user_id`` and ``login`` are those of the account that the step was decided
    for, both None where there is none yet: nothing is written to that id under another login, nor to another id under
    that login. ``before``: the entitlements held when the plan was made; None where there was no account, or a disabled
    one, which holds nothing that counts. ``seats``: what it does to the number of paid ones, None where the application
    decides. ``effect`` decides the order. A grant without a ``user_id`` is for the account that the plan creates, which
    holds ``before`` by then; of several steps for one account, each has for ``before`` what it held before them all.
    """

    kind: PlanKind
    user: str
    user_id: str | None = None
    login: str | None = field(default=Factory(lambda step: step.user if step.user_id else None, takes_self=True))
    role: EntitlementKey | None = None
    given_name: str | None = None
    family_name: str | None = None
    before: tuple[EntitlementKey, ...] | None = None
    seats: int | None = 0
    effect: Effect = "change"

    def __attrs_post_init__(self) -> None:
        """A file may say anything; a step that cannot be carried out is no step."""
        if not self.user or not self.user.isprintable() or self.user_id == "":
            raise ValueError("a step needs a user with a printable name")
        if self.kind != "create_account" and self.user_id is None and not self.is_for_new:
            raise ValueError(f"{self.kind} needs a user_id")
        if self.kind in ("grant", "revoke") and self.role is None:
            raise ValueError(f"{self.kind} needs a role")
        if self.user_id is not None and (not self.login or self.user != shown(self.login, self.user_id)):
            raise ValueError("a step shows the login of its user_id, as user")  # what is reviewed is what is done

    @property
    def is_for_new(self) -> bool:
        """Whether it grants something more to an account that the same plan creates."""
        return self.kind == "grant" and self.user_id is None and self.login is None and bool(self.before)

    @property
    def account(self) -> str:
        """The id of the account, or the login of one that the plan creates."""
        return self.user_id or self.user


@frozen(kw_only=True)
class Plan:
    """A reviewed list of operations.

    ``identity`` is the connection's, and binds the plan to it; ``connection`` is the name that it had. ``address`` is a
    digest of where the application was; ``picture`` the event of the picture compared with; ``accounts`` how many
    enabled ones there were. ``kept``: steps left out because the account is protected. ``warnings``: what else a
    reviewer should know. ``digest`` covers all the rest.
    """

    connection: str
    connector: str
    address: str
    picture: int
    created: str
    accounts: int
    steps: tuple[Step, ...] = ()
    kept: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()
    unchanged: int = 0
    identity: str = ""
    format_version: int = FORMAT_VERSION
    digest: str = ""

    @property
    def removals(self) -> int:
        return sum(1 for s in self.steps if s.effect == "remove")

    @property
    def downgrades(self) -> int:
        """By how many steps an account loses something, or may, and stays."""
        return sum(1 for s in self.steps if s.effect in ("downgrade", "change"))

    @property
    def upgrades(self) -> int:
        """How many steps take a paid seat, as far as is known."""
        return sum(1 for s in self.steps if s.seats is not None and s.seats > 0)

    @property
    def seats(self) -> int:
        """What the whole plan does to the number of paid seats, as far as is known."""
        return sum(s.seats or 0 for s in self.steps)

    @property
    def unknown_seats(self) -> int:
        """How many steps may or may not take a paid seat: the application decides."""
        return sum(1 for s in self.steps if s.seats is None)

    def by_account(self) -> Mapping[str, list[Step]]:
        """The steps of each account, in their order."""
        found: dict[str, list[Step]] = {}
        for step in self.ordered():
            found.setdefault(step.account, []).append(step)
        return found

    def ordered(self) -> tuple[Step, ...]:
        """Downgrades first, then creations and upgrades, which may reuse their seats; removals last."""
        return tuple(sorted(self.steps, key=lambda s: _ORDER[s.effect]))

    def sealed(self) -> Plan:
        return evolve(self, digest=_digest(self))


@frozen(kw_only=True)
class Limits:
    """How much one plan may do, each with a switch of its own that says how much is meant.

    ``share`` is of all enabled accounts; one removal is always allowed. A downgrade is any step by which an account
    loses something, or may, and stays. A seat on which the application decides counts as taken.
    """

    max_removals: int | None = None
    max_upgrades: int | None = None
    max_downgrades: int | None = None
    removals: int = 10
    share: float = 0.20
    upgrades: int = 10
    downgrades: int = 10

    def check(self, plan: Plan, accounts: int | None = None) -> None:
        """Refuse a plan that does too much to so many enabled accounts; by default as many as when it was made.

        :raises GuardRefused: naming the switch that raises the limit.
        """
        accounts = plan.accounts if accounts is None else accounts
        self.check_numbers(plan)
        if self.max_removals is None and plan.removals > max(1, int(self.share * accounts)):
            raise _too_much(f"removes {plan.removals} of {accounts} accounts", "--max-removals", plan.removals)

    def check_numbers(self, plan: Plan) -> None:
        """As `check`, where it is not known yet how many accounts there are."""
        losing = len({s.account for s in plan.steps if s.effect in ("downgrade", "change")})
        removals, downgrades, seats = plan.removals, plan.downgrades, plan.upgrades + plan.unknown_seats
        unknown = f" and may take {plan.unknown_seats} more" if plan.unknown_seats else ""
        taken = f"takes {_counted(plan.upgrades, 'paid seat')}{unknown}"
        for count, most, usual, what, switch in (
            (removals, self.max_removals, self.removals, f"removes {_counted(removals, 'account')}", "--max-removals"),
            (seats, self.max_upgrades, self.upgrades, taken, "--max-upgrades"),
            (downgrades, self.max_downgrades, self.downgrades, _losses(losing, downgrades),
             "--max-downgrades"),
        ):  # fmt: skip
            if count > (usual if most is None else most):
                raise _too_much(what, switch, count)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _losses(accounts: int, steps: int) -> str:
    return f"downgrades {_counted(accounts, 'account')}{f' by {steps} steps' if steps != accounts else ''}"


def _too_much(what: str, switch: str, count: int) -> GuardRefused:
    hint = f"{switch} {count} allows it, if that is meant"
    return GuardRefused(f"the plan {what}; nothing was changed", hint=hint, guard="plan_limit")


def shown(login: str, id: str) -> str:
    """Return an account's name as a plan and a terminal show it."""
    return login if login.isprintable() else id


def names(held: Iterable[EntitlementKey]) -> str:
    """Entitlements as people say them."""
    return ", ".join(e.id for e in sorted(held)) or "no role"


# -- the file --------------------------------------------------------------------------------------------------


def refuse_other_file(path: Path) -> None:
    """Refuse a place for a plan where there is a file that is none.

    :raises UsageError: writing there would lose it.
    """
    try:
        if not path.exists() or (path.is_file() and path.stat().st_size == 0):
            return
        document = json.loads(read_bytes(path, _LARGEST))
    except (OSError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not {"format_version", "steps"} <= document.keys():
        raise UsageError(f"{path} is there, and is no plan; it is not written over", hint="name another file with -o")


def write_plan(plan: Plan, path: Path) -> None:
    """Write the plan, readable by its owner only; an existing file is replaced as a whole.

    :raises UsageError: it cannot be written there, or is too large to be read again.
    """
    text = _text(plan)
    if len(text) > _LARGEST:  # it is ASCII
        raise UsageError(
            f"the plan of {len(plan.steps):,} steps is larger than {_LARGEST // 2**20} MB, and could not be applied",
            hint="plan for fewer people at a time, in several files",
        )
    try:
        write_private(path, text)
    except OSError as error:
        raise UsageError(f"cannot write the plan {path}: {error.strerror}") from error


def _text(plan: Plan) -> str:
    """The plan as JSON, with a line for each step: shorter than with a line for each value."""
    document = to_json(plan)
    assert isinstance(document, dict)
    return "{\n" + ",\n".join(f"  {json.dumps(name)}: {_lines(value)}" for name, value in document.items()) + "\n}\n"


def _lines(value: Json) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value)
    return "[\n" + ",\n".join(f"    {json.dumps(each)}" for each in value) + "\n  ]"


def read_plan(path: Path) -> Plan:
    """A plan from its file.

    :raises UsageError: it cannot be read, is no plan, or was altered since it was made.
    """
    document = _document(path)
    try:
        plan = from_json(document, Plan, what=f"the plan {path}")
    except ConfigurationError as error:
        raise _no_plan(error.message[:_LONGEST]) from error
    if plan.digest != _digest(plan):
        raise _no_plan(f"the plan {path} was altered after it was made")
    try:
        compact(document).encode()
    except UnicodeEncodeError:
        raise _no_plan(f"{path} is no plan: it holds half a character, which no store could take") from None
    return plan


def _document(path: Path) -> Json:
    try:
        document: Json = json.loads(read_bytes(path, _LARGEST))
    except OSError as error:
        raise UsageError(f"cannot read the plan {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _no_plan(f"{path} is no plan: {str(error)[:_LONGEST]}") from error
    version = document.get("format_version") if isinstance(document, dict) else None
    if version == 1 and not isinstance(version, bool):
        raise _no_plan(f"the plan {path} was made by an earlier version, and does not say which login each step is for")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise _no_plan(f"{path} is no plan of format {FORMAT_VERSION}")
    return document


def _no_plan(message: str) -> ConnectorCoreError:
    return UsageError(message, hint="make it again with connector-core plan")


def _digest(plan: Plan) -> str:
    """Of everything else that the plan says."""
    return hashlib.sha256(compact(to_json(evolve(plan, digest=""))).encode("utf-8", "surrogatepass")).hexdigest()
