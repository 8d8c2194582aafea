"""`access`, `changes` and `history`: answers from the last published picture, and those before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

import click
from attrs import asdict, define, field, fields

from connector_core.cli.labels import Labels
from connector_core.cli.output import minute, plural, print_json, say
from connector_core.cli.program import CHANGES, Command, Options
from connector_core.cli.table import PAGE, Column, begun, print_table
from connector_core.errors import AmbiguousName
from connector_core.model import AccessRow, Change, EntitlementKey, History, Picture

_DAY = 86_400.0
_MOMENT = "SYNC_OR_TIME"
_BY = Column("BY", 16, wrap=True)

T = TypeVar("T")


@click.command(cls=Command)
@click.argument("connection")
@click.option("--user", metavar="USER", help="Only this person: login, e-mail, id or type:id.")
@click.option("--role", metavar="ROLE", help="Only this role or group: name, id, type:id or type:id:slug.")
@click.option("--at", metavar=_MOMENT, help="As it was then: a sync's number, or a time like 2026-01-31T12:00Z.")
@click.pass_obj
def access(options: Options, connection: str, user: str | None, role: str | None, at: str | None) -> None:
    """Show who has what."""
    with options.host() as host:
        asked = host.connection(connection)
        entitlements = asked.entitlements()
        inherits = any(entitlement.expands for entitlement in entitlements)
        labels = Labels({} if options.json else asked.role_labels())
        try:
            picture, rows = asked.view(user=user, role=role, at=at)
        except AmbiguousName as error:
            if error.keys and not options.json:
                each = (asked.access(user=str(key), role=role, at=at) for key in error.keys)
                _print_access(chain.from_iterable(each), inherits, labels)
            raise
        paid = {entitlement.key for entitlement in entitlements if entitlement.paid}
        held = _Held()
        if options.json:
            seats = {"seats": held.seats(paid)} if user is None and role is None else {}
            print_json({"picture": asdict(picture), "access": _documents(held.counted(rows), AccessRow), **seats})
        else:
            _print_access(held.counted(rows), inherits, labels)
            options.remark(held.summary(paid, labels))
    if at is None:
        _warn(connection, picture)


@click.command(cls=Command)
@click.argument("connection")
@click.option("--from", "since", metavar=_MOMENT, help="Changes after this; by default after the last sync but one.")
@click.option("--to", "until", metavar=_MOMENT, help="Changes up to this; by default up to now.")
@click.option("--exit-code", is_flag=True, help="Exit with 10 where there are changes.")
@click.pass_obj
def changes(options: Options, connection: str, since: str | None, until: str | None, exit_code: bool) -> int:
    """Show joiners, leavers and role changes."""
    with options.host() as host:
        asked = host.connection(connection)
        rows = asked.changes(since=since, until=until, by_person=not options.json)
        if options.json:
            print_json({"changes": _documents(rows, Change)})
        else:
            counted: Counter[str] = Counter()
            labels = Labels(asked.role_labels())
            _print_changes(_noted(rows, lambda row: counted.update((row.kind,))), labels)
            kinds = ("added", "removed", "changed")
            options.remark(", ".join(f"{counted[kind]:,} {kind}" for kind in kinds) if rows else "no changes")
    return CHANGES if exit_code and rows else 0


@click.command(cls=Command)
@click.argument("connection")
@click.argument("user")
@click.pass_obj
def history(options: Options, connection: str, user: str) -> None:
    """Show all that is known of one person.

    Since when, every change, who asked for it and why. USER is a login, e-mail, id or type:id, also of a person who
    has left.
    """
    with options.host() as host:
        asked = host.connection(connection)
        people, labels = asked.history(user), Labels({} if options.json else asked.role_labels())
    if options.json:
        print_json({"connection": connection, "history": [asdict(person) for person in people]})
        return
    for person in people:
        _print_history(person, labels)
        options.remark(_today(person, labels))


# -- who has what ----------------------------------------------------------------------------------------------


def _print_access(rows: Iterable[AccessRow], inherits: bool, labels: Labels) -> None:
    """One line a row; ``VIA`` only where something is inherited, as far as a first page tells, or may be."""
    shape = [Column("USER", 20), Column("NAME", 12), Column("ROLE", 20), Column("STATUS"), Column("SINCE")]
    first, rows = begun(rows)
    via = any(row.via for row in first) or (inherits and len(first) == PAGE)
    lines = (
        [row.user or row.user_id, row.name, _held(row, labels), row.status, (row.since or "")[:10],
         labels.path(row.via)]
        for row in rows
    )  # fmt: skip
    print_table([*shape, Column("VIA", 10)] if via else shape, lines if via else (line[:-1] for line in lines))


@define
class _Held:
    """What the rows of an answer come to, counted while they are gone through."""

    keys: Counter[tuple[str | None, str | None, str | None]] = field(factory=Counter)
    people: int = 0
    _of_this: set[tuple[str | None, str | None, str | None]] = field(factory=set, init=False)

    def counted(self, rows: Iterable[AccessRow]) -> Iterator[AccessRow]:
        """The same rows, each counted. Those of one account follow one another."""
        last = None
        for row in rows:
            if row.user_id != last:
                self.people += 1
                last = row.user_id
                self._of_this.clear()
            key = (row.resource_type, row.role, row.entitlement)
            if key not in self._of_this:  # who holds it in two ways is one person
                self._of_this.add(key)
                self.keys[key] += 1
            yield row

    def seats(self, paid: set[EntitlementKey]) -> Iterator[dict[str, object]]:
        """How often each entitlement is held: for a document, once the rows are written."""
        for key, count in self._entitlements():
            yield {
                "resource_type": key.type, "role": key.id, "entitlement": key.slug, "held": count, "paid": key in paid
            }  # fmt: skip

    def summary(self, paid: set[EntitlementKey], labels: Labels) -> str:
        """How many there are, and which of the seats they take cost money."""
        people = plural(self.people, "user")
        parts = [f"{count:,} {labels.of(key)}{' (paid)' * (key in paid)}" for key, count in self._entitlements()]
        if without := sum(count for (_, role, _), count in self.keys.items() if role is None):
            parts.append(f"{without:,} without a known role")
        return f"{people}: {', '.join(parts)}" if parts else people

    def _entitlements(self) -> list[tuple[EntitlementKey, int]]:
        return sorted(
            (EntitlementKey(type, role, slug), count)
            for (type, role, slug), count in self.keys.items()
            if type is not None and role is not None and slug is not None
        )


def _held(row: AccessRow, labels: Labels) -> str:
    if row.resource_type is None or row.role is None or row.entitlement is None:
        return "-"
    role = labels.of(EntitlementKey(row.resource_type, row.role, row.entitlement))
    return role if row.confirmed else f"{role} (unconfirmed)"


def _warn(connection: str, picture: Picture) -> None:
    """One line where the picture is not what it should be: not complete, or older than a day."""
    if picture.status != "complete":
        known = (
            f"the last complete one ended {_utc(picture.last_complete)}" if picture.last_complete else "none ever was"
        )
        say(f"warning: the last sync is {picture.status}, not complete; {known} (connector-core logs {connection})")
    elif picture.at and (age := datetime.now(UTC) - datetime.fromisoformat(picture.at)).total_seconds() > _DAY:
        say(f"warning: this picture is {plural(age.days, 'day')} old (connector-core run {connection})")


# -- what changed ----------------------------------------------------------------------------------------------


def _print_changes(rows: Iterable[Change], labels: Labels) -> None:
    """One line a row; ``BY`` only where an operation brought something, as far as a first page tells, or may have."""
    shape = [Column("WHEN (UTC)"), Column("USER", 20), Column("WHAT"), Column("BEFORE", 12), Column("AFTER", 12)]
    first, rows = begun(rows)
    by = any(row.operation for row in first) or len(first) == PAGE
    lines = (
        [minute(row.at), row.user or row.user_id, *_change(row, labels), *([_by(row)] if by else ())] for row in rows
    )
    print_table([*shape, _BY] if by else shape, lines)


def _change(row: Change, labels: Labels) -> list[str | None]:
    if row.what == "account":
        return [{"added": "joined", "removed": "left"}.get(row.kind, row.kind), None, None]
    if row.what != "grant":
        return [row.what, row.before, row.after]
    type = (row.after or row.before or row.what).partition(":")[0]
    return [type, labels.text(row.before), labels.text(row.after)]


def _by(row: Change) -> str:
    """Which sync found it, or who asked for it and why."""
    if row.operation is None:
        return f"sync {row.sync}"
    reason = f": {row.reason}" if row.reason else ""
    return f"{row.requested_by or 'operation'}{reason} ({row.operation})"


# -- one person ------------------------------------------------------------------------------------------------


def _print_history(person: History, labels: Labels) -> None:
    """From when they were first seen until now."""
    shape = [Column("WHEN (UTC)"), Column("WHAT"), Column("BEFORE", 12), Column("AFTER", 12), _BY]
    lines = [[minute(row.at), *_change(row, labels), _by(row)] for row in person.changes]
    if person.baseline:
        held = ", ".join(labels.text(role) or "" for role in person.held)
        lines.insert(0, [minute(person.first), "first seen", None, held or None, None])
    print_table(shape, lines)


def _today(person: History, labels: Labels) -> str:
    who = person.user or person.user_id
    if not person.now:
        return f"{who} ({person.user_id}): has left"
    held = ", ".join(_held(row, labels) for row in person.now if row.role is not None) or "no known role"
    return f"{who} ({person.user_id}): {person.now[0].status}, {held}"


# -- rows ------------------------------------------------------------------------------------------------------


def _documents(rows: Iterable[AccessRow | Change], kind: type) -> Iterator[dict[str, Any]]:
    """Each row as a document has it; `asdict` takes twice as long."""
    names = [attribute.name for attribute in fields(kind)]
    values = attrgetter(*names)
    return (dict(zip(names, values(row), strict=True)) for row in rows)


def _noted(rows: Iterable[T], note: Callable[[T], object]) -> Iterator[T]:
    for row in rows:
        note(row)
        yield row


# -- words -----------------------------------------------------------------------------------------------------


def _utc(moment: str) -> str:
    return f"{minute(moment)} UTC"
