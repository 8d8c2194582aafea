"""Setting a connection up: guided, from a script, from the environment, by hand; and changing it later."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import threading
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from kit.cli import PROGRAM, Done, Home, workspace
from kit.keyrings import StubbornKeyring, using
from kit.served import TOKEN
from kit.terminal import at_terminal

from connector_core import Host
from connector_core.cli.program import run
from connector_core.config.file import ConfigFile

WRONG = "a-token-of-somewhere-else"
KEYRING = """\
import json, os, pathlib
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

PLACE = pathlib.Path(os.environ["HOME"]) / "keyring.json"

class Backend(KeyringBackend):
    priority = 1

    def _all(self):
        return json.loads(PLACE.read_text()) if PLACE.exists() else {}

    def get_password(self, service, username):
        return self._all().get(f"{service}/{username}")

    def set_password(self, service, username, password):
        PLACE.write_text(json.dumps({**self._all(), f"{service}/{username}": password}))

    def delete_password(self, service, username):
        rest = self._all()
        if rest.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError(username)
        PLACE.write_text(json.dumps(rest))
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with a place for the configuration, in which nothing is configured, and no keyring answers."""
    home = Home(tmp_path / "home")
    home.folder.mkdir()
    home.environ["CONNECTOR_CORE_CONFIG"] = str(config_of(home))
    home.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    config_of(home).parent.mkdir()
    config_of(home).touch(0o600)
    return home


def config_of(home: Home) -> Path:
    return home.folder / "etc" / "connector-core.toml"


def secrets_of(home: Home) -> list[Path]:
    """Every file in which a secret is kept."""
    return sorted((config_of(home).parent / "secrets").glob("*"))


def secret_of(home: Home, name: str = "whimsical") -> Path:
    """The file to which the configuration refers."""
    return Path(written(home)["connections"][name]["token"]["file"])


def written(home: Home) -> dict[str, Any]:
    return tomllib.loads(config_of(home).read_text())


def script(home: Home, *arguments: str, stdin: str = f"{TOKEN}\n") -> Done:
    """Run without a terminal, with something on standard input."""
    done = subprocess.run(
        [*PROGRAM, *arguments], env=home.environ, cwd=home.folder, input=stdin, text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def label(home: Home) -> str:
    rows = home("connections", "--all", "--json").document["connections"]
    return str(next(row["label"] for row in rows if row["connection"] == "whimsical"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class Door:
    """In front of a workspace: lets requests in one by one where it is told to, and refuses a revoked token."""

    def __init__(self) -> None:
        self.opened, self.knocked = threading.Event(), threading.Event()
        self.opened.set()
        self.revoked = False

    def __call__(self, app: WSGIApplication) -> WSGIApplication:
        def guarded(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            self.knocked.set()
            assert self.opened.wait(60)
            if self.revoked:
                environ["HTTP_AUTHORIZATION"] = "Bearer revoked"
            return app(environ, start)

        return guarded


def test_a_person_sets_up_a_connection_and_watches_it(home: Home) -> None:
    """Wrong token, right token, saved; new, syncing, connected; and failing, with the reason, once it is revoked."""
    door = Door()
    with workspace(5, around=door) as there:
        home.environ["CONNECTOR_CORE_WHIMSICAL_BASE_URL"] = there.url
        with at_terminal(home, "add", "whimsical") as person:
            person.waits_for("Reveal the SCIM token")
            person.answers("Application entry", "Design tools")
            person.answers("Owner", "it@example.com")
            person.answers("Managed", "y")
            person.answers("not shown", WRONG)
            person.waits_for("error")
            person.answers("What now", "again")
            person.answers("not shown", f"  {TOKEN} ")
            person.waits_for("saved whimsical")
            assert person.leaves() == 0
        assert TOKEN not in person.seen
        assert WRONG not in person.seen
        assert label(home) == "new"
        door.opened.clear()
        door.knocked.clear()
        with home.start("run", "whimsical") as run:
            assert door.knocked.wait(30)
            assert label(home) == "syncing"
            door.opened.set()
            run.communicate(timeout=60)
        assert run.returncode == 0
        assert label(home) == "connected"
        door.revoked = True
        assert home("run", "whimsical").code == 4
        assert label(home) == "failing"
        assert home("status").code == 6
        logs = home("logs", "whimsical").out
        assert "error  GET /Users answered 401: the token is not accepted" in logs
        assert "what to do: copy the token again" in logs
    row = home("connections", "--json").document["connections"][0]
    assert (row["app"], row["owner"], row["managed"]) == ("Design tools", "it@example.com", True)


def test_going_back_and_quitting_save_nothing(home: Home) -> None:
    """What does not work is saved only if somebody insists; a second look at the answers comes before that."""
    with workspace(1) as there:
        home.environ["CONNECTOR_CORE_WHIMSICAL_BASE_URL"] = there.url
        with at_terminal(home, "add", "whimsical", "--owner", "it@example.com", "--unmanaged") as person:
            person.answers("Application entry", "Typo")
            person.answers("not shown", WRONG)
            person.answers("What now", "back")
            person.answers("Application entry", "Whimsical")
            person.answers("not shown", WRONG)
            person.answers("What now", "quit")
            person.waits_for("nothing was saved")
            assert person.leaves() == 4
    assert written(home) == {}
    assert secrets_of(home) == []


def test_ctrl_c_at_the_prompt_saves_nothing(home: Home) -> None:
    """Interrupted, exit 130, and everything is as it was."""
    with at_terminal(home, "add", "whimsical", "--app", "A", "--owner", "x", "--managed") as person:
        person.waits_for("not shown")
        person.process.send_signal(signal.SIGINT)
        assert person.leaves() == 130
    assert written(home) == {}


def test_a_script_sets_up_the_same_without_a_terminal(home: Home) -> None:
    """By options, the secret on standard input; the file says where it lies, and not what it is."""
    config_of(home).write_text('# ours\n\n[apps."Other"]  # kept\nowner = "b@example.com"\nmanaged = true\n')
    with workspace(2) as there:
        done = script(
            home, "add", "whimsical", "--app", "Design", "--managed", "--owner", "it@example.com",
            "--set", f"base_url={there.url}", "--set", "page_size=50", "--json",
        )  # fmt: skip
        assert done.code == 0, done.err
        assert done.document["saved"] is True
        assert home("run", "whimsical").code == 0
    assert written(home) == {
        "apps": {
            "Other": {"owner": "b@example.com", "managed": True},
            "Design": {"owner": "it@example.com", "managed": True},
        },
        "connections": {
            "whimsical": {
                "identity": written(home)["connections"]["whimsical"]["identity"],
                "app": "Design", "base_url": there.url, "page_size": 50, "token": {"file": str(secrets_of(home)[0])},
            }
        },
    }  # fmt: skip
    assert config_of(home).read_text().startswith('# ours\n\n[apps."Other"]  # kept\nowner = "b@example.com"\n')
    assert secret_of(home).read_text().strip() == TOKEN
    assert (mode(secret_of(home)), mode(secret_of(home).parent)) == (0o600, 0o700)


def test_the_first_configuration_is_made_for_its_owner_alone(home: Home) -> None:
    """Folder and file that were not there are made 0700 and 0600."""
    del home.environ["CONNECTOR_CORE_CONFIG"]
    home.environ["XDG_CONFIG_HOME"] = str(home.folder / "xdg")
    with workspace(1) as there:
        done = script(home, "add", "whimsical", "--set", f"base_url={there.url}")
    assert done.code == 0, done.err
    (file,) = set(home.folder.rglob("connector-core.toml")) - {config_of(home)}
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)


def test_a_configuration_that_is_named_is_made_where_it_is_not_there(home: Home) -> None:
    """`add` is how a file begins; every other command says that the file named is missing."""
    new = home.folder / "new" / "own.toml"
    assert home("--config", str(new), "connections").code == 3
    assert script(home, "--config", str(new), "add", "whimsical", "--no-check").code == 0
    assert (mode(new), mode(new.parent)) == (0o600, 0o700)
    assert "whimsical" in tomllib.loads(new.read_text())["connections"]


def test_the_environment_alone_is_a_set_up(home: Home) -> None:
    """Nothing is asked for and nothing is written."""
    with workspace(2) as there:
        home.connect(there.url)
        home.environ["CONNECTOR_CORE_WHIMSICAL_OWNER"] = "it@example.com"
        assert home("run", "whimsical").code == 0
    assert label(home) == "connected"
    assert written(home) == {}


def test_a_file_written_by_hand_is_a_set_up(home: Home) -> None:
    """The same facts, typed into an editor."""
    token = home.folder / "token"
    token.touch(0o600)
    token.write_text(f"{TOKEN}\n")
    with workspace(2) as there:
        config_of(home).write_text(
            f'[apps."A"]\nowner = "it@example.com"\n[connections.whimsical]\napp = "A"\n'
            f'base_url = "{there.url}"\ntoken = {{ file = "{token}" }}\n'
        )
        assert home("run", "whimsical").code == 0
    row = home("connections", "--json").document["connections"][0]
    assert (row["label"], row["owner"], row["managed"]) == ("connected", "it@example.com", False)


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        (("add", "whimsical"), "", 3, "token is missing"),
        (("add", "nothing-known"), TOKEN, 2, "nothing-known"),
        (("add", "whimsical", "--set", f"token={TOKEN}"), "", 2, "is a secret"),
        (("add", "whimsical", "--set", "page_size=many"), TOKEN, 2, "page_size"),
        (("add", "whimsical", "--set", "pagesize=3"), TOKEN, 2, "cannot be set"),
        (("add", "whimsical", "--name", "a\x1bb"), TOKEN, 3, "cannot be the name"),
        (("add", "whimsical", "--no-check", "--set", "page_size=0"), TOKEN, 3, "page_size"),
    ],
)
def test_what_cannot_be_saved_is_said(home: Home, arguments: Any, stdin: str, code: int, said: str) -> None:
    """With the exit code of its kind; nothing is saved, and no token is shown."""
    done = script(home, *arguments, stdin=stdin)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert TOKEN not in done.err
    assert written(home) == {}
    assert secrets_of(home) == []


def test_a_secret_that_is_not_utf_8_is_an_error_and_not_quoted(home: Home) -> None:
    """Whatever the locale: nothing is kept, and no byte of it shown."""
    for locale in ("C.UTF-8", "C"):
        done = subprocess.run(
            [*PROGRAM, "add", "whimsical", "--no-check"], env=home.environ | {"LC_ALL": locale}, cwd=home.folder,
            input="t\xf6ken".encode("latin-1"), capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, b"not text in UTF-8" in done.stderr, b"ken\n" in done.stderr) == (3, True, False)
    assert secrets_of(home) == []


def test_a_refused_token_is_not_saved_by_a_script(home: Home) -> None:
    """Exit 4, the finding and its hint; --no-check saves it all the same."""
    with workspace(1) as there:
        how = ("add", "whimsical", "--set", f"base_url={there.url}")
        done = script(home, *how, stdin=WRONG)
        assert done.code == 4
        assert "nothing was saved; --no-check" in done.err
        assert written(home) == {}
        assert script(home, *how, "--no-check", stdin=WRONG).code == 0
        assert "whimsical" in written(home)["connections"]
        assert script(home, *how, stdin=TOKEN).code == 2  # it is there already


def test_a_name_that_shares_its_variables_is_refused(home: Home) -> None:
    """``a.b`` and ``a-b`` would be told apart nowhere in the environment."""
    config_of(home).write_text('[connections."a.b"]\nconnector = "whimsical"\n')
    done = script(home, "add", "whimsical", "--name", "a-b", "--no-check")
    assert (done.code, "share their environment variables" in done.err) == (3, True)
    assert list(written(home)["connections"]) == ["a.b"]


def test_a_secret_that_was_kept_is_forgotten_where_the_file_cannot_be_written(home: Home) -> None:
    """All or nothing."""
    config_of(home).write_text("[connections.x]\nconnector = 'whimsical'\n")
    config_of(home).with_name("connector-core.toml.lock").mkdir()
    done = script(home, "add", "whimsical", "--no-check")
    assert done.code == 3, done
    assert "cannot write the configuration" in done.err
    assert secrets_of(home) == []


def test_the_keyring_is_used_where_there_is_one(home: Home) -> None:
    """The secret lies there and nowhere else; removing the connection takes it out again."""
    (home.folder / "own_keyring.py").write_text(KEYRING)
    home.environ |= {"PYTHON_KEYRING_BACKEND": "own_keyring.Backend", "PYTHONPATH": str(home.folder)}
    pytest.importorskip("keyring")
    with workspace(1) as there:
        done = script(home, "add", "whimsical", "--set", f"base_url={there.url}")
        assert done.code == 0, done.err
        table = written(home)["connections"]["whimsical"]
        assert table["token"]["keyring"].startswith(f"{table['identity']}.token.")
        assert secrets_of(home) == []
        assert home("run", "whimsical").code == 0
    assert TOKEN in (home.folder / "keyring.json").read_text()
    assert home("remove", "whimsical", "--yes").code == 0
    assert TOKEN not in (home.folder / "keyring.json").read_text()


def test_who_insists_on_a_keyring_gets_one_or_an_error(home: Home) -> None:
    """No silent second place."""
    done = script(home, "add", "whimsical", "--no-check", "--keyring")
    assert (done.code, "keyring" in done.err) == (3, True)
    assert written(home) == {}


# -- changing it -----------------------------------------------------------------------------------------------


@pytest.fixture
def configured(home: Home) -> Home:
    config_of(home).write_text("# first\n[connections.whimsical] # mine\npage_size = 7 # small\n")
    assert script(home, "configure", "whimsical", "--secret", "token", "--no-check").code == 0
    return home


def test_settings_owner_and_managed_are_changed_one_by_one(configured: Home) -> None:
    """Comments stay; what is set to nothing goes back to its default."""
    done = configured("configure", "whimsical", "owner=it@example.com", "managed=yes", "page_size=", "patch_style=flat")
    assert done.code == 0, done.err
    table = written(configured)["connections"]["whimsical"]
    assert {k: v for k, v in table.items() if k not in ("token", "identity")} == {
        "owner": "it@example.com", "managed": True, "patch_style": "flat",
    }  # fmt: skip
    assert config_of(configured).read_text().startswith("# first\n[connections.whimsical] # mine\n")


def test_owner_and_managed_move_into_the_app(configured: Home) -> None:
    """A connection that is given an app says nothing beside it; later changes are the app's."""
    assert configured("configure", "whimsical", "owner=it@example.com", "managed=true").code == 0
    assert configured("configure", "whimsical", "app=Design").code == 0
    assert written(configured)["apps"] == {"Design": {"owner": "it@example.com", "managed": True}}
    assert configured("configure", "whimsical", "managed=false").code == 0
    assert written(configured)["apps"] == {"Design": {"owner": "it@example.com", "managed": False}}
    assert written(configured)["connections"]["whimsical"].keys() == {"page_size", "token", "app", "identity"}


