"""Plugins of strangers: what works is found, what is broken is a row with its reason, and nothing reaches the host."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pluggy
import pytest
from attrs import evolve, frozen
from kit.sync import Script

import connector_core_whimsical.plugin as whimsical
from connector_core import (
    ConnectorCoreError,
    EntitlementKey,
    Grant,
    Host,
    Interrupted,
    Key,
    Manifest,
    NewAccount,
    Outcome,
    Page,
    PluginError,
    Resource,
    UnknownName,
    Unsupported,
    hookimpl,
    hookspecs,
    setting,
)
from connector_core.clock import within
from connector_core.connectors.plugins import Connector, Plugins
from connector_core.errors import RowRejected
from plugins import HOSTILE, MINIMAL, install

_LIST = """
import json
from connector_core.connectors.plugins import Plugins
plugins = Plugins()
print(json.dumps([[r.name, r.distribution, r.version, r.hooks, r.error] for r in plugins.rows()]))
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """`Plugins.rows` of a Python where the minimal stranger, all hostile ones and two twins are installed."""
    site = tmp_path_factory.mktemp("site")
    install(site, "strange-minimal", "minimal", MINIMAL)
    for module in sorted(HOSTILE.glob("*.py")):
        install(site, f"strange-{module.stem}", module.stem, module)
    install(site, "twin-one", "twin", MINIMAL)
    install(site, "twin-two", "twin", MINIMAL)
    done = subprocess.run(
        [sys.executable, "-c", _LIST], env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""
    return {f"{name} of {distribution}": rest for name, distribution, *rest in json.loads(done.stdout)}


def test_a_stranger_that_keeps_the_contract_is_found_with_its_hooks(rows: dict[str, list[Any]]) -> None:
    """A plugin needs an entry point and hooks, and nothing else."""
    hooks = ["connector_check", "connector_connect", "connector_manifest", "sync_page", "sync_resource"]
    assert rows["minimal of strange-minimal"] == ["1.2", hooks, None]


def test_our_own_plugin_works_in_bad_company(rows: dict[str, list[Any]]) -> None:
    """No broken plugin keeps another one from working."""
    assert rows["whimsical of connector-core"][2] is None
    assert rows["rude of strange-rude"][2] is None


def test_a_plugin_of_contract_1_works_and_is_given_notes() -> None:
    """It says what the plugin lacks, and what follows; one of contract 2 is given none."""
    script = Script({})
    (row,) = Plugins({"script": script}, entry_point_group=None).rows()
    assert (row.error, row.contract) == (None, 1)
    assert row.notes == (
        "no resource type says grants='with_resource': a read of an account ends none of its grants",
        "set Manifest(contract=2) once that is looked at (docs/plugins.md)",
    )
    (row,) = Plugins({"whimsical": whimsical}, entry_point_group=None).rows()
    assert (row.error, row.contract, row.notes) == (None, 2, ())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fails_on_import", "cannot be loaded: RuntimeError: no such shared library"),
        ("exits_on_import", "cannot be loaded: SystemExit: usage: exits_on_import FILE"),
        ("no_hooks", "implements no hook; are its functions marked with @hookimpl?"),
        ("misspelt", "sync_pages is no hook; did you mean sync_page?"),
        ("wrong_argument", "Argument(s) {'klient'} are declared in the hookimpl but can not be found in the hookspec"),
        ("generator", "sync_page is a generator or coroutine; hooks return values"),
        ("coroutine", "sync_page is a generator or coroutine; hooks return values"),
        ("newer_contract", "speaks version 3 of the contract, this host 1 and 2"),
        ("other_name", "the manifest is named 'whimsical', its entry point 'other_name'"),
        ("odd_settings", "Settings.token is not made with setting(), secret() or address()"),
    ],
)
def test_a_broken_plugin_is_a_row_with_its_reason(rows: dict[str, list[Any]], name: str, reason: str) -> None:
    """It says what its author has to mend."""
    assert reason in rows[f"{name} of strange-{name}"][2]


