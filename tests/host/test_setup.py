"""Set-up through `Host`: no secret is written over, taken along, lost or left, whatever fails or happens meanwhile."""

from __future__ import annotations

import sqlite3
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from kit.cli import workspace
from kit.keyrings import ForgetfulKeyring, MemoryKeyring, StubbornKeyring, using
from kit.served import TOKEN, ServedWorkspace

from connector_core import Host, NoPicture, UnknownName, UsageError
from connector_core.config.configuration import Configuration
from connector_core.config.file import ConfigFile
from connector_core.connectors.vault import ConnectionVault, FileVault
from connector_core.errors import ConfigurationChanged, ConfigurationError, GuardRefused
from connector_core.host.draft import Draft
from connector_core.store.companions import vault_file


@pytest.fixture
def ring() -> Iterator[MemoryKeyring]:
    with using(MemoryKeyring()) as ring:
        yield ring


@pytest.fixture
def there() -> Iterator[ServedWorkspace]:
    with workspace(2) as there:
        yield there


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return at(tmp_path)


def at(folder: Path, name: str = "c.toml", **environ: str) -> Host:
    """A host whose configuration and state lie in that folder."""
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / name).touch(0o600)
    return Host(folder / "state.db", configuration=Configuration.load(folder / name, environ), environ=environ)


def table(host: Host, name: str = "whimsical") -> dict[str, Any]:
    assert host.configuration.path is not None
    return dict(tomllib.loads(host.configuration.path.read_text())["connections"][name])


def kept(folder: Path) -> set[str]:
    """What the files of secrets hold."""
    return {path.read_text().strip() for path in (folder / "secrets").glob("*")}


def add(host: Host, there: ServedWorkspace, **how: Any) -> Any:
    return host.add("whimsical", settings={"base_url": there.url, "token": TOKEN}, **how)


