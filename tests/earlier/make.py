"""Writes a store as the version at hand does: ``python tests/earlier/make.py > tests/earlier/m003.sql``.

It holds a picture with history, and a sync that was killed after its first page of users. Run once for each migration,
with the version that ended in it on the path; what it wrote then is kept, since no later version can write it.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from kit.sync import Script, editor, first, user, viewer

from connector_core.model import Cursor, Page
from connector_core.testing import FakeClock

MOMENTS = (1.7e9, 1.7e9 + 3600, 1.7e9 + 7200)  # of the three syncs


def page(*people: str, editors: str = "", more: int | None = None, **names: str) -> Page:
    """Users, and the role that each holds."""
    return Page(
        resources=tuple(user(name, name=names.get(name, name.title())) for name in people),
        grants=tuple(editor(name) if name in editors.split() else viewer(name) for name in people),
        next=() if more is None else (Cursor("users", more),),
    )


FIRST = {0: page("ada", "bo", more=1), 1: page("cy", editors="cy")}
SECOND = {0: page("ada", "bo", editors="ada", more=1), 1: page("cy", "di", editors="cy", cy="Cyrus")}
THIRD = page("ada", "bo", editors="ada bo", more=1)


def main(db: Path) -> None:
    if not db.exists():
        for moment, pages in zip(MOMENTS, (FIRST, SECOND), strict=False):
            script = Script({None: first("users")} | {("users", n): p for n, p in pages.items()})
            script.connect(db, clock=FakeClock(moment)).sync()
        subprocess.run([sys.executable, __file__, db], check=False)
        for line in sqlite3.connect(db).iterdump():
            print(line)
    else:
        script = Script({None: first("users"), ("users", 0): THIRD, ("users", 1): lambda _: os._exit(9)})
        script.connect(db, clock=FakeClock(MOMENTS[2])).sync()


if __name__ == "__main__":
    if len(sys.argv) > 1 and Path(sys.argv[1]).exists():
        main(Path(sys.argv[1]))
    else:
        with TemporaryDirectory() as folder:
            main(Path(folder) / "s.db")
