"""`configure`, `rename`, `remove` and `config show`: what is configured, changed and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.add import Form, file_of, keeper_of, show, values_of
from connector_core.cli.output import exit_code_of, note, print_json, say
from connector_core.cli.program import Command, Options
from connector_core.cli.prompts import confirmation
from connector_core.cli.table import Column, print_table
from connector_core.errors import GuardRefused, UnknownName, UsageError

if TYPE_CHECKING:
    from connector_core.host.host import Capabilities, Host
    from connector_core.model import Json

_OF_APP = ("owner", "managed")
_ORIGINS = (Column("CONNECTION"), Column("NAME"), Column("VALUE", least=12), Column("ORIGIN", least=12, wrap=True))


@click.command(cls=Command)
@click.argument("connection")
@click.argument("pairs", nargs=-1, metavar="[K=V]...")
@click.option("--secret", metavar="NAME", help="Replace this secret: asked for without echo, or standard input.")
@click.option("--keyring/--no-keyring", default=None, help="Keep the secret in the keyring, or in a file of yours.")
@click.option("--no-check", is_flag=True, help="Save without trying it.")
@click.pass_obj
def configure(
    options: Options, /, connection: str, pairs: tuple[str, ...], secret: str | None, keyring: bool | None,
    no_check: bool,
) -> int:  # fmt: skip
    """Change settings, owner, app, managed; replace a secret.

    K=V sets a setting, or one of app, owner and managed; K= goes back to the default. Owner and managed of a
    connection with an app are the app's, and change for all its connections.
    """
    with options.host() as host:
        form = _form(options, host, connection)
        values = values_of(pairs, form.capabilities.settings, ("app", *_OF_APP))
        settings = {k: v for k, v in values.items() if k not in ("app", *_OF_APP)}
        if secret is not None:
            settings[secret] = form.ask_secret(_secret_named(form.capabilities, secret))
        if not values and secret is None:
            raise UsageError("nothing to change", hint=f"connector-core configure {connection} page_size=50")
        now = {k: v for k, v in settings.items() if v is not None}
        findings = form.well_formed(now) if no_check or secret is None else form.tried(now)
        if failed := next((f for f in findings if f.level == "error"), None):
            show(findings)
            say("nothing was changed")
            return exit_code_of(failed.code)
        changed: dict[str, Json | None] = {**values}
        if secret is not None:
            changed[secret] = keeper_of(host).keep(connection, secret, settings[secret], keyring=keyring).reference
        _change(host, connection, changed)
        before = host.configuration.connections[connection].get(secret or "")
        if secret is not None and before != changed[secret]:
            keeper_of(host).forget(before)
    _told(options, {"connection": connection, "changed": sorted(changed)}, f"changed {', '.join(sorted(changed))}")
    return 0


@click.command(cls=Command)
@click.argument("connection")
@click.argument("new")
@click.pass_obj
def rename(options: Options, connection: str, new: str) -> None:
    """Give a connection another name; its history goes along."""
    with options.host() as host:
        known = host.configuration.connections
        half_done = connection not in known and new in known  # the last one died before the history went along
        config = host.connection(new if half_done else connection).config
        host.configuration.names([config.connector, new])
        host.connection(new, connector=config.connector)  # a name that can be one
        with host.renaming(connection, new) as went_along:
            if not (half_done and went_along):
                file_of(host).rename(connection, new, config.connector)
    _told(options, {"connection": new, "before": connection}, f"{connection} is now {new}")


@click.command(cls=Command)
@click.argument("connection")
@click.option("--yes", is_flag=True, help="Without asking.")
@click.pass_obj
def remove(options: Options, connection: str, yes: bool) -> None:
    """Forget a connection and its secrets; its history stays.

    Nothing is changed in the application. A connection of that name that is added later continues the history.
    """
    with options.host() as host:
        form = _form(options, host, connection)
        ask = confirmation(options)
        question = f"{connection} goes out of {host.configuration.path}, and its secrets are forgotten."
        if not yes and not (ask is not None and ask(question)):
            raise GuardRefused(f"removing {connection} was not confirmed", hint="--yes confirms it")
        file_of(host).remove(connection)
        for setting in filter(lambda s: s.secret, form.capabilities.settings):
            keeper_of(host).forget(host.configuration.connections[connection].get(setting.name))
    _told(options, {"connection": connection, "removed": True}, f"removed {connection}")


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
    return Form(options, host, host.capabilities(config.connector), connection)


def _secret_named(found: Capabilities, name: str) -> Any:
    for setting in found.settings:
        if setting.secret and setting.name == name:
            return setting
    known = ", ".join(s.name for s in found.settings if s.secret)
    raise UsageError(f"{found.manifest.name} has no secret named {name!r}", hint=f"known are: {known or 'none'}")


def _change(host: Host, connection: str, changed: dict[str, Json | None]) -> None:
    """Owner and managed go to the app where there is one, all else to the connection."""
    app = changed["app"] if "app" in changed else host.connection(connection).config.app
    of_app = {k: v for k, v in changed.items() if k in _OF_APP} if app else {}
    own = {k: v for k, v in changed.items() if k not in of_app}
    file_of(host).change(connection, own, None if app is None else str(app), of_app)


def _told(options: Options, document: dict[str, Any], sentence: str) -> None:
    if options.json:
        print_json(document)
    else:
        note(sentence)