def test_a_new_token_is_tried_before_the_old_one_goes(configured: Home) -> None:
    """A wrong one changes nothing; a right one replaces what is kept."""
    with workspace(1) as there:
        configured.environ["CONNECTOR_CORE_WHIMSICAL_BASE_URL"] = there.url
        done = script(configured, "configure", "whimsical", "--secret", "token", stdin=WRONG)
        assert (done.code, "nothing was changed" in done.err) == (4, True)
        assert secret_of(configured).read_text().strip() == TOKEN
        secret_of(configured).write_text("old")
        assert script(configured, "configure", "whimsical", "--secret", "token").code == 0
    assert secret_of(configured).read_text().strip() == TOKEN


@pytest.mark.parametrize("pair", ["page_size=many", "nonsense=1", "token=x", "page_size=0", "managed=perhaps"])
def test_a_change_that_cannot_be_is_refused(configured: Home, pair: str) -> None:
    """The file stays as it was, byte for byte."""
    before = config_of(configured).read_bytes()
    assert configured("configure", "whimsical", pair).code in (2, 3)
    assert config_of(configured).read_bytes() == before


def test_a_renamed_connection_keeps_its_history_and_its_secret(configured: Home) -> None:
    """Under the new name everything goes on; under the old one nothing is left."""
    with workspace(3) as there:
        assert configured("configure", "whimsical", f"base_url={there.url}").code == 0
        assert configured("run", "whimsical").code == 0
        assert configured("rename", "whimsical", "design").code == 0
        assert list(written(configured)["connections"]) == ["design"]
        again = configured("run", "design", "--json")
        assert (again.code, again.document["changes"]["added"]) == (0, 0)
    assert len(configured("syncs", "design", "--json").document["syncs"]) == 2
    assert configured("access", "whimsical").code == 6
    assert configured("remove", "design", "--yes").code == 0
    assert secrets_of(configured) == []


