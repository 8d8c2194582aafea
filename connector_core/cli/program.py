"""The group of commands, the options that are understood before and after a command's name, errors to exit codes."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import define

from connector_core.cli.output import print_error, say
from connector_core.errors import ConnectorCoreError, Interrupted, UsageError

if TYPE_CHECKING:
    from connector_core.host.host import Host

GROUP = "connector_core"  # of entry points; not imported from hookspecs, which imports pluggy
CHANGES = 10  # the exit code that --exit-code asks for
COMMANDS = {  # by name: the module, imported when the command is asked for, and what --help says of it
    "plugins": ("plugins", "List the installed plugins, and why one is broken."),
    "capabilities": ("plugins", "Show what a connector can do and what can be set."),
    "add": ("add", "Set up a connection: application, owner, credentials."),
    "configure": ("configure", "Change settings, owner, app, managed; replace a secret."),
    "rename": ("configure", "Give a connection another name; its history goes along."),
    "remove": ("configure", "Forget a connection and its secrets; its history stays."),
    "config": ("configure", "Show what is configured, secrets masked."),
    "connections": ("connections", "List the connections, and how each is doing."),
    "check": ("plugins", "Find out whether it can be reached and accepts the token."),
    "run": ("run", "Read all users and roles, and publish the result."),
    "schedule": ("schedule", "Print a systemd unit, or a line for crontab, that runs it."),
    "access": ("access", "Show who has what."),
    "changes": ("access", "Show joiners, leavers and role changes."),
    "history": ("access", "Show all that is known of one person."),
    "syncs": ("syncs", "List the syncs that ran, the newest first."),
    "logs": ("logs", "Show what happened in a sync or operation."),
    "create-user": ("create_user", "Create an account; one that exists is left as it is."),
    "delete-user": ("create_user", "Remove a person's account."),
    "disable-user": ("create_user", "Take all access from a person, and keep the account."),
    "enable-user": ("create_user", "Enable a disabled account; enabled already is a success."),
    "grant": ("create_user", "Give a person or a group a role; held already is a success."),
    "revoke": ("create_user", "Take a role from a person or a group; not held is a success."),
    "plan": ("plan", "Compare with who should have what; write down what to do."),
    "apply": ("plan", "Carry a plan out, step by step."),
    "operations": ("create_user", "Show the journal of changes asked for, newest first."),
    "status": ("connections", "Say how connections are doing, for monitoring."),
    "backup": ("backup", "Copy the state into a file, also while it is in use."),
    "restore": ("backup", "Put a backup in the place of the state."),
    "prune": ("backup", "Forget pictures, changes and syncs of long ago."),
    "sandbox": ("sandbox", "Run a stand-in for the application until Ctrl-C."),
}


@define
class Options:
    """What the options of every command say: where state and configuration are, and what is to be printed."""

    db: str | None = None
    config: str | None = None
    json: bool = False
    verbose: int = 0
    quiet: bool = False

    def host(self, *, new: bool = False) -> Host:
        """Open the host of ``--db``, ``--config`` and the environment.

        :param new: the configuration file is about to be written, and need not be there yet.
        """
        from connector_core.connectors.plugin_output import keep_hooks_off_stdout
        from connector_core.host.host import Host

        keep_hooks_off_stdout()
        return Host.from_environment(db=self.db, config=self.config, new=new)

    def remark(self, message: str) -> None:
        """A line on standard error, which --quiet leaves out."""
        if not self.quiet:
            say(message)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if not value or context.resilient_parsing:
        return
    options = context.ensure_object(Options)
    setattr(options, str(parameter.name), value)
    if options.verbose and options.quiet:
        raise UsageError("--verbose and --quiet contradict each other", hint="leave one of them out")


def _everywhere() -> list[click.Parameter]:
    common: Mapping[str, Any] = {"expose_value": False, "callback": _remember}
    return [
        click.Option(["--db"], metavar="PATH", help="The state file ($CONNECTOR_CORE_DB).", **common),
        click.Option(["--config"], metavar="PATH", help="The configuration ($CONNECTOR_CORE_CONFIG).", **common),
        click.Option(["--json"], is_flag=True, help="Print one JSON document.", **common),
        click.Option(["-v", "--verbose"], count=True, help="Say more while working; -vv still more.", **common),
        click.Option(["-q", "--quiet"], is_flag=True, help="Say nothing but answers, warnings and errors.", **common),
    ]


class Command(click.Command):
    """A command that also understands the options understood everywhere, and shows them apart in its help."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._own = [parameter for parameter in self.params if isinstance(parameter, click.Option)]
        self._common = _everywhere()
        self.params.extend(self._common)

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        common = [*self._common, *filter(None, [self.get_help_option(context)])]
        for title, parameters in (("Options", self._own), ("Options of every command", common)):
            if records := [r for p in parameters if (r := p.get_help_record(context)) is not None]:
                with formatter.section(title):
                    formatter.write_dl(records)