def test_every_hostile_plugin_has_its_row(rows: dict[str, list[Any]]) -> None:
    """A plugin that is added to the folder is looked at."""
    assert {f"{p.stem} of strange-{p.stem}" for p in HOSTILE.glob("*.py")} <= rows.keys()


def test_of_two_plugins_with_one_name_neither_is_used(rows: dict[str, list[Any]]) -> None:
    """Which one is meant is for a person to say; pluggy would drop one of them without a word."""
    reason = "the name twin is offered by twin-one and twin-two"
    assert rows["twin of twin-one"][2] == rows["twin of twin-two"][2] == reason


def test_a_broken_connector_says_why_when_it_is_needed() -> None:
    """The error is the row's reason, each time anew."""
    plugins = Plugins({"broken": SimpleNamespace()}, entry_point_group=None)
    for _ in range(2):
        with pytest.raises(PluginError, match="implements no hook"):
            plugins.connector("broken")


def test_an_unknown_connector_is_an_error_that_names_the_nearest(minimal: ModuleType) -> None:
    """Or those there are."""
    plugins = Plugins({"minimal": minimal}, entry_point_group=None)
    with pytest.raises(UnknownName) as near:
        plugins.connector("minmal")
    with pytest.raises(UnknownName) as far:
        plugins.connector("zzz")
    assert (near.value.hint, far.value.hint) == ("did you mean minimal?", "installed: minimal")


def test_what_a_connector_lacks_is_refused_before_any_request(minimal: ModuleType) -> None:
    """Capabilities follow from the hooks."""
    connector = Plugins({"minimal": minimal}, entry_point_group=None).connector("minimal")
    with pytest.raises(Unsupported, match="provision_grant"):
        connector.grant(None, None)  # type: ignore[arg-type]


def test_a_setting_cannot_be_named_like_a_reserved_word() -> None:
    """``managed`` in the file would otherwise mean two things."""

    @frozen
    class Settings:
        managed: bool = setting(default=True, help="ambiguous")

    class ReservedSetting:
        @hookimpl
        def connector_manifest(self) -> Manifest:
            return Manifest(name="p", display_name="", summary="", settings=Settings, resource_types=())

    (row,) = Plugins({"p": ReservedSetting()}, entry_point_group=None).rows()
    assert "Settings.managed is a reserved word" in str(row.error)


def test_a_word_that_does_not_say_where_grants_are_read_is_refused(tmp_path: Path) -> None:
    """By the plugin's name, the type and the word: taken for `elsewhere`, it would end no grant."""
    script = Script({})
    script.types = (evolve(script.types[0], grants="all"),)
    (row,) = Plugins({"script": script}, entry_point_group=None).rows()
    assert "the plugin script broke its contract: grants='all' of its resource type 'user'" in str(row.error)


# -- hooks that misbehave --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("tells", r"the plugin rude failed in sync_page: RuntimeError: refused: \*\*\*"),
        ("exits", "failed in sync_page: SystemExit: 3"),
        ("speechless", "failed in sync_page: Speechless"),
        ("beyond", "failed in sync_page: Beyond: far out"),
        ("none", "broke its contract: sync_page answered NoneType"),
        ("text", "sync_page answered str"),
        ("no pages", "sync_page answered list"),
        ("letters", "answered str where a list is expected"),
        ("dictionaries", "answered dict where Resource is expected"),
        ("numbers", "answered a resource whose key is 'user', 1"),
        ("nameless", "answered a resource whose key is 'user', ''"),
        ("halves", "answered tuple where Grant is expected"),
        ("grant of nothing", "answered str where EntitlementKey is expected"),
        ("tells while connecting", r"failed in connector_connect: RuntimeError: cannot connect with \*\*\*"),
    ],
)
def test_a_rude_plugin_fails_its_sync_and_nothing_else(host: Host, mode: str, says: str) -> None:
    """The error names plugin and hook, quotes no secret, and the host goes on working."""
    rude = host.connection("rude", settings={"token": "s3cr3t-token", "mode": mode})
    with pytest.raises(PluginError, match=says) as raised:
        rude.sync()
    assert "s3cr3t" not in _everything(raised.value)
    assert host.connection("minimal", settings={"token": "x"}).sync().sync.status == "complete"


