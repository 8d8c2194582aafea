"""Docstrings that list the files of a folder name the files that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from kit.pages import ROOT, first_cells, section

NAMED = re.compile(r"(?<![\w./*])([a-z_]+(?:/[a-z_]+)?\.py)\b")
PACKAGES = sorted(
    path.parent for folder in ("connector_core", "plugins") for path in (ROOT / folder).rglob("__init__.py")
)


def listed(package: Path) -> list[str]:
    """Return the file names in the block of a package's docstring that lists them, in its order."""
    prose = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    blocks = re.findall(r"::\n\n((?:    .*\n|\n)+)", prose + "\n")
    return [name for block in blocks for name in re.findall(r"^    (\w+\.py)  ", block, re.M)]


def inside(package: Path) -> set[str]:
    return {path.name for path in package.glob("*.py")} - {"__init__.py"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_lists_each_of_its_files_once(package: Path) -> None:
    """So that a reader finds the file, and a new file is not forgotten. The root's rooms are in architecture.md."""
    if package == ROOT / "connector_core":
        assert listed(package) == []
        return
    assert sorted(listed(package)) == sorted(inside(package))


def test_the_files_that_the_architecture_names_are_there() -> None:
    """Each ``room/file.py`` and each file of the core in docs/architecture.md."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## The files of each room")
    named = set(NAMED.findall(text[0])) | set(NAMED.findall(text[2].partition("<!-- end -->")[2]))
    assert len(named) > 30
    assert sorted(name for name in named if not (ROOT / "connector_core" / name).exists()) == []


def test_the_connectors_readme_lists_its_files() -> None:
    """As the package itself does."""
    package = ROOT / "plugins" / "whimsical" / "connector_core_whimsical"
    assert first_cells(section("plugins/whimsical/README.md", "Files")) == inside(package)


def test_the_words_in_schema_comments_are_those_that_the_code_writes() -> None:
    """A column's comment that lists values in quotes lists values that the core writes or compares."""
    comments = re.findall(r"--(.*)", (ROOT / "connector_core/store/schema.py").read_text("utf-8"))
    words = {word for comment in comments for word in re.findall(r"'([a-z*]+)'", comment)}
    sources = [path for path in (ROOT / "connector_core").rglob("*.py") if path.name != "schema.py"]
    code = "".join(path.read_text("utf-8") for path in sources)
    assert len(words) > 10
    assert sorted(word for word in words if f"'{word}'" not in code and f'"{word}"' not in code) == []
