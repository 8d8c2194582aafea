"""What is measured: each case by its name, with what it is compared with.

A case yields lines as they are ready. Syncs are checked, not only timed: one that is not complete, or has another
number of users than the server, ends everything.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from measure import HERE, MeasuredRun, Medians, Pair, ServerProcess, alternate, program, run, serving, until
from people import desired_roles

PAGE_SIZE = 100
RATE = 20.0
SYNCS = 50
_KB = 1024


@dataclass(frozen=True)
class Figure:
    """One line of the results: what counts of it in words, and what it was made from."""

    name: str
    result: str
    ours: str
    base: str = ""
    memory: str = ""
    base_memory: str = ""
    target: str = ""


Case = Callable[["Lab"], Iterator[Figure]]


class Lab:
    """A temporary folder to run in, which is also the empty home of all that runs."""

    def __init__(self, folder: Path, pairs: int | None) -> None:
        self._folder = folder
        self.settings: dict[str, str] = {}
        self._numbers = count()
        self._pairs = pairs

    def pairs(self, usual: int) -> int:
        return self._pairs or usual

    @contextmanager
    def store(self) -> Iterator[Path]:
        """A path for a new store, which is removed afterwards, with the files that belong to it."""
        path = self._folder / f"{next(self._numbers)}.db"
        try:
            yield path
        finally:
            for file in self._folder.glob(f"{path.name}*"):
                file.unlink()

    def floor(self, server: ServerProcess, users: int, store: Path, threads: int = 1) -> MeasuredRun:
        done = self.python(HERE / "floor.py", server.url, store, "--page-size", PAGE_SIZE, "--threads", threads)
        if done.document["users"] != users:
            raise SystemExit(f"the floor program stored {done.output} of {users} users")
        return done

    def sync(self, server: ServerProcess, users: int, store: Path, *options: object) -> MeasuredRun:
        done = self.ask(store, "--json", "run", "whimsical", *options, url=server.url)
        document = done.document
        if document["sync"]["status"] != "complete" or document["counts"]["user"] != users:
            raise SystemExit(f"the sync of {users} users was not complete:\n{done.output}")
        return done

    def ask(self, store: Path, *command: object, url: str = "http://127.0.0.1:9") -> MeasuredRun:
        """``connector-core``, configured by its environment alone."""
        return run(
            [program(), "--db", store, *map(str, command)],
            self._folder,
            **{"CONNECTOR_CORE_WHIMSICAL_TOKEN": "benchmark", "CONNECTOR_CORE_WHIMSICAL_MANAGED": "true",
               "CONNECTOR_CORE_WHIMSICAL_BASE_URL": url, "CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE": str(PAGE_SIZE),
               **self.settings},
        )  # fmt: skip

    @contextmanager
    def set(self, **settings: object) -> Iterator[None]:
        """Settings of the connection, added to those that all cases have."""
        self.settings = {f"CONNECTOR_CORE_WHIMSICAL_{name.upper()}": str(value) for name, value in settings.items()}
        try:
            yield
        finally:
            self.settings = {}

    def python(self, *command: object) -> MeasuredRun:
        return run([sys.executable, *map(str, command)], self._folder)

    def view(self, store: Path) -> MeasuredRun:
        """SQLite's own program, printing the public view."""
        return run(["sqlite3", store, "SELECT * FROM access"], self._folder)

    def until_a_row(self, store: Path) -> float:
        command = [program(), "--db", store, "--json", "access", "whimsical"]
        token = {"CONNECTOR_CORE_WHIMSICAL_TOKEN": "benchmark"}
        return until(b'"user_id"', command, self._folder, **token)

    def imports(self) -> MeasuredRun:
        """What a command has to be compared with that only starts and reads a little."""
        return self.python("-c", "import click, sqlite3")


# == syncs =====================================================================================================


def first(users: int, pairs: int, target: str, lab: Lab) -> Iterator[Figure]:
    """A first sync."""
    with serving(users) as server:
        yield _line(f"first sync, {users:,} users", _first(lab, lab.pairs(pairs), server, users), target)


def late(workers: int, target: str, lab: Lab) -> Iterator[Figure]:
    """A first sync of 10,000 users where each reply takes 50 ms; the floor has as many threads as we have workers."""
    with serving(10_000, latency=0.05) as server:
        pairs = _first(lab, lab.pairs(3), server, 10_000, workers)
        yield _line(f"10,000 users at 50 ms, {workers} workers", pairs, target)