@pytest.mark.parametrize("mode", ["sets", "nan"])
def test_a_profile_that_is_no_json_rejects_its_row(host: Host, mode: str) -> None:
    """By name; the sync is incomplete, and does not fail."""
    report = host.connection("rude", settings={"token": "s3cr3t-token", "mode": mode}).sync()
    assert (report.sync.status, report.rejected) == ("incomplete", 1)
    assert "sync_page of the plugin rude gave user:1 the profile" in report.warnings[0]


def test_an_error_of_our_family_that_was_never_set_up_is_still_an_error(host: Host) -> None:
    """A plugin's own subclass may forget to call ``__init__``."""
    with pytest.raises(ConnectorCoreError) as raised:
        host.connection("rude", settings={"token": "t0ken", "mode": "careless"}).sync()
    assert raised.value.report.sync.status == "failed"


def test_findings_quote_no_secret(host: Host) -> None:
    """Whatever the plugin puts into them."""
    (finding,) = host.connection("rude", settings={"token": "s3cr3t-token"}).check()
    assert (finding.message, finding.hint) == ("*** works", "so does ***")


@pytest.mark.parametrize("mode", ["hangs", "hangs while connecting"])
def test_check_ends_in_time_though_the_plugin_hangs(host: Host, mode: str) -> None:
    """What it came to is a finding."""
    (finding,) = host.connection("rude", settings={"token": "t0ken", "mode": mode}).check(seconds=0.1)
    assert (finding.level, finding.code, finding.message) == ("error", "unreachable", "no answer within 0.1 seconds")


def test_a_failing_announcement_is_only_logged(host: Host) -> None:
    """Every plugin is told; one that takes itself for the program changes nothing."""
    minimal = host.connection("minimal", settings={"token": "x"})
    assert minimal.sync().sync.status == "complete"
    errors = [line.message for line in minimal.logs() if line.level == "error"]
    (error,) = errors
    assert re.fullmatch(
        r"the plugin rude failed in sync_finished: SystemExit: sync complete \(.+rude\.py, line \d+\)", error
    )


def test_an_author_is_shown_the_line_that_failed(host: Host) -> None:
    """The message names file and line of the plugin, and the log keeps the traceback, without secrets."""
    rude = host.connection("rude", settings={"token": "s3cr3t-token", "mode": "tells"})
    with pytest.raises(PluginError) as raised:
        rude.sync()
    source = (HOSTILE / "rude.py").read_text().splitlines()
    line = 1 + next(n for n, text in enumerate(source) if 'RuntimeError(f"refused: ' in text)
    assert f"(hostile/rude.py, line {line})" in raised.value.message
    assert "--level debug" in str(raised.value.hint)
    shown = [entry.message for entry in rude.logs(level="debug") if entry.level == "debug"]
    assert any(f'rude.py", line {line}, in ' in entry for entry in shown)
    assert "RuntimeError: refused: ***" in shown[-1]
    assert "s3cr3t" not in "".join(shown)


def test_a_line_of_a_library_is_told_as_the_line_that_called_it(tmp_path: Path) -> None:
    """Where an installed library raises, the plugin's own line is named, and never one of this host."""

    class CallsLibrary:
        @hookimpl
        def sync_page(self) -> Page:
            json.loads("no JSON")
            raise AssertionError

    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(CallsLibrary())
    with pytest.raises(PluginError, match=r"JSONDecodeError: .+ \(connectors/test_plugins\.py, line \d+\)"):
        Connector("calls", "1", manager).sync_page(None, None)


def test_a_plugin_given_by_hand_takes_the_place_of_an_installed_one() -> None:
    """``Host(plugins={"whimsical": ...})`` uses what it is given, though a plugin of that name is installed."""
    given = SimpleNamespace()
    plugins = Plugins({"whimsical": given})
    (row,) = [row for row in plugins.rows() if row.name == "whimsical"]
    assert (row.distribution, "implements no hook" in str(row.error)) == (None, True)


