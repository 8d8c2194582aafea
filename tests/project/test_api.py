"""What `connector_core` offers, what that costs, and whether the prose keeps up."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import connector_core
from connector_core import errors, hookspecs, model
from connector_core.connectors import connector

SOURCE = ast.parse(Path(connector_core.__file__).read_text())
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "connector_core_spec")}
HEAVY = {"attr", "cattrs", "click", "connector_core_whimsical", "jinja2", "pluggy", "rich", "sqlite_utils", "urllib3"}
COMMON = {"client", "cursor", "settings", "resource", "grant", "account", "login", "report", "operation"}


def imported_by(code: str) -> set[str]:
    """The modules that a new Python has imported after ``code``."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


# -- names -----------------------------------------------------------------------------------------------------


def test_everything_promised_is_there() -> None:
    """Each name once."""
    assert [name for name in connector_core.__all__ if not hasattr(connector_core, name)] == []
    assert len(set(connector_core.__all__)) == len(connector_core.__all__)
    assert set(connector_core.__all__) <= set(dir(connector_core))


def test_type_checkers_are_told_the_same() -> None:
    """The imports for them name what `__all__` names, from where it really lies."""
    told = {
        alias.name: node.module
        for node in ast.walk(SOURCE)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("connector_core.")
        for alias in node.names
    }
    assert told.keys() | {"__version__"} == set(connector_core.__all__)
    for name, home in told.items():
        assert getattr(connector_core, name) is getattr(sys.modules[str(home)], name), name


@pytest.mark.parametrize("module", [errors, model])
def test_all_errors_and_values_are_offered(module: Any) -> None:
    """Whoever catches or reads one need not know where it lies."""
    public = {n for n, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__}
    assert public <= set(connector_core.__all__)


def test_a_name_that_is_not_offered_is_an_attribute_error() -> None:
    """As in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'Hots'"):
        connector_core.Hots  # noqa: B018


def test_the_version_is_that_of_the_distribution() -> None:
    """Looked up when it is asked for."""
    from importlib.metadata import version

    assert connector_core.__version__ == version("connector-core")


# -- cost ------------------------------------------------------------------------------------------------------


def test_importing_the_package_imports_next_to_nothing() -> None:
    """Neither our own rooms nor anybody else's."""
    more = imported_by("import connector_core") - imported_by("")
    assert more <= {"connector_core", "__future__"}


def test_a_host_costs_only_what_it_needs_at_once() -> None:
    """HTTP, the converter, tables on the terminal and the plugins themselves come when a call needs them."""
    more = imported_by("from connector_core import Host")
    assert more & HEAVY == {"attr", "pluggy"}


def test_asking_the_picture_loads_no_plugin(tmp_path: Path) -> None:
    """`access` reads the state file, and needs neither the connector nor HTTP."""
    code = f"""
from connector_core import Host, NoPicture
try:
    Host.from_environment(environ={{"CONNECTOR_CORE_DB": {str(tmp_path / "s.db")!r}}}).connection("whimsical").access()
except NoPicture:
    pass
"""
    assert imported_by(code) & HEAVY <= {"attr", "pluggy"}


# -- prose -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", connector_core.__all__)
def test_everything_offered_says_what_it_is(name: str) -> None:
    """A docstring on each class and function."""
    offered = getattr(connector_core, name)
    is_ours = str(getattr(offered, "__module__", "")).startswith("connector_core.")
    assert offered.__doc__ if is_ours else name in ("Auth", "Json", "SANDBOX_SECRET", "__version__", "hookimpl")


@pytest.mark.parametrize("name", ["Connection", "Host", "HttpClient", "Response", "Secret", "Vault"])
def test_every_method_says_what_it_does(name: str) -> None:
    """Of what people hold in their hands."""
    methods = vars(getattr(connector_core, name)).items()
    assert [n for n, method in methods if inspect.isfunction(method) and n[0] != "_" and not method.__doc__] == []


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_says_when_it_is_asked_and_explains_its_arguments(hook: str) -> None:
    """Questions are asked, the rest announced; an argument that other hooks share is not explained each time."""
    question = HOOKS[hook].connector_core_spec["firstresult"]
    prose = inspect.getdoc(HOOKS[hook]) or ""
    assert ("Asked" if question else "Announced") in prose
    for parameter in inspect.signature(HOOKS[hook]).parameters:
        assert f":param {parameter}:" in prose or parameter in COMMON


@pytest.mark.parametrize("hook", HOOKS)
def test_every_question_has_a_typed_method(hook: str) -> None:
    """The host never asks through pluggy, whose answers are `Any`."""
    if HOOKS[hook].connector_core_spec["firstresult"]:
        short = hook.removeprefix("connector_").removeprefix("provision_")
        method = inspect.signature(getattr(connector.Connector, short))
        wanted = inspect.signature(HOOKS[hook]).parameters
        assert [p for p in method.parameters if p != "self"] == list(wanted)


def test_the_contract_has_the_hooks_that_were_promised() -> None:
    """Names are for ever."""
    assert set(HOOKS) == {
        "connector_manifest", "connector_connect", "connector_check", "sync_page", "sync_resource", "find_account",
        "provision_create_account", "provision_delete_account", "provision_enable_account", "provision_grant",
        "provision_revoke", "check_grant", "provision_disable_account",
        "sandbox_app", "sync_finished", "operation_finished", "register_commands",
        "register_exporters",
    }  # fmt: skip
