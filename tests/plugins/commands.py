"""A plugin that is no connector: it adds commands."""

from __future__ import annotations

import click

from connector_core import Host, Options, UsageError, hookimpl, pass_host


@hookimpl
def register_commands(cli: click.Group) -> None:
    cli.command()(who)


@click.argument("connection")
@click.option("--fails", type=click.Choice(["used", "broken"]))
@pass_host
def who(host: Host, options: Options, connection: str, fails: str | None) -> int:
    """Print who has access, a name a line."""
    if fails == "used":
        raise UsageError("not like this")
    rows = [*host.connection(connection).access()]
    if fails == "broken":
        raise ValueError(f"no such thing as {host.configuration.environ['CONNECTOR_CORE_WHIMSICAL_TOKEN']}")
    print(rows[0].user if options.json else "\n".join(sorted(row.user for row in rows)))
    options.remark(f"{len(rows)} rows")
    return 3
