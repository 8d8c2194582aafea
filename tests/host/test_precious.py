"""No command writes over the state, the configuration, a secret, or its own input."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from kit.cli import Home, workspace
from kit.served import TOKEN

CSV = "email,role\np001@example.com,viewer\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A connection that is set up in a file, with a picture and a CSV file."""
    home = Home(tmp_path)
    home.environ["CONNECTOR_CORE_CONFIG"] = str(tmp_path / "core.toml")
    (tmp_path / "core.toml").touch(mode=0o600)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    (tmp_path / "p.csv").write_text(CSV)
    return home


PRECIOUS = [*(f"state.db{end}" for end in ("", "-wal", "-shm", ".lock", ".whimsical.lock")), "core.toml", "token"]


@pytest.mark.parametrize("command", ["plan", "backup"])
@pytest.mark.parametrize("way", ["name", "link", "hard link"])
def test_nothing_precious_is_written_over(home: Home, command: str, way: str) -> None:
    """By its own name, through a link, or by a second name; exit 2, and the file is as it was."""
    with workspace(3) as there:
        (home.folder / "core.toml").write_text(
            f'[connections.whimsical]\nbase_url = "{there.url}"\ntoken = {{ file = "token" }}\n'
        )
        assert home("run", "whimsical").code == 0
        names = [name for name in PRECIOUS if way == "name" or (home.folder / name).exists()]
        for name in [*names, *(["p.csv"] if command == "plan" else [])]:
            target = name
            if way == "link":
                target = f"link-{name}"
                (home.folder / target).symlink_to(home.folder / name)
            elif way == "hard link":
                target = f"hard-{name}"
                os.link(home.folder / name, home.folder / target)
            path = home.folder / name
            before = path.read_bytes() if path.exists() else None
            plan, backup = ["plan", "whimsical", "p.csv", "-o", target], ["backup", target, "--force"]
            done = home(*(plan if command == "plan" else backup))
            assert done.code == 2, (name, done)
            assert (path.read_bytes() if path.exists() else None) == before or name.startswith("state.db-"), name
        assert len(names) >= 4


@pytest.mark.parametrize("way", ["name", "hard link"])
def test_what_belongs_to_a_state_with_brackets_in_its_name_is_not_written_over(home: Home, way: str) -> None:
    """Nor is a configuration with brackets in its name: a name is a name, and no pattern."""
    home.environ["CONNECTOR_CORE_DB"] = str(home.folder / "state[1].db")
    home.environ["CONNECTOR_CORE_CONFIG"] = str(home.folder / "core[1].toml")
    (home.folder / "core.toml").rename(home.folder / "core[1].toml")
    assert home("run", "whimsical", "--sandbox").code == 0
    for name in ("state[1].db.0123.vault", "state[1].db.0123.lock", "core[1].toml"):
        path = home.folder / name
        path.write_text("# mine")
        target = path.with_name(f"hard-{name}") if way == "hard link" else path
        if target != path:
            os.link(path, target)
        assert home("backup", str(target), "--force").code == 2, name
        assert path.read_text() == "# mine"


def test_a_plan_replaces_plans_only(home: Home) -> None:
    """Whatever else lies there is not written over."""
    with workspace(3) as there:
        home.connect(there.url)
        (home.folder / "notes.txt").write_text("mine")
        assert home("plan", "whimsical", "p.csv", "-o", "notes.txt").code == 2
        assert (home.folder / "notes.txt").read_text() == "mine"
        for _ in range(2):
            assert home("plan", "whimsical", "p.csv", "-o", "plan.json").code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a link away")
def test_no_link_of_another_user_is_followed(home: Home) -> None:
    """It may lead anywhere."""
    (home.folder / "link").symlink_to(home.folder / "new.json")
    os.chown(home.folder / "link", 54321, -1, follow_symlinks=False)
    with workspace(3) as there:
        home.connect(there.url)
        assert home("plan", "whimsical", "p.csv", "-o", "link").code == 2


def test_a_state_has_one_lock_by_whatever_name(home: Home) -> None:
    """A link to the state and the state itself are synced one at a time."""
    from connector_core import Busy, Host

    with workspace(3) as there:
        home.connect(there.url)
        assert home("run", "whimsical").code == 0
        (home.folder / "link.db").symlink_to(home.db)
        with Host(home.folder / "link.db") as one, Host(home.db) as other:
            settings = {"base_url": there.url, "token": TOKEN}
            held = one.connection("whimsical", settings=settings)

            tried = []

            def meanwhile(progress: object) -> None:
                if not tried:  # while the first page is read
                    tried.append(progress)
                    with pytest.raises(Busy):
                        other.connection("whimsical", settings=settings).sync()

            held.sync(on_progress=meanwhile)
            assert tried
