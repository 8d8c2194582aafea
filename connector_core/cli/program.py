"""The group of commands, the options that are understood before and after a command's name, errors to exit codes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from attrs import define

from connector_core.cli.output import clean, print_error
from connector_core.errors import ConnectorCoreError, Interrupted, UsageError

if TYPE_CHECKING:
    from connector_core.host import Host

GROUP = "connector_core"  # of entry points; not imported from hookspecs, which imports pluggy
COMMANDS = {
    "plugins": "look",
    "capabilities": "look",
    "check": "look",
    "run": "run",
    "access": "answers",
    "changes": "answers",
    "syncs": "past",
    "logs": "past",
    "sandbox": "sandbox",
}


@define
class Options:
    """What the options understood everywhere came to."""

    db: str | None = None
    config: str | None = None
    json: bool = False
    verbose: int = 0
    quiet: bool = False

    def host(self) -> Host:
        from connector_core.host import Host

        return Host.from_environment(db=self.db, config=self.config)


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value and not context.resilient_parsing:
        setattr(context.ensure_object(Options), str(parameter.name), value)


def _everywhere() -> list[click.Parameter]:
    common: Mapping[str, Any] = {"expose_value": False, "callback": _remember}
    return [
        click.Option(["--db"], metavar="PATH", help="The state file ($CONNECTOR_CORE_DB).", **common),
        click.Option(["--config"], metavar="PATH", help="The configuration ($CONNECTOR_CORE_CONFIG).", **common),
        click.Option(["--json"], is_flag=True, help="Print one JSON document.", **common),
        click.Option(["-v", "--verbose"], count=True, help="Say more while working.", **common),
        click.Option(["-q", "--quiet"], is_flag=True, help="Say nothing while working.", **common),
    ]


class Command(click.Command):
    """A command that also understands the options understood everywhere."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(_everywhere())


class Program(click.Group):
    """Commands are imported when they are asked for; those of plugins come after our own."""

    _asked = False

    def list_commands(self, context: click.Context) -> list[str]:
        self._add_plugin_commands(context)
        return [*COMMANDS, *sorted(self.commands)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            module = import_module(f"connector_core.cli.{COMMANDS[name]}")
            command: click.Command = getattr(module, name.replace("-", "_"))
            return command
        self._add_plugin_commands(context)
        return super().get_command(context, name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(context), 1)
            raise UsageError(
                f"no command named {args[0]!r}", hint=f"did you mean {near[0]}?" if near else "connector-core --help"
            ) from None

    def _add_plugin_commands(self, context: click.Context) -> None:
        """Ours have none, so that the help of a plain installation loads no plugin."""
        from importlib.metadata import entry_points

        strangers = [e for e in entry_points(group=GROUP) if e.dist is None or e.dist.name != "connector-core"]
        if strangers and not self._asked and not context.resilient_parsing:
            from connector_core.plugins import Plugins

            self._asked = True
            for complaint in Plugins().announce("register_commands", cli=self):
                click.echo(clean(complaint), err=True)


@click.command(
    cls=Program,
    params=_everywhere(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="connector-core", message="connector-core %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Who has which access in an application, and changing it.

    Begin with `connector-core run whimsical --sandbox`: it needs no account anywhere.
    """
    context.ensure_object(Options)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; gives the exit code, and never a traceback."""
    wants_json = "--json" in arguments
    try:
        code = cli.main(list(arguments), "connector-core", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as exit:
        return exit.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return print_error(Interrupted("interrupted"), wants_json)
    except click.ClickException as error:
        return print_error(_usage(error), wants_json)
    except ConnectorCoreError as error:
        return print_error(error, wants_json)
    except BrokenPipeError:  # the reader of our output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        return print_error(_unexpected(error), wants_json)
    return code if isinstance(code, int) else 0


def _usage(error: click.ClickException) -> ConnectorCoreError:
    context = getattr(error, "ctx", None)
    return UsageError(error.format_message(), hint=f"{context.command_path} --help" if context else None)


def _unexpected(error: Exception) -> ConnectorCoreError:
    """An error that nobody foresaw, with the place where it arose: enough for a report, no secret in it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})" if trace else ""  # noqa: PTH119
    return ConnectorCoreError(
        f"unexpected {type(error).__name__}{where}", hint="this is a mistake in the program: please report it"
    )


@contextmanager
def interruptible(cancel: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM cancel, so that the page in hand is finished; a second one ends the program at once."""

    def first(number: int, frame: FrameType | None) -> None:
        for again in before:
            signal.signal(again, lambda *_: os._exit(130))
        cancel()

    before = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
