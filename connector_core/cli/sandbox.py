"""`sandbox`: the connector's own stand-in server, for trying things out and for developing against."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from connector_core.cli.output import note, print_json
from connector_core.cli.program import Command, Options
from connector_core.cli.signals import interruptible
from connector_core.errors import UsageError
from connector_core.hookspecs import SANDBOX_SECRET

if TYPE_CHECKING:
    from connector_core.connectors.sandbox import Sandbox


@click.command(cls=Command)
@click.argument("connector")
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="P", help="Listen here; else on a free one.")
@click.option("--reset", is_flag=True, help="Forget all changes made in the sandbox, and end.")
@click.option("--shuffle", is_flag=True, help="Make joiners, leavers and role changes, and end.")
@click.pass_obj
def sandbox(options: Options, connector: str, port: int, reset: bool, shuffle: bool) -> None:
    """Run a stand-in for the application until Ctrl-C.

    Commands on the connection CONNECTOR-sandbox start it by themselves; this is for other clients, and for --shuffle.
    """
    with options.host() as host:
        stand_in = host.sandbox(connector)
        if reset:
            stand_in.reset()
        shuffled = stand_in.shuffle() if shuffle else {}
        if reset or shuffle:
            _print_done(options, connector, reset, shuffled)
        else:
            _serve(options, connector, stand_in, port)


def _print_done(options: Options, connector: str, reset: bool, shuffled: Mapping[str, Sequence[str]]) -> None:
    if options.json:
        people = {done: list(logins) for done, logins in shuffled.items()}
        print_json({"connector": connector, "reset": reset, "shuffled": people})
        return
    if reset:
        note(f"the sandbox of {connector} is as it was in the beginning")
    for done, logins in shuffled.items():
        note(f"{done}: {', '.join(logins) or 'none'}")
    options.remark(f"next: connector-core run {connector} --sandbox")


def _serve(options: Options, connector: str, stand_in: Sandbox, port: int) -> None:
    """Until SIGINT or SIGTERM."""
    stop = threading.Event()
    try:
        server = stand_in.serve(port)
    except OSError as error:
        raise UsageError(f"cannot listen on port {port}: {error.strerror}", hint="name another with --port") from error
    with server, interruptible(stop.set):
        if options.json:
            print_json({"connector": connector, "url": server.url, "secret": SANDBOX_SECRET})
        else:
            note(f"the stand-in for {connector} listens on {server.url}; every secret is {SANDBOX_SECRET!r}")
            options.remark("Ctrl-C ends it")
        stop.wait()