def test_an_announcement_waits_for_nobody_for_ever() -> None:
    """One that hangs is left behind, and the next plugin is told."""
    told = []

    class Hangs:
        @hookimpl
        def sync_finished(self) -> None:
            threading.Event().wait()

    class ReportListener:
        @hookimpl
        def sync_finished(self, report: str) -> None:
            told.append(report)

    plugins = Plugins({"a": Hangs(), "b": ReportListener(), "broken": object()}, entry_point_group=None)
    complaints = plugins.announce("sync_finished", report="done", seconds=0.05)
    assert complaints == ["the plugin a failed in sync_finished: TimeoutError: no answer within 0.05 seconds"]
    assert told == ["done"]


# -- calls that may not come back ------------------------------------------------------------------------------


def test_within_gives_the_answer_or_the_error() -> None:
    """From the thread that it was found in."""

    def fails() -> None:
        raise KeyError("k")

    assert within(5, lambda: 42) == 42
    with pytest.raises(KeyError):
        within(5, fails)


def test_within_honours_a_cancel_at_once() -> None:
    """Long before the time is over."""
    cancel = threading.Event()
    threading.Timer(0.05, cancel.set).start()
    with pytest.raises(Interrupted):
        within(30, threading.Event().wait, cancel)


class Talkative:
    """A connector that answers every question alike."""

    @hookimpl
    def connector_manifest(self) -> Manifest:
        return Manifest(name="p", display_name="", summary="", settings=NoSettings, resource_types=())

    @hookimpl
    def connector_connect(self) -> str:
        return "client"

    @hookimpl
    def connector_check(self) -> str:
        return "nonsense"

    sync_page = sync_resource = find_account = sandbox_app = connector_check
    provision_create_account = provision_delete_account = provision_enable_account = connector_check
    provision_grant = provision_revoke = connector_check


@frozen
class NoSettings:
    pass


_ASK: dict[str, Callable[[Connector], Any]] = {
    "connector_check": lambda c: c.check("client"),
    "sync_page": lambda c: c.sync_page("client", None),
    "sync_resource": lambda c: c.sync_resource("client", Resource(type="user", id="1")),
    "find_account": lambda c: c.find_account("client", "ada@example.com"),
    "sandbox_app": lambda c: c.sandbox_app(Path()),
    "provision_create_account": lambda c: c.create_account("client", NewAccount(login="ada@example.com")),
    "provision_delete_account": lambda c: c.delete_account("client", Resource(type="user", id="1")),
    "provision_enable_account": lambda c: c.enable_account("client", Resource(type="user", id="1")),
    "provision_grant": lambda c: c.grant("client", GRANT),
    "provision_revoke": lambda c: c.revoke("client", GRANT),
}
GRANT = Grant(EntitlementKey("role", "editor", "assigned"), Key("user", "1"))


@pytest.mark.parametrize("hook", _ASK)
def test_every_answer_is_looked_at(hook: str) -> None:
    """The error names the hook that answered nonsense."""
    connector = Plugins({"p": Talkative()}, entry_point_group=None).connector("p")
    with pytest.raises(PluginError, match=f"{hook} answered"):
        _ASK[hook](connector)


@pytest.mark.parametrize("name", ["half\ud800", b"bytes", {"an": "object"}.keys()])
@pytest.mark.parametrize("hook", ["sync_resource", "find_account", *(h for h in _ASK if h.startswith("provision_"))])
def test_no_answer_about_one_account_holds_what_no_store_can_take(hook: str, name: Any) -> None:
    """It is found at the wall, before anything of it is half written."""

    class Odd(Talkative):
        pass

    page = Page(resources=(Resource(type="user", id="1", name=name),))
    answer = Outcome(after=page) if hook.startswith("provision_") else page
    setattr(Odd, hook, hookimpl(lambda self: answer))
    connector = Plugins({"p": Odd()}, entry_point_group=None).connector("p")
    with pytest.raises(RowRejected, match=f"{hook} of the plugin p gave user:1 (with a value|the name)"):
        _ASK[hook](connector)


def _everything(error: BaseException) -> str:
    from traceback import format_exception

    return "".join(format_exception(error)) + repr(error)
