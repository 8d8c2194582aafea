"""A picture of a terminal: the real program on its sandbox, drawn by rich."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH = 82
COMMANDS = (
    "run whimsical --sandbox",
    "access whimsical-sandbox --user ada@example.com",
    "grant whimsical-sandbox viewer ada@example.com --reason TICKET-7",
    "grant whimsical-sandbox viewer ada@example.com",
    "access whimsical-sandbox --user ada@example.com --at 1",
)
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.S)


def picture() -> str:
    """Return what the commands print in an empty home, as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with tempfile.TemporaryDirectory() as home:
        for command in COMMANDS:
            console.print(Text.assemble(("$ ", "green"), (f"connector-core {command}", "bold")), soft_wrap=True)
            console.print(Text(printed(command, home)), end="", soft_wrap=True)
    drawn = console.export_svg(title="connector-core", theme=MONOKAI, unique_id="terminal")
    return FONTS.sub("", drawn)  # fonts from the network show on no page that keeps to itself


def printed(command: str, home: str) -> str:
    environ = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    environ |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "connector_core", *command.split()], env=environ, cwd=home, text=True, check=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.stdout
