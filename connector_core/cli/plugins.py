"""`plugins`, `capabilities` and `check`: what is there, what it can do, whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from connector_core.cli.output import error_member, exit_code_of, note, print_json
from connector_core.cli.program import Command, Options
from connector_core.cli.signals import interruptible
from connector_core.cli.table import Column, print_table
from connector_core.model import Finding
from connector_core.settings import alternatives, sufficient_sets

if TYPE_CHECKING:
    from connector_core.host.host import Capabilities
    from connector_core.settings import Setting

_PLUGINS = (Column("PLUGIN"), Column("DISTRIBUTION", 12), Column("VERSION"), Column("HOOKS", 20, wrap=True))
_RESOURCES = (Column("RESOURCE", 20), Column("SYNC"), Column("PROVISION"))
_MARKS = {"ok": "ok", "warning": "note", "error": "FAILED"}
_TYPES = {str: "text", int: "number", float: "number", bool: "true or false"}
_ASSIGNING = {"grant": "provision_grant", "revoke": "provision_revoke"}
# by trait, what can be done with a resource and the hook that it needs
_PROVISION = {
    "user": {
        "create": "provision_create_account",
        "delete": "provision_delete_account",
        "disable": "provision_disable_account",
    },
    "role": _ASSIGNING,
    "group": _ASSIGNING,
}


@click.command(cls=Command)
@click.pass_obj
def plugins(options: Options) -> None:
    """List the installed plugins, and why one is broken."""
    with options.host() as host:
        rows = host.plugins()
    if options.json:
        from attrs import asdict

        print_json({"plugins": [asdict(row) for row in rows]})
    else:
        states = (f"broken: {row.error}" if row.error else ", ".join(row.hooks) for row in rows)
        print_table(_PLUGINS, ((p.name, p.distribution, p.version, s) for p, s in zip(rows, states, strict=True)))
        for row in rows:
            for line in row.notes:
                note(f"{row.name} (contract {row.contract}): {line}")


@click.command(cls=Command)
@click.argument("connector")
@click.pass_obj
def capabilities(options: Options, connector: str) -> None:
    """Show what a connector can do and what can be set."""
    with options.host() as host:
        found = host.capabilities(connector)
    if options.json:
        print_json(_document(found))
        return
    note(f"{found.manifest.display_name}: {found.manifest.summary}")
    note("")
    _print_resources(found)
    note("")
    _print_settings(found)
    _print_guide(found)


@click.command(cls=Command)
@click.argument("connection")
@click.pass_obj
def check(options: Options, connection: str) -> int:
    """Find out whether it can be reached and accepts the token."""
    with options.host() as host, interruptible(host.cancel):
        findings = host.connection(connection).check()
    failed = next((finding for finding in findings if finding.level == "error"), None)
    if options.json:
        print_json(_findings(connection, findings, failed))
    else:
        for finding in findings:
            note(f"{_MARKS[finding.level]:6}  {finding.message}")
            if finding.hint:
                note(f"        {finding.hint}")
    return 0 if failed is None else exit_code_of(failed.code)


# -- capabilities ----------------------------------------------------------------------------------------------


def _document(found: Capabilities) -> dict[str, Any]:
    from connector_core.convert import to_json

    manifest = found.manifest
    named = {"connector": manifest.name, "display_name": manifest.display_name, "summary": manifest.summary}
    settings = [_setting(manifest.name, setting) for setting in found.settings]
    document = {**named, "resources": _resources(found), "settings": settings, "guide": to_json(manifest.guide)}
    return {**document, "one_of": [[*names] for names in sufficient_sets(manifest.settings)]}


def _resources(found: Capabilities) -> list[dict[str, Any]]:
    rows = []
    for kind in found.manifest.resource_types:
        hooks = {verb: hook for trait in kind.traits for verb, hook in _PROVISION[trait].items()}
        provision = [verb for verb, hook in hooks.items() if hook in found.hooks]
        names = [e.name for e in found.manifest.entitlements if e.resource.type == kind.type]
        name = f"{kind.display_name}s" + (f": {', '.join(names)}" if names else "")
        rows.append({"type": kind.type, "name": name, "sync": "sync_page" in found.hooks, "provision": provision})
    return rows


def _setting(connector: str, setting: Setting) -> dict[str, Any]:
    from connector_core.config.configuration import variable

    return {
        "name": setting.name,
        "type": _type(setting),
        "required": setting.required,
        "default": None if setting.required else setting.default,
        "environment": variable(connector, setting.name),
        "help": setting.help,
    }


def _type(setting: Setting) -> str:
    if setting.secret:
        return "secret"
    if get_origin(setting.type) is Literal:
        return " or ".join(map(str, get_args(setting.type)))
    return _TYPES.get(setting.type, "list of texts")


def _print_resources(found: Capabilities) -> None:
    rows = _resources(found)
    print_table(
        _RESOURCES,
        ((row["name"], "yes" if row["sync"] else "no", ", ".join(row["provision"]) or "no") for row in rows),
    )


def _print_settings(found: Capabilities) -> None:
    note("Settings, each with its name in the environment:")
    for setting in found.settings:
        row = _setting(found.manifest.name, setting)
        default = "required" if setting.required else _default(setting.default)
        note(f"  {setting.name}: {row['type']}, {default}")
        note(f"      {setting.help}")
        note(f"      {row['environment']}")
    if sets := sufficient_sets(found.manifest.settings):
        note(f"It needs {alternatives(sets)}.")


def _default(default: Any) -> str:
    """A default as one would write it into the environment."""
    if default is None:
        return "optional"
    return f"default {(', '.join(default) or 'none') if isinstance(default, tuple) else default}"


def _print_guide(found: Capabilities) -> None:
    guide = found.manifest.guide
    if guide.steps:
        note("")
        note("How to get the credentials:")
    for number, step in enumerate(guide.steps, 1):
        note(f"  {number}. {step}")
    if guide.url:
        note(f"  More: {guide.url}")


# -- check -----------------------------------------------------------------------------------------------------


def _findings(connection: str, findings: tuple[Finding, ...], failed: Finding | None) -> dict[str, Any]:
    from attrs import asdict

    document = {"connection": connection, "ok": failed is None, "findings": [asdict(finding) for finding in findings]}
    return {**document, **error_member(failed)} if failed is not None else document
