"""No tests: the project's pages as tests read them, and their console blocks played as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from connector_core.testing import LoopbackServer
from connector_core_whimsical.sandbox import PREFIX, app
from kit.cli import Home

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

SQLITE = """\
#!{python}
import sqlite3, sys
with sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True) as db:
    for row in db.execute(sys.argv[2]):
        print("|".join("" if value is None else str(value) for value in row))
"""

FIGURES = {
    r"\d{4}-\d\d-\d\d": r"\d{4}-\d\d-\d\d",
    r"\d\d:\d\d(:\d\d)?": r"\d\d:\d\d(:\d\d)?",
    r" +\d+\.\d s": r" +\d+\.\d s",
    r"USER +WHAT": "USER +WHAT",  # as wide as the longest of random people
    r"\.\.\.": r"(?s:.*)",
}
"""What differs from run to run: how it is found in a page, and what may be printed in its place."""


def page(name: str) -> str:
    """Return the text of a page, by its path in the repository."""
    return (ROOT / name).read_text("utf-8")


def pages() -> list[str]:
    """Return the paths of all pages for readers."""
    fixed = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "plugins/whimsical/README.md"]
    return [*fixed, *(f"docs/{path.name}" for path in sorted(DOCS.glob("*.md")))]


def blocks(name: str, language: str) -> list[str]:
    """Return the fenced blocks of a page in that language, those in lists without their indent."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", page(name), re.M | re.S)
    return [dedent(block) for _, block in found]


def section(name: str, title: str) -> str:
    """Return what stands below a heading, up to the next one of its level."""
    level, _, rest = re.split(rf"^(##+) ({re.escape(title)})\n", page(name), maxsplit=1, flags=re.M)[1:]
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.M)[0]


def first_cells(text: str) -> set[str]:
    """Return what stands in backticks in the first cells of the tables of that text."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def steps(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block, and what it should print."""
    command, printed = "", ""
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line[2:], ""
        elif line.startswith("> "):
            command += "\n" + line[2:]
        else:
            printed += line + "\n"
    yield command, printed


def pattern(printed: str) -> str:
    """Return a regular expression for what is printed; ``...`` stands for anything."""
    variable = re.compile("|".join(f"({found})" for found in FIGURES))
    parts, end = [], 0
    for match in variable.finditer(printed):
        allowed = next(may for found, may in FIGURES.items() if re.fullmatch(found, match[0]))
        parts += [re.escape(printed[end : match.start()]), allowed]
        end = match.end()
    return "".join([*parts, re.escape(printed[end:])])


def reader_home(folder: Path) -> Home:
    """Return an empty home in which ``connector-core`` and ``sqlite3`` are programs."""
    home = Home(folder / "home")
    configured = home.folder / ".config" / "connector-core"
    configured.mkdir(parents=True)
    (configured / "connector-core.toml").touch()
    bin = folder / "bin"
    bin.mkdir()
    (bin / "connector-core").write_text(f'#!/bin/sh\nexec {sys.executable} -m connector_core "$@"\n')
    (bin / "sqlite3").write_text(SQLITE.format(python=sys.executable))
    for program in bin.iterdir():
        program.chmod(0o700)
    home.environ["PATH"] = f"{bin}{os.pathsep}{home.environ['PATH']}"
    home.environ["CONNECTOR_CORE_CONFIG"] = str(configured / "connector-core.toml")
    del home.environ["CONNECTOR_CORE_DB"]
    return home


def play(name: str, folder: Path, *, first: int = 0) -> None:
    """Run the console blocks of a page in order, in an empty home, and compare what they print.

    The stand-in server plays the real workspace, and what a page reads from standard input is its token.

    :param first: how many blocks to leave out, which install things.
    """
    listed = blocks(name, "console")[first:]
    assert listed, f"{name} has no console blocks"
    home = reader_home(folder)
    with LoopbackServer(app(folder / "real")) as server:
        home.environ["CONNECTOR_CORE_WHIMSICAL_BASE_URL"] = server.url + PREFIX
        for block in listed:
            for command, printed in steps(block):
                _step(home, command, printed)


def _step(home: Home, command: str, printed: str) -> None:
    if command.startswith("export "):
        name, _, value = command.removeprefix("export ").partition("=")
        home.environ[name] = value.replace("~", str(home.folder))
        return
    done = subprocess.run(
        ["sh", "-c", command], env=home.environ, cwd=home.folder, input="sandbox\n", text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert re.fullmatch(pattern(printed), done.stdout), f"$ {command}\n{done.stdout}"
