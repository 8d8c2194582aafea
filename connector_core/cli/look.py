"""`plugins`, `capabilities` and `check`: what is there, what it can do, whether it works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.output import clean, exit_code_of, note, print_json, print_table
from connector_core.cli.program import Command, Options, interruptible

if TYPE_CHECKING:
    from connector_core.host import Capabilities

_MARKS = {"ok": "ok", "warning": "note", "error": "FAILED"}
# by trait, what can be done with a resource and the hook that it needs
_PROVISION = {
    "user": {"create": "provision_create_account", "delete": "provision_delete_account"},
    "role": {"grant": "provision_grant", "revoke": "provision_revoke"},
    "group": {"grant": "provision_grant", "revoke": "provision_revoke"},
}


@click.command(cls=Command)
@click.pass_obj
def plugins(options: Options) -> None:
    """List the installed plugins, and say why one is broken."""
    with options.host() as host:
        rows = host.plugins()
    if options.json:
        print_json({"plugins": [_row(p) for p in rows]})
    else:
        table = [(p.name, p.distribution, p.version, p.error or f"{len(p.hooks)} hooks") for p in rows]
        print_table(("PLUGIN", "DISTRIBUTION", "VERSION", "STATE"), table)


@click.command(cls=Command)
@click.argument("connector")
@click.pass_obj
def capabilities(options: Options, connector: str) -> None:
    """Show what a connector can sync and change, and what can be set."""
    from connector_core.config import variable

    with options.host() as host:
        found = host.capabilities(connector)
    resources = _resources(found)
    if options.json:
        print_json({"connector": connector, "resources": resources, "settings": _settings(found)})
        return
    note(f"{found.manifest.display_name}: {found.manifest.summary}")
    click.echo()
    table = [(r["name"], "yes" if r["sync"] else "no", ", ".join(r["provision"]) or "no") for r in resources]
    print_table(("RESOURCE", "SYNC", "PROVISION"), table)
    click.echo()
    settings = [
        (
            s["name"],
            s["type"],
            "required" if s["required"] else str(s["default"]),
            variable(connector, s["name"]),
            s["help"],
        )
        for s in _settings(found)
    ]
    print_table(("SETTING", "TYPE", "DEFAULT", "ENVIRONMENT", "MEANING"), settings)
    if found.manifest.guide.steps:
        click.echo()
        note("How to get the credentials:")
        for number, step in enumerate(found.manifest.guide.steps, 1):
            note(f"  {number}. {step}")
        if found.manifest.guide.url:
            note(f"  More: {found.manifest.guide.url}")


@click.command(cls=Command)
@click.argument("connection")
@click.pass_obj
def check(options: Options, connection: str) -> int:
    """Find out whether the application can be reached, accepts the credentials and lists users."""
    from connector_core.convert import to_json

    with options.host() as host, interruptible(host.cancel):
        findings = host.connection(connection).check()
    failed = [f for f in findings if f.level == "error"]
    if options.json:
        print_json({"connection": connection, "ok": not failed, "findings": to_json(findings)})
    else:
        for finding in findings:
            note(f"{_MARKS[finding.level]:6}  {finding.message}")
            if finding.hint:
                click.echo(f"        {clean(finding.hint)}")
    return exit_code_of(failed[0].code) if failed else 0


def _row(plugin: Any) -> dict[str, Any]:
    from connector_core.convert import to_json

    row: Any = to_json(plugin)
    return dict(row)


def _resources(found: Capabilities) -> list[dict[str, Any]]:
    rows = []
    for kind in found.manifest.resource_types:
        hooks = {verb: hook for trait in kind.traits for verb, hook in _PROVISION[trait].items()}
        provision = [verb for verb, hook in hooks.items() if hook in found.hooks]
        names = [e.name for e in found.manifest.entitlements if e.resource.type == kind.type]
        name = f"{kind.display_name}s" + (f": {', '.join(names)}" if names else "")
        rows.append({"type": kind.type, "name": name, "sync": "sync_page" in found.hooks, "provision": provision})
    return rows


def _settings(found: Capabilities) -> list[dict[str, Any]]:
    return [
        {
            "name": s.name, "type": "secret" if s.secret else _type(s.type), "required": s.required,
            "default": None if s.required else s.default, "help": s.help,
        }
        for s in found.settings
    ]  # fmt: skip


def _type(kind: Any) -> str:
    from typing import Literal, get_args, get_origin

    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return "list" if get_origin(kind) is tuple else str(getattr(kind, "__name__", kind))
