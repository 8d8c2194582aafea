"""Compare connector-core with the floor program: ``python benchmarks/run.py [CASE ...]``."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

import cases
from measure import HERE

_HEAD = ("what", "target", "ratio (smallest to largest)", "connector-core", "compared with", "memory", "of the other")
_RESULTS, _PROFILES = HERE / "RESULTS.md", HERE / "PROFILES.md"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare connector-core with the shortest program that does the job.")
    parser.add_argument("case", nargs="*", help=f"one of {', '.join(cases.CASES)}; by default those that take seconds")
    parser.add_argument("--all", action="store_true", help="every case; takes three quarters of an hour")
    parser.add_argument("--pairs", type=int, metavar="N", help="pairs of runs a case")
    parser.add_argument("--write", action="store_true", help="write these lines into RESULTS.md; keep the others")
    options = parser.parse_args()
    if unknown := set(options.case) - set(cases.CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    names = list(cases.CASES) if options.all else options.case or cases.QUICK
    lines = measured(names, options.pairs)
    if options.write:
        _RESULTS.write_text(document(lines), encoding="utf-8")


def measured(names: Sequence[str], pairs: int | None) -> list[cases.Figure]:
    """The lines of all these cases, each printed as soon as it is known."""
    lines = []
    with cases.lab(pairs) as lab:
        for name in names:
            for line in cases.CASES[name](lab):
                print(f"{line.name}: {line.result}; {_beside(line)}", flush=True)
                lines.append(line)
    return lines


def _beside(line: cases.Figure) -> str:
    ours, base = f"{line.ours} {line.memory}".strip(), f"{line.base} {line.base_memory}".strip()
    return f"{ours} against {base}" if base else ours


def document(lines: Sequence[cases.Figure]) -> str:
    """RESULTS.md: what was measured now in the place of what was before, and what `PROFILES.md` says."""
    new = {li.name: (li.name, li.target, li.result, li.ours, li.base, li.memory, li.base_memory) for li in lines}
    rows = [_HEAD, ("---",) * len(_HEAD), *({row[0]: row for row in _written()} | new).values()]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    profiles = _PROFILES.read_text("utf-8")
    return _DOCUMENT.format(date=datetime.now(UTC).date(), versions=_versions(), table=table, profiles=profiles)


def _written() -> list[tuple[str, ...]]:
    """The lines of the table as it was, but for those of another shape."""
    lines = _RESULTS.read_text("utf-8").splitlines()
    rows = [tuple(cell.strip() for cell in line[1:-1].split("|")) for line in lines if line.startswith("| ")]
    return [row for row in rows[2:] if len(row) == len(_HEAD)]


def _versions() -> str:
    ours = ", ".join(f"{name} {version(name)}" for name in ("connector-core", "urllib3", "click"))
    return (
        f"{ours}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    )


_DOCUMENT = """# Results

Written by `python benchmarks/run.py --write` on {date}:
{versions}.

What is compared with what, and how, is in [README.md](README.md). Seconds depend on the machine and on what else it
does; ratios much less.

A target is what a release is held to; where there is none, the line is for comparison.

{table}

{profiles}"""

if __name__ == "__main__":
    main()