class Program(click.Group):
    """Commands are imported when they are asked for; those of plugins come after our own."""

    command_class = Command
    _asked = False

    def list_commands(self, context: click.Context) -> list[str]:
        self._add_plugin_commands(context)
        return [*COMMANDS, *sorted(self.commands.keys() - COMMANDS.keys())]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            module = import_module(f"connector_core.cli.{COMMANDS[name][0]}")
            command: click.Command = getattr(module, name.replace("-", "_"))
            return command
        self._add_plugin_commands(context)
        return super().get_command(context, name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Ours without importing them: --help would take half as long again."""
        strangers = [name for name in self.list_commands(context) if name not in COMMANDS]
        width = formatter.width - 6 - max(map(len, [*COMMANDS, *strangers]))
        rows = [(name, summary) for name, (_, summary) in COMMANDS.items()]
        shown = [self.commands[name] for name in strangers if not self.commands[name].hidden]
        rows += [(str(command.name), command.get_short_help_str(width)) for command in shown]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(context), 1)
            hint = f"did you mean {near[0]}?" if near else "connector-core --help lists them"
            raise UsageError(f"no command named {args[0]!r}", hint=hint) from None

    def _add_plugin_commands(self, context: click.Context) -> None:
        """Ours have none, so that the help of a plain installation loads no plugin."""
        from importlib.metadata import entry_points

        strangers = [e for e in entry_points(group=GROUP) if e.dist is None or e.dist.name != "connector-core"]
        if strangers and not self._asked:
            from connector_core.connectors.plugins import Plugins

            self._asked = True
            for complaint in Plugins().announce("register_commands", cli=self):
                say(f"warning: {complaint}")


@click.command(
    cls=Program,
    params=_everywhere(),
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="connector-core", message="connector-core %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Who has which access in an application, and changing it.

    Begin with `connector-core run whimsical --sandbox`: it needs no account anywhere. Without a command, it shows the
    connections and what to do next.
    """
    options = context.ensure_object(Options)
    if context.invoked_subcommand is None:
        from connector_core.cli.overview import show_overview

        show_overview(options)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; gives the exit code, and never a traceback."""
    _tolerate_any_encoding()
    wants_json = "--json" in arguments
    try:
        _refuse_broken(arguments)
        code = cli.main(list(arguments), "connector-core", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _failed(Interrupted("interrupted"), wants_json)
    except click.ClickException as error:
        return _failed(_usage(error), wants_json)
    except ConnectorCoreError as error:
        return _failed(error, wants_json)
    except Exception as error:
        return _failed(_unexpected(error), wants_json)
    return code if isinstance(code, int) else 0


def _refuse_broken(arguments: Sequence[str]) -> None:
    """Bytes that are no text in this locale stand for no name or address; a file may well be called so."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the argument {argument!r} is not text in UTF-8") from None


def _failed(error: ConnectorCoreError, wants_json: bool) -> int:
    try:
        return print_error(error, wants_json)
    except ConnectorCoreError as unwritable:  # standard output takes nothing
        return print_error(unwritable, as_json=False)


def _tolerate_any_encoding() -> None:
    """A name that the terminal's encoding lacks is written out, not a crash."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _usage(error: click.ClickException) -> ConnectorCoreError:
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path} --help says more" if context else None
    return UsageError(error.format_message().rstrip("."), hint=hint)


def _unexpected(error: Exception) -> ConnectorCoreError:
    """An unexpected error, with the place where it arose: enough for a report, no secret in it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    return ConnectorCoreError(
        f"unexpected {type(error).__name__}{where}", hint="this is a mistake in the program: please report it"
    )
