"""The rooms of the code and what they may import, from the import contract in setup.cfg and the docstrings."""

from __future__ import annotations

import ast
import configparser
import re
from pathlib import Path

import svg

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "connector_core"
ROW, WIDTH, LEFT = 34, 880, 40
FOLDER, MODULE, PLUGIN = "#e3f1ff", "#f0f4f8", "#fff3d6"


def layers() -> list[list[str]]:
    """Return the rooms from the top to the bottom; those of one layer do not know each other."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    lines = setup["importlinter:contract:rooms"]["layers"].split("\n")
    return [re.split(r"\s*[|:]\s*", line.strip()) for line in lines if line.strip()]


def source(room: str) -> Path:
    folder = PACKAGE / room / "__init__.py"
    return folder if folder.is_file() else PACKAGE / f"{room}.py"


def summary(path: Path) -> str:
    """Return the first sentence of a file's docstring."""
    prose = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = " ".join(prose.partition("\n\n")[0].split())
    return re.split(r"(?<=[^.])\.(?:\s|$)", first)[0].rstrip(".")


def is_folder(room: str) -> bool:
    return source(room).name == "__init__.py"


def label(room: str) -> str:
    return f"{room}/" if is_folder(room) else room


def picture() -> str:
    """Return the floor plan: a row for each layer, the top one first."""
    parts = [
        svg.box(LEFT, 10, WIDTH, ROW - 6, PLUGIN),
        svg.words(LEFT + 10, 31, "plugins", bold=True, mono=True),
        svg.words(LEFT + 150, 31, "use what connector_core exports, scim and testing; no room imports a plugin"),
    ]
    plan = layers()
    for number, rooms in enumerate(plan, 1):
        width = WIDTH / len(rooms)
        for place, room in enumerate(rooms):
            parts += cell(LEFT + width * place, 10 + ROW * number, width - 6 * (len(rooms) > 1), room)
    bottom = 10 + ROW * (len(plan) + 1)
    parts += [
        arrow(20, 16, bottom - 12),
        svg.words(LEFT, bottom + 12, "A room imports only from rooms below it.", size=11),
    ]
    return svg.picture(WIDTH + 2 * LEFT, bottom + 26, "The rooms of connector_core, from the top to the bottom", parts)


def cell(x: float, y: float, width: float, room: str) -> list[str]:
    indent = 150 if width > WIDTH / 2 else 100
    about, fits = summary(source(room)).replace("`", ""), int((width - indent) / 6.8)
    about = about if len(about) <= fits else about[: fits - 1].rsplit(" ", 1)[0] + " …"
    return [
        svg.box(x, y, width, ROW - 6, FOLDER if is_folder(room) else MODULE),
        svg.words(x + 10, y + 19, label(room), bold=True, mono=True),
        svg.words(x + indent, y + 19, about),
    ]


def arrow(x: float, top: float, bottom: float) -> str:
    return f'<path d="M{x} {top} V{bottom} m-5 -8 l5 8 l5 -8" fill="none" stroke="{svg.INK}" stroke-width="1.5"/>'


def rooms() -> str:
    """Return the same as a table, for readers who see no pictures."""
    rows = [
        f"| `{label(room)}` | {summary(source(room))} | {' '.join(f'`{n}`' for n in rooms if n != room)} |"
        for rooms in layers() for room in rooms
    ]  # fmt: skip
    return "\n".join(["| room, from the top | holds | does not know |", "|---|---|---|", *rows])


def files() -> str:
    """Return a list of the files of each folder, with the first sentence of each."""
    parts = []
    for room in (room for rooms in layers() for room in rooms if is_folder(room)):
        folder = source(room).parent
        inside = sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")
        rows = [f"| `{path.relative_to(folder)}` | {summary(path)} |" for path in inside]
        parts.append("\n".join([f"### {room}", "", "| file | holds |", "|---|---|", *rows]))
    return "\n\n".join(parts)
