"""A connector connected to its application: settings found, HTTP set up, and on a sandbox the stand-in started."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from connector_core.clock import Clock
from connector_core.config.configuration import ConnectionConfig, resolve
from connector_core.config.reading import require_same_reading
from connector_core.connectors.connector import Connector
from connector_core.connectors.plugin_output import hook_logs_collected
from connector_core.connectors.sandbox import Sandbox
from connector_core.connectors.vault import ConnectionVault
from connector_core.convert import compact, to_json
from connector_core.errors import ConfigurationError, ConnectorCoreError
from connector_core.http import HttpClient, HttpEvent, HttpPolicy
from connector_core.model import Manifest, Secret
from connector_core.settings import declared

BeforeWrite = Callable[[str, str, bytes | None], None]


@frozen(kw_only=True)
class Session:
    """What is needed to ask a connector anything.

    ``reading`` and ``address`` are digests of the settings that decide what is read, and where.
    """

    connector: Connector
    manifest: Manifest
    settings: Any
    http: HttpClient
    client: Any
    reading: str
    address: str

    @property
    def account_types(self) -> list[str]:
        """The resource types that hold accounts; the first is meant where none is named."""
        return [each.type for each in self.manifest.resource_types if "user" in each.traits]


@contextmanager
def opened(
    config: ConnectionConfig, connector: Connector, *, state: Path, clock: Clock, cancel: threading.Event,
    policy: HttpPolicy, environ: Mapping[str, str] | None, workers: int | None = None,
    on_event: Callable[[HttpEvent], None] | None = None, before_write: BeforeWrite | None = None,
) -> Iterator[Session]:  # fmt: skip
    """Connect, without a request yet; everything is closed at the end. No error that leaves it quotes a secret.

    :param state: the state file; the vault and a sandbox keep their files next to it.
    :raises ConfigurationError: a setting is missing or wrong.
    """
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(connector, state.parent).serve()).url if config.sandbox else None
        plain = connector.manifest()
        settings = _resolved(config, plain.settings, sandbox)
        http = HttpClient(
            policy=policy, clock=clock, cancel=cancel, on_event=on_event, before_write=before_write,
            secrets=() if sandbox else _secrets(settings), environ=environ,
            pool_size=workers or plain.max_workers,
        )  # fmt: skip
        stack.callback(http.close)
        connector.voice.mask = http.mask
        stack.enter_context(hook_logs_collected())
        stack.enter_context(_concealing(http.mask))
        vault = ConnectionVault(state, config.ref)
        yield Session(
            connector=connector, manifest=connector.manifest(settings), settings=settings, http=http,
            client=connector.connect(settings, http, vault),
            reading=_digest(settings, "reading"), address="sandbox" if sandbox else _digest(settings, "address"),
        )  # fmt: skip


def _resolved(config: ConnectionConfig, settings: type, sandbox: str | None) -> Any:
    """The settings, of one reading of the configuration.

    :raises ConfigurationChanged: the file was changed meanwhile, also where that is why a secret is not there.
    """
    if sandbox is not None:
        return resolve(config, settings, sandbox_address=sandbox)
    try:
        found = resolve(config, settings)
    except ConfigurationError:
        require_same_reading(config, settings)
        raise
    require_same_reading(config, settings)
    return found


@contextmanager
def _concealing(mask: Callable[[str], str]) -> Iterator[None]:
    try:
        yield
    except ConnectorCoreError as error:
        error.conceal(mask)
        raise


def _secrets(settings: Any) -> list[Secret]:
    return [value for s in declared(type(settings)) if isinstance(value := getattr(settings, s.name), Secret)]


def _digest(settings: Any, fact: str) -> str:
    """Of the settings with that fact. Addresses count without a slash at their end."""
    values = {s.name: getattr(settings, s.name) for s in declared(type(settings)) if getattr(s, fact)}
    texts = {k: v.rstrip("/") if isinstance(v, str) else v for k, v in values.items()}
    return hashlib.sha256(compact(to_json(texts)).encode()).hexdigest()[:16]
