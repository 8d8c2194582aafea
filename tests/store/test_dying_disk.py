"""The k-th write to the state fails and all after it, for every k: said as what it is, and mended by the next run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from kit.crash import Disk, applied, assert_whole, managed, on
from kit.plan import csv_of, office
from kit.served import TOKEN, UNSAFE, ServedWorkspace
from kit.sync import Script, Site, assert_sound, connect, editor, first, opened, picture, user, users, viewer

from connector_core.errors import StateError
from connector_core.host.connection import Connection
from connector_core.model import Cursor, Page

thorough = pytest.mark.parametrize("stride", [9, pytest.param(1, marks=pytest.mark.slow)])


def until_untouched(
    db: Path, stride: int, attempt: Callable[[Path], object], check: Callable[[Path, bool], None], **how: Any
) -> int:
    """Attempt it on copies of a state, the disk dying at write 1, 2, 3 and on, until it does not; how many writes.

    :param stride: only every so many of them, for a quick look.
    :param check: given the copy, and whether the disk died in a way that was told.
    """
    for number in count(1, stride):
        copy = db.with_name(f"{db.stem}.{number}.db")
        if db.exists():
            shutil.copy(db, copy)
        told = False
        with on(Disk(number, **how)) as disk:
            try:
                attempt(copy)
            except StateError as error:
                assert (error.exit_code, str(copy) in error.message, bool(error.hint)) == (3, True, True)
                told = True
        assert told or not disk.died or how.get("once"), f"write {number} failed, and nobody said so"
        check(copy, told)
        if not disk.died:
            return disk.writes
    raise AssertionError


# -- syncs -----------------------------------------------------------------------------------------------------------


def yesterday() -> Script:
    """Six people on two pages."""
    return Script(
        {
            None: first("users"),
            ("users", 0): users("ada", "bo", "cy", next=(Cursor("users", 1),), total=6),
            ("users", 1): users("di", "ed", "flo", total=6),
        }
    )


def today() -> Script:
    """Bo has left, Cy views, Di is called otherwise, Gus joined between two pages: no phase of a sync is left out."""
    pages = iter([6, 6, 6])

    def second(cursor: Cursor) -> Page:
        people = (user("di", name="Diana"), user("ed"), user("flo"), user("gus"))
        grants = tuple(editor(name) for name in ("di", "ed", "flo", "gus"))
        return Page(resources=people, grants=grants, total=next(pages, 6))

    start = Page(
        resources=(user("ada"), user("cy")), grants=(editor("ada"), viewer("cy")), next=(Cursor("users", 1),), total=7
    )
    return Script({None: first("users"), ("users", 0): start, ("users", 1): second})


BEFORE = {(f"{name}@example.com", "editor") for name in ("ada", "bo", "cy", "di", "ed", "flo")}
AFTER = {
    (f"{name}@example.com", "viewer" if name == "cy" else "editor") for name in ("ada", "cy", "di", "ed", "flo", "gus")
}


@thorough
def test_every_write_of_a_sync_may_be_the_last(memory: Path, stride: int) -> None:
    """Exit 3, naming the file; the picture is the old one, or the new one if that was published; then all is well."""
    db = memory / "s.db"
    yesterday().connect(db).sync()

    def check(copy: Path, told: bool) -> None:
        assert_sound(copy)
        assert picture(today().connect(copy)) in ((BEFORE, AFTER) if told else (AFTER,))
        report = today().connect(copy).sync()
        assert (report.sync.status, picture(today().connect(copy))) == ("complete", AFTER)
        assert changes(copy) == expected
        assert_sound(copy)

    def changes(copy: Path) -> list[str]:
        return sorted(
            repr((c.kind, c.user, c.what, c.before, c.after)) for c in today().connect(copy).changes(since="1")
        )

    shutil.copy(db, memory / "undisturbed.db")
    today().connect(memory / "undisturbed.db").sync()
    expected = changes(memory / "undisturbed.db")
    assert until_untouched(db, stride, lambda copy: today().connect(copy).sync(), check) > 20


@thorough
@pytest.mark.parametrize("message", ["disk I/O error", "database or disk is full"])
def test_every_write_of_a_sync_may_fail_once(memory: Path, message: str, stride: int) -> None:
    """The same where the disk is well again at once: nothing goes on as if nothing had been."""
    db = memory / "s.db"
    yesterday().connect(db).sync()

    def check(copy: Path, told: bool) -> None:
        assert_sound(copy)
        assert picture(today().connect(copy)) in ((BEFORE, AFTER) if told else (AFTER,))
        assert today().connect(copy).sync().sync.status == "complete"
        assert picture(today().connect(copy)) == AFTER

    assert (
        until_untouched(db, stride, lambda copy: today().connect(copy).sync(), check, once=True, message=message) > 20
    )


@thorough
def test_every_write_of_the_first_sync_may_be_the_last(memory: Path, stride: int) -> None:
    """The making of the file is part of it: what was half made is made whole by the next run."""

    def check(copy: Path, told: bool) -> None:
        if told and copy.exists():
            assert_whole(copy)
        assert yesterday().connect(copy).sync().sync.status == "complete"
        assert picture(yesterday().connect(copy)) == BEFORE
        assert_sound(copy)

    assert until_untouched(memory / "s.db", stride, lambda copy: yesterday().connect(copy).sync(), check) > 20


@pytest.mark.slow
def test_every_write_of_a_sync_over_sockets_may_be_the_last(memory: Path) -> None:
    """The same with the real connector, four readers at once, and look-ups of those who left."""
    db = memory / "s.db"
    with Site(24) as site:
        connect(db, site, page_size=5).sync()
        before = picture(connect(db, site))
        site.workspace.shuffle(3)

        def check(copy: Path, told: bool) -> None:
            assert_sound(copy)
            assert picture(connect(copy, site)) in ((before, site.users()) if told else (site.users(),))
            assert connect(copy, site, page_size=5).sync(workers=1).sync.status == "complete"
            assert picture(connect(copy, site)) == site.users()

        assert until_untouched(db, 2, lambda copy: connect(copy, site, page_size=5).sync(workers=4), check) > 20


# -- operations and plans --------------------------------------------------------------------------------------------

DEEDS: dict[str, Callable[[Connection], object]] = {
    "create": lambda c: c.create_account("new@example.com", role="editor"),
    "delete": lambda c: c.delete_account("p2@example.com", yes=True),
    "grant": lambda c: c.grant("editor", "p1@example.com"),
    "revoke": lambda c: c.revoke("editor", "p2@example.com"),
    "deactivate": lambda c: c.revoke("viewer", "p1@example.com", yes=True),
}
PEOPLE: dict[str, str | None] = {"p1@example.com": "viewer", "p2@example.com": "editor", "p3@example.com": "viewer"}


def writes(served: ServedWorkspace) -> int:
    return sum(method in UNSAFE for method, _ in served.asked)


@thorough
@pytest.mark.parametrize("deed", DEEDS)
def test_every_write_of_an_operation_may_be_the_last(memory: Path, deed: str, stride: int) -> None:
    """What was sent is found out by reading, and never sent a second time; what was not sent is sent by the next."""
    for number in count(1, stride):
        db = memory / f"{number}.db"
        with office(PEOPLE) as served:
            managed(db, served.url, token=TOKEN).sync()
            served.asked.clear()
            with on(Disk(number)) as disk:
                try:
                    DEEDS[deed](managed(db, served.url, token=TOKEN))
                except StateError as error:
                    assert str(db) in error.message
                else:
                    assert not disk.died
            assert_whole(db)
            DEEDS[deed](managed(db, served.url, token=TOKEN, later=61))
            assert writes(served) == 1, f"{deed}, write {number}"
            managed(db, served.url, token=TOKEN, later=62).sync(accept_removals=True)
            shown = {
                row.user: row.role for row in managed(db, served.url, token=TOKEN).access() if row.status != "disabled"
            }
            assert shown == served.truth
            assert_sound(db)
        if not disk.died:
            break
    assert disk.writes > 5


@pytest.mark.slow
def test_every_write_of_an_apply_may_be_the_last(memory: Path) -> None:
    """The next apply finishes the rest; each step was sent once."""
    wanted: dict[str, str | None] = {
        "p1@example.com": "editor",
        "p2@example.com": "viewer",
        "new@example.com": "viewer",
    }
    for number in count(1, 3):
        folder = memory / str(number)
        folder.mkdir()
        db = folder / "s.db"
        with office(PEOPLE) as served:
            plan = managed(db, served.url, token=TOKEN).plan(csv_of(folder, wanted), prune=True)
            served.asked.clear()
            with on(Disk(number)) as disk:
                try:
                    applied(managed(db, served.url, token=TOKEN), plan)
                except StateError as error:
                    assert str(db) in error.message
                else:
                    assert not disk.died
            assert_whole(db)
            status = applied(managed(db, served.url, token=TOKEN, later=61), plan)
            assert (status, served.truth, writes(served)) == ("complete", wanted, 4), f"write {number}"
            assert_sound(db)
        if not disk.died:
            break
    assert disk.writes > 50


def test_a_disk_that_never_dies_is_no_test(memory: Path) -> None:
    """The disk is really asked: reads are free, and every write of a sync is counted."""
    with on(Disk(None)) as disk:
        yesterday().connect(memory / "s.db").sync()
    assert disk.writes > 20
    with opened(memory / "s.db") as db, on(Disk(1)) as disk:
        db.execute("SELECT 1")
        assert disk.writes == 0