def test_a_rename_that_died_half_way_is_finished_by_the_same_again(configured: Home) -> None:
    """The file was written and the history not yet moved: nothing is lost, and nobody else's is taken for it."""
    with workspace(3) as there:
        assert configured("configure", "whimsical", f"base_url={there.url}").code == 0
        assert configured("run", "whimsical").code == 0
        ConfigFile(config_of(configured)).rename("whimsical", "design", "whimsical")
        assert configured("rename", "whimsicall", "design").code == 2
        assert configured("rename", "whimsical", "design").code == 0
        assert len(configured("access", "design", "--json").document["access"]) == 3
    assert configured("rename", "whimsical", "design").code == 2


def test_a_rename_that_died_before_the_state_moved_is_finished_by_the_same_again(configured: Home) -> None:
    """Where each connection has a state of its own, its history and its vault go along; no state is made for a typo."""
    states = configured.folder / "states"
    configured.environ["CONNECTOR_CORE_DB"] = str(states / "{connection}.db")
    with workspace(3) as there:
        assert configured("configure", "whimsical", f"base_url={there.url}").code == 0
        assert configured("run", "whimsical").code == 0
        assert configured("rename", "whimsical", "design").code == 0
        (states / "design.db").rename(states / "whimsical.db")  # as it is where the process ended just before
        assert configured("rename", "whimsicall", "design").code == 2
        assert not (states / "whimsicall.db").exists()
        assert configured("rename", "whimsical", "design").code == 0
        assert len(configured("access", "design", "--json").document["access"]) == 3
    assert (
        len([o for o in configured("operations", "design", "--json").document["operations"] if o["setting"] == "name"])
        == 1
    )


