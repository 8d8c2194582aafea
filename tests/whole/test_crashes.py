"""Whenever a process dies, and whenever its disk does: the state opens, is whole, and the next run ends right."""

from __future__ import annotations

import random
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.crash import Doom, Victims, any_doom, applied, assert_whole, managed
from kit.plan import csv_of, login, office
from kit.served import TOKEN, UNSAFE, ServedWorkspace
from kit.sync import Script, Site, assert_sound, connect, dump, first, picture, users

from connector_core.connectors.vault import FileVault
from connector_core.host.host import Host
from connector_core.provision.plan import write_plan

CHUNK = 8  # seeds in one test


def seeds(quick: int, all: int) -> Any:
    """Chunks of seeds; only the first few chunks are run where it has to be quick."""
    marks = [() if n < quick else pytest.mark.slow for n in range(all)]
    return pytest.mark.parametrize("chunk", [pytest.param(n, marks=m) for n, m in enumerate(marks)])


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    with Victims() as victims:
        yield victims


# -- syncs -----------------------------------------------------------------------------------------------------------


class Twins:
    """Two states of one workspace with the same past; something has changed in the workspace since."""

    def __init__(self, folder: Path, site: Site, seed: int) -> None:
        self.site, self.folder = site, folder
        self.db, self.twin = folder / "s.db", folder / "twin.db"
        connect(self.db, site, page_size=5).sync()
        Host(self.db, installed=False).backup(self.twin)
        site.workspace.shuffle(seed)
        self.before = picture(connect(self.db, site))

    def job(self, db: Path, workers: int) -> dict[str, Any]:
        return {"db": db, "url": self.site.url, "page_size": 5, "workers": workers}

    def since(self, db: Path) -> list[Any]:
        """Every change since the common past."""
        changes = connect(db, self.site).changes(since="1")
        return sorted(repr((c.kind, c.user, c.what, c.before, c.after)) for c in changes)


def die_and_resume(victims: Victims, folder: Path, seed: int, *, late: bool = False) -> int:
    """One sync that is killed up to three times, each time with another number of workers; how often it died."""
    rng = random.Random(seed)
    with Site(rng.randint(18, 45)) as site:
        twins = Twins(folder, site, seed)
        undisturbed = victims.run("sync", **twins.job(twins.twin, 1))
        assert undisturbed["said"]["status"] == "complete", (seed, undisturbed)
        dooms = [any_doom(rng, undisturbed["said"], late=late) for _ in range(rng.randint(1, 3))]
        deaths = 0
        for doom in dooms:
            ended = victims.run("sync", doom, **twins.job(twins.db, rng.choice((1, 2, 5))))
            assert ended["died"] or ended["said"]["status"] == "complete", (seed, doom, ended)
            deaths += ended["died"]
            assert_sound(twins.db)
            assert picture(connect(twins.db, site)) in (twins.before, site.users()), (seed, doom)
        last = connect(twins.db, site, page_size=5).sync(workers=rng.choice((1, 4)))
        assert last.sync.status == "complete", (seed, dooms, last)
        assert picture(connect(twins.db, site)) == site.users(), (seed, dooms)
        assert twins.since(twins.db) == twins.since(twins.twin), (seed, dooms)
        assert_sound(twins.db)
    return deaths


@seeds(1, 8)
def test_a_sync_killed_anywhere_resumes_and_ends_right(victims: Victims, memory: Path, chunk: int) -> None:
    """Between two statements, within a write, at any moment, several times: the same picture and the same changes."""
    deaths = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        (memory / str(seed)).mkdir()
        deaths += die_and_resume(victims, memory / str(seed), seed)
    assert deaths >= CHUNK


@seeds(1, 5)
def test_a_sync_killed_while_it_publishes_is_published_once(victims: Victims, memory: Path, chunk: int) -> None:
    """All of a sync is in the picture or nothing of it, and each change is there once."""
    deaths = 0
    for seed in range(5000 + chunk * CHUNK, 5000 + (chunk + 1) * CHUNK):
        (memory / str(seed)).mkdir()
        deaths += die_and_resume(victims, memory / str(seed), seed, late=True)
    assert deaths >= CHUNK // 2


