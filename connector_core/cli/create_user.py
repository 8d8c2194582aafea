"""`create-user`, `disable-user`, `grant` and others, and `operations`: changing access, and what was changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from connector_core.cli.output import error_member, exit_code_of, minute, note, print_json, say
from connector_core.cli.program import Command, Options
from connector_core.cli.prompts import confirmation
from connector_core.cli.signals import interruptible
from connector_core.cli.table import Column, print_table
from connector_core.errors import ApplicationError, ConnectorCoreError
from connector_core.model import Operation

if TYPE_CHECKING:
    from connector_core.host.connection import Connection
    from connector_core.model import Entitlement
    from connector_core.provision.options import ChangeOptions

Ask = Callable[["Connection", Any], Operation]  # with the terms of `Connection`

_JOURNAL = (  # of no use in the answer to a command
    "requested_by", "reason", "created", "finished", "part_of", "apply", "setting", "value_before", "value_after",
)  # fmt: skip
_OPERATIONS = (
    Column("NO", right=True),
    Column("WHEN (UTC)"),
    Column("WHAT"),
    Column("USER", least=14),
    Column("ROLE", least=6),
    Column("STATE"),
    Column("BY", least=4),
    Column("REASON", least=8, wrap=True),
)
_TERMS = (
    click.option("--dry-run", is_flag=True, help="Show the request that would be sent; send none."),
    click.option("--yes", is_flag=True, help="Confirm what removes a person."),
    click.option("--reason", metavar="TEXT", help="Why; kept in the journal."),
    click.option("--include-protected", is_flag=True, help="Also where it takes access from a protected account."),
)


def _terms(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every change of access understands."""
    for option in reversed(_TERMS):
        command = option(command)
    return command


@click.command("create-user", cls=Command)
@click.argument("connection")
@click.argument("email")
@click.option("--given-name", metavar="NAME", help="Given name.")
@click.option("--family-name", metavar="NAME", help="Family name.")
@click.option("--role", metavar="ROLE", help="The role to begin with; the application's default where none is named.")
@click.option("--type", metavar="TYPE", help="The type of account, where the application has several.")
@_terms
@click.pass_obj
def create_user(
    options: Options, /, connection: str, email: str, given_name: str | None, family_name: str | None, role: str | None,
    type: str | None, **terms: Any,
) -> int:  # fmt: skip
    """Create an account; one that exists is left as it is."""

    def create(asked: Connection, terms: ChangeOptions) -> Operation:
        return asked.create_account(
            email, given_name=given_name, family_name=family_name, role=role, type=type, **terms
        )

    return _operate(options, connection, create, terms)


@click.command("delete-user", cls=Command)
@click.argument("connection")
@click.argument("user")
@_terms
@click.pass_obj
def delete_user(options: Options, /, connection: str, user: str, **terms: Any) -> int:
    """Remove a person's account.

    USER is a login, e-mail, id or type:id.
    """
    return _operate(options, connection, lambda asked, terms: asked.delete_account(user, **terms), terms)


@click.command("disable-user", cls=Command)
@click.argument("connection")
@click.argument("user")
@_terms
@click.pass_obj
def disable_user(options: Options, /, connection: str, user: str, **terms: Any) -> int:
    """Take all access from a person, and keep the account.

    USER is a login, e-mail, id or type:id.
    """
    return _operate(options, connection, lambda asked, terms: asked.disable_account(user, **terms), terms)


@click.command("enable-user", cls=Command)
@click.argument("connection")
@click.argument("user")
@_terms
@click.pass_obj
def enable_user(options: Options, /, connection: str, user: str, **terms: Any) -> int:
    """Enable a disabled account; enabled already is a success.

    USER is a login, e-mail, id or type:id.
    """
    return _operate(options, connection, lambda asked, terms: asked.enable_account(user, **terms), terms)


@click.command(cls=Command)
@click.argument("connection")
@click.argument("role")
@click.argument("user")
@_terms
@click.pass_obj
def grant(options: Options, /, connection: str, role: str, user: str, **terms: Any) -> int:
    """Give a person or a group a role; held already is a success.

    ROLE is a name, id, type:id or type:id:slug; USER a login, e-mail, id, type:id or the name of a group.
    """
    return _operate(options, connection, lambda asked, terms: asked.grant(role, user, **terms), terms)


@click.command(cls=Command)
@click.argument("connection")
@click.argument("role")
@click.argument("user")
@_terms
@click.pass_obj
def revoke(options: Options, /, connection: str, role: str, user: str, **terms: Any) -> int:
    """Take a role from a person or a group; not held is a success.

    ROLE is a name, id, type:id or type:id:slug; USER a login, e-mail, id, type:id or the name of a group.
    """
    return _operate(options, connection, lambda asked, terms: asked.revoke(role, user, **terms), terms)


