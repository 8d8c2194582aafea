"""Set-up in any order: several configurations over one folder, one state and one keyring, against four workspaces.

Two addresses have two workspaces each, told apart by the token alone, as Whimsical's are. After each step: no request
carried the token of another connection, no secret is lost or left, and nothing was written elsewhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from attrs import define, frozen
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from kit.keyrings import MemoryKeyring, using

from connector_core import ConfigurationChanged, Connection, GuardRefused, Host, Plan, UsageError
from connector_core.config import secret_store
from connector_core.config.configuration import Configuration
from connector_core.config.file import ConfigFile
from connector_core.config.secret_store import SecretStore
from connector_core.connectors import session
from connector_core.errors import ConfigurationError, ConnectorCoreError
from connector_core.host import plans
from connector_core.testing import LoopbackServer, ScimApp, Workspace

CONFIGURATIONS = ("a.toml", "b.toml", "elsewhere/a.toml")
NAMES = ("whimsical", "design", "x")
TOKENS = ("token-0", "token-1", "token-2", "token-3")


@frozen
class Sent:
    """A request: at which address, with which token, and whether it writes."""

    address: int
    token: str
    writes: bool


class Addresses:
    """Two servers, each with two workspaces behind one address."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.apps: dict[str, ScimApp] = {}
        self.servers = [LoopbackServer(self._app(number)) for number in (0, 1)]

    def reset(self) -> None:
        """Every workspace as it was in the beginning."""
        self.sent.clear()
        for number, token in enumerate(TOKENS):
            people = Workspace(seed=number)
            people.add(f"one@{token}.example.com")
            people.add(f"two@{token}.example.com")
            self.apps[token] = ScimApp(people, token=token)

    def _app(self, address: int) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
        here = TOKENS[address * 2 : address * 2 + 2]

        def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            token = environ.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
            self.sent.append(Sent(address, token, environ["REQUEST_METHOD"] != "GET"))
            return self.apps[token if token in here else here[0]](environ, start)

        return app

    def settings(self, workspace: int) -> dict[str, Any]:
        """What a connection to that workspace is configured with."""
        return {"base_url": self.servers[workspace // 2].url, "token": TOKENS[workspace]}

    def close(self) -> None:
        for server in self.servers:
            server.close()


@define
class Configured:
    """What is known of a connection: its workspace, and its identity."""

    workspace: int
    identity: str


@define
class Opened:
    """A connection that stays open, and what it was when it was opened."""

    connection: Connection
    workspace: int
    identity: str


configurations, names, workspaces = st.sampled_from(CONFIGURATIONS), st.sampled_from(NAMES), st.integers(0, 3)
some = st.integers(0, 59)  # which of what there is


class SettingUp(RuleBasedStateMachine):
    """The host in one process; every step opens the configuration as a command does."""

    addresses: Addresses

    def __init__(self) -> None:
        super().__init__()
        self.addresses.reset()
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.ring = self.stack.enter_context(using(MemoryKeyring()))
        self.there: dict[tuple[str, str], Configured] = {}
        self.open: list[Opened] = []
        self.plans: list[tuple[Plan, Configured]] = []
        self.people = 0
        for name in CONFIGURATIONS:
            (self.folder / name).parent.mkdir(mode=0o700, exist_ok=True)
            (self.folder / name).touch(0o600)

    def teardown(self) -> None:
        self.stack.close()

    def host(self, configuration: str) -> Host:
        path = self.folder / configuration
        return Host(self.folder / "state.db", configuration=Configuration.load(path, {}))

    @contextmanager
    def only(self, workspace: int | None, *, writes: bool = False) -> Iterator[None]:
        """Requests go to that workspace alone, with its token; None: there is none."""
        self.addresses.sent.clear()
        yield
        allowed = set() if workspace is None else {(workspace // 2, TOKENS[workspace])}
        assert {(sent.address, sent.token) for sent in self.addresses.sent} <= allowed
        assert writes or not any(sent.writes for sent in self.addresses.sent)

    def one(self, which: int) -> tuple[str, str, Configured]:
        """One of the connections that there are: its configuration, its name, and what is known of it."""
        assume(self.there)
        where, name = sorted(self.there)[which % len(self.there)]
        return where, name, self.there[where, name]

    # -- set-up --------------------------------------------------------------------------------------------

    @rule(where=configurations, name=names, workspace=workspaces, keyring=st.booleans())
    def add(self, where: str, name: str, workspace: int, keyring: bool) -> None:
        with self.only(None if (where, name) in self.there else workspace):
            try:
                result = self.host(where).add(
                    "whimsical", name=name, settings=self.addresses.settings(workspace), managed=True, keyring=keyring
                )
            except UsageError:
                assert (where, name) in self.there
                return
        assert result.saved and (where, name) not in self.there
        self.there[where, name] = Configured(workspace, result.identity)

    @rule(where=configurations, name=names, workspace=workspaces, keyring=st.booleans())
    def fail_to_add(self, where: str, name: str, workspace: int, keyring: bool) -> None:
        """The configuration cannot be written, or the token is another workspace's."""
        wrong = {"base_url": self.addresses.settings((workspace + 2) % 4)["base_url"], "token": TOKENS[workspace]}
        lock = self.folder / f"{where}.lock"
        lock.unlink(missing_ok=True)
        lock.mkdir()
        try:
            with pytest.raises((ConfigurationError, UsageError)):
                self.host(where).add("whimsical", name=name, settings=wrong, keyring=keyring, check=False)
        finally:
            lock.rmdir()

    @rule(which=some, other=st.booleans(), keyring=st.booleans(), overtaken=st.booleans())
    def configure(self, which: int, other: bool, keyring: bool, overtaken: bool) -> None:
        """Another address with its token, or the same with a token kept again; perhaps read before another did so.

        A connection that was opened before is used after it.
        """
        where, name, known = self.one(which)
        opened = Opened(self.host(where).connection(name), known.workspace, known.identity)
        workspace = (known.workspace + 2) % 4 if other else known.workspace
        host = self.host(where)
        if overtaken:
            self.host(where).configure(name, self.addresses.settings(workspace), keyring=not keyring, check=False)
        with self.only(workspace):
            assert host.configure(name, self.addresses.settings(workspace), keyring=keyring).leftovers == ()
        known.workspace = workspace
        self.use(opened)

    @rule(which=some, new=names)
    def rename(self, which: int, new: str) -> None:
        where, name, _ = self.one(which)
        with self.only(None), suppress(UsageError):
            self.host(where).rename(name, new)
            self.there[where, new] = self.there.pop((where, name))

    @rule(which=some)
    def remove(self, which: int) -> None:
        where, name, _ = self.one(which)
        with self.only(None):
            assert self.host(where).remove(name).leftovers == ()
        del self.there[where, name]

    # -- use -----------------------------------------------------------------------------------------------

    @rule(which=some)
    def run(self, which: int) -> None:
        where, name, known = self.one(which)
        with self.only(known.workspace):
            report = self.host(where).connection(name).sync(accept_removals=True)
        if report.sync.status == "complete":
            rows = self.host(where).connection(name).access()
            assert {row.user.rpartition("@")[2] for row in rows if row.user} <= {
                f"{TOKENS[known.workspace]}.example.com", "added.example.com",
            }  # fmt: skip

    @rule(which=some)
    def keep_open(self, which: int) -> None:
        where, name, known = self.one(which)
        self.open.append(Opened(self.host(where).connection(name), known.workspace, known.identity))

    @rule(which=some)
    def run_open(self, which: int) -> None:
        assume(self.open)
        self.use(self.open[which % len(self.open)])

    def use(self, opened: Opened) -> None:
        """It reads what it was opened for, or says that the configuration changed and sends nothing."""
        with self.only(opened.workspace):
            try:
                opened.connection.sync()
            except ConfigurationChanged:
                assert self.addresses.sent == []

    @rule(which=some, then=st.none() | some)
    def plan(self, which: int, then: int | None) -> None:
        """And perhaps carry it out at once, by any connection."""
        where, name, known = self.one(which)
        self.people += 1
        people = self.folder / "people.csv"
        people.write_text(f"email,role\np{self.people}@added.example.com,viewer\n")
        with self.only(known.workspace):
            connection = self.host(where).connection(name)
            if connection.sync(accept_removals=True).sync.status == "complete":
                self.plans.append((connection.plan(people), Configured(known.workspace, known.identity)))
        if then is not None and self.plans:
            self.carry_out(len(self.plans) - 1, then)

    @rule(which=some, by=some)
    def apply(self, which: int, by: int) -> None:
        assume(self.plans)
        self.carry_out(which % len(self.plans), by)

    def carry_out(self, which: int, by: int) -> None:
        """By any connection: only the one that the plan was made for does it."""
        where, name, known = self.one(by)
        plan, made_for = self.plans[which]
        is_same = (known.identity, known.workspace) == (made_for.identity, made_for.workspace)
        with self.only(known.workspace, writes=is_same), suppress(GuardRefused):
            self.host(where).connection(name).apply(plan, who="it@example.com", yes=True)

    # -- always --------------------------------------------------------------------------------------------

    @invariant()
    def each_has_its_secret_and_none_is_left(self) -> None:
        kept = [path.read_text().strip() for path in self.folder.glob("**/secrets/*")] + [*self.ring.entries.values()]
        assert sorted(kept) == sorted(TOKENS[known.workspace] for known in self.there.values())
        for (where, name), known in self.there.items():
            config = self.host(where).connection(name).config
            assert config.identity == known.identity
            (reference,) = [value.raw for key, value in config.values.items() if key == "token"]
            assert isinstance(reference, dict)
            secret = Path(reference["file"]).read_text().strip() if "file" in reference else None
            found = secret or self.ring.get_password("connector-core", reference["keyring"])
            assert found == TOKENS[known.workspace]

    @invariant()
    def each_is_another_one(self) -> None:
        identities = [known.identity for known in self.there.values()]
        assert len(set(identities)) == len(identities)


@pytest.fixture(scope="module")
def machine() -> Iterator[type[SettingUp]]:
    addresses = Addresses()
    yield type("Machine", (SettingUp,), {"addresses": addresses})
    addresses.close()


def walk(machine: type[SettingUp], examples: int, steps: int, **how: Any) -> None:
    """Random steps, the same at each call."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck), report_multiple_bugs=False, **how,
        ),
    )  # fmt: skip


def test_no_order_of_set_up_mixes_two_connections(machine: type[SettingUp]) -> None:
    """Twelve times twenty-five steps of setting up, running, planning and applying."""
    walk(machine, 12, 25)


@pytest.mark.slow
def test_no_long_order_of_set_up_mixes_two_connections(machine: type[SettingUp]) -> None:
    """Sixty times fifty."""
    walk(machine, 60, 50)


def _same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets are named after the setting alone."""
    keep = SecretStore.keep
    monkeypatch.setattr(secret_store, "secrets", SimpleNamespace(token_hex=lambda _: "0" * 8))
    monkeypatch.setattr(SecretStore, "keep", lambda self, _, *rest, **how: keep(self, "0" * 32, *rest, **how))


def _forgets_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed set-up deletes what was referred to."""
    monkeypatch.setattr(SecretStore, "is_referred_to", lambda *_: False)
    monkeypatch.setattr(ConfigFile, "_known", lambda self, document, name, _: document["connections"][name])
    forget = SecretStore.forget
    monkeypatch.setattr(
        SecretStore, "forget",
        lambda self, reference, name: [forget(self, {"file": str(p)}, name) for p in self._folder.glob("*")] and None,
    )  # fmt: skip


def _forgets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is replaced or removed stays."""
    monkeypatch.setattr(SecretStore, "forget", lambda *_: None)


def _mixes_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new secret is written over the earlier one, as in earlier versions, and readings are not compared."""
    monkeypatch.setattr(secret_store, "secrets", SimpleNamespace(token_hex=lambda _: "0" * 8))
    monkeypatch.setattr(session, "require_same_reading", lambda *_: None)


def _any_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is carried out by whichever connection has the address."""
    monkeypatch.setattr(plans, "require_same_connection", lambda *_: None)


@pytest.mark.parametrize("violation", [_same_name, _forgets_all, _forgets_none, _mixes_readings, _any_plan])
def test_it_turns_red(
    machine: type[SettingUp], monkeypatch: pytest.MonkeyPatch, violation: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Each mechanism that keeps connections apart, taken out, is noticed."""
    violation(monkeypatch)
    with pytest.raises((AssertionError, ConnectorCoreError, OSError)):
        walk(machine, 600, 30, phases=[Phase.generate])