def test_no_rename_onto_another_history(configured: Home) -> None:
    """Two histories are never mixed, and the file is not changed either."""
    with workspace(1) as there:
        assert configured("configure", "whimsical", f"base_url={there.url}").code == 0
        assert configured("run", "whimsical").code == 0
        assert configured("run", "whimsical", "--sandbox").code == 0
        assert script(configured, "add", "whimsical", "--name", "x", "--set", f"base_url={there.url}").code == 0
        assert configured("run", "x").code == 0
    assert configured("remove", "x", "--yes").code == 0
    before = config_of(configured).read_bytes()
    done = configured("rename", "whimsical", "x")
    assert (done.code, "history" in done.err) == (2, True)
    assert config_of(configured).read_bytes() == before


def test_no_rename_or_removal_while_it_is_synced(configured: Home) -> None:
    """What is under way would go on under a name that is gone, or for a connection that is."""
    door = Door()
    with workspace(3, around=door) as there:
        assert configured("configure", "whimsical", f"base_url={there.url}").code == 0
        door.knocked.clear()
        door.opened.clear()
        with configured.start("run", "whimsical") as run:
            assert door.knocked.wait(60)
            assert label(configured) == "syncing"
            assert configured("rename", "whimsical", "design").code == 7
            assert configured("remove", "whimsical", "--yes").code == 7
            door.opened.set()
            run.communicate(timeout=60)
        assert run.returncode == 0
    assert list(written(configured)["connections"]) == ["whimsical"]


