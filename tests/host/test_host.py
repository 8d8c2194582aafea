"""Embedding: hosts and connections, sessions, sandboxes, threads and cancelling."""

from __future__ import annotations

import logging
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from traceback import format_exception
from typing import Any

import attrs
import pytest

from connector_core import (
    ConfigurationError,
    ConnectorCoreError,
    CredentialsRefused,
    Cursor,
    Host,
    HttpPolicy,
    Interrupted,
    Manifest,
    NoPicture,
    Page,
    ProtocolError,
    Resource,
    ResourceType,
    Secret,
    StateError,
    UnknownName,
    address,
    hookimpl,
    secret,
    setting,
)
from connector_core.clock import SystemClock
from connector_core.connectors.session import opened
from connector_core.connectors.vault import FileVault
from connector_core.testing import FakeClock

TOKEN = {"token": "s3cr3t-token"}


@attrs.frozen(kw_only=True)
class Settings:
    token: Secret = secret(help="token")  # noqa: RUF009
    base_url: str = address(default="http://127.0.0.1:1", help="where")
    size: int = setting(default=1, help="rows", reading=True)
    colour: str = setting(default="red", help="of nothing")


class Plugin:
    """A connector whose pages and checks are functions of the test."""

    def __init__(self, page: Callable[[Any], Page] = lambda client: Page(), name: str = "own") -> None:
        self.page = page
        self.name = name

    @hookimpl
    def connector_manifest(self) -> Manifest:
        kinds = (ResourceType(type="user", display_name="User", traits=("user",)),)
        return Manifest(name=self.name, display_name="", summary="", settings=Settings, resource_types=kinds)

    @hookimpl
    def connector_connect(self, settings: Any, http: Any, vault: Any) -> Any:
        return (settings, http, vault)

    @hookimpl
    def connector_check(self, client: Any) -> list[Any]:
        settings, http, _ = client
        http.request("GET", settings.base_url)
        return []

    @hookimpl
    def sync_page(self, client: Any, cursor: Cursor | None) -> Page:
        return self.page(client)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Host]]:
    """Makes hosts of one connector of the test."""
    with_plugin: list[Host] = []

    def make(page: Callable[[Any], Page] = lambda client: Page(), **more: Any) -> Host:
        more = {"db": tmp_path / "state.db", "clock": FakeClock(), **more}
        with_plugin.append(Host(plugins={"own": Plugin(page)}, installed=False, **more))
        return with_plugin[-1]

    yield make
    for host in with_plugin:
        host.close()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


# -- what a host reads, and what not ---------------------------------------------------------------------------


def test_a_stranger_is_synced_and_asked(host: Host) -> None:
    """The example of the README, with a connector of one file: people, and teams that they are in."""
    connection = host.connection("minimal", settings={"token": "anything"})
    assert [f.code for f in connection.check()] == ["users"]
    report = connection.sync()
    assert (report.sync.status, report.counts.user, report.counts.grant) == ("complete", 3, 3)
    assert [row.user for row in connection.access(role="compilers")] == ["ada@example.com", "grace@example.com"]


