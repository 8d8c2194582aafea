"""A test that fails midway leaves no process behind, whose warning would then fail another test."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
ENDING_THEM = {"kit/processes.py", "kit/sync.py", "servers/scimmy.py"}
"""Files that start processes and end them whatever happens."""


def test_processes_are_started_where_they_are_ended() -> None:
    """`subprocess.run` waits by itself; all else is started by `kit.processes.running`."""
    started = {
        str(path.relative_to(TESTS))
        for path in sorted(TESTS.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("subprocess.Popen", "Popen")
    }
    assert started == ENDING_THEM
