"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from chaos.stage import Stage

from connector_core import Host
from connector_core.testing import FakeClock
from plugins import HOSTILE, MINIMAL


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where the types of its settings are looked up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def minimal() -> ModuleType:
    """The small sibling plugin."""
    return _loaded(MINIMAL)


@pytest.fixture(scope="session")
def rude() -> ModuleType:
    """The plugin that loads without fault and then misbehaves."""
    return _loaded(HOSTILE / "rude.py")


@pytest.fixture
def host(tmp_path: Path, minimal: ModuleType, rude: ModuleType) -> Iterator[Host]:
    """A host of both, whose state lies in ``tmp_path`` and whose clock does not wait."""
    plugins = {"minimal": minimal, "rude": rude}
    with Host(tmp_path / "state.db", plugins=plugins, installed=False, clock=FakeClock()) as host:
        yield host


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is such a thing: for who opens and closes very many files."""
    shared = Path("/dev/shm")
    if not shared.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=shared, prefix="connector-core-") as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A server for scenes of a workspace under faults."""
    stage = Stage(tmp_path_factory.mktemp("stage"))
    yield stage
    stage.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with long tests first: with several workers, none is left alone with them at the end."""
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)
