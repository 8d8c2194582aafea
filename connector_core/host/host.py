"""`Host`: where embedding begins. The command line is a client of it, and of `Connection`.

Nothing here reads a file or the environment unless asked to (`Host.from_environment`), sets up logging, prompts, prints
or exits. Errors are those of `connector_core.errors`; results are frozen values.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from attrs import evolve, frozen

from connector_core.clock import Clock, SystemClock
from connector_core.config.configuration import SANDBOX, Configuration
from connector_core.connectors.plugins import PluginInfo, Plugins
from connector_core.errors import ConfigurationError, UsageError
from connector_core.files import expanded
from connector_core.host.connection import Connection
from connector_core.host.record import Context
from connector_core.model import Manifest
from connector_core.settings import IDENTITY, Setting, declared

if TYPE_CHECKING:
    from connector_core.connectors.sandbox import Sandbox
    from connector_core.host.draft import Draft
    from connector_core.host.setup import Setup, SetupResult
    from connector_core.host.status import ConnectionStatus
    from connector_core.http import HttpPolicy
    from connector_core.provision.plan import Plan
    from connector_core.sync import SyncPolicy


@frozen(kw_only=True)
class Capabilities:
    """What a connector can do, computed from the hooks it implements, and what can be set."""

    manifest: Manifest
    hooks: tuple[str, ...]
    settings: tuple[Setting, ...]


class Host:
    """Plugins, configuration and a state file, put together. Safe in threads; several in one process do not meet.

    :param db: the state file; ``{connection}`` in it gives each connection a file of its own.
    :param plugins: connectors given by hand, by name, in addition to the installed ones.
    :param configuration: connections known by name; by default only those that connectors' names imply.
    :param environ: where proxies and certificates are named for HTTP; None looks nowhere.
    :param clock: where time comes from; tests give one that does not wait.
    :param http_policy: how patient requests are.
    :param sync_policy: what a sync may do.
    :param installed: whether plugins that are installed are looked for.
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
        cls, *, db: str | None = None, config: str | None = None, environ: Mapping[str, str] = os.environ,
        new: bool = False, **more: Any,
    ) -> Self:  # fmt: skip
        """A host as the command line has it: files, folders and variables as docs/configuration.md says.

        :param db: the state file, before ``CONNECTOR_CORE_DB``.
        :param config: the configuration file, before ``CONNECTOR_CORE_CONFIG``.
        :param environ: the environment; a copy is made.
        :param new: the configuration is about to be written, so a file that is named need not be there yet.
        :param more: further arguments of `Host`.
        :raises ConfigurationError: the configuration file is missing although named, or wrong.
        """
        environ = dict(environ)
        named = _named(config, "--config", environ, "CONNECTOR_CORE_CONFIG")
        path = expanded(named) if named else _config_file(needed=new)
        required = bool(named) and not new
        configuration = Configuration.load(path, environ, required=required) if path else Configuration(environ=environ)
        state = _named(db, "--db", environ, "CONNECTOR_CORE_DB")
        where = expanded(state) if state else _state_folder() / "state.db"
        return cls(where, configuration=configuration, environ=environ, **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what is under way; nothing is kept open between calls."""
        self.cancel()

    def cancel(self) -> None:
        """Make everything under way raise `Interrupted`: at once while it waits, else within the read timeout.

        For good: what is asked of the application afterwards is interrupted, too.
        """
        self._cancel.set()

    @property
    def configuration(self) -> Configuration:
        """The configuration as it was read."""
        return self._configuration

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
        from connector_core.connectors.sandbox import Sandbox

        found = self._plugins.connector(connector)
        found.require("sandbox_app")
        return Sandbox(found, self._state_path(connector + SANDBOX).parent)

    def connection_names(self) -> list[str]:
        """Every connection that can be named: configured ones, and those that connectors' names imply."""
        return self._configuration.names(self._plugins.names())

    def connections_in_use(self) -> list[str]:
        """Those that are configured or were used; without a configuration file, the environment may be enough."""
        configured = self._configuration.connections
        return [n for n in self.connection_names() if n in configured or self.status(n).label != "new"]

    def connection(
        self, name: str, *, connector: str | None = None, settings: Mapping[str, Any] | None = None,
        app: str | None = None, owner: str | None = None, managed: bool | None = None,
        guard: Mapping[str, float] | None = None,
    ) -> Connection:  # fmt: skip
        """The connection of that name, as configured, with what is given here before it.

        :param connector: by default as configured, else the connection's own name.
        :param settings: values by name; a secret as text or `Secret`.
        :param app: the application entry it belongs to, and its ``owner``.
        :param managed: whether access may be changed; no, by default.
        :param guard: other limits of the removal guard: ``share``, ``most``.
        :raises UnknownName: it is neither configured nor named like a connector, and no ``connector`` is given.
        :raises ConfigurationError: what is configured or given for it cannot be. Settings are checked when needed.
        """
        config = self._configuration.connection(
            name, self._plugins.names(), settings=settings, connector=connector, app=app, owner=owner,
            managed=managed, guard=guard,
        )  # fmt: skip
        return Connection(config, self._state_path(name), self._context)

    def connection_for(self, plan: Plan) -> Connection:
        """The connection that a plan was made for: the one of its identity, whatever it is called by now.

        :raises UnknownName: there is none, and none has the name that it had.
        """
        for name, table in self._configuration.connections.items():
            if table.get(IDENTITY) == plan.identity:
                return self.connection(name)
        return self.connection(plan.connection)

    def status(self, connection: str) -> ConnectionStatus:
        """How that connection is doing, also while another process syncs it.

        :raises UnknownName: there is no such connection.
        """
        from connector_core.host.status import look

        config = self.connection(connection).config
        return look(config, self._state_path(connection), self._context.clock)

    # -- setting up ----------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the configuration file again. Connections that were opened keep what they were opened with.

        :raises ConfigurationError: it is wrong; then the configuration stays as it was.
        """
        if self._configuration.path is not None:
            self._configuration = Configuration.load(self._configuration.path, self._configuration.environ)

    def draft(self, connector: str, *, name: str | None = None) -> Draft:
        """Begin to set up a connection, which is tried, then saved or discarded.

        :raises UsageError: there is a connection of that name, or this host has no configuration file.
        """
        from connector_core.host.draft import Draft

        return Draft.begin(self._setup(), connector, name)

    def add(
        self, connector: str, *, name: str | None = None, app: str | None = None, owner: str | None = None,
        managed: bool | None = None, settings: Mapping[str, Any] | None = None, keyring: bool | None = None,
        check: bool = True,
    ) -> SetupResult:  # fmt: skip
        """Set a connection up: try it, keep its secrets, and write it into the configuration file.

        :param name: by default the connector's.
        :param app: the application entry, made where there is none; one that is there says owner and managed itself.
        :param settings: values by name; a secret as text or `Secret`.
        :param keyring: True insists on the keyring for secrets, False on private files; None takes what there is.
        :param check: where it finds an error, nothing is saved; False tries nothing.
        :raises UsageError: there is a connection of that name.
        :raises ConfigurationError: a setting is wrong, a secret cannot be kept, or the file cannot be written.
        """
        draft = self.draft(connector, name=name)
        findings = draft.check(settings or {}, tries=check)
        if any(finding.level == "error" for finding in findings):
            draft.discard()
            return draft.unsaved(findings)
        try:
            result = draft.save(settings or {}, app=app, owner=owner, managed=managed, keyring=keyring)
        except BaseException:
            draft.discard()
            raise
        self.reload()
        return evolve(result, findings=findings)

    def configure(
        self, name: str, changes: Mapping[str, Any], *, keyring: bool | None = None, check: bool = True,
        who: str | None = None, reason: str | None = None,
    ) -> SetupResult:  # fmt: skip
        """Change settings of a connection, or its app, owner and managed; None goes back to the default.

        Owner and managed of a connection with an app are the app's, and change for all its connections.

        :param changes: values by name; a secret as text or `Secret`, which replaces the one that is kept.
        :param check: try a new secret, and save nothing where an error is found.
        :param who: for the journal; by default this process's user.
        :raises UnknownName: the file has no such connection.
        :raises ConfigurationChanged: another connection has that name by now; nothing was changed.
        :raises ConfigurationError: as `add`.
        """
        from connector_core.host.audit import requester

        asked = requester(who, reason)
        result = self._setup().configure(name, changes, keyring=keyring, check=check, asked=asked)
        self.reload()
        return result

    def rename(self, name: str, new: str, *, who: str | None = None, reason: str | None = None) -> SetupResult:
        """Give a connection another name; its identity, and all that belongs to it, stays.

        :raises UnknownName: the file has no such connection.
        :raises UsageError: the file or the state has one of the other name.
        :raises Busy: it is being synced or changed.
        """
        from connector_core.host.audit import requester

        result = self._setup().rename(name, new, asked=requester(who, reason))
        self.reload()
        return result

    def remove(self, name: str, *, who: str | None = None, reason: str | None = None) -> SetupResult:
        """Take a connection out of the configuration, with its secrets; its history stays in the state.

        ``leftovers`` of the result names secrets that could not be deleted.

        :raises UnknownName: the file has no such connection.
        :raises Busy: it is being synced or changed.
        """
        from connector_core.host.audit import requester

        result = self._setup().remove(name, asked=requester(who, reason))
        self.reload()
        return result

    def refuse_precious(self, target: Path, *, inputs: Iterable[Path] = ()) -> None:
        """Refuse to write to a file that must not be lost: the state, the configuration, a secret, or an input.

        :raises UsageError: ``target`` is one of them, or a link that another user made.
        """
        from connector_core.host.precious import refuse_precious

        states = {self._state_path(name) for name in self.connection_names()}
        refuse_precious(target, states=states, configuration=self._configuration, inputs=inputs)

    def backup(self, target: Path, *, connection: str | None = None, force: bool = False) -> int:
        """Copy the state into ``target``, also while it is in use; gives the size of the copy in bytes.

        :param connection: whose state, where each connection has a file of its own.
        :param force: put it in the place of a file that is there.
        :raises UsageError: it is not said which file, or there is a file at ``target``.
        :raises NoPicture: there is no state yet.
        :raises StateError: the copy cannot be written, or the state is damaged.
        """
        from connector_core.store.backup import backup

        if connection is None and "{connection}" in self._db:
            raise UsageError("each connection has a state file of its own", hint="say whose with --connection")
        name = self.connection(connection).name if connection is not None else ""
        self.refuse_precious(target)
        return backup(self._state_path(name), target, force=force)

    def restore(self, source: Path, *, connection: str | None = None) -> Path | None:
        """Put a backup in the place of the state; gives where the earlier state is kept, or None where there was none.

        :param connection: whose state, where each connection has a file of its own.
        :raises UsageError: it is not said which file.
        :raises Busy: a connection is being synced or changed.
        :raises StateError: ``source`` is no state file, or damaged, or written by a newer version.
        """
        from connector_core.store.restore import restore

        if connection is None and "{connection}" in self._db:
            raise UsageError("each connection has a state file of its own", hint="say whose with --connection")
        name = self.connection(connection).name if connection is not None else ""
        return restore(source, self._state_path(name), self._context.clock)

    # -- inside --------------------------------------------------------------------------------------------

    def _setup(self) -> Setup:
        from connector_core.host.setup import Setup

        return Setup.begin(self._configuration, self._context, self._state_path)

    def _state_path(self, connection: str) -> Path:
        path = Path(self._db.replace("{connection}", quote(connection, safe=" ")))
        return Path(os.path.realpath(path)) if path.is_symlink() else path  # one lock, by whatever name it is reached


def _named(argument: str | None, option: str, environ: Mapping[str, str], variable: str) -> str | None:
    """The file that an option or else a variable names, or None.

    :raises ConfigurationError: it is said to be nothing.
    """
    name, said_by = (argument, option) if argument is not None else (environ.get(variable), variable)
    if name is not None and not name.strip():
        raise ConfigurationError(f"{said_by} is empty", hint="name a file, or leave it out for the usual place")
    return name


def _config_file(*, needed: bool) -> Path | None:
    """The usual place of the configuration; None where this user has no home, as in a container.

    :raises ConfigurationError: there is none, and it is ``needed``.
    """
    from platformdirs import user_config_path

    folder = _usual(user_config_path)
    if folder is None and needed:
        raise ConfigurationError(
            "there is no home folder to keep the configuration in",
            hint="name a file with --config or CONNECTOR_CORE_CONFIG",
        )
    return folder and folder / "connector-core.toml"


def _state_folder() -> Path:
    """The usual place of the state.

    :raises ConfigurationError: this user has no home.
    """
    from platformdirs import user_state_path

    folder = _usual(user_state_path)
    if folder is None:
        raise ConfigurationError(
            "there is no home folder to keep the state in", hint="name a file with --db or CONNECTOR_CORE_DB"
        )
    return folder


def _usual(place: Callable[[str], Path]) -> Path | None:
    """A folder of this user's; None where there is no home to have it in: then older versions give a relative one."""
    try:
        folder = place("connector-core")
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None