def test_removing_wants_a_yes(configured: Home) -> None:
    """Without a person and without --yes it is refused; the history stays after it, too."""
    assert configured("remove", "whimsical").code == 8
    assert configured("remove", "whimsical", "--yes").code == 0
    assert written(configured).get("connections", {}) == {}
    assert configured("remove", "whimsical", "--yes").code == 2


# -- showing it ------------------------------------------------------------------------------------------------


def test_config_show_names_each_origin_and_no_secret(configured: Home) -> None:
    """File, environment, default; the token is three stars, wherever it lies."""
    configured.environ["CONNECTOR_CORE_WHIMSICAL_PATCH_STYLE"] = "flat"
    done = configured("config", "show", "whimsical", "--origin", "--json")
    found = done.document["connections"]["whimsical"]
    assert found["token"] == {"value": "***", "origin": f"[connections.whimsical] in {config_of(configured)}"}
    assert found["page_size"]["value"] == "7"
    assert found["patch_style"] == {"value": "flat", "origin": "$CONNECTOR_CORE_WHIMSICAL_PATCH_STYLE"}
    assert found["viewer_revoke"] == {"value": "deactivate", "origin": "default"}
    assert found["managed"] == {"value": "false", "origin": "default"}
    shown = configured("config", "show", "--origin").out
    assert "ORIGIN" in shown
    configured.environ["CONNECTOR_CORE_WHIMSICAL_TOKEN"] = TOKEN
    assert TOKEN not in configured("config", "show", "--origin").out + done.out + shown
    assert "ORIGIN" not in configured("config", "show").out


