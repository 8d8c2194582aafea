"""An address and a secret of two readings of the configuration never go together, however long a connection is open."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from attrs import define, field
from kit.cli import workspace
from kit.served import TOKEN, ServedWorkspace

from connector_core import ConfigurationChanged, Host
from connector_core.config.configuration import Configuration
from connector_core.errors import ConnectorCoreError
from connector_core.fleet.schedule import Rhythm
from connector_core.fleet.scheduled_runs import FinishedRun, ScheduledRuns


class TokenListener:
    """Hears which tokens a workspace is sent."""

    def __init__(self) -> None:
        self.tokens: list[str] = []

    def __call__(self, app: WSGIApplication) -> WSGIApplication:
        def heard(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            self.tokens.append(environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer "))
            return app(environ, start)

        return heard


@pytest.fixture
def listener() -> TokenListener:
    return TokenListener()


@pytest.fixture
def there(listener: TokenListener) -> Iterator[ServedWorkspace]:
    with workspace(2, around=listener) as there:
        yield there


def opened(folder: Path) -> Host:
    (folder / "c.toml").touch(0o600)
    return Host(folder / "state.db", configuration=Configuration.load(folder / "c.toml", {}))


@pytest.fixture
def host(tmp_path: Path, there: ServedWorkspace) -> Host:
    host = opened(tmp_path)
    host.add("whimsical", settings={"base_url": there.url, "token": TOKEN}, managed=True, keyring=False)
    return host


def test_a_connection_that_is_open_sends_no_new_token_to_its_old_address(
    host: Host, tmp_path: Path, listener: TokenListener
) -> None:
    """Address and token were changed meanwhile: it says so and sends nothing; opened again, it goes on."""
    long_open = host.connection("whimsical")
    listener.tokens.clear()
    with workspace(2) as other:
        opened(tmp_path).configure("whimsical", {"base_url": other.url, "token": TOKEN}, keyring=False, check=False)
        for ask in (long_open.sync, long_open.check, lambda: long_open.grant("editor", "p001@example.com")):
            with pytest.raises(ConfigurationChanged):
                ask()
        assert listener.tokens == []
        host.reload()
        assert host.connection("whimsical").sync().sync.status == "complete"
    assert listener.tokens == []


def test_a_file_of_a_secret_that_is_written_over_goes_with_its_address(
    tmp_path: Path, there: ServedWorkspace, listener: TokenListener
) -> None:
    """Also where a person keeps the secret in a file of their own, and changes that file and the address."""
    (tmp_path / "t").touch(0o600)
    (tmp_path / "t").write_text(TOKEN)
    (tmp_path / "c.toml").touch(0o600)
    (tmp_path / "c.toml").write_text(f'[connections.whimsical]\nbase_url = "{there.url}"\ntoken = {{ file = "t" }}\n')
    long_open = opened(tmp_path).connection("whimsical")
    assert long_open.sync().sync.status == "complete"
    listener.tokens.clear()
    (tmp_path / "t").write_text("the token of another workspace")
    (tmp_path / "c.toml").write_text((tmp_path / "c.toml").read_text().replace(there.url, "https://other.example"))
    with pytest.raises(ConfigurationChanged, match="is not the one that was read"):
        long_open.sync()
    assert listener.tokens == []


def test_what_is_changed_besides_does_not_matter(host: Host, tmp_path: Path) -> None:
    """A connection keeps what it was opened with: its page size, its name, and other connections."""
    long_open, other = host.connection("whimsical"), opened(tmp_path)
    other.configure("whimsical", {"page_size": 1, "owner": "it@example.com"})
    other.rename("whimsical", "design")
    other.add("whimsical", settings={"token": "of another"}, keyring=False, check=False)
    assert long_open.sync().sync.status == "complete"
    assert long_open.identity == other.connection("design").identity


def test_a_token_of_the_environment_goes_with_what_the_file_says(
    tmp_path: Path, there: ServedWorkspace, listener: TokenListener
) -> None:
    """The file refers to a variable: with another address, or without the connection, nothing is sent."""
    (tmp_path / "c.toml").touch(0o600)
    (tmp_path / "c.toml").write_text(f'[connections.whimsical]\nbase_url = "{there.url}"\ntoken = {{ env = "T" }}\n')
    host = Host(tmp_path / "s.db", configuration=Configuration.load(tmp_path / "c.toml", {"T": TOKEN}))
    long_open = host.connection("whimsical")
    long_open.sync()
    listener.tokens.clear()
    for act in (
        lambda: host.configure("whimsical", {"base_url": "https://other.example"}),
        lambda: host.remove("whimsical"),
    ):
        act()
        with pytest.raises(ConfigurationChanged):
            long_open.sync()
    assert listener.tokens == []


def test_a_connection_that_was_removed_is_not_reached_any_more(
    host: Host, tmp_path: Path, there: ServedWorkspace, listener: TokenListener
) -> None:
    """Nor where another one has its name by now."""
    long_open, other = host.connection("whimsical"), opened(tmp_path)
    other.remove("whimsical")
    listener.tokens.clear()
    with pytest.raises(ConfigurationChanged):
        long_open.sync()
    other.add("whimsical", settings={"base_url": there.url, "token": "another"}, keyring=False, check=False)
    with pytest.raises(ConfigurationChanged):
        long_open.check()
    assert listener.tokens == []


def test_what_the_environment_says_is_of_one_reading(tmp_path: Path, there: ServedWorkspace) -> None:
    """Without an address or a secret of the file, it is not read again, and may be broken meanwhile."""
    (tmp_path / "c.toml").touch(0o600)
    (tmp_path / "c.toml").write_text("[connections.whimsical]\npage_size = 50\n")
    environ = {"CONNECTOR_CORE_WHIMSICAL_TOKEN": TOKEN, "CONNECTOR_CORE_WHIMSICAL_BASE_URL": there.url}
    host = Host(tmp_path / "s.db", configuration=Configuration.load(tmp_path / "c.toml", environ))
    (tmp_path / "c.toml").write_text("[[[")
    assert host.connection("whimsical").sync().sync.status == "complete"


@define
class Steps:
    """Does something after each run, and stops the loop at the end."""

    steps: list[object]
    runs: list[FinishedRun] = field(factory=list)
    loop: ScheduledRuns | None = None

    def finished(self, run: FinishedRun, next_run: float | None) -> None:
        self.runs.append(run)
        assert self.loop is not None
        if not self.steps:
            return self.loop.stop(0)
        step = self.steps.pop(0)
        assert callable(step)
        return step() and None

    def reread(self, error: ConnectorCoreError | None) -> None:
        raise AssertionError(error)


def test_scheduled_runs_read_the_configuration_each_time(host: Host, tmp_path: Path, listener: TokenListener) -> None:
    """After each change, by whatever command, the next run has the address and the token of now."""
    with workspace(3) as other:
        new = {"base_url": other.url, "token": TOKEN}

        def replaced() -> None:
            listener.tokens.clear()
            opened(tmp_path).configure("whimsical", new, keyring=False, check=False)

        def made_again() -> None:
            opened(tmp_path).remove("whimsical")
            opened(tmp_path).add("whimsical", settings=new, keyring=False)

        steps = Steps([replaced, made_again])
        steps.loop = ScheduledRuns(lambda: opened(tmp_path), Rhythm(every=0.05), lambda host: ["whimsical"], steps)
        steps.loop.begin()
        worker = threading.Thread(target=steps.loop.run)
        worker.start()
        worker.join(30)
    assert [run.report and run.report.counts.user for run in steps.runs[:3]] == [2, 3, 3]  # it may have begun another
    assert listener.tokens == []


def test_a_run_whose_configuration_changes_meanwhile_reads_it_again(
    host: Host, tmp_path: Path, listener: TokenListener
) -> None:
    """Changed between the reading of the address and the fetching of the token: the run is begun again, at once."""
    with workspace(3) as other:
        before = opened(tmp_path)
        host.configure("whimsical", {"base_url": other.url, "token": TOKEN}, keyring=False, check=False)
        listener.tokens.clear()
        hosts, steps = iter([opened(tmp_path), before, opened(tmp_path)]), Steps([])
        steps.loop = ScheduledRuns(lambda: next(hosts), Rhythm(every=60.0), lambda host: ["whimsical"], steps)
        steps.loop.begin()
        worker = threading.Thread(target=steps.loop.run)
        worker.start()
        worker.join(30)
    assert [run.report and run.report.counts.user for run in steps.runs] == [3]
    assert next(hosts, None) is None
    assert listener.tokens == []