def again(users: int, changed: bool, target: str, lab: Lab) -> Iterator[Figure]:
    """A later sync, nothing or one in a hundred changed."""
    with serving(users) as server, lab.store() as theirs, lab.store() as ours:
        lab.floor(server, users, theirs)
        lab.sync(server, users, ours)

        def base() -> MeasuredRun:
            if changed:
                server.change()
            return lab.floor(server, users, theirs)

        pairs = alternate(lab.pairs(5), base, lambda: lab.sync(server, users, ours))
        yield _line(f"later sync, {users:,} users, {'1 % changed' if changed else 'unchanged'}", pairs, target)


def growing(lab: Lab) -> Iterator[Figure]:
    """What a user takes of a first sync of a million, over what one takes of a hundred thousand; start-up aside."""
    with serving(100) as server, lab.store() as store:
        start = median(lab.sync(server, 100, store).seconds for _ in range(5))
    takes = {}
    for users in (100_000, 1_000_000):
        with serving(users) as server, lab.store() as store:
            takes[users] = lab.sync(server, users, store)
    each = {users: (done.seconds - start) / users for users, done in takes.items()}
    fewer, more = takes.values()
    yield Figure(
        "time a user, 1,000,000 over 100,000 users", f"{each[1_000_000] / each[100_000]:.2f}", _seconds(more),
        _seconds(fewer), _memory(more.memory), _memory(fewer.memory), "1.25; memory 120 MB and 80 MB",
    )  # fmt: skip


def limited(users: int, page_size: int, known: bool, lab: Lab) -> Iterator[Figure]:
    """Under a limit, set or not: how much of it is used, and how much refused. Real time, one page a request."""
    settings = {"page_size": page_size, **({"requests_per_second": RATE} if known else {})}
    with serving(users, rate=RATE) as server, lab.store() as store, lab.set(**settings):
        done = lab.sync(server, users, store)
        stats = server.stats()
    # What the server lets pass at once, a second's worth, counts only where it lasted: it is no part of a rate.
    allowed = RATE * (stats["seconds"] + 1)
    refused = stats["refused"] / (stats["refused"] + stats["answered"])
    yield Figure(
        f"limit of {RATE:.0f} a second, {'set' if known else 'not set'}",
        f"{stats['answered'] / allowed:.0%} of it used, {refused:.2%} refused, in {stats['seconds']:.0f} s",
        _seconds(done), "",
        _memory(done.memory), "", "90 %, none refused" if known else "75 %, 2 %",
    )  # fmt: skip


def planned(users: int, lab: Lab) -> Iterator[Figure]:
    """A plan: a sync with nothing changed, and then each member compared with a file of who should have what."""
    with serving(users) as server, lab.store() as theirs, lab.store() as ours, lab.store() as wanted:
        lab.sync(server, users, ours)
        wanted.write_text(desired_roles(users), encoding="utf-8")
        command = ("--json", "plan", "whimsical", wanted, "--out", wanted.with_suffix(".json"))
        pairs = alternate(
            lab.pairs(3), lambda: lab.floor(server, users, theirs), lambda: lab.ask(ours, *command, url=server.url)
        )
        wanted.with_suffix(".json").unlink()
        yield _line(f"plan of {users:,} users", pairs)


def _first(lab: Lab, pairs: int, server: ServerProcess, users: int, workers: int = 0) -> list[Pair]:
    how = ("--workers", workers) if workers else ()

    def base() -> MeasuredRun:
        with lab.store() as store:
            return lab.floor(server, users, store, workers or 1)

    def ours() -> MeasuredRun:
        with lab.store() as store:
            return lab.sync(server, users, store, *how)

    return alternate(pairs, base, ours)


# == after many syncs ==========================================================================================


def many(users: int, lab: Lab) -> Iterator[Figure]:
    """Fifty syncs, in each of them one user in a hundred changed; then questions."""
    with serving(users) as server, lab.store() as store:
        syncs = []
        for _ in range(SYNCS):
            syncs.append(lab.sync(server, users, store))
            server.change()
        early, latest = syncs[2:5], syncs[-3:]
        ratio = median(s.seconds for s in latest) / median(s.seconds for s in early)
        yield Figure(
            f"syncs {SYNCS - 2} to {SYNCS} over syncs 3 to 5, {users:,} users, 1 % changed in each", f"{ratio:.2f}",
            _seconds(*latest), _seconds(*early), _memory(latest[-1].memory), _memory(early[-1].memory), "1",
        )  # fmt: skip
        someone, past = f"ada.{users // 2:07d}@example.com", syncs[1].document["sync"]["id"]
        questions: dict[str, tuple[object, ...]] = {
            "access --user": ("access", "whimsical", "--user", someone),
            "access --user --at": ("access", "whimsical", "--user", someone, "--at", past),
            "access": ("access", "whimsical"),
            "access --at": ("access", "whimsical", "--at", past),
            "changes": ("changes", "whimsical"),
        }
        for name, question in questions.items():
            pairs = alternate(lab.pairs(5), lab.imports, partial(lab.ask, store, *question))
            yield _line(f"{name}, {users:,} users, {SYNCS} syncs", pairs, "3.5" if name == "access --user" else "")


