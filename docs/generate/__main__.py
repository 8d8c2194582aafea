"""Write the parts of the documentation that are made from the code: tables between two marks, and pictures.

``python docs/generate`` writes them, ``python docs/generate --check`` names those that differ from the code (exit 1).
A part of a page stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import commands
import floor_plan
import reference
import schema
import terminal

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PARTS: dict[str, Callable[[], str]] = {
    "options": commands.options,
    "rooms": floor_plan.rooms,
    "files": floor_plan.files,
    "tables": schema.tables,
    "views": schema.views,
    "temporary": schema.temporary,
    "reference": reference.reference,
}
PICTURES: dict[str, Callable[[], str]] = {
    "floor-plan.svg": floor_plan.picture,
    "state-file.svg": schema.picture,
    "terminal.svg": terminal.picture,
}
MARKED = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.S)
RUN_DEPENDENT = re.compile(r"\d{4}-\d\d-\d\d|\d+\.\d+ s\b")


def filled(page: str) -> str:
    """Return the page with its generated parts as the code has them now."""
    return MARKED.sub(lambda mark: f"{mark[1]}\n{PARTS[mark[2]]().strip()}\n\n{mark[3]}", page)


def made() -> Iterator[tuple[Path, str]]:
    """Yield each file with generated parts, and the text that it should have."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text("utf-8")
        if MARKED.search(text):
            yield page, filled(text)
    for name, picture in PICTURES.items():
        yield DOCS / "pictures" / name, picture()


def is_current(path: Path, text: str) -> bool:
    """Compare what a reader sees: a picture's words, whatever version of rich drew it; dates and seconds may differ."""
    return path.is_file() and seen(path.read_text("utf-8"), path.suffix) == seen(text, path.suffix)


def seen(text: str, suffix: str) -> list[str]:
    words = re.findall(r">([^<]*)</text>", text) if suffix == ".svg" else [text]
    return [RUN_DEPENDENT.sub("#", unescape(word).replace("\N{NO-BREAK SPACE}", " ")) for word in words]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python docs/generate", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, name what is out of date")
    check = parser.parse_args().check
    stale = [(path, text) for path, text in made() if not is_current(path, text)]
    for path, text in stale:
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
    if check and stale:
        print("python docs/generate writes them", file=sys.stderr)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
