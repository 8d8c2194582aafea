"""`access` and `changes`: answers from the last published picture."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import click

from connector_core.cli.output import plural, print_json, say
from connector_core.cli.program import CHANGES, Command, Options
from connector_core.cli.table import Column, print_table
from connector_core.model import AccessRow, Change, Picture

_DAY = 86_400.0
_MOMENT = "SYNC_OR_TIME"
_MINUTE = len("2026-01-31T12:00")


@click.command(cls=Command)
@click.argument("connection")
@click.option("--user", metavar="USER", help="Only this person: e-mail in any case, or id.")
@click.option("--role", metavar="ROLE", help="Only this role: id, type:id or type:id:slug.")
@click.option("--at", metavar=_MOMENT, help="As it was then: a sync's number, or a time like 2026-01-31T12:00Z.")
@click.pass_obj
def access(options: Options, connection: str, user: str | None, role: str | None, at: str | None) -> None:
    """Show who has what."""
    with options.host() as host:
        picture, rows = host.connection(connection).view(user=user, role=role, at=at)
    if options.json:
        from attrs import asdict

        print_json({"picture": asdict(picture), "access": [asdict(row) for row in rows]})
    else:
        _print_access(rows)
        options.remark(_summary(rows))
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


# -- who has what ----------------------------------------------------------------------------------------------


def _print_access(rows: tuple[AccessRow, ...]) -> None:
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


def _summary(rows: tuple[AccessRow, ...]) -> str:
    people = plural(len({row.user_id for row in rows}), "user")
    held = Counter(_role(row) for row in rows if row.role is not None)
    without = sum(row.role is None for row in rows)
    parts = [f"{n:,} {role}" for role, n in sorted(held.items())] + [f"{without:,} without a known role"] * bool(
        without
    )
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
    """One line a row, all of one person together."""
    shape = [Column("WHEN (UTC)"), Column("USER", 20), Column("WHAT"), Column("BEFORE", 12), Column("AFTER", 12)]
    ordered = sorted(rows, key=lambda row: (row.at, row.user or row.user_id))
    print_table(shape, map(_change, ordered))


def _change(row: Change) -> tuple[str | None, ...]:
    when, who = _minute(row.at), row.user or row.user_id
    if row.what == "account":
        return (when, who, {"added": "joined", "removed": "left"}.get(row.kind, row.kind), None, None)
    return (when, who, row.what, _short(row.before), _short(row.after))


def _short(value: str | None) -> str | None:
    """``role:editor:assigned`` as people say it."""
    parts = (value or "").split(":")
    return parts[1] if len(parts) == 3 and parts[2] == "assigned" else value


def _minute(moment: str) -> str:
    return moment[:_MINUTE].replace("T", " ")


def _utc(moment: str) -> str:
    return f"{_minute(moment)} UTC"