def test_a_host_made_by_hand_reads_no_file_and_no_environment(
    own: Callable[..., Host], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is not told, it does not know."""
    (tmp_path / "connector-core.toml").write_text("[connections.own]\ntoken = { env = 'HOME' }")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONNECTOR_CORE_CONFIG", str(tmp_path / "connector-core.toml"))
    monkeypatch.setenv("CONNECTOR_CORE_OWN_TOKEN", "t0ken")
    with pytest.raises(ConfigurationError, match="own has no token"):
        own().connection("own").sync()


def test_no_configuration_in_the_current_folder_is_ever_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It could name commands to run, and addresses to send tokens to."""
    (tmp_path / "connector-core.toml").write_text("[connections.evil]\nconnector = 'whimsical'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    assert "evil" not in Host.from_environment(environ={}).connection_names()
    named = Host.from_environment(environ={"CONNECTOR_CORE_CONFIG": "connector-core.toml"})
    assert "evil" in named.connection_names()


def test_the_environment_says_where_things_are(tmp_path: Path) -> None:
    """``--config`` and ``--db`` go before it; an empty variable is an error."""
    named, other = tmp_path / "named.toml", tmp_path / "other.toml"
    named.write_text("[connections.named]\nconnector = 'whimsical'")
    other.write_text("[connections.other]\nconnector = 'whimsical'")
    environ = {"CONNECTOR_CORE_CONFIG": str(named), "CONNECTOR_CORE_DB": str(tmp_path / "e" / "state.db")}
    assert "named" in Host.from_environment(environ=environ).connection_names()
    assert "other" in Host.from_environment(environ=environ, config=str(other)).connection_names()
    for empty in ("CONNECTOR_CORE_CONFIG", "CONNECTOR_CORE_DB"):
        with pytest.raises(ConfigurationError, match=f"{empty} is empty"):
            Host.from_environment(environ={**environ, empty: " "})
    with pytest.raises(ConfigurationError, match="cannot read the configuration"):
        Host.from_environment(environ={"CONNECTOR_CORE_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("name", ["a/../../b", "a/b", "a..", "a%2Fb"])
def test_a_connections_own_state_file_stays_in_its_folder(own: Callable[..., Host], tmp_path: Path, name: str) -> None:
    """Whatever the connection is called."""
    host = own(db=tmp_path / "states" / "{connection}.db")
    host.connection(name, connector="own", settings=TOKEN).sync()
    (state,) = [p for p in tmp_path.rglob("*.db") if p.is_file()]
    assert state.parent == tmp_path / "states"


def test_a_name_that_would_leave_the_folder_is_refused(own: Callable[..., Host], tmp_path: Path) -> None:
    """``..`` cannot be quoted."""
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        own(db=tmp_path / "{connection}" / "state.db").connection("..", connector="own")


def test_an_unknown_connection_is_refused_when_it_is_named(own: Callable[..., Host]) -> None:
    """And one that was never synced when it is asked."""
    with pytest.raises(UnknownName, match="no connection named 'owm'"):
        own().connection("owm")
    with pytest.raises(NoPicture):
        own().connection("own").access()


# -- sessions --------------------------------------------------------------------------------------------------


def _digests(tmp_path: Path, **settings: Any) -> tuple[str, str]:
    host = Host(tmp_path / "s.db", plugins={"own": Plugin()}, installed=False)
    connection = host.connection("own", settings={**TOKEN, **settings})
    with opened(
        connection.config, host._plugins.connector("own"), state=tmp_path / "s.db", clock=SystemClock(),
        cancel=threading.Event(), policy=HttpPolicy(), environ=None,
    ) as session:  # fmt: skip
        return session.reading, session.address


def test_digests_tell_settings_that_matter_apart(tmp_path: Path) -> None:
    """What decides what is read, and where; not the token, and not a slash at the address's end."""
    reading, address = _digests(tmp_path)
    assert _digests(tmp_path, token="other", colour="blue", base_url="http://127.0.0.1:1/") == (reading, address)
    assert _digests(tmp_path, size=2) != (reading, address)
    assert _digests(tmp_path, size=2)[1] == address
    assert _digests(tmp_path, base_url="http://127.0.0.1:2")[1] != address


def test_the_vault_keeps_credentials_for_their_owner_alone(tmp_path: Path) -> None:
    """Through threads and other instances, and never half written."""
    path = tmp_path / "new" / "own.vault"
    assert FileVault(path).get("a") is None
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: FileVault(path).put(f"name-{n}", f"value-{n}"), range(24)))
    assert [FileVault(path).get(f"name-{n}") for n in range(24)] == [f"value-{n}" for n in range(24)]
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_vault_that_cannot_be_read_is_a_state_error(tmp_path: Path) -> None:
    """Which does not quote it."""
    (tmp_path / "v").write_text("s3cr3t{")
    with pytest.raises(StateError) as raised:
        FileVault(tmp_path / "v").get("a")
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    "content", ["[]", '"s3cr3t"', "7", "null", '{"token": 7}', '{"token": ["s3cr3t"]}', "[" * 99_999]
)
def test_a_vault_that_something_else_wrote_into_is_a_state_error(tmp_path: Path, content: str) -> None:
    """It is neither read nor written over, and nothing of it is quoted."""
    path = tmp_path / "own.vault"
    path.write_text(content)
    for use in (lambda vault: vault.get("token"), lambda vault: vault.put("token", "new")):
        with pytest.raises(StateError) as caught:
            use(FileVault(path))
        assert "s3cr3t" not in str(caught.value)
    assert path.read_text() == content


def test_connections_of_different_state_files_share_no_vault(own: Callable[..., Host], tmp_path: Path) -> None:
    """They may be different workspaces, though they be called the same."""
    kept = []

    def page(client: Any) -> Page:
        kept.append(client[2].get("token"))
        client[2].put("token", "rotated")
        return Page()

    for name in ("a.db", "a.db", "b.db"):
        own(page, db=tmp_path / name).connection("own", settings=TOKEN).sync()
    assert kept == [None, "rotated", None]


# -- the sandbox -----------------------------------------------------------------------------------------------


def test_the_sandbox_is_always_there_and_remembers(tmp_path: Path) -> None:
    """Managed, on loopback, its data beside the state in a folder of its owner, its ids the same each time."""
    found = []
    for _ in range(2):
        with Host(tmp_path / "state.db") as host:
            sandbox = host.connection("whimsical-sandbox", settings={"base_url": "https://api.example.com"})
            assert sandbox.config.managed
            assert sandbox.sync().sync.status == "complete"
            found.append([row.user_id for row in sandbox.access()])
    assert found[0] == found[1]
    assert len(found[0]) > 50
    assert stat.S_IMODE((tmp_path / "whimsical-sandbox").stat().st_mode) == 0o700


# -- check -----------------------------------------------------------------------------------------------------


def test_check_ends_in_time_though_the_server_is_silent(own: Callable[..., Host], silent_server: str) -> None:
    """The limit is for all of it."""
    began = time.monotonic()
    host = own(clock=SystemClock())
    (finding,) = host.connection("own", settings={**TOKEN, "base_url": silent_server}).check(seconds=0.3)
    assert (finding.level, finding.code) == ("error", "unreachable")
    assert time.monotonic() - began < 3


def test_check_is_cancelled_at_once(own: Callable[..., Host], silent_server: str) -> None:
    """Though nobody answers."""
    host = own(clock=SystemClock())
    threading.Timer(0.1, host.cancel).start()
    with pytest.raises(Interrupted):
        host.connection("own", settings={**TOKEN, "base_url": silent_server}).check(seconds=30)


def test_check_of_a_connection_that_lacks_a_setting_is_an_error(own: Callable[..., Host]) -> None:
    """The application was not asked, so there is nothing found."""
    with pytest.raises(ConfigurationError, match="own has no token"):
        own().connection("own").check()


# -- errors, threads, cancelling -------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [CredentialsRefused("401"), ProtocolError("odd")])
def test_a_failed_sync_raises_what_failed_and_says_how_far_it_came(
    own: Callable[..., Host], error: ConnectorCoreError
) -> None:
    """Typed, with the report."""

    def page(client: Any) -> Page:
        raise error

    with pytest.raises(type(error)) as raised:
        own(page).connection("own", settings=TOKEN).sync()
    assert (raised.value.report.sync.status, raised.value.report.error.code) == ("failed", error.code)


def test_errors_quote_no_secret(own: Callable[..., Host]) -> None:
    """Neither in the message and the hint, nor in what caused them, nor in the report."""

    def page(client: Any) -> Page:
        token = client[0].token.reveal()
        try:
            raise ValueError(f"Bearer {token}")
        except ValueError as cause:
            raise ProtocolError(f"told {token}", hint=f"not {token}") from cause

    with pytest.raises(ProtocolError) as raised:
        own(page).connection("own", settings=TOKEN).sync()
    error = raised.value
    assert (error.message, error.hint, error.args) == ("told ***", "not ***", ("told ***",))
    assert "s3cr3t" not in f"{''.join(format_exception(error))} {error.report}"


def test_a_cancel_from_another_thread_interrupts_a_waiting_sync(own: Callable[..., Host]) -> None:
    """At once, though the application asked to wait for an hour; and the next sync goes on from there."""
    waiting = threading.Event()

    def page(client: Any) -> Page:
        waiting.set()
        client[1]._clock.sleep(3600, client[1]._cancel)
        return Page()

    host = own(page, clock=SystemClock())
    threading.Thread(target=lambda: (waiting.wait(), host.cancel()), daemon=True).start()
    began = time.monotonic()
    with pytest.raises(Interrupted) as raised:
        host.connection("own", settings=TOKEN).sync()
    assert time.monotonic() - began < 5
    assert raised.value.report.sync.status == "interrupted"
    assert own(clock=SystemClock()).connection("own", settings=TOKEN).sync().sync.resumed


def test_many_threads_may_ask_while_a_sync_runs(own: Callable[..., Host]) -> None:
    """They see the picture before it or after it, and nothing in between."""
    people = tuple(Resource(type="user", id=str(n), login=f"{n}@example.com", status="enabled") for n in range(50))
    go_on = threading.Event()
    rounds = iter((people[:20], people))

    def page(client: Any) -> Page:
        listed = next(rounds)
        if len(listed) == len(people):
            go_on.wait(10)
        return Page(resources=listed, total=len(listed))

    connection = own(page).connection("own", settings=TOKEN)
    connection.sync()

    def ask(number: int) -> int:
        for _ in range(10):
            assert len(connection.access()) == 20
        return number

    with ThreadPoolExecutor(9) as pool:
        sync = pool.submit(connection.sync)
        assert list(pool.map(ask, range(8))) == list(range(8))
        go_on.set()
        assert sync.result().sync.status == "complete"
    assert len(connection.access()) == 50


def test_two_hosts_in_one_process_do_not_meet(own: Callable[..., Host], tmp_path: Path) -> None:
    """What is cancelled in one goes on in the other; each has its own plugins and state."""
    one, two = own(db=tmp_path / "1.db"), own(db=tmp_path / "2.db")
    one.close()
    with pytest.raises(Interrupted):
        one.connection("own", settings=TOKEN).sync()
    assert two.connection("own", settings=TOKEN).sync().sync.status == "complete"


def test_a_host_is_silent(own: Callable[..., Host], capfd: pytest.CaptureFixture[str]) -> None:
    """It prints nothing, and sets up no logging."""
    before = list(logging.getLogger().handlers)
    own().connection("own", settings=TOKEN).sync()
    assert tuple(capfd.readouterr()) == ("", "")
    assert logging.getLogger().handlers == before


def test_a_secret_given_by_a_caller_shows_nowhere(own: Callable[..., Host], tmp_path: Path) -> None:
    """Not in what can be printed, and not in any file."""
    connection = own().connection("own", settings=TOKEN)
    connection.sync()
    assert "s3cr3t" not in f"{connection!r} {connection.config!r}"
    assert not any(b"s3cr3t" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_misspelt_keyword_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    """``resaon=`` would lose the reason, and ``dry_rum=`` would write: both are a TypeError that names the word."""
    with Host(tmp_path / "state.db") as host:
        sandbox = host.connection("whimsical-sandbox")
        for misspelt in ("resaon", "dry_rum"):
            with pytest.raises(TypeError, match=misspelt):
                sandbox.grant("editor", "lars.virtanen@example.com", **{misspelt: True})  # type: ignore[arg-type]
    assert not (tmp_path / "state.db").exists()
