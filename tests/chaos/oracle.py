"""Whether what the host shows is true, or marked as not: judged against the workspace and all that it was meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from chaos.stage import TOKEN, Ledger, Picture, State
from connector_core.testing.faults import Description


@frozen(kw_only=True)
class SyncOutcome:
    """How a sync ended: ``reason`` as a person reads it."""

    status: str
    reason: str = ""


@frozen(kw_only=True)
class Doubt:
    """What is known to make the picture differ without anybody being able to tell.

    ``unseen``: the list leaves people out and nothing shows it, so that newcomers may be missing; ``distorts``: what of
    a user is shown otherwise than it is; ``lies``: the answer to a write says the opposite of what was done, and only
    a read can show it.
    """

    unseen: bool = False
    lies: bool = False
    distorts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, faults: Iterable[Description]) -> Doubt:
        faults = list(faults)
        distorts: frozenset[str] = frozenset().union(*(f.distorts for f in faults))
        lies = any("passed_over" in f.name or "400_though_done" in f.name for f in faults)
        # by cursor, a list that fits into one page is one request: nothing else is there to compare it with
        names = {f.name for f in faults}
        once = "forgets_half" in names and any("cursor" in name for name in names)
        empty = "p06_total_without_rows" in names and bool(names & _WITHOUT_A_TOTAL)
        return cls(unseen=once or empty or any(f.unseen for f in faults), distorts=distorts, lies=lies)


_WITHOUT_A_TOTAL = {"p02_total_is_page_length", "p12_total_absent", "page_1_past_the_end"}
"""With none of the rows either, a list looks like that of an empty workspace."""

PUBLISHED = ("complete", "incomplete")


def judge(
    before: Picture | None, after: Picture | None, ledger: Ledger, outcome: SyncOutcome, doubt: Doubt
) -> list[str]:
    """Everything that is wrong; nothing where the promise was kept."""
    found = list(_words(outcome))
    if outcome.status not in PUBLISHED:
        return [*found, *(["it changed the picture without being published"] if before != after else [])]
    if after is None:
        return [*found, "it was published, and there is no picture"]
    old = before or {}
    found += [f"{id} never existed" for id in after if id not in ledger.ever]
    found += _ended(old, after, ledger, doubt)
    for id, shown in after.items():
        found += _state(id, shown, old.get(id), ledger, outcome, doubt)
    if outcome.status == "complete":
        found += _complete(after, ledger, doubt)
    return found


def _words(outcome: SyncOutcome) -> Iterator[str]:
    if outcome.status != "complete" and len(outcome.reason.split()) < 2:
        yield f"{outcome.status} without a reason"
    yield from words(outcome.reason)


def words(text: str) -> Iterator[str]:
    """What makes a message unfit for a person."""
    if not text.isprintable() or len(text) > 1000:
        yield f"not fit to be read: {text[:200]!r}"
    if any(word in text for word in ("Traceback", "Exception(", "Error(", "object at 0x", TOKEN)):
        yield f"not a person's words: {text[:200]}"


def _ended(old: Picture, after: Picture, ledger: Ledger, doubt: Doubt) -> Iterator[str]:
    """Nothing known ends without proof, whatever the server does."""
    for id, was in old.items():
        if id not in after:
            if not ledger.was_absent(id):
                yield f"{id} ({was.login}) ended without proof"
        elif was.role is not None and after[id].role != was.role:
            held_throughout = not ledger.was_absent(id) and all(s.role == was.role for s in ledger.states(id))
            if held_throughout:
                yield f"{id} ({was.login}) lost {was.role} without proof, now {after[id].role}"


def _state(
    id: str, shown: State, was: State | None, ledger: Ledger, outcome: SyncOutcome, doubt: Doubt
) -> Iterator[str]:
    """What is shown of a user is something that they were while it was read; of what could not be read, the earlier."""
    states = ledger.states(id)
    if outcome.status == "incomplete" and was is not None:
        states = [*states, was]
    if not states:
        if id in ledger.ever:
            yield f"{id} ({shown.login}) left before it began, and stayed in a complete picture"
        return
    logins = {s.login for s in states}
    if shown.login not in logins and not ("login" in doubt.distorts and _respelled(shown.login, logins)):
        yield f"{id} has the login {shown.login}, never one of {sorted(logins)}"
    if shown.status not in {s.status for s in states} and not (
        "status" in doubt.distorts and shown.status == "unknown"
    ):
        yield f"{id} is {shown.status}, never one of {sorted({s.status for s in states})}"
    roles = {s.role for s in states}
    stands = was is not None and shown.role == was.role and not shown.confirmed
    hidden = shown.role is None and "role" in doubt.distorts
    if shown.role not in roles and not stands and not hidden and not (shown.status == "unknown" and None in roles):
        yield f"{id} holds {shown.role}, never one of {sorted(map(str, roles))}"


def _respelled(login: str, logins: Iterable[str]) -> bool:
    return any(login.casefold().endswith(name.casefold()) for name in logins)


def _complete(after: Picture, ledger: Ledger, doubt: Doubt) -> Iterator[str]:
    if not doubt.unseen:
        for id in sorted(ledger.stood() - set(after)):
            yield f"{id} ({ledger.now[id].login}) was there throughout, and is missing in a complete picture"
