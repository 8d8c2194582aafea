"""A small host for identity connectors: who has which access in an application, and changing it.

::

    from connector_core import Host

    with Host(db="state.db") as host:
        workspace = host.connection("whimsical", settings={"token": token}, managed=True)
        report = workspace.sync()

All that a plugin or an embedding program needs is here, with `connector_core.scim` and `connector_core.testing`.
Nothing is imported before it is asked for (PEP 562).
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know this name; importing it would cost more than all else here
if TYPE_CHECKING:
    from typing import Any

    from connector_core.cli.pass_host import pass_host
    from connector_core.cli.program import Options
    from connector_core.clock import Clock, SystemClock
    from connector_core.config.configuration import Configuration
    from connector_core.config.secret_store import Leftover
    from connector_core.connectors.plugins import PluginInfo
    from connector_core.errors import (
        AmbiguousName,
        ApplicationError,
        Busy,
        ConfigurationChanged,
        ConfigurationError,
        Conflict,
        ConnectorCoreError,
        CredentialsRefused,
        GuardRefused,
        IncompleteError,
        Interrupted,
        NoPicture,
        NotFound,
        OperationRefused,
        PluginError,
        ProtocolError,
        RateLimited,
        RowRejected,
        StateError,
        StreamExpired,
        UnknownName,
        Unreachable,
        Unsupported,
        UsageError,
    )
    from connector_core.hookspecs import SANDBOX_SECRET, Vault, hookimpl
    from connector_core.host.answer_rows import AnswerRows
    from connector_core.host.connection import Connection
    from connector_core.host.draft import Draft
    from connector_core.host.host import Capabilities, Host
    from connector_core.host.setup import SetupResult
    from connector_core.http import (
        Auth,
        HttpClient,
        HttpEvent,
        HttpPolicy,
        Response,
        api_key,
        basic,
        bearer,
        oauth2_client_credentials,
        oauth2_refresh,
    )
    from connector_core.model import (
        AccessRow,
        Change,
        ChangeCounts,
        Counts,
        Cursor,
        Entitlement,
        EntitlementKey,
        ErrorInfo,
        Finding,
        Grant,
        Guide,
        History,
        Json,
        Key,
        LogLine,
        Manifest,
        NewAccount,
        Operation,
        Outcome,
        Page,
        Picture,
        Pruned,
        Rejected,
        Request,
        Resource,
        ResourceType,
        Secret,
        Span,
        SyncInfo,
        SyncReport,
    )
    from connector_core.provision.apply import ApplyReport, Line
    from connector_core.provision.options import ChangeOptions
    from connector_core.provision.plan import Limits, Plan, Step
    from connector_core.settings import Setting, address, secret, setting
    from connector_core.sync import Progress, SyncPolicy
    from connector_core.sync.guard import Guard

__version__: str

# Where names lie that are neither errors nor plain values.
_HOMES = {
    "pass_host": "cli.pass_host",
    "Options": "cli.program",
    "Clock": "clock",
    "SystemClock": "clock",
    "Configuration": "config.configuration",
    "Leftover": "config.secret_store",
    "Connection": "host.connection",
    "Draft": "host.draft",
    "AnswerRows": "host.answer_rows",
    "SetupResult": "host.setup",
    "SANDBOX_SECRET": "hookspecs",
    "hookimpl": "hookspecs",
    "Capabilities": "host.host",
    "Host": "host.host",
    "Auth": "http",
    "HttpClient": "http",
    "HttpEvent": "http",
    "HttpPolicy": "http",
    "Response": "http",
    "api_key": "http",
    "basic": "http",
    "bearer": "http",
    "oauth2_client_credentials": "http",
    "oauth2_refresh": "http",
    "PluginInfo": "connectors.plugins",
    "Vault": "hookspecs",
    "Setting": "settings",
    "address": "settings",
    "secret": "settings",
    "setting": "settings",
    "ApplyReport": "provision.apply",
    "Line": "provision.apply",
    "Limits": "provision.plan",
    "Plan": "provision.plan",
    "Step": "provision.plan",
    "Progress": "sync",
    "SyncPolicy": "sync",
    "Guard": "sync.guard",
    "ChangeOptions": "provision.options",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, and remember it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = _version() if name == "__version__" else _imported(name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _imported(name: str) -> Any:
    from importlib import import_module

    from connector_core import errors

    home = _HOMES.get(name) or ("errors" if hasattr(errors, name) else "model")
    return getattr(import_module(f"connector_core.{home}"), name)


def _version() -> str:
    from importlib.metadata import version

    return version("connector-core")


__all__ = [
    "SANDBOX_SECRET",
    "AccessRow",
    "AmbiguousName",
    "AnswerRows",
    "ApplicationError",
    "ApplyReport",
    "Auth",
    "Busy",
    "Capabilities",
    "Change",
    "ChangeCounts",
    "ChangeOptions",
    "Clock",
    "Configuration",
    "ConfigurationChanged",
    "ConfigurationError",
    "Conflict",
    "Connection",
    "ConnectorCoreError",
    "Counts",
    "CredentialsRefused",
    "Cursor",
    "Draft",
    "Entitlement",
    "EntitlementKey",
    "ErrorInfo",
    "Finding",
    "Grant",
    "Guard",
    "GuardRefused",
    "Guide",
    "History",
    "Host",
    "HttpClient",
    "HttpEvent",
    "HttpPolicy",
    "IncompleteError",
    "Interrupted",
    "Json",
    "Key",
    "Leftover",
    "Limits",
    "Line",
    "LogLine",
    "Manifest",
    "NewAccount",
    "NoPicture",
    "NotFound",
    "Operation",
    "OperationRefused",
    "Options",
    "Outcome",
    "Page",
    "Picture",
    "Plan",
    "PluginError",
    "PluginInfo",
    "Progress",
    "ProtocolError",
    "Pruned",
    "RateLimited",
    "Rejected",
    "Request",
    "Resource",
    "ResourceType",
    "Response",
    "RowRejected",
    "Secret",
    "Setting",
    "SetupResult",
    "Span",
    "StateError",
    "Step",
    "StreamExpired",
    "SyncInfo",
    "SyncPolicy",
    "SyncReport",
    "SystemClock",
    "UnknownName",
    "Unreachable",
    "Unsupported",
    "UsageError",
    "Vault",
    "__version__",
    "address",
    "api_key",
    "basic",
    "bearer",
    "hookimpl",
    "oauth2_client_credentials",
    "oauth2_refresh",
    "pass_host",
    "secret",
    "setting",
]
