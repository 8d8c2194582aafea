"""`backup`, `restore` and `prune`: copy the state while it is in use, put a copy back, forget old history."""

from __future__ import annotations

import click

from connector_core.cli.output import note, plural, print_json, second
from connector_core.cli.program import Command, Options
from connector_core.cli.prompts import confirmation
from connector_core.errors import GuardRefused, UsageError
from connector_core.files import expanded


@click.command(cls=Command)
@click.argument("file")
@click.option("--connection", metavar="NAME", help="Whose state, where each connection has a file of its own.")
@click.option("--force", is_flag=True, help="Put it in the place of a file that is there.")
@click.pass_obj
def backup(options: Options, /, file: str, connection: str | None, force: bool) -> None:
    """Copy the state into a file, also while it is in use.

    The copy is of one moment, looked over before it gets its name, and readable by you alone. It is a state file
    itself: --db FILE looks into it.
    """
    target = expanded(file)
    with options.host() as host:
        size = host.backup(target, connection=connection, force=force)
    if options.json:
        print_json({"file": str(target), "bytes": size})
    else:
        note(f"copied the state into {target} ({size:,} bytes)")


@click.command(cls=Command)
@click.argument("file")
@click.option("--connection", metavar="NAME", help="Whose state, where each connection has a file of its own.")
@click.option("--yes", is_flag=True, help="Without asking.")
@click.pass_obj
def restore(options: Options, /, file: str, connection: str | None, yes: bool) -> None:
    """Put a backup in the place of the state.

    The backup is checked first, and replaces the state in one step. The earlier state is kept in the same folder,
    under a name with the time. The picture becomes that of the backup: run each connection once more.
    """
    source = expanded(file)
    with options.host() as host:
        ask = confirmation(options)
        if not yes and not (ask is not None and ask(f"The state becomes that of {source}.")):
            raise GuardRefused("restoring was not confirmed; nothing was changed", hint="--yes confirms it")
        kept = host.restore(source, connection=connection)
    if options.json:
        print_json({"file": str(source), "kept": None if kept is None else str(kept)})
    else:
        note(f"the state is that of {source}")
        if kept is not None:
            note(f"  the earlier one is kept in {kept}")


@click.command(cls=Command)
@click.argument("connection")
@click.option("--older-than", "older", metavar="TIME", help="What is older: 90d, 12h.")
@click.option("--keep", type=click.IntRange(2), metavar="N", help="All but so many published syncs.")
@click.option("--dry-run", is_flag=True, help="Say what would be forgotten; forget nothing.")
@click.option("--yes", is_flag=True, help="Without asking.")
@click.pass_obj
def prune(options: Options, /, connection: str, older: str | None, keep: int | None, dry_run: bool, yes: bool) -> None:
    """Forget pictures, changes and syncs of long ago.

    The current picture and the journal of operations are never touched; the last two syncs always stay. With both
    options, what both would forget.
    """
    from connector_core.fleet.schedule import duration

    if older is None and keep is None:
        raise UsageError("say what to forget", hint="--older-than 90d, or --keep 100")
    seconds = None if older is None else duration(older)
    with options.host() as host:
        asked = host.connection(connection)
        pruned = asked.prune(older=seconds, keep=keep, dry_run=True)
        if not dry_run and pruned.oldest is not None:
            ask = confirmation(options)
            question = f"The history of {connection} before {second(pruned.oldest)} UTC is forgotten for good."
            if not yes and not (ask is not None and ask(question)):
                raise GuardRefused(f"pruning {connection} was not confirmed", hint="--yes confirms it")
            pruned = asked.prune(older=seconds, keep=keep)
    if options.json:
        from attrs import asdict

        print_json({"connection": connection, "dry_run": dry_run, "pruned": asdict(pruned)})
    elif pruned.oldest is None:
        note("nothing is old enough to be forgotten")
    else:
        parts = (plural(pruned.syncs, "sync"), plural(pruned.changes, "change"), plural(pruned.versions, "version"))
        note(f"{'would forget' if dry_run else 'forgot'} {', '.join(parts)}")
        note(f"  the oldest picture is that of {second(pruned.oldest)} UTC")
