"""A connector connected to its application: settings found, HTTP set up, and on a sandbox the stand-in started."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from attrs import frozen

from connector_core.clock import Clock
from connector_core.config import ConnectionConfig, resolve
from connector_core.convert import compact, to_json
from connector_core.http import HttpClient, HttpEvent, HttpPolicy
from connector_core.model import Manifest, Secret
from connector_core.plugins import Connector
from connector_core.sandbox import Sandbox
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


@contextmanager
def opened(
    config: ConnectionConfig, connector: Connector, *, folder: Path, clock: Clock, cancel: threading.Event,
    policy: HttpPolicy, environ: Mapping[str, str] | None, workers: int | None = None,
    on_event: Callable[[HttpEvent], None] | None = None, before_write: BeforeWrite | None = None,
) -> Iterator[Session]:  # fmt: skip
    """Connect, without a request yet; everything is closed at the end.

    :param folder: where the state is; the vault and a sandbox keep their files there.
    :raises ConfigurationError: a setting is missing or wrong.
    """
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox(connector, folder).serve()).url if config.sandbox else None
        settings = resolve(config, connector.manifest().settings, sandbox_address=sandbox)
        manifest = connector.manifest(settings)
        http = HttpClient(
            policy=policy, clock=clock, cancel=cancel, on_event=on_event, before_write=before_write,
            secrets=() if sandbox else _secrets(settings), environ=environ,
            pool_size=workers or manifest.max_workers,
        )  # fmt: skip
        stack.callback(http.close)
        vault = FileVault(folder / f"{quote(config.name, safe='')}.vault")
        yield Session(
            connector=connector, manifest=manifest, settings=settings, http=http,
            client=connector.connect(settings, http, vault),
            reading=_digest(settings, "reading"), address="sandbox" if sandbox else _digest(settings, "address"),
        )  # fmt: skip


def _secrets(settings: Any) -> list[Secret]:
    return [value for s in declared(type(settings)) if isinstance(value := getattr(settings, s.name), Secret)]


def _digest(settings: Any, fact: str) -> str:
    """Of the settings with that fact. Addresses count without a slash at their end."""
    values = {s.name: getattr(settings, s.name) for s in declared(type(settings)) if getattr(s, fact)}
    texts = {k: v.rstrip("/") if isinstance(v, str) else v for k, v in values.items()}
    return hashlib.sha256(compact(to_json(texts)).encode()).hexdigest()[:16]


class FileVault:
    """Credentials that an application hands out anew, in a file that only its owner can read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def get(self, name: str) -> str | None:
        """What was kept under that name, or None."""
        return self._read().get(name)

    def put(self, name: str, value: str) -> None:
        """Keep it, in one step: a crash leaves the old file or the new one."""
        with self._lock:
            text = json.dumps({**self._read(), name: value})
            draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)

    def _read(self) -> dict[str, str]:
        with contextlib.suppress(FileNotFoundError):
            kept: dict[str, str] = json.loads(self._path.read_text("utf-8"))
            return kept
        return {}
