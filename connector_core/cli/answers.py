"""`access` and `changes`: answers from the last published picture."""

from __future__ import annotations

from datetime import datetime

import click

from connector_core.cli.output import print_json, print_table, say
from connector_core.cli.program import Command, Options
from connector_core.model import AccessRow, Change, Picture

_DAY = 86_400.0
CHANGES = 10


@click.command(cls=Command)
@click.argument("connection")
@click.option("--user", metavar="USER", help="Only this person: e-mail in any case, or id.")
@click.option("--role", metavar="ROLE", help="Only this role: id, type:id or type:id:slug.")
@click.option(
    "--at", metavar="EVENT_OR_TIME", help="As it was then: a sync's number, or a time such as 2026-01-31T12:00Z."
)
@click.pass_obj
def access(options: Options, connection: str, user: str | None, role: str | None, at: str | None) -> None:
    """Show who has what."""
    with options.host() as host:
        asked = host.connection(connection)
        picture = asked.picture(at=at)
        rows = asked.access(user=user, role=role, at=at)
    if at is None:
        _warn(connection, picture)
    if options.json:
        from attrs import asdict

        print_json({"picture": asdict(picture), "access": [asdict(row) for row in rows]})
    else:
        _print_access(rows)


@click.command(cls=Command)
@click.argument("connection")
@click.option(
    "--from", "since", metavar="EVENT_OR_TIME", help="Changes after this; by default the sync before the last."
)
@click.option("--to", "until", metavar="EVENT_OR_TIME", help="Changes up to this; by default until now.")
@click.option("--exit-code", is_flag=True, help="Exit with 10 where there are changes.")
@click.pass_obj
def changes(options: Options, connection: str, since: str | None, until: str | None, exit_code: bool) -> int:
    """Show joiners, leavers and what else changed."""
    with options.host() as host:
        rows = host.connection(connection).changes(since=since, until=until)
    if options.json:
        from attrs import asdict

        print_json({"changes": [asdict(row) for row in rows]})
    elif rows:
        print_table(("WHEN", "CHANGE", "USER", "WHAT", "BEFORE", "AFTER"), map(_change, rows))
    else:
        say("no changes")
    return CHANGES if exit_code and rows else 0


def _print_access(rows: tuple[AccessRow, ...]) -> None:
    """One line a row; ``VIA`` only where something is inherited."""
    inherited = any(row.via for row in rows)
    head = ("USER", "NAME", "ROLE", "STATUS", "SINCE", *(("VIA",) if inherited else ()))
    print_table(head, [(*_access(row), *((row.via,) if inherited else ())) for row in rows])
    held: dict[str, int] = {}
    for row in rows:
        held[_role(row)] = held.get(_role(row), 0) + 1
    people = len({row.user_id for row in rows})
    say(f"{people} users; {', '.join(f'{role} {n}' for role, n in sorted(held.items()))}" if rows else "nobody")


def _access(row: AccessRow) -> tuple[str | None, ...]:
    role = _role(row) if row.confirmed else f"{_role(row)} (unconfirmed)"
    return (row.user or row.user_id, row.name, role, row.status, (row.since or "")[:16].replace("T", " "))


def _role(row: AccessRow) -> str:
    if row.role is None:
        return "-"
    return row.role if row.entitlement == "assigned" else f"{row.role}:{row.entitlement}"


def _change(row: Change) -> tuple[str | None, ...]:
    return (
        row.at[:16].replace("T", " "),
        row.kind,
        row.user or row.user_id,
        row.what,
        _short(row.before),
        _short(row.after),
    )


def _short(value: str | None) -> str | None:
    """``role:editor:assigned`` as people say it."""
    parts = (value or "").split(":")
    return parts[1] if len(parts) == 3 and parts[2] == "assigned" else value


def _warn(connection: str, picture: Picture) -> None:
    """One line where the picture is not what it should be: not complete, or older than a day."""
    age = (datetime.now().astimezone() - datetime.fromisoformat(picture.at)).total_seconds() if picture.at else 0.0
    if picture.status != "complete":
        known = f"the last complete one ended {picture.last_complete}" if picture.last_complete else "none was complete"
        say(f"warning: the last sync is {picture.status}; {known} (connector-core logs {connection})")
    elif age > _DAY:
        say(f"warning: this picture is {age / _DAY:.0f} days old (connector-core run {connection})")
