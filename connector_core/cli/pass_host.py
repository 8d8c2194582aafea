"""`pass_host`: what a command of a plugin is given, the host and the options of every command."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click

from connector_core.cli.program import Options
from connector_core.cli.signals import interruptible
from connector_core.errors import ConnectorCoreError, PluginError

if TYPE_CHECKING:
    from connector_core.host.host import Host

P = ParamSpec("P")
R = TypeVar("R")


def pass_host(command: Callable[Concatenate[Host, Options, P], R]) -> Callable[P, R]:
    """Give a command of a plugin the `Host` and the `Options` of every command, as its first two arguments.

    ::

        @cli.command()
        @click.argument("connection")
        @pass_host
        def idle(host, options, connection): ...

    The host is that of ``--db``, ``--config`` and the environment; it is closed when the command returns, and Ctrl-C
    cancels it. An int that the command returns is the exit code. An error of `connector_core` has the exit code of its
    kind; of any other its kind and its place in the plugin are said, with exit 1.
    """

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        context = click.get_current_context()
        options = context.ensure_object(Options)
        with options.host() as host, interruptible(host.cancel):
            try:
                return command(host, options, *args, **kwargs)
            except (ConnectorCoreError, click.ClickException, click.exceptions.Exit, click.Abort):
                raise
            except Exception as error:
                raise _failure(str(context.info_name), error) from error

    return update_wrapper(run, command)


def _failure(name: str, error: Exception) -> PluginError:
    """Return the error for what a command raised: its kind and its place. What it says may hold a secret."""
    from connector_core.connectors.blame import place

    where = place(error)
    return PluginError(
        f"the plugin's command {name} failed with {type(error).__name__}" + (f" ({where})" if where else ""),
        hint="its author can say more with an error of connector_core, such as UsageError",
    )