def growth(users: int, lab: Lab) -> Iterator[Figure]:
    """What an unchanged sync adds to the store, logs apart."""
    with serving(users) as server, lab.store() as store:
        lab.sync(server, users, store)
        before = _size(store)
        for _ in range(SYNCS):
            lab.sync(server, users, store)
        added = (_size(store) - before) / SYNCS / _KB
        yield Figure(
            f"an unchanged sync adds to the store, {users:,} users", f"{added:.1f} KB", f"{_size(store) / _KB:.0f} KB",
            target="4 KB",
        )  # fmt: skip


def _size(store: Path) -> int:
    """What a store's content takes, without the logs and packed."""
    with closing(sqlite3.connect(":memory:")) as copy:
        with closing(sqlite3.connect(store)) as db:
            db.backup(copy)
        copy.execute("DELETE FROM logs")
        copy.commit()
        copy.execute("VACUUM")
        pages, size = (copy.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
        return int(pages * size)


# == many grants ===============================================================================================


def listed(lab: Lab) -> Iterator[Figure]:
    """List access where groups hold roles, compared with SQLite's own program on the public view; time the first."""
    with lab.store() as store:
        lab.python(HERE / "groups.py", store)
        names = {"access --json": (), "access --json --at": ("--at", "1")}
        for name, options in names.items():
            ask = partial(lab.ask, store, "--json", "access", "whimsical", *options)
            pairs = alternate(lab.pairs(3), partial(lab.view, store), ask)
            yield _line(f"{name}, 1,517,660 rows", pairs, "" if options else "3; memory 100 MB")
        for name, options in {"--role": ("--role", "g1"), "--user": ("--user", "user000007@example.com")}.items():
            ask = partial(lab.ask, store, "--json", "access", "whimsical", *options)
            yield _line(f"access {name}, 1,005,100 grants", alternate(lab.pairs(5), lab.imports, ask))
        seconds = median(lab.until_a_row(store) for _ in range(lab.pairs(3)))
        yield Figure("access --json, 1,517,660 rows, until the first", f"{seconds:.2f} s", "", target="1 s")


# == starting ==================================================================================================


def startup(lab: Lab) -> Iterator[Figure]:
    """Commands that have little to do."""
    with serving(1000) as server, lab.store() as store:
        lab.sync(server, 1000, store)
        for command in (("--help",), ("plugins",), ("access", "whimsical", "--user", "ada.0000000@example.com")):
            pairs = alternate(lab.pairs(15), lab.imports, partial(lab.ask, store, *command))
            yield _line(" ".join(command[:3:2]), pairs, "2.5" if command == ("--help",) else "")


# == in words ==================================================================================================


def _line(name: str, pairs: list[Pair], target: str = "") -> Figure:
    s = Medians.of(pairs)
    ratio = f"{s.ratio:.2f} ({s.least:.2f} to {s.most:.2f}; of processor time {s.cpu_ratio:.2f})"
    return Figure(name, ratio, f"{s.ours:.2f} s", f"{s.base:.2f} s", _memory(s.memory), _memory(s.base_memory), target)


def _seconds(*runs: MeasuredRun) -> str:
    return f"{median(r.seconds for r in runs):.2f} s"


def _memory(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


CASES: dict[str, Case] = {
    "startup": startup,
    "first-1000": partial(first, 1000, 5, ""),
    "first-10000": partial(first, 10_000, 5, ""),
    "first-100000": partial(first, 100_000, 5, "2.5; memory 80 MB"),
    "unchanged": partial(again, 100_000, False, "2"),
    "changed": partial(again, 100_000, True, "2.2"),
    "first-1000000": partial(first, 1_000_000, 1, "memory 120 MB"),
    "growing": growing,
    "late-1": partial(late, 1, ""),
    "late-4": partial(late, 4, ""),
    "late-8": partial(late, 8, "1.8"),
    "late-16": partial(late, 16, ""),
    "limit-set": partial(limited, 60_000, 10, True),
    "limit": partial(limited, 60_000, 10, False),
    "many": partial(many, 100_000),
    "plan": partial(planned, 100_000),
    "listed": listed,
    "growth": partial(growth, 10_000),
}
QUICK = ("startup", "first-1000", "first-10000", "first-100000", "unchanged", "changed", "late-8")


@contextmanager
def lab(pairs: int | None) -> Iterator[Lab]:
    """A lab in a new folder; ``pairs`` instead of each case's own number of them."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        yield Lab(Path(folder), pairs)
