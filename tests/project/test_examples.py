"""Each folder of examples/ is a whole distribution: its tests pass, and it installs and runs beside the program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit.cli import PROGRAM

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "__pycache__")


@pytest.mark.parametrize("name", NAMES)
def test_its_own_tests_pass(name: str, tmp_path: Path) -> None:
    """As its README says to run them, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", os.devnull,
         str(EXAMPLES / name)],
        env=os.environ | {"PYTHONPATH": str(EXAMPLES / name), "PYTHONDONTWRITEBYTECODE": "1"}, cwd=tmp_path,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_installs_as_a_plugin(name: str, tmp_path: Path) -> None:
    """Built and installed by pip, it is listed with its distribution."""
    site, copy = tmp_path / "site", tmp_path / "copy"
    subprocess.run(["cp", "-r", str(EXAMPLES / name), str(copy)], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(copy)]
    subprocess.run(pip, check=True, capture_output=True, timeout=300)
    environ = os.environ | {"PYTHONPATH": str(site), "CONNECTOR_CORE_DB": str(tmp_path / "s.db")}
    listed = subprocess.run([*PROGRAM, "plugins", "--json"], env=environ, capture_output=True, text=True, timeout=60)
    rows = json.loads(listed.stdout)["plugins"]
    assert (f"connector-core-{name}", None) in {(row["distribution"], row["error"]) for row in rows}
