"""`sandbox`: the connector's own stand-in server, for trying things out and for developing against."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import click

from connector_core.cli.output import note, print_json, say
from connector_core.cli.program import Command, Options, interruptible
from connector_core.errors import UsageError
from connector_core.hookspecs import SANDBOX_SECRET

if TYPE_CHECKING:
    from connector_core.sandbox import Sandbox


@click.command(cls=Command)
@click.argument("connector")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="P", help="Where to listen; a free one by default."
)
@click.option("--reset", is_flag=True, help="Forget all changes made in the sandbox, and end.")
@click.option("--shuffle", is_flag=True, help="Make joiners, leavers and role changes, and end.")
@click.pass_obj
def sandbox(options: Options, connector: str, port: int, reset: bool, shuffle: bool) -> None:
    """Run the stand-in for the real application until Ctrl-C.

    Commands on the connection CONNECTOR-sandbox start it by themselves; this is for other clients, and for --shuffle.
    """
    with options.host() as host:
        stand_in = host.sandbox(connector)
        if reset:
            stand_in.reset()
        shuffled = stand_in.shuffle() if shuffle else {}
        if not (reset or shuffle):
            _serve(options, connector, stand_in, port)
        elif options.json:
            print_json({"connector": connector, "reset": reset, "shuffled": {k: list(v) for k, v in shuffled.items()}})
        else:
            for done, logins in {**({"forgotten": ["all changes"]} if reset else {}), **shuffled}.items():
                note(f"{done}: {', '.join(logins) or 'nobody'}")


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
            say("Ctrl-C ends it")
        sys.stdout.flush()
        stop.wait()
