"""A name stands for one thing: a reader who searches for a class finds one."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("connector_core", "plugins", "examples", "benchmarks", "docs", "tests")
OF_EACH_PLUGIN = {"Settings"}


def classes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each class of the Python files below a folder: its name, and where it is."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_one_class_name_is_one_class() -> None:
    """Over the whole project, tests included; only each plugin's ``Settings`` are called alike."""
    places = defaultdict(list)
    for folder in FOLDERS:
        for name, place in classes(ROOT / folder):
            places[name].append(place)
    assert len(places) > 300
    assert {name: where for name, where in places.items() if len(where) > 1 and name not in OF_EACH_PLUGIN} == {}