def lose_power(db: Path, rng: random.Random) -> bool:
    """What was written last and not yet made durable is lost, or is garbage; whether there was anything to lose."""
    log = db.with_name(f"{db.name}-wal")
    db.with_name(f"{db.name}-shm").unlink(missing_ok=True)
    if not log.exists() or not (written := log.read_bytes()):
        return False
    kept = rng.randint(0, len(written))
    log.write_bytes(written[:kept] + rng.randbytes(rng.choice((0, 0, 24, 4096, len(written) - kept))))
    return True


@seeds(1, 5)
def test_a_sync_whose_last_writes_were_lost_ends_right(victims: Victims, memory: Path, chunk: int) -> None:
    """As a loss of power leaves it: SQLite's log ends anywhere, with garbage behind it. Whole, and gone on with."""
    lost = 0
    for seed in range(9000 + chunk * CHUNK, 9000 + (chunk + 1) * CHUNK):
        rng = random.Random(seed)
        folder = memory / str(seed)
        folder.mkdir()
        with Site(rng.randint(18, 45)) as site:
            twins = Twins(folder, site, seed)
            undisturbed = victims.run("sync", **twins.job(twins.twin, 1))["said"]
            for _ in range(2):
                doom = Doom(kind="statement", at=rng.randint(1, undisturbed["statements"]))
                victims.run("sync", doom, **twins.job(twins.db, rng.choice((1, 3))))
                lost += lose_power(twins.db, rng)
                assert_sound(twins.db)
                assert picture(connect(twins.db, site)) in (twins.before, site.users()), (seed, doom)
            assert connect(twins.db, site, page_size=5).sync().sync.status == "complete", seed
            assert picture(connect(twins.db, site)) == site.users(), seed
            assert twins.since(twins.db) == twins.since(twins.twin), seed
            assert_sound(twins.db)
    assert lost >= CHUNK


# -- plans carried out -----------------------------------------------------------------------------------------------


def die_and_apply_again(victims: Victims, folder: Path, seed: int) -> int:
    """A plan whose applies are killed up to three times; how often that was."""
    rng = random.Random(seed)
    people = {login(n): rng.choice(("viewer", "editor")) for n in range(1, 13)}
    with office(people) as served:
        wanted, db = changed(rng, people), folder / "s.db"
        plan = managed(db, served.url, token=TOKEN).plan(csv_of(folder, wanted), prune=True)
        write_plan(plan, folder / "plan.json")
        job = {"url": served.url, "token": TOKEN, "plan": folder / "plan.json"}
        deaths, later, seen, idle = 0, 0, writes_of(served), served.connections()
        undisturbed = {"statements": 60 * len(plan.steps), "longest": 300_000, "seconds": 0.02 * len(plan.steps)}
        for _ in range(rng.randint(1, 3)):
            doom = any_doom(rng, undisturbed)
            ended = victims.run("apply", doom, db=db, later=later, **job)
            deaths += ended["died"]
            served.settle(idle)  # a write still on its way when the next apply reads would be sent again
            assert_whole(db)
            later += 61  # a creation that was lost on its way counts as lost after a minute
        assert applied(managed(db, served.url, token=TOKEN, later=later), plan) == "complete", seed
        assert served.truth == wanted, seed
        assert shown(db, served) == wanted, seed
        assert max((n for (method, _), n in seen().items() if method != "POST"), default=0) <= 1, (seed, seen())
        assert seen()["POST", "/Users"] == len(set(wanted) - set(people)), seed
        assert dump(db, "operations WHERE state NOT IN ('done', 'failed', 'refused')") == [[]]
        assert_sound(db)
    return deaths


