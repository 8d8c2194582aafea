"""The options of each command, as click knows them."""

from __future__ import annotations

from collections.abc import Iterable

import click

from connector_core.cli.program import COMMANDS, cli


def options() -> str:
    """Return a table for the options understood everywhere, and one for each command's own."""
    program = click.Context(cli, info_name="connector-core")
    parts = ["### Every command", table(cli.params, program)]
    common = {option for parameter in cli.params for option in parameter.opts}
    for name in COMMANDS:
        command = cli.get_command(program, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=program)
        own = [p for p in command.get_params(context) if not common.issuperset(p.opts) and "--help" not in p.opts]
        usage = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
        parts += [f"### {name}", f"`{' '.join([name, *usage])}`: {summary(command)}", table(own, context)]
    return "\n\n".join(part for part in parts if part)


def summary(command: click.Command) -> str:
    """Return what ``--help`` says of the command, as one paragraph for each of its paragraphs."""
    paragraphs = (command.help or "").replace("\b", "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())


def table(parameters: Iterable[click.Parameter], context: click.Context) -> str:
    records = [p.get_help_record(context) for p in parameters if isinstance(p, click.Option)]
    rows = [f"| {quoted(names)} | {help} |" for names, help in filter(None, records)]
    return "\n".join(["| option | means |", "|---|---|", *rows]) if rows else ""


def quoted(names: str) -> str:
    """Put each spelling of an option into backticks of its own."""
    return ", ".join(f"`{name.strip()}`" for name in names.replace(" / ", ", ").split(","))