@click.command(cls=Command)
@click.argument("connection")
@click.option("--user", metavar="USER", help="Only this person's: login, e-mail, id or type:id.")
@click.option("--limit", type=click.IntRange(1), default=50, metavar="N", show_default=True, help="The newest ones.")
@click.pass_obj
def operations(options: Options, connection: str, user: str | None, limit: int) -> None:
    """Show the journal of changes asked for, newest first."""
    with options.host() as host:
        rows = host.connection(connection).operations(user=user, limit=limit)
    if options.json:
        from connector_core.convert import to_json

        print_json({"connection": connection, "operations": [_without(to_json(row), "request") for row in rows]})
    else:
        print_table(_OPERATIONS, map(_row, rows))


# -- one change ------------------------------------------------------------------------------------------------


def _operate(options: Options, connection: str, ask: Ask, terms: Any) -> int:
    """Do it, or show what it would send; on the way, say what it costs, and ask where that is needed."""
    if not terms["yes"]:
        terms["confirm"] = confirmation(options)
    with options.host() as host, interruptible(host.cancel):
        asked = host.connection(connection)

        def on_planned(planned: Operation) -> None:
            _tell_costs(host.capabilities(asked.config.connector).manifest.entitlements, planned)

        try:
            operation = ask(asked, {**terms, "on_planned": on_planned})
        except ConnectorCoreError as error:
            if not isinstance(error.report, Operation) or (error.report.state == "refused" and not options.json):
                raise
            operation, code = error.report, error.exit_code
        else:
            code = _exit_code(operation)
    if options.json:
        failed = error_member(operation.error) if operation.error else {}
        print_json({"operation": document(operation), **failed})
    else:
        _print(operation)
    return code


def _tell_costs(entitlements: Iterable[Entitlement], planned: Operation) -> None:
    """Before a write that costs something, say so."""
    role = (planned.resource_type, planned.role, planned.entitlement)
    for entitlement in entitlements:
        if planned.kind == "delete_account":
            concerned = entitlement.on_revoke == "removes_account"
        else:
            concerned = (*entitlement.resource, entitlement.slug) == role
        costs = entitlement.paid == (planned.kind in ("create_account", "grant"))
        if concerned and costs and entitlement.note:
            say(f"note: {entitlement.name}: {entitlement.note}")
    if planned.kind == "create_account" and planned.role is None and any(e.paid for e in entitlements):
        say("note: the application decides the role, which may take a paid seat; --role decides it here")


def document(operation: Operation) -> dict[str, Any]:
    """An operation as scripts see it; ``request`` only in a dry run."""
    from connector_core.convert import to_json

    return _without(to_json(operation), *_JOURNAL, *(() if operation.request else ("request",)))


def _without(plain: Any, *names: str) -> dict[str, Any]:
    return {name: value for name, value in plain.items() if name not in names}


def _exit_code(operation: Operation) -> int:
    if operation.state not in ("failed", "unknown"):
        return 0
    return exit_code_of(operation.error.code) if operation.error else ApplicationError.exit_code


def _print(operation: Operation) -> None:
    """The result in a line, then warnings and what to know."""
    if operation.request is not None:
        note(f"would send {operation.request.method} {operation.request.path}")
        if operation.request.body is not None:
            note(f"           {json.dumps(operation.request.body, ensure_ascii=False)}")
    note(_sentence(operation))
    if operation.error is not None:
        say(f"error: {operation.error.message}")
        if operation.error.hint:
            say(f"hint: {operation.error.hint}")
    for warning in operation.warnings:
        say(f"warning: {warning}")


def _sentence(operation: Operation) -> str:
    who = operation.user or operation.user_id or "?"
    what = {
        "create_account": f"{who} has an account",
        "delete_account": f"{who} has no account",
        "enable_account": f"{who} is enabled",
        "disable_account": f"{who} is disabled",
        "grant": f"{who} holds {operation.role}",
        "revoke": f"{who} does not hold {operation.role}",
    }[operation.kind]
    replaced = f", no longer {operation.replaced}" if operation.replaced else ""
    if operation.state == "planned":
        if operation.outcome == "unchanged":
            return f"nothing to send: {what}"
        return f"dry run: nothing was sent; then {what}{replaced}"
    if operation.state in ("failed", "unknown"):
        return f"{operation.state}: {what} (operation {operation.id})"
    facts = [f"operation {operation.id}", *(["back again"] if operation.reactivated else [])]
    facts += [] if operation.verified else ["not verified"]
    begin = "unchanged: " if operation.outcome == "unchanged" else ""
    return f"{begin}{what}{replaced} ({', '.join(facts)})"


def _row(operation: Operation) -> tuple[str | None, ...]:
    o = operation
    when = minute(o.created or "")
    state = o.outcome if o.state == "done" else o.state
    reason = " ".join(filter(None, [o.reason, o.guard and f"(guard: {o.guard})"]))
    what, role = o.kind.removesuffix("_account"), o.role
    if o.kind == "setup":
        what, role = f"setup {o.setting}", f"{o.value_before or '-'} > {o.value_after or '-'}"
    return (str(o.id), when, what, o.user or o.user_id, role, state, o.requested_by, reason)
