"""`access`, `changes` and `history`: answers from the last published picture, and those before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from connector_core.cli.output import minute, plural, print_json, say
from connector_core.cli.program import CHANGES, Command, Options
from connector_core.cli.table import Column, print_table
from connector_core.errors import AmbiguousName
from connector_core.model import AccessRow, Change, EntitlementKey, History, Picture

_DAY = 86_400.0
_MOMENT = "SYNC_OR_TIME"
_BY = Column("BY", 16, wrap=True)


@click.command(cls=Command)
@click.argument("connection")
@click.option("--user", metavar="USER", help="Only this person: login, e-mail, id or type:id.")
@click.option("--role", metavar="ROLE", help="Only this role: id, type:id or type:id:slug.")
@click.option("--at", metavar=_MOMENT, help="As it was then: a sync's number, or a time like 2026-01-31T12:00Z.")
@click.pass_obj
def access(options: Options, connection: str, user: str | None, role: str | None, at: str | None) -> None:
    """Show who has what."""
    with options.host() as host:
        asked = host.connection(connection)
        try:
            picture, rows = asked.view(user=user, role=role, at=at)
        except AmbiguousName as error:
            if error.keys and not options.json:
                _print_access([row for key in error.keys for row in asked.access(user=str(key), role=role, at=at)])
            raise
        paid = {entitlement.key for entitlement in asked.entitlements() if entitlement.paid}
    held = Counter(key for row in rows if (key := _key(row)) is not None)
    if options.json:
        from attrs import asdict

        seats = {"seats": [_seat(key, count, key in paid) for key, count in sorted(held.items())]}
        whole = user is None and role is None
        print_json({"picture": asdict(picture), **(seats if whole else {}), "access": [asdict(row) for row in rows]})
    else:
        _print_access(rows)
        options.remark(_summary(rows, held, paid))
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
        rows = host.connection(connection).changes(since=since, until=until)
    if options.json:
        from attrs import asdict

        print_json({"changes": [asdict(row) for row in rows]})
    else:
        _print_changes(rows)
        counted = Counter[str](row.kind for row in rows)
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
        people = host.connection(connection).history(user)
    if options.json:
        from attrs import asdict

        print_json({"connection": connection, "history": [asdict(person) for person in people]})
        return
    for person in people:
        _print_history(person)
        options.remark(_today(person))


# -- who has what ----------------------------------------------------------------------------------------------


def _print_access(rows: Sequence[AccessRow]) -> None:
    """One line a row; ``VIA`` only where something is inherited."""
    shape = [Column("USER", 20), Column("NAME", 12), Column("ROLE", 20), Column("STATUS"), Column("SINCE")]
    lines = [[row.user or row.user_id, row.name, _held(row), row.status, (row.since or "")[:10]] for row in rows]
    if any(row.via for row in rows):
        shape.append(Column("VIA", 10))
        lines = [[*line, row.via] for line, row in zip(lines, rows, strict=True)]
    print_table(shape, lines)


def _held(row: AccessRow) -> str:
    return _role(row) if row.confirmed else f"{_role(row)} (unconfirmed)"


def _role(row: AccessRow) -> str:
    if row.role is None:
        return "-"
    return row.role if row.entitlement == "assigned" else f"{row.role}:{row.entitlement}"


def _key(row: AccessRow) -> EntitlementKey | None:
    if row.resource_type is None or row.role is None or row.entitlement is None:
        return None
    return EntitlementKey(row.resource_type, row.role, row.entitlement)


def _seat(key: EntitlementKey, held: int, paid: bool) -> dict[str, object]:
    return {"resource_type": key.type, "role": key.id, "entitlement": key.slug, "held": held, "paid": paid}


def _summary(rows: tuple[AccessRow, ...], held: Counter[EntitlementKey], paid: set[EntitlementKey]) -> str:
    """How many there are, and which of the seats they take cost money."""
    people = plural(len({row.user_id for row in rows}), "user")
    parts = [f"{count:,} {short(str(key))}{' (paid)' * (key in paid)}" for key, count in sorted(held.items())]
    if without := sum(row.role is None for row in rows):
        parts.append(f"{without:,} without a known role")
    return f"{people}: {', '.join(parts)}" if parts else people


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


def _print_changes(rows: tuple[Change, ...]) -> None:
    """One line a row, all of one person together; ``BY`` only where an operation brought something."""
    shape = [Column("WHEN (UTC)"), Column("USER", 20), Column("WHAT"), Column("BEFORE", 12), Column("AFTER", 12)]
    ordered = sorted(rows, key=lambda row: (row.at, row.user or row.user_id))
    lines = [[minute(row.at), row.user or row.user_id, *_change(row)] for row in ordered]
    if any(row.operation for row in rows):
        shape.append(_BY)
        lines = [[*line, _by(row)] for line, row in zip(lines, ordered, strict=True)]
    print_table(shape, lines)


def _change(row: Change) -> list[str | None]:
    if row.what == "account":
        return [{"added": "joined", "removed": "left"}.get(row.kind, row.kind), None, None]
    return [row.what, short(row.before), short(row.after)]


def _by(row: Change) -> str:
    """Which sync found it, or who asked for it and why."""
    if row.operation is None:
        return f"sync {row.sync}"
    reason = f": {row.reason}" if row.reason else ""
    return f"{row.requested_by or 'operation'}{reason} ({row.operation})"


# -- one person ------------------------------------------------------------------------------------------------


def _print_history(person: History) -> None:
    """From when they were first seen until now."""
    shape = [Column("WHEN (UTC)"), Column("WHAT"), Column("BEFORE", 12), Column("AFTER", 12), _BY]
    lines = [[minute(row.at), *_change(row), _by(row)] for row in person.changes]
    if person.baseline:
        held = ", ".join(short(role) or "" for role in person.held)
        lines.insert(0, [minute(person.first), "first seen", None, held or None, None])
    print_table(shape, lines)


def _today(person: History) -> str:
    who = person.user or person.user_id
    if not person.now:
        return f"{who} ({person.user_id}): has left"
    held = ", ".join(_held(row) for row in person.now if row.role is not None) or "no known role"
    return f"{who} ({person.user_id}): {person.now[0].status}, {held}"


# -- words -----------------------------------------------------------------------------------------------------


def short(value: str | None) -> str | None:
    """``role:editor:assigned`` as people say it."""
    parts = (value or "").split(":")
    return parts[1] if len(parts) == 3 and parts[2] == "assigned" else value


def _utc(moment: str) -> str:
    return f"{minute(moment)} UTC"
