"""What is installed, what it needs, and the two lines that a newcomer pastes."""

from __future__ import annotations

import ast
import configparser
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"connector_core": ROOT, "connector_core_whimsical": ROOT / "plugins" / "whimsical"}
OPTIONAL = {"keyring"}

setup = configparser.ConfigParser()
setup.read(ROOT / "setup.cfg", "utf-8")


def sources() -> list[tuple[Path, Path]]:
    """Every file that is installed: where it is, and its path in an installation."""
    return [
        (path, path.relative_to(folder))
        for package, folder in FOLDERS.items()
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]


def words(option: str) -> list[str]:
    return setup["options"][option].split()


def test_every_package_is_installed() -> None:
    """A folder of modules that setup.cfg does not name would be missing from the wheel."""
    found = {".".join(place.parts[:-1]) for path, place in sources() if path.suffix == ".py"}
    assert found == set(words("packages"))


def test_what_is_no_module_is_installed_too() -> None:
    """Files such as py.typed are named as package data."""
    data = {name: files.split() for name, files in setup["options.package_data"].items()}
    others = [place for path, place in sources() if path.suffix != ".py"]
    assert others
    assert [p for p in others if not any(p.match(pattern) for pattern in data.get(p.parts[0], []))] == []


def test_no_requirement_is_missing_and_none_is_unused() -> None:
    """What the code imports is what setup.cfg asks for, to the last package."""
    imported = {name for path, _ in sources() if path.suffix == ".py" for name in _imports(path)}
    ours = imported - set(sys.stdlib_module_names) - set(FOLDERS) - OPTIONAL
    needed = {packages_distributions()[name][0].lower() for name in ours}
    required = {re.split(r"[<>=!~\[]", line)[0].lower() for line in words("install_requires")}
    assert {name.replace("_", "-") for name in needed} == required


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}


def test_the_program_and_the_connector_are_registered() -> None:
    """One command, and one plugin whose name is that of its manifest."""
    points = {(p.group, p.name): p.value for p in distribution("connector-core").entry_points}
    assert points == {
        ("console_scripts", "connector-core"): "connector_core.cli:main",
        ("connector_core", "whimsical"): "connector_core_whimsical.plugin",
    }


def pasted() -> list[str]:
    """The commands of the README's console blocks, in order."""
    blocks = re.findall(r"^```(?:console|sh)\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    return [block.splitlines()[0].removeprefix("$ ") for block in blocks]


def test_ci_runs_what_the_readme_says() -> None:
    """`.ci/run` reads the second line to paste, so that the two cannot part."""
    shown = subprocess.run(["bash", ROOT / ".ci" / "run", "--show"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == pasted()[1]
    assert pasted()[1].endswith("tox run")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.slow
def test_the_first_line_works_in_an_empty_home(tmp_path: Path) -> None:
    """Pasted in a fresh checkout it installs every file, without a warning, and syncs the stand-in workspace."""
    ignored = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
    checkout = Path(shutil.copytree(ROOT, tmp_path / "checkout", ignore=ignored))
    home = tmp_path / "home"
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONNECTOR_CORE_", "COVERAGE"))}
    environ = {**kept, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", pasted()[0]], cwd=checkout, env=environ, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "whimsical-sandbox: complete" in done.stdout
    assert "warning" not in done.stderr.lower()
    (installed,) = (checkout / ".venv" / "lib").glob("python*/site-packages")
    assert [str(place) for _, place in sources() if not (installed / place).is_file()] == []
