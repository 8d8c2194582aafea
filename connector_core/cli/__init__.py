"""The command line: a client of `Host`. Each handler parses, calls, prints, and gives the exit code.

::

    program.py   the group of commands, options understood everywhere, errors to exit codes
    signals.py   Ctrl-C and SIGTERM
    output.py    lines, JSON documents and errors, and what must never reach a terminal
    labels.py    roles, groups and projects as people call them
    table.py     columns that fit the terminal
    progress.py  how far a long run is
    prompts.py   what a person is asked, on a terminal only
    pass_host.py      what a command of a plugin is given
    piped_secrets.py  secrets from standard input, one as it is or several by name

    plugins.py      plugins, capabilities, check
    add.py          add
    configure.py    configure, rename, remove, config
    connections.py  connections, status
    overview.py     what is shown without a command
    run.py          run
    every.py        what run --every prints, and its signals
    schedule.py     schedule
    access.py       access, changes, history
    syncs.py        syncs
    logs.py         logs
    create_user.py  create-user, delete-user, grant, revoke, operations
    plan.py         plan, apply
    backup.py       backup, prune
    sandbox.py      sandbox
"""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """The program ``connector-core``."""
    # Pages are many objects that live for a moment and refer to each other in no circle: looking for circles as often
    # as is usual takes a twentieth of a sync, and of the imports before it.
    gc.set_threshold(50_000, 20, 100)
    try:
        from connector_core.cli.program import run

        sys.exit(run(sys.argv[1:]))
    except KeyboardInterrupt:  # so early that nothing was begun
        sys.exit(130)
