"""The people behind the stand-in server."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from connector_core.errors import StateError
from connector_core.testing import FakeClock, LoginTaken, Workspace


def test_ids_are_the_same_in_every_run() -> None:
    """The same additions give the same ids; another seed gives others."""
    one, again, other = Workspace(seed=1), Workspace(seed=1), Workspace(seed=2)
    for workspace in (one, again, other):
        workspace.populate(3)
    ids = [[user.id for user in workspace.users()] for workspace in (one, again, other)]
    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


def test_users_are_in_the_order_of_their_creation() -> None:
    """Changes and departures shift nobody else."""
    workspace = Workspace()
    a, b, c = (workspace.add(f"{name}@example.com") for name in "abc")
    workspace.set_role(a.id, True)
    workspace.remove(b.id)
    d = workspace.add("d@example.com")
    assert [user.id for user in workspace.users()] == [a.id, c.id, d.id]


def test_an_id_is_never_given_twice() -> None:
    """Whoever comes back is somebody new (P60)."""
    workspace = Workspace()
    before = workspace.add("a@example.com")
    workspace.remove(before.id)
    assert workspace.add("a@example.com").id != before.id


def test_a_login_belongs_to_one_user_in_any_case() -> None:
    """Two users never share a login, and a change of login frees the old one."""
    workspace = Workspace()
    a, b = workspace.add("A@example.com"), workspace.add("b@example.com")
    assert workspace.find("a@EXAMPLE.com") == a
    with pytest.raises(LoginTaken):
        workspace.add("a@example.com")
    with pytest.raises(LoginTaken):
        workspace.replace(evolve(b, login="a@example.com"))
    workspace.replace(evolve(a, login="c@example.com"))
    assert workspace.find("a@example.com") is None
    assert workspace.replace(evolve(b, login="a@example.com")).version == 2


def test_a_change_is_dated() -> None:
    """Created stays, modified follows the clock."""
    clock = FakeClock(now=0.0)
    workspace = Workspace(clock=clock)
    user = workspace.add("a@example.com")
    clock.advance(60)
    after = workspace.set_role(user.id, True)
    assert (after.created, after.modified) == ("1970-01-01T00:00:00.000Z", "1970-01-01T00:01:00.000Z")


def test_another_process_sees_what_was_written(tmp_path: Path) -> None:
    """Two workspaces on one folder are one, whichever of them writes."""
    here, there = Workspace(tmp_path), Workspace(tmp_path)
    a = here.add("a@example.com", role=True)
    assert there.users() == (a,)
    b = there.add("b@example.com")
    assert a.id != b.id
    here.remove(a.id)
    assert there.users() == here.users() == (b,)


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Every user that four writers added to one folder is there, each with an id of its own."""
    writers = [Workspace(tmp_path) for _ in range(4)]
    begin = threading.Barrier(4)

    def write(number: int) -> None:
        begin.wait()
        for step in range(10):
            writers[number].add(f"user{number}.{step}@example.com")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len({user.id for user in Workspace(tmp_path).users()}) == 40


def test_the_file_is_private(tmp_path: Path) -> None:
    """Only the owner may read it."""
    Workspace(tmp_path).add("a@example.com")
    assert stat.S_IMODE((tmp_path / "workspace.json").stat().st_mode) == 0o600


def test_a_failed_change_leaves_nothing(tmp_path: Path) -> None:
    """Several writes as one are kept all or not at all."""
    workspace = Workspace(tmp_path)
    workspace.add("a@example.com")
    with pytest.raises(LoginTaken), workspace.changing():
        workspace.add("b@example.com")
        workspace.add("a@example.com")
    assert [user.login for user in workspace.users()] == ["a@example.com"]
    assert [path.name for path in tmp_path.iterdir() if "lock" not in path.name] == ["workspace.json"]


@pytest.mark.parametrize("text", ["not JSON", "[]", '{"next": 1, "users": [{"surprise": 1}]}', '{"users": []}'])
def test_a_strange_file_is_refused_in_words(tmp_path: Path, text: str) -> None:
    """What is not a workspace is neither read nor written over."""
    (tmp_path / "workspace.json").write_text(text)
    with pytest.raises(StateError, match="is not a workspace"):
        Workspace(tmp_path).users()
    assert (tmp_path / "workspace.json").read_text() == text


def test_shuffling_makes_joiners_leavers_and_changes() -> None:
    """What a shuffle reports is what happened, and a seed makes it happen again."""
    workspace, twin = Workspace(), Workspace()
    for each in (workspace, twin):
        each.populate(20)
    before = {user.login: user.role for user in workspace.users()}
    done = workspace.shuffle(7, joiners=2, leavers=3, changes=4)
    after = {user.login: user.role for user in workspace.users()}
    assert set(done.joined) == after.keys() - before.keys()
    assert set(done.left) == before.keys() - after.keys()
    assert set(done.changed) == {login for login in before.keys() & after.keys() if before[login] != after[login]}
    assert [len(group) for group in done] == [2, 3, 4]
    assert twin.shuffle(7, joiners=2, leavers=3, changes=4) == done


def test_shuffling_an_empty_workspace_lets_people_join() -> None:
    """Nobody can leave where nobody is."""
    assert [len(group) for group in Workspace().shuffle(1)] == [3, 0, 0]


@pytest.mark.parametrize(
    "write",
    [lambda w: w.remove("x"), lambda w: w.set_role("x", True), lambda w: w.log_in("x")],
    ids=["remove", "role", "log_in"],
)
def test_nobody_is_not_changed(write: Callable[[Workspace], object]) -> None:
    """An unknown id is a KeyError, so that a test with a wrong id fails."""
    with pytest.raises(KeyError):
        write(Workspace())