def changed(rng: random.Random, people: dict[str, str]) -> dict[str, str | None]:
    """Some leave, some change their role, some come."""
    wanted: dict[str, str | None] = {}
    for name, role in people.items():
        kept = rng.choice(("as it is", "as it is", "other", "gone"))
        if kept != "gone":
            wanted[name] = role if kept == "as it is" else {"viewer": "editor", "editor": "viewer"}[role]
    return wanted | {f"new{n}@example.com": rng.choice(("viewer", "editor")) for n in range(rng.randint(1, 3))}


def writes_of(served: ServedWorkspace) -> Any:
    """Counts, from now on, how often each write arrives."""
    begun = len(served.asked)
    return lambda: Counter(asked for asked in served.asked[begun:] if asked[0] in UNSAFE)


def shown(db: Path, served: ServedWorkspace) -> dict[str | None, str | None]:
    rows = managed(db, served.url, token=TOKEN).access()
    return {row.user: row.role for row in rows if row.status != "disabled"}


@seeds(1, 8)
def test_an_apply_killed_anywhere_is_finished_by_the_next(victims: Victims, memory: Path, chunk: int) -> None:
    """Every step of the plan is done, nothing is sent twice, and no operation is left without a known end."""
    deaths = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        (memory / str(seed)).mkdir()
        deaths += die_and_apply_again(victims, memory / str(seed), seed)
    assert deaths >= CHUNK // 2


# -- forgetting, and files beside the state --------------------------------------------------------------------------


@seeds(1, 4)
def test_pruning_killed_anywhere_forgets_all_or_nothing(victims: Victims, memory: Path, chunk: int) -> None:
    """The picture stands, what was to be forgotten is there as a whole or gone, and the next prune finishes it."""
    base = memory / "base.db"
    for day in range(12):
        people = [f"u{n}" for n in range(30) if (n + day) % 7]
        Script({None: first("users"), ("users", 0): users(*people)}).connect(base).sync()
    before = picture(Script({}).connect(base))
    shutil.copy(base, memory / "undisturbed.db")
    undisturbed = victims.run("prune", db=memory / "undisturbed.db")["said"]
    assert undisturbed["versions"] > 20
    deaths = 0
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        db = memory / f"{seed}.db"
        shutil.copy(base, db)
        ended = victims.run("prune", any_doom(random.Random(seed), undisturbed), db=db)
        deaths += ended["died"]
        assert_sound(db)
        assert picture(Script({}).connect(db)) == before
        again = victims.run("prune", db=db)["said"]["versions"]
        assert again in (0, undisturbed["versions"]), (seed, ended, again)
        assert_sound(db)
    assert deaths >= CHUNK // 2


@pytest.mark.parametrize("do", ["keep", "configure"])
def test_a_file_whose_writer_was_killed_holds_the_old_or_the_new(victims: Victims, memory: Path, do: str) -> None:
    """Vaults and configurations: readable, whole, private, and written by the next who comes."""
    deaths = 0
    for seed in range(CHUNK):
        path = memory / f"{seed}.toml"
        if do == "configure":
            path.write_text("# ours\n[connections.whimsical]\npage_size = 1\n")
            path.chmod(0o600)
        rng = random.Random(seed)
        dooms = {"moment": rng.uniform(0.001, 0.03), "byte": rng.randint(1, 2_010 if do == "keep" else 60)}
        kind = rng.choice(("moment", "byte"))
        deaths += victims.run(do, Doom(kind=kind, at=dooms[kind]), db=path)["died"]
        if do == "configure":
            assert 1 <= tomllib.loads(path.read_text())["connections"]["whimsical"]["page_size"] <= 8
            assert path.read_text().startswith("# ours")
        else:
            kept = FileVault(path).get("token")
            assert kept is None or len(kept) == 2_002
        assert not path.exists() or path.stat().st_mode & 0o077 == 0
        assert victims.run(do, db=path)["status"] == 0
    assert deaths >= CHUNK // 2
