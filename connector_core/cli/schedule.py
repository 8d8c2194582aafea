"""`schedule`: a systemd unit or a crontab line that runs connections on a schedule."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from zlib import crc32

import click

from connector_core.cli.output import print_json, print_lines
from connector_core.cli.program import Command, Options
from connector_core.errors import UsageError
from connector_core.files import expanded

_UNIT = """\
# Put this into ~/.config/systemd/user/{unit}, then:
#   systemctl --user daemon-reload
#   systemctl --user enable --now {unit}
#   loginctl enable-linger          # so that it also runs while you are not signed in
# Look at it: journalctl --user -u {unit}; connector-core status says whether all is well.
# It does not see your shell's variables: secrets belong into the configuration, by reference.
[Unit]
Description=connector-core: read {what} every {every}

[Service]
Type=exec
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
# what a person has to mend is not mended by trying again
Restart=on-failure
RestartSec=60
RestartPreventExitStatus=2 3
# the page in hand is finished first
TimeoutStopSec=90
UMask=0077
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""
_CRON = """\
# crontab -e, and add this line. cron sees few variables: secrets belong into the configuration, by reference.
{line}
"""
_DAY, _HOUR, _MINUTE = 86_400, 3600, 60


@click.command(cls=Command)
@click.argument("connection", required=False)
@click.option("--all", "everything", is_flag=True, help="All connections that are configured; systemd only.")
@click.option("--every", metavar="TIME", default="1h", show_default=True, help="90s, 15m, 6h, 7d.")
@click.option("--cron", is_flag=True, help="A line for crontab instead of a systemd unit.")
@click.pass_obj
def schedule(options: Options, /, connection: str | None, everything: bool, every: str, cron: bool) -> None:
    """Print a systemd unit, or a line for crontab, that runs it.

    Nothing is installed: the first lines of what is printed say where it goes.
    """
    from connector_core.fleet.schedule import duration

    if (connection is None) != everything or (everything and cron):
        raise UsageError("name one CONNECTION, or --all for systemd", hint="connector-core schedule --help says more")
    with options.host() as host:
        if connection is not None:
            host.connection(connection)
    seconds = int(duration(every))
    command = [_program(), *_files(options), "run", connection or "--all"]
    kind, text = ("cron", _cron(command, seconds)) if cron else ("systemd", _unit(command, connection, every.strip()))
    if options.json:
        print_json({"kind": kind, "text": text})
    else:
        print_lines(text.rstrip("\n"))


def _program() -> str:
    """This program by its whole path, which neither systemd nor cron would find out."""
    found = Path(sys.argv[0]) if Path(sys.argv[0]).name == "connector-core" else Path(sys.executable).parent
    path = found if found.is_file() else found / "connector-core"
    return str(path.absolute()) if path.is_file() else shutil.which("connector-core") or "connector-core"


def _files(options: Options) -> list[str]:
    """What says where state and configuration are, whole, since it will be started from another folder."""
    named = {
        "--db": options.db or os.environ.get("CONNECTOR_CORE_DB"),
        "--config": options.config or os.environ.get("CONNECTOR_CORE_CONFIG"),
    }
    parts = [part for name, path in named.items() if path for part in (name, str(expanded(path).absolute()))]
    if not all(part.isprintable() for part in parts):
        raise UsageError("a path with a line break, or the like, cannot be written into a unit or a crontab")
    return parts


def _unit(command: list[str], connection: str | None, every: str) -> str:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in connection or "all")
    return _UNIT.format(
        unit=f"connector-core-{name}.service", what=_line(connection or "all connections"), every=every,
        command=" ".join(_quoted(part) for part in [*command, "--every", every]),
    )  # fmt: skip


def _quoted(part: str) -> str:
    """As systemd.service(5) and systemd.unit(5) want a word: quoted, % and $ doubled."""
    text = part.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if text != part or any(c.isspace() or c in "';" for c in part) else text


def _line(text: str) -> str:
    return text.replace("%", "%%")


def _cron(command: list[str], seconds: int) -> str:
    """At the same minute for one command on one machine, at another for others: not all of them at the full hour."""
    place = crc32(" ".join(command).encode())
    minute, hour = place % 60, place // 60 % 24
    if seconds < _HOUR and seconds % _MINUTE == 0 and _HOUR % seconds == 0:
        step = seconds // _MINUTE
        when = f"{'*' if step == 1 else f'{minute % step}-59/{step}'} * * * *"
    elif seconds < _DAY and seconds % _HOUR == 0 and _DAY % seconds == 0:
        step = seconds // _HOUR
        when = f"{minute} {'*' if step == 1 else f'{hour % step}-23/{step}'} * * *"
    elif seconds == _DAY:
        when = f"{minute} {hour} * * *"
    elif seconds == 7 * _DAY:
        when = f"{minute} {hour} * * {place % 7}"
    else:
        raise UsageError(
            "cron knows no such rhythm", hint="say a part of an hour, of a day, 1d or 7d; or leave --cron out"
        )
    return _CRON.format(line=f"{when} {shlex.join([*command, '--quiet']).replace('%', chr(92) + '%')}")