def after(act: Callable[[], object]) -> Callable[[WSGIApplication], WSGIApplication]:
    """Do something once, in the middle of the first request."""
    left = [act]

    def around(app: WSGIApplication) -> WSGIApplication:
        def served(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            while left:
                left.pop()()
            return app(environ, start)

        return served

    return around


@pytest.mark.parametrize("keyring", [True, False])
def test_a_name_used_again_takes_no_secret_along(
    host: Host, there: ServedWorkspace, ring: MemoryKeyring, tmp_path: Path, keyring: bool
) -> None:
    """Renamed, and another one added under the old name: each keeps its own secret until it is removed itself."""
    add(host, there, keyring=keyring)
    host.rename("whimsical", "design")
    host.add("whimsical", settings={"base_url": there.url, "token": "another"}, keyring=keyring, check=False)
    assert table(host)["identity"] != table(host, "design")["identity"]
    assert host.connection("design").sync().sync.status == "complete"
    assert host.remove("whimsical").leftovers == ()
    assert host.connection("design").sync().sync.status == "complete"
    host.remove("design")
    assert (kept(tmp_path), ring.names()) == (set(), set())


@pytest.mark.parametrize("keyring", [True, False])
def test_an_add_that_fails_leaves_nothing_and_deletes_nothing(
    host: Host, there: ServedWorkspace, ring: MemoryKeyring, tmp_path: Path, keyring: bool
) -> None:
    """The configuration cannot be written at the last step: what was there works, what was kept is gone."""
    add(host, there, keyring=keyring)
    host.rename("whimsical", "design")
    before = (kept(tmp_path), ring.names())
    (tmp_path / "c.toml.lock").unlink()
    (tmp_path / "c.toml.lock").mkdir()
    with pytest.raises(ConfigurationError, match="cannot write the configuration"):
        add(host, there, keyring=keyring)
    assert (kept(tmp_path), ring.names()) == before
    assert host.connection("design").sync().sync.status == "complete"


def test_a_change_that_is_overtaken_leaves_what_every_command_accepts(host: Host, tmp_path: Path) -> None:
    """The owner is given while another process gives the connection an app: it becomes the app's."""
    other = at(tmp_path)
    with workspace(2, around=after(lambda: other.configure("whimsical", {"app": "New"}))) as there:
        host.add("whimsical", settings={"base_url": there.url, "token": TOKEN}, keyring=False, check=False)
        result = host.configure("whimsical", {"owner": "me@example.com", "token": TOKEN}, keyring=False)
        assert (result.saved, result.failure) == (True, None)
        assert host.connection("whimsical").sync().sync.status == "complete"
    assert (host.status("whimsical").app, host.status("whimsical").owner) == ("New", "me@example.com")


@pytest.mark.parametrize("keyring", [True, False])
def test_of_two_new_secrets_the_one_referred_to_is_kept(
    host: Host, ring: MemoryKeyring, tmp_path: Path, keyring: bool
) -> None:
    """Two processes replace one secret at the same time: the last one wins, and no other is left."""
    other = at(tmp_path)
    with workspace(2, around=after(lambda: other.configure("whimsical", {"token": "b"}, check=False))) as there:
        host.add("whimsical", settings={"base_url": there.url, "token": "a"}, keyring=keyring, check=False)
        assert host.configure("whimsical", {"token": TOKEN}, keyring=keyring).saved
        assert host.connection("whimsical").sync().sync.status == "complete"
    assert [*kept(tmp_path), *ring.entries.values()] == [TOKEN]


def test_a_connection_that_was_replaced_meanwhile_is_not_changed(host: Host, tmp_path: Path) -> None:
    """Removed and added again while a new secret is tried: it is another one, and the secret is not its own."""
    other = at(tmp_path)

    def replace() -> None:
        other.remove("whimsical")
        other.add("whimsical", settings={"token": "b"}, keyring=False, check=False)

    with workspace(2, around=after(replace)) as there:
        host.add("whimsical", settings={"base_url": there.url, "token": "a"}, keyring=False, check=False)
        with pytest.raises(ConfigurationChanged, match="another connection by now"):
            host.configure("whimsical", {"token": TOKEN}, keyring=False)
    assert kept(tmp_path) == {"b"}


def test_what_an_editor_writes_meanwhile_is_kept(tmp_path: Path) -> None:
    """It knows nothing of our lock: what it wrote is read again before the change is made."""
    (tmp_path / "c.toml").touch(0o600)
    (tmp_path / "c.toml").write_text("[connections.whimsical]\n")

    class Edited(ConfigFile):
        def _parsed(self, text: str | None) -> Any:
            if text is not None and "edited" not in text:
                self.path.write_text(f"# edited\n{text}")
            return super()._parsed(text)

    Edited(tmp_path / "c.toml").change("whimsical", {"page_size": 7})
    assert (tmp_path / "c.toml").read_text() == "# edited\n[connections.whimsical]\npage_size = 7\n"


def test_a_keyring_that_keeps_nothing_is_noticed(host: Host, there: ServedWorkspace, tmp_path: Path) -> None:
    """By reading back: the secret goes into a file, or where the keyring is insisted on, nowhere."""
    with using(ForgetfulKeyring()):
        with pytest.raises(ConfigurationError, match="it kept nothing"):
            add(host, there, keyring=True)
        assert (host.configuration.connections, kept(tmp_path)) == ({}, set())
        add(host, there)
        assert kept(tmp_path) == {TOKEN}
        assert host.connection("whimsical").sync().sync.status == "complete"


def test_a_secret_that_cannot_be_deleted_is_said(host: Host, there: ServedWorkspace) -> None:
    """The connection is removed, and the result says what is still there and how to delete it."""
    with using(StubbornKeyring()):
        add(host, there)
        (leftover,) = host.remove("whimsical").leftovers
    assert leftover.failed
    assert "keyring del connector-core" in str(leftover)
    assert TOKEN not in str(leftover)
    with pytest.raises(UnknownName):
        host.remove("whimsical")


@pytest.mark.parametrize("keyring", [True, False])
def test_a_secret_that_another_connection_refers_to_stays(
    host: Host, there: ServedWorkspace, ring: MemoryKeyring, tmp_path: Path, keyring: bool
) -> None:
    """In the same file, or in another one of the same folder; with the last of them it goes."""
    add(host, there, keyring=keyring)
    assert host.configuration.path is not None
    text = host.configuration.path.read_text()
    line = f'identity = "{table(host)["identity"]}"\n'
    ConfigFile(tmp_path / "c.toml").add_connection("x", {**table(host), "connector": "whimsical", "identity": "0" * 32})
    other = tmp_path / "other.toml"
    other.touch(0o600)
    other.write_text(text.replace(line, ""))
    for name in ("whimsical", "x"):
        host.remove(name)
        assert at(tmp_path, "other.toml").connection("whimsical").sync().sync.status == "complete"
    left = at(tmp_path, "other.toml").remove("whimsical").leftovers
    assert kept(tmp_path) == set()
    assert [leftover.failed for leftover in left] == ([False] if keyring else [])


@pytest.mark.parametrize("act", ["remove", "configure"])
@pytest.mark.parametrize("spelling", ["~/c/secrets/{}", "secrets/{}", "{}/../secrets/{}"])
def test_a_file_of_a_secret_is_the_same_in_every_spelling(
    there: ServedWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str, act: str
) -> None:
    """Another connection refers to it by ``~``, from the folder or by way of ``..``: it stays."""
    monkeypatch.setenv("HOME", str(tmp_path))
    host = at(tmp_path / "c")
    add(host, there, keyring=False)
    (secret,) = (tmp_path / "c" / "secrets").iterdir()
    said = spelling.format(*[secret.parent] * (spelling.count("{}") - 1), secret.name)
    facts = {"connector": "whimsical", "base_url": there.url, "token": {"file": said}}
    ConfigFile(tmp_path / "c" / "c.toml").add_connection("x", facts)
    if act == "remove":
        host.remove("whimsical")
    else:
        host.configure("whimsical", {"token": TOKEN}, keyring=False)
    assert at(tmp_path / "c").connection("x").sync().sync.status == "complete"
    at(tmp_path / "c").remove("x")
    assert not secret.exists()


@pytest.mark.parametrize("keyring", [True, False])
def test_what_a_broken_configuration_may_refer_to_stays(
    host: Host, there: ServedWorkspace, ring: MemoryKeyring, tmp_path: Path, keyring: bool
) -> None:
    """A copy that is being edited cannot be read: the secret and what was rotated stay, and that is said."""
    identity = add(host, there, keyring=keyring).identity
    FileVault(vault_file(tmp_path / "state.db", identity)).put("refresh", "rotated")
    copy, text = tmp_path / "copy.toml", (tmp_path / "c.toml").read_text()
    copy.touch(0o600)
    copy.write_text(text + "\n[connections.half\n")
    left = host.remove("whimsical").leftovers
    assert [(leftover.failed, "copy.toml cannot be read" in str(leftover)) for leftover in left] == [(False, True)] * 2
    copy.write_text(text)
    assert at(tmp_path, "copy.toml").connection("whimsical").sync().sync.status == "complete"


def test_what_rotates_is_kept_for_a_connection_that_a_copy_was_rid_of(
    host: Host, there: ServedWorkspace, tmp_path: Path
) -> None:
    """Removed in a copy of the configuration: the original goes on, and keeps what the application hands out."""
    add(host, there, keyring=False)
    (tmp_path / "copy.toml").touch(0o600)
    (tmp_path / "copy.toml").write_text((tmp_path / "c.toml").read_text())
    at(tmp_path, "copy.toml").remove("whimsical")
    vault = ConnectionVault(tmp_path / "state.db", host.connection("whimsical").config.ref)
    vault.put("refresh", "rotated")
    assert vault.get("refresh") == "rotated"


def test_an_add_that_cannot_be_saved_leaves_no_rotated_credentials(
    host: Host, there: ServedWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What trying it left in the vault goes with it."""
    with using(ForgetfulKeyring()), pytest.raises(ConfigurationError):
        real = Draft.check

        def rotating(draft: Draft, *settings: Any, **how: Any) -> Any:
            FileVault(vault_file(tmp_path / "state.db", draft.identity)).put("refresh", "rotated")
            return real(draft, *settings, **how)

        monkeypatch.setattr(Draft, "check", rotating)
        add(host, there, keyring=True)
    assert [*tmp_path.glob("*.vault*")] == []


@pytest.mark.parametrize("act", ["grant", "prune"])
def test_what_is_refused_brings_no_removed_connection_back(
    host: Host, there: ServedWorkspace, tmp_path: Path, act: str
) -> None:
    """A connection that is still open is refused a grant, or prunes: it stays removed in the state."""
    add(host, there, keyring=False)
    long_open = host.connection("whimsical")
    long_open.sync()
    host.remove("whimsical")
    if act == "grant":
        with pytest.raises(GuardRefused):
            long_open.grant("editor", "p001@example.com")
    else:
        long_open.prune(keep=2)
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        assert db.execute("SELECT count(*) FROM connections WHERE removed IS NULL").fetchone() == (0,)


def test_two_configurations_share_nothing_in_one_folder_and_one_keyring(
    there: ServedWorkspace, ring: MemoryKeyring, tmp_path: Path
) -> None:
    """Though their connections be called the same, and read the same application."""
    first, second = at(tmp_path, "a.toml"), at(tmp_path, "b.toml")
    for keyring in (True, False):
        for host in (first, second):
            add(host, there, keyring=keyring)
        first.remove("whimsical")
        assert second.connection("whimsical").sync().sync.status == "complete"
        second.remove("whimsical")
        assert (kept(tmp_path), ring.names()) == (set(), set())


def test_a_copy_of_a_configuration_deletes_nothing_of_the_original(
    host: Host, there: ServedWorkspace, ring: MemoryKeyring, tmp_path: Path
) -> None:
    """Removed in the copy, in another folder: what the keyring keeps for the original stays, and that is said."""
    add(host, there)
    copy = at(tmp_path / "copy")
    (tmp_path / "copy" / "c.toml").write_text((tmp_path / "c.toml").read_text())
    (leftover,) = copy.remove("whimsical").leftovers
    assert (leftover.failed, "another configuration file" in str(leftover)) == (False, True)
    assert host.connection("whimsical").sync().sync.status == "complete"


@pytest.mark.parametrize("keyring", [True, False])
def test_secrets_that_earlier_versions_kept_go_on_working(
    host: Host, there: ServedWorkspace, ring: MemoryKeyring, tmp_path: Path, keyring: bool
) -> None:
    """They bear the connection's name; they are read, replaced and deleted like the others."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    old = tmp_path / "secrets" / "whimsical.token"
    if keyring:
        ring.set_password("connector-core", "whimsical", TOKEN)
    else:
        old.touch(0o600)
        old.write_text(TOKEN)
    reference = '{ keyring = "whimsical" }' if keyring else f'{{ file = "{old}" }}'
    (tmp_path / "c.toml").write_text(f'[connections.whimsical]\nbase_url = "{there.url}"\ntoken = {reference}\n')
    host.reload()
    identity = host.connection("whimsical").identity
    assert host.connection("whimsical").sync().sync.status == "complete"
    host.configure("whimsical", {"page_size": 7})
    assert (table(host)["identity"], host.connection("whimsical").sync().changes.total) == (identity, 0)
    host.configure("whimsical", {"token": TOKEN}, keyring=keyring)
    assert "whimsical" not in ring.names() and not old.exists()
    host.remove("whimsical")
    assert (kept(tmp_path), ring.names()) == (set(), set())


def test_earlier_configurations_of_one_state_become_two_connections(tmp_path: Path, there: ServedWorkspace) -> None:
    """They were called the same; the first that is set up goes on with the history, the second begins its own."""
    hosts = [at(tmp_path, name) for name in ("a.toml", "b.toml")]
    for host, name in zip(hosts, ("a.toml", "b.toml"), strict=True):
        (tmp_path / name).write_text(f'[connections.whimsical]\nbase_url = "{there.url}"\ntoken = {{ env = "T" }}\n')
        host.configure("whimsical", {"token": TOKEN}, keyring=False)
        host.connection("whimsical").sync()
    first, second = (host.connection("whimsical") for host in hosts)
    assert first.identity != second.identity
    assert (len(first.syncs()), len(second.syncs())) == (1, 1)
    hosts[1].remove("whimsical")
    assert first.sync().sync.status == "complete"


def test_of_two_that_add_one_name_the_second_is_refused(host: Host, there: ServedWorkspace, tmp_path: Path) -> None:
    """Both saw that the name was free: nothing of the second is left."""
    drafts = [at(tmp_path).draft("whimsical") for _ in range(2)]
    settings = {"base_url": there.url, "token": TOKEN}
    result = drafts[0].save(settings, keyring=False)
    with pytest.raises(UsageError, match="has a connection 'whimsical' already"):
        drafts[1].save({**settings, "token": "of the second"}, keyring=False)
    host.reload()
    assert (kept(tmp_path), host.connection("whimsical").identity) == ({TOKEN}, result.identity)
    assert host.connection("whimsical").sync().sync.status == "complete"


def test_what_was_removed_is_not_found_under_its_name(host: Host, tmp_path: Path) -> None:
    """Its history stays in the state, and is neither continued nor shown as another connection's."""
    with workspace(2) as there:
        for text in (None, f'[connections.whimsical]\nbase_url = "{there.url}"\ntoken = {{ env = "T" }}\n'):
            if text is None:
                add(host, there, keyring=False)
            else:
                (tmp_path / "c.toml").write_text(text)
                host = at(tmp_path, T=TOKEN)
            assert host.connection("whimsical").sync().changes.total == 0
            host.remove("whimsical")
            assert host.status("whimsical").label == "new"
            with pytest.raises(NoPicture):
                host.connection("whimsical").access()
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        assert db.execute("SELECT count(*) FROM syncs").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM operations WHERE setting = 'connection'").fetchone() == (2,)


def test_a_history_of_an_earlier_connection_of_the_name_is_said(tmp_path: Path) -> None:
    """A new connection does not go on with it; the result says under which name the state keeps it."""
    with workspace(2) as there:
        before = at(tmp_path, CONNECTOR_CORE_WHIMSICAL_BASE_URL=there.url, CONNECTOR_CORE_WHIMSICAL_TOKEN=TOKEN)
        earlier = before.connection("whimsical").identity
        before.connection("whimsical").sync()
        host = at(tmp_path)
        result = add(host, there, keyring=False)
        assert result.warnings == (
            f"the state keeps the history of an earlier whimsical as whimsical ({earlier[:8]})",
        )  # fmt: skip
        assert host.connection("whimsical").sync().changes.total == 0
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        names = [row[0] for row in db.execute("SELECT connection FROM syncs ORDER BY id")]
    assert names == [f"whimsical ({earlier[:8]})", "whimsical"]


def test_credentials_that_rotate_go_with_the_connection(host: Host, there: ServedWorkspace, tmp_path: Path) -> None:
    """Renamed they are found, removed they are gone, and a draft that is given up leaves none."""
    identity = add(host, there, keyring=False).identity
    vault = vault_file(tmp_path / "state.db", identity)
    FileVault(vault).put("refresh", "rotated")
    host.rename("whimsical", "design")
    assert host.connection("design").identity == identity
    host.remove("design")
    draft = host.draft("whimsical")
    FileVault(vault_file(tmp_path / "state.db", draft.identity)).put("refresh", "rotated")
    draft.discard()
    assert [*tmp_path.glob("*.vault*")] == []


def test_a_state_file_of_its_own_goes_along(tmp_path: Path, there: ServedWorkspace) -> None:
    """With ``{connection}`` in its path: history, log and vault bear the new name."""
    (tmp_path / "c.toml").touch(0o600)
    host = Host(tmp_path / "{connection}.db", configuration=Configuration.load(tmp_path / "c.toml", {}))
    identity = add(host, there, keyring=False).identity
    host.connection("whimsical").sync()
    FileVault(vault_file(tmp_path / "whimsical.db", identity)).put("refresh", "rotated")
    host.rename("whimsical", "design")
    assert len(host.connection("design").syncs()) == 1
    assert FileVault(vault_file(tmp_path / "design.db", identity)).get("refresh") == "rotated"
    assert not (tmp_path / "whimsical.db").exists()
    add(host, there, keyring=False)
    with pytest.raises(UsageError, match="there is a state of 'whimsical' already"):
        host.rename("design", "whimsical")


def test_variables_of_the_old_name_are_warned_about(tmp_path: Path, there: ServedWorkspace) -> None:
    """They would silently mean nothing, or another connection."""
    host = at(tmp_path, CONNECTOR_CORE_WHIMSICAL_BASE_URL=there.url, CONNECTOR_CORE_WHIMSICAL_MANAGED="true")
    host.add("whimsical", settings={"token": TOKEN}, keyring=False)
    warnings = host.rename("whimsical", "design").warnings
    assert [w.split(" is set")[0].rpartition(" ")[2] for w in warnings] == [
        "CONNECTOR_CORE_WHIMSICAL_MANAGED", "CONNECTOR_CORE_WHIMSICAL_BASE_URL",
    ]  # fmt: skip
    assert all("CONNECTOR_CORE_DESIGN_" in warning for warning in warnings)


def test_a_variable_that_stays_in_force_is_warned_about(tmp_path: Path, there: ServedWorkspace) -> None:
    """What was changed in the file has no effect while the variable is set."""
    host = at(tmp_path, CONNECTOR_CORE_WHIMSICAL_MANAGED="true", CONNECTOR_CORE_WHIMSICAL_TOKEN=TOKEN)
    add(host, there, keyring=False)
    changes = {"managed": False, "owner": "it@example.com", "token": TOKEN}
    warnings = host.configure("whimsical", changes, keyring=False, check=False).warnings
    assert [warning.split(" stays in force")[0].rpartition(" ")[2] for warning in warnings] == [
        "CONNECTOR_CORE_WHIMSICAL_MANAGED", "CONNECTOR_CORE_WHIMSICAL_TOKEN",
    ]  # fmt: skip


def test_the_journal_says_what_set_up_changed_and_who(host: Host, there: ServedWorkspace, tmp_path: Path) -> None:
    """Each setting with its values; of a secret that it was replaced, and nothing else."""
    add(host, there, keyring=False)
    host.configure("whimsical", {"owner": "it@example.com"}, who="ada@here", reason="TICKET-1")
    host.configure("whimsical", {"managed": True, "protected": ["boss@example.com"], "token": TOKEN}, who="bo@here")
    host.rename("whimsical", "design", who="cy@here")
    journal = host.connection("design").operations()
    rows = [(o.kind, o.setting, o.value_before, o.value_after, o.requested_by) for o in reversed(journal)]
    assert rows == [
        ("setup", "owner", None, "it@example.com", "ada@here"),
        ("setup", "managed", "false", "true", "bo@here"),
        ("setup", "protected", None, '["boss@example.com"]', "bo@here"),
        ("setup", "token", None, None, "bo@here"),
        ("setup", "name", "whimsical", "design", "cy@here"),
    ]
    assert journal[-1].reason == "TICKET-1"
    host.remove("design")
    assert TOKEN.encode() not in b"".join(p.read_bytes() for p in tmp_path.glob("state.db*"))


def test_what_an_app_says_is_in_the_journal_of_each_of_its_connections(host: Host, there: ServedWorkspace) -> None:
    """Managed is changed through one of them, for all."""
    for name in ("whimsical", "design"):
        add(host, there, name=name, app="A", keyring=False)
    host.configure("whimsical", {"managed": True})
    for name in ("whimsical", "design"):
        assert host.connection(name).operations(limit=1)[0].setting == "managed"


def test_what_an_app_makes_managed_is_said_and_in_the_journal(host: Host, there: ServedWorkspace) -> None:
    """A connection that is given a managed app, and all others of an app that is made managed through one."""
    add(host, there, app="A", managed=True, keyring=False)
    add(host, there, name="ro", managed=False, keyring=False)
    (warning,) = host.configure("ro", {"app": "A"}).warnings
    assert "managed of ro is true" in warning
    rows = [(o.setting, o.value_before, o.value_after) for o in host.connection("ro").operations()]
    assert rows == [("managed", "false", "true"), ("app", None, "A")]
    (warning,) = host.configure("ro", {"managed": False}).warnings
    assert "managed of whimsical is false" in warning


def test_an_app_that_was_made_meanwhile_says_who_is_managed(host: Host, there: ServedWorkspace, tmp_path: Path) -> None:
    """A draft says unmanaged, and the app is there by now, managed: refused, and nothing is kept."""
    draft = host.draft("whimsical", name="ro")
    add(host, there, app="A", managed=True, keyring=False)
    settings = {"base_url": there.url, "token": "of the draft"}
    with pytest.raises(UsageError, match="is there already"):
        draft.save(settings, app="A", managed=False, keyring=False)
    assert kept(tmp_path) == {TOKEN}


def test_a_broken_connection_of_the_app_hinders_no_change(there: ServedWorkspace, tmp_path: Path) -> None:
    """What was changed is changed as a whole; the journal that could not be written is said."""
    host = at(tmp_path)
    for name in ("whimsical", "second"):
        add(host, there, name=name, app="A", keyring=False)
    broken = at(tmp_path, CONNECTOR_CORE_SECOND_OWNER="")
    changes = {"managed": True, "token": "another"}
    result = broken.configure("whimsical", changes, keyring=False, check=False)
    assert (result.saved, ["journal of second" in warning for warning in result.warnings]) == (True, [True])
    assert kept(tmp_path) == {TOKEN, "another"}
    assert len([*(tmp_path / "secrets").iterdir()]) == 2


@pytest.mark.parametrize("name", ["whimsical-sandbox", "x-sandbox"])
def test_no_connection_takes_the_name_of_a_sandbox(host: Host, there: ServedWorkspace, name: str) -> None:
    """Its application would never be reached again."""
    add(host, there, keyring=False)
    for wrong in (lambda: add(host, there, name=name), lambda: host.rename("whimsical", name)):
        with pytest.raises(UsageError, match="stand-in"):
            wrong()
    assert list(host.configuration.connections) == ["whimsical"]


def test_a_set_up_that_cannot_be_is_refused(host: Host, there: ServedWorkspace) -> None:
    """A name taken, a setting unknown, an app that says itself who owns it, or no file to write into."""
    add(host, there, app="A", owner="x@example.com", keyring=False)
    for wrong in (
        lambda: add(host, there),
        lambda: add(host, there, name="y", app="A", owner="x@example.com"),
        lambda: host.configure("whimsical", {"colour": "red"}),
        lambda: host.rename("whimsical", "whimsical"),
        lambda: Host("s.db").add("whimsical"),
    ):
        with pytest.raises(UsageError):
            wrong()
    assert list(host.configuration.connections) == ["whimsical"]
    result = host.add("whimsical", name="z", settings={"base_url": there.url, "token": "wrong"}, keyring=False)
    assert (result.saved, result.failure and result.failure.code) == (False, "credentials_refused")
    assert list(host.configuration.connections) == ["whimsical"]
