"""`Host`: where embedding begins. The command line is a client of it, and of `Connection`.

Nothing here reads a file or the environment unless told to (`Host.from_environment`), sets up logging, prompts, prints
or exits. Errors are those of `connector_core.errors`; results are frozen values.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from attrs import evolve, frozen

from connector_core.clock import Clock, SystemClock
from connector_core.config import SANDBOX, Configuration, ConnectionConfig, Value
from connector_core.connection import Connection, Context
from connector_core.model import Manifest
from connector_core.plugins import PluginInfo, Plugins
from connector_core.settings import Setting, declared

if TYPE_CHECKING:
    from connector_core.http import HttpPolicy
    from connector_core.sandbox import Sandbox
    from connector_core.sync import SyncPolicy


@frozen(kw_only=True)
class Capabilities:
    """What a connector can do, computed from the hooks it implements, and what can be set."""

    manifest: Manifest
    hooks: tuple[str, ...]
    settings: tuple[Setting, ...]


class Host:
    """Plugins, configuration and a state file, put together.

    :param db: the state file; ``{connection}`` in it gives each connection a file of its own.
    :param plugins: connectors given by hand, by name, beside the installed ones.
    :param environ: where proxies and certificates are named for HTTP; None looks nowhere.
    """

    def __init__(
        self, db: str | os.PathLike[str], *, plugins: Mapping[str, object] | None = None,
        configuration: Configuration | None = None, environ: Mapping[str, str] | None = None,
        clock: Clock | None = None, http_policy: HttpPolicy | None = None, sync_policy: SyncPolicy | None = None,
        installed: bool = True,
    ) -> None:  # fmt: skip
        self._db = os.fspath(db)
        self._plugins = Plugins(plugins) if installed else Plugins(plugins, entry_point_group=None)
        self._configuration = configuration or Configuration()
        self._cancel = threading.Event()
        self._context = Context(
            plugins=self._plugins, environ=environ, clock=clock or SystemClock(), http_policy=http_policy,
            sync_policy=sync_policy, cancel=self._cancel,
        )  # fmt: skip

    @classmethod
    def from_environment(
        cls, *, db: str | None = None, config: str | None = None, environ: Mapping[str, str] = os.environ, **more: Any
    ) -> Self:
        """A host as the command line has it: files, folders and variables as the README says.

        :raises ConfigurationError: the configuration file is missing although named, or wrong.
        """
        from platformdirs import user_config_path, user_state_path

        named = config or environ.get("CONNECTOR_CORE_CONFIG")
        path = Path(named) if named else user_config_path("connector-core") / "connector-core.toml"
        state = db or environ.get("CONNECTOR_CORE_DB") or str(user_state_path("connector-core") / "state.db")
        configuration = Configuration.load(path, environ, required=named is not None)
        return cls(state, configuration=configuration, environ=environ, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is under way; nothing is kept open between calls."""
        self.cancel()

    def cancel(self) -> None:
        """Make everything under way raise `Interrupted`: at once while it waits, else within the read timeout."""
        self._cancel.set()

    # -- what there is -------------------------------------------------------------------------------------

    def plugins(self) -> list[PluginInfo]:
        """Every installed plugin, with the reason where one is broken."""
        return self._plugins.rows()

    def capabilities(self, connector: str) -> Capabilities:
        """What that connector can do and what can be set.

        :raises UnknownName, PluginError: it is not installed, or broken.
        """
        found = self._plugins.connector(connector)
        manifest = found.manifest()
        settings = tuple(declared(manifest.settings))
        return Capabilities(manifest=manifest, hooks=tuple(sorted(found.hooks)), settings=settings)

    def sandbox(self, connector: str) -> Sandbox:
        """The stand-in of that connector.

        :raises Unsupported: it has none.
        """
        from connector_core.sandbox import Sandbox

        found = self._plugins.connector(connector)
        found.require("sandbox_app")
        return Sandbox(found, self._state_path(connector + SANDBOX).parent)

    def connection_names(self) -> list[str]:
        """Every connection that can be named: configured ones, and those that connectors' names imply."""
        return self._configuration.names(self._plugins.names())

    def connection(
        self, name: str, *, connector: str | None = None, settings: Mapping[str, Any] | None = None,
        app: str | None = None, owner: str | None = None, managed: bool | None = None,
    ) -> Connection:  # fmt: skip
        """The connection of that name, as configured, with what is given here before it.

        :param settings: values by name; a secret as text or `Secret`.
        :param managed: whether access may be changed.
        :raises UnknownName: it is neither configured nor named like a connector, and no ``connector`` is given.
        """
        if connector is None:
            config = self._configuration.connection(name, self._plugins.names())
        else:
            config = ConnectionConfig(name=name, connector=connector)
        given = {k: Value(v, "the settings argument") for k, v in (settings or {}).items()}
        config = evolve(
            config, values={**config.values, **given}, app=config.app if app is None else app,
            owner=config.owner if owner is None else owner, managed=config.managed if managed is None else managed,
        )  # fmt: skip
        return Connection(config, self._state_path(name), self._context)

    # -- for connections -----------------------------------------------------------------------------------

    def _state_path(self, connection: str) -> Path:
        return Path(self._db.replace("{connection}", quote(connection, safe=" ")))
