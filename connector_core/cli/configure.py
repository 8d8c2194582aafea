"""`configure`, `rename`, `remove` and `config show`: what is configured, changed and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.add import Form, show, values_of
from connector_core.cli.output import exit_code_of, note, print_json, say
from connector_core.cli.program import Command, Options
from connector_core.cli.prompts import confirmation
from connector_core.cli.signals import interruptible
from connector_core.cli.table import Column, print_table
from connector_core.errors import ConfigurationError, GuardRefused, UnknownName, UsageError

if TYPE_CHECKING:
    from connector_core.host.host import Capabilities, Host
    from connector_core.host.setup import SetupResult

_OF_APP = ("owner", "managed")
_ORIGINS = (Column("CONNECTION"), Column("NAME"), Column("VALUE", least=12), Column("ORIGIN", least=12, wrap=True))


@click.command(cls=Command)
@click.argument("connection")
@click.argument("pairs", nargs=-1, metavar="[K=V]...")
@click.option("--secret", "secrets", multiple=True, metavar="NAME", help="Replace this secret; may be given again.")
@click.option("--keyring/--no-keyring", default=None, help="Keep the secret in the keyring, or in a file of yours.")
@click.option("--no-check", is_flag=True, help="Save without trying it.")
@click.pass_obj
def configure(
    options: Options, /, connection: str, pairs: tuple[str, ...], secrets: tuple[str, ...], keyring: bool | None,
    no_check: bool,
) -> int:  # fmt: skip
    """Change settings, owner, app, managed; replace a secret.

    K=V sets a setting, or one of app, owner and managed; K= goes back to the default. Owner and managed of a
    connection with an app are the app's, and change for all its connections. A secret is asked for without echo, else
    read from standard input: several of them as JSON or as lines NAME=VALUE.
    """
    with options.host() as host:
        form = _form(options, host, connection)
        changes = values_of(pairs, form.capabilities.settings, ("app", *_OF_APP))
        changes |= _new_secrets(form, secrets)
        if not changes:
            raise UsageError("nothing to change", hint=f"connector-core configure {connection} page_size=50")
        if secrets and not no_check:
            options.remark("checking ...")
        with interruptible(host.cancel):
            result = host.configure(connection, changes, keyring=keyring, check=not no_check)
        if result.failure is not None:
            show(result.findings)
            say("nothing was changed")
            return exit_code_of(result.failure.code)
    changed = list(result.changed)
    return _told(options, result, {"connection": connection, "changed": changed}, f"changed {', '.join(changed)}")


@click.command(cls=Command)
@click.argument("connection")
@click.argument("new")
@click.pass_obj
def rename(options: Options, connection: str, new: str) -> int:
    """Give a connection another name; its history goes along."""
    with options.host() as host:
        result = host.rename(connection, new)
    return _told(options, result, {"connection": new, "before": connection}, f"{connection} is now {new}")


@click.command(cls=Command)
@click.argument("connection")
@click.option("--yes", is_flag=True, help="Without asking.")
@click.pass_obj
def remove(options: Options, connection: str, yes: bool) -> int:
    """Forget a connection and its secrets; its history stays.

    Nothing is changed in the application. A connection of that name that is added later is another one, with a
    history of its own.
    """
    with options.host() as host:
        _form(options, host, connection)
        ask = confirmation(options)
        question = f"{connection} goes out of {host.configuration.path}, and its secrets are forgotten."
        if not yes and not (ask is not None and ask(question)):
            raise GuardRefused(f"removing {connection} was not confirmed", hint="--yes confirms it")
        result = host.remove(connection)
    return _told(options, result, {"connection": connection, "removed": True}, f"removed {connection}")


@click.command(cls=Command)
@click.argument("action", type=click.Choice(["show"]))
@click.argument("connection", required=False)
@click.option("--origin", is_flag=True, help="Also where each value comes from.")
@click.pass_obj
def config(options: Options, action: str, connection: str | None, origin: bool) -> None:
    """Show what is configured, secrets masked."""
    from connector_core.config.configuration import described

    with options.host() as host:
        names = [connection] if connection else [*host.configuration.connections] or host.connection_names()
        found = {}
        for name in names:
            known = host.connection(name).config
            found[name] = described(known, host.capabilities(known.connector).settings)
        path = host.configuration.path
    if options.json:
        print_json({"file": str(path), "connections": found})
        return
    rows = [(name, key, d["value"], d["origin"]) for name, facts in found.items() for key, d in facts.items()]
    print_table(_ORIGINS if origin else _ORIGINS[:3], (row if origin else row[:3] for row in rows))
    options.remark(f"the file is {path}")


def _form(options: Options, host: Host, connection: str) -> Form:
    config = host.connection(connection).config
    if connection not in host.configuration.connections:
        raise UnknownName(
            f"{host.configuration.path} has no connection {connection!r}",
            hint=f"connector-core add {config.connector} sets one up",
        )
    return Form(options, host, host.capabilities(config.connector), connection, changes=True)


def _new_secrets(form: Form, names: tuple[str, ...]) -> dict[str, Any]:
    """The secrets of these names, each asked for, or all from standard input.

    :raises UsageError: one is no secret of the connector, or standard input gives others than these.
    """
    wanted = [_secret_named(form.capabilities, name) for name in dict.fromkeys(names)]
    if form.asks or not wanted:
        return {setting.name: form.ask_secret(setting) for setting in wanted}
    piped = form.piped([setting.name for setting in wanted])
    if more := [name for name in piped if name not in names]:
        raise UsageError(
            f"standard input gives {' and '.join(more)}, too",
            hint=f"add {' '.join(f'--secret {name}' for name in more)}",
        )
    return {setting.name: piped.get(setting.name) or form.ask_secret(setting) for setting in wanted}


def _secret_named(found: Capabilities, name: str) -> Any:
    for setting in found.settings:
        if setting.secret and setting.name == name:
            return setting
    known = ", ".join(s.name for s in found.settings if s.secret)
    raise UsageError(f"{found.manifest.name} has no secret named {name!r}", hint=f"known are: {known or 'none'}")


def _told(options: Options, result: SetupResult, document: dict[str, Any], sentence: str) -> int:
    """Say what was done, and what is left to do; a secret that is still there is an error."""
    for warning in result.warnings:
        say(f"warning: {warning}")
    for leftover in result.leftovers:
        say(f"{'error' if leftover.failed else 'warning'}: {leftover}")
    if options.json:
        more = {"warnings": list(result.warnings), "leftovers": [str(leftover) for leftover in result.leftovers]}
        print_json({**document, **more})
    else:
        note(sentence)
    return ConfigurationError.exit_code if any(leftover.failed for leftover in result.leftovers) else 0