def test_nothing_that_is_kept_holds_the_token(home: Home) -> None:
    """After set-up, run and a look at everything, the token stands in the one file made for it."""
    with workspace(2) as there:
        assert script(home, "add", "whimsical", "--set", f"base_url={there.url}", "-vv").code == 0
        outputs = [
            home("-vv", *line.split()) for line in ("run whimsical", "config show", "connections", "check whimsical")
        ]
    assert not any(TOKEN in done.out + done.err for done in outputs)
    holders = [p for p in home.folder.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert holders == [secret_of(home)]


def test_a_secret_that_is_still_there_is_an_error(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, with what to do; the connection is removed all the same."""
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    with using(StubbornKeyring()):
        Host.from_environment().add("whimsical", settings={"token": TOKEN}, check=False)
        assert run(["remove", "whimsical", "--yes", "--json"]) == 3
    done = capfd.readouterr()
    assert "error: " in done.err and "is still there" in done.err and "keyring del connector-core" in done.err
    assert json.loads(done.out)["removed"] is True and len(json.loads(done.out)["leftovers"]) == 1
    assert written(home).get("connections", {}) == {}


def test_a_rename_warns_of_variables_that_keep_the_old_name(configured: Home) -> None:
    """Each with the name that it should have now."""
    configured.environ["CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE"] = "9"
    done = configured("rename", "whimsical", "design")
    assert (done.code, done.out) == (0, "whimsical is now design\n")
    assert "CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE is set for whimsical: design reads CONNECTOR_CORE_DESIGN" in done.err


def test_operations_show_changes_of_set_up(configured: Home) -> None:
    """With who made them; the secret is named, and not shown."""
    assert configured("configure", "whimsical", "managed=true").code == 0
    done = configured("operations", "whimsical", "--json")
    found = [(o["kind"], o["setting"], o["value_after"]) for o in done.document["operations"]]
    assert found == [("setup", "managed", "true"), ("setup", "token", None)]
    assert all("@" in o["requested_by"] for o in done.document["operations"])
    assert TOKEN not in done.out
