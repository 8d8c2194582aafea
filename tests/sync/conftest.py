"""Fixtures of the tests of syncs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kit.sync import assert_sound


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Path]:
    """Where the state will be. What a test leaves there is sound: `access` as a view and as an answer are one, too."""
    path = tmp_path / "s.db"
    yield path
    if path.exists():
        assert_sound(path)
