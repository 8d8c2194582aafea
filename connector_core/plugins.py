"""Finds, loads and verifies plugins, one by one: a broken one is a row in a table, never a crash.

pluggy drops a second plugin of the same name without a word, accepts a misspelt hook until it is asked about pending
ones, and stops at the first plugin that fails on import. So each plugin gets a manager of its own here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pluggy
from attrs import field, frozen

from connector_core import hookspecs
from connector_core.errors import ConnectorCoreError, PluginError, UnknownName, Unsupported
from connector_core.model import (
    Cursor,
    Finding,
    Grant,
    Manifest,
    NewAccount,
    Outcome,
    Page,
    Resource,
)

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from connector_core.http import HttpClient

T = TypeVar("T")
CONTRACT = 1  # the version of the plugin contract that this host speaks


class Vault(Protocol):
    """Keeps what an application hands out anew, such as a rotated token."""

    def get(self, name: str) -> str | None:
        """What was kept under that name, or None."""

    def put(self, name: str, value: str) -> None:
        """Keep it, readable by this connection only."""


@frozen(kw_only=True)
class PluginInfo:
    """A row of `connector-core plugins`: what is installed, and why it cannot be used where ``error`` is set."""

    name: str
    distribution: str | None
    version: str | None
    hooks: tuple[str, ...] = ()
    error: str | None = None


class Connector:
    """One connector, addressed: a typed method for each hook, foreign errors translated at this wall."""

    def __init__(self, name: str, version: str, manager: pluggy.PluginManager) -> None:
        self.name = name
        self.version = version
        self._manager = manager
        self.hooks = _hooks_of(manager)

    def manifest(self, settings: Any | None = None) -> Manifest:
        return self._ask("connector_manifest", Manifest, settings=settings)

    def connect(self, settings: Any, http: HttpClient, vault: Vault) -> Any:
        return self._ask("connector_connect", object, settings=settings, http=http, vault=vault)

    def check(self, client: Any) -> tuple[Finding, ...]:
        return tuple(self._ask("connector_check", list, client=client))

    def sync_page(self, client: Any, cursor: Cursor | None) -> Page:
        return self._ask("sync_page", Page, client=client, cursor=cursor)

    def sync_resource(self, client: Any, resource: Resource) -> Page | None:
        # None is an answer here: proven gone.
        return self._ask("sync_resource", Page | None, client=client, resource=resource)  # type: ignore[arg-type]

    def find_account(self, client: Any, login: str) -> Page:
        return self._ask("find_account", Page, client=client, login=login)

    def create_account(self, client: Any, account: NewAccount) -> Outcome:
        return self._ask("provision_create_account", Outcome, client=client, account=account)

    def delete_account(self, client: Any, resource: Resource) -> Outcome:
        return self._ask("provision_delete_account", Outcome, client=client, resource=resource)

    def enable_account(self, client: Any, resource: Resource) -> Outcome:
        return self._ask("provision_enable_account", Outcome, client=client, resource=resource)

    def grant(self, client: Any, grant: Grant) -> Outcome:
        return self._ask("provision_grant", Outcome, client=client, grant=grant)

    def revoke(self, client: Any, grant: Grant) -> Outcome:
        return self._ask("provision_revoke", Outcome, client=client, grant=grant)

    def sandbox_app(self, folder: Path) -> WSGIApplication:
        app: WSGIApplication = self._call("sandbox_app", folder=folder)
        if not callable(app):
            raise PluginError(f"the plugin {self.name} broke its contract: sandbox_app answered no WSGI application")
        return app

    def require(self, *hooks: str) -> None:
        """Raise `Unsupported` where the connector lacks one of these hooks; before any request is made."""
        missing = [hook for hook in hooks if hook not in self.hooks]
        if missing:
            raise Unsupported(
                f"the connector {self.name} cannot do this: it has no {', '.join(missing)}",
                hint=f"connector-core capabilities {self.name} shows what it can do",
            )

    def _ask(self, hook: str, kind: type[T], **arguments: Any) -> T:
        answer = self._call(hook, **arguments)
        if not isinstance(answer, kind):
            raise PluginError(f"the plugin {self.name} broke its contract: {hook} answered {type(answer).__name__}")
        return answer

    def _call(self, hook: str, **arguments: Any) -> Any:
        self.require(hook)
        try:
            return getattr(self._manager.hook, hook)(**arguments)
        except ConnectorCoreError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f"the plugin {self.name} failed in {hook}: {type(error).__name__}: {error}") from error


@frozen
class _Found:
    """A plugin on offer: ``load`` gives the object with its hook implementations."""

    name: str
    distribution: str | None
    version: str | None
    load: Callable[[], object] = field(repr=False)


class Plugins:
    """The plugins of one host. Nothing is imported before it is asked for."""

    def __init__(self, more: Mapping[str, object] | None = None, *, entry_point_group: str | None = hookspecs.GROUP):
        """
        :param more: plugins given by hand, by name: modules or objects with hook implementations.
        :param entry_point_group: where installed ones are found; None looks for none.
        """
        found = [_from_entry_point(e) for e in entry_points(group=entry_point_group)] if entry_point_group else []
        found += [_Found(name, None, None, lambda plugin=plugin: plugin) for name, plugin in (more or {}).items()]  # type: ignore[misc]
        self._found = sorted(found, key=lambda f: (f.name, f.distribution or ""))
        self._managers: dict[str, pluggy.PluginManager | PluginError] = {}

    def names(self) -> list[str]:
        """The names on offer, broken ones too."""
        return sorted({f.name for f in self._found})

    def rows(self) -> list[PluginInfo]:
        """Every plugin on offer, loaded and verified."""
        return [self._row(f) for f in self._found]

    def connector(self, name: str) -> Connector:
        """The connector of that name.

        :raises UnknownName: nothing of that name is installed.
        :raises PluginError: it is broken; the reason is the message.
        """
        if name not in self.names():
            from difflib import get_close_matches

            near = get_close_matches(name, self.names(), 1)
            installed = ", ".join(self.names()) or "none"
            hint = f"did you mean {near[0]}?" if near else f"installed: {installed}"
            raise UnknownName(f"no connector named {name!r} is installed", hint=hint)
        manager = self._load(name)
        version = next(f.version for f in self._found if f.name == name) or "0"
        connector = Connector(name, version, manager)
        connector.require("connector_manifest", "connector_connect", "sync_page")
        _verify_manifest(connector)
        return connector

    def announce(self, hook: str, **arguments: Any) -> list[str]:
        """Tell every plugin; one that fails is no failure of ours: the complaints are returned, to be logged."""
        complaints = []
        for name in self.names():
            try:
                getattr(self._load(name).hook, hook)(**arguments)
            except Exception as error:
                if not isinstance(error, PluginError):
                    complaints.append(f"the plugin {name} failed in {hook}: {type(error).__name__}: {error}")
        return complaints

    def _row(self, found: _Found) -> PluginInfo:
        try:
            manager = self._load(found.name)
            hooks = _hooks_of(manager)
            if "connector_manifest" in hooks:
                _verify_manifest(Connector(found.name, found.version or "0", manager))
        except ConnectorCoreError as error:
            return PluginInfo(name=found.name, distribution=found.distribution, version=found.version, error=str(error))
        return PluginInfo(
            name=found.name, distribution=found.distribution, version=found.version, hooks=tuple(sorted(hooks))
        )

    def _load(self, name: str) -> pluggy.PluginManager:
        if name not in self._managers:
            self._managers[name] = self._try(name)
        outcome = self._managers[name]
        if isinstance(outcome, PluginError):
            raise outcome
        return outcome

    def _try(self, name: str) -> pluggy.PluginManager | PluginError:
        offers = [f for f in self._found if f.name == name]
        if len(offers) > 1:
            who = " and ".join(f.distribution or "the program" for f in offers)
            return PluginError(f"the name {name} is offered by {who}", hint="uninstall all but one of them")
        try:
            return _manager(offers[0])
        except (Exception, SystemExit) as error:
            return PluginError(f"the plugin {name} cannot be loaded: {type(error).__name__}: {error}")


def _from_entry_point(entry: EntryPoint) -> _Found:
    dist = entry.dist
    return _Found(entry.name, dist.name if dist else None, dist.version if dist else None, entry.load)


def _manager(found: _Found) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    plugin = found.load()
    manager.register(plugin, found.name)
    manager.check_pending()
    if not _hooks_of(manager):
        raise PluginError(f"the plugin {found.name} implements no hook; are its functions marked with @hookimpl?")
    for hook in _hooks_of(manager):
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if inspect.isgeneratorfunction(implementation.function) and not implementation.wrapper:
                raise PluginError(f"{hook} is a generator; hooks return values")
    return manager


def _hooks_of(manager: pluggy.PluginManager) -> frozenset[str]:
    return frozenset(name for name, caller in vars(manager.hook).items() if caller.get_hookimpls())


def _verify_manifest(connector: Connector) -> None:
    manifest = connector.manifest()
    if manifest.contract != CONTRACT:
        raise PluginError(
            f"the plugin {connector.name} speaks version {manifest.contract} of the contract, this host {CONTRACT}"
        )
    if manifest.name != connector.name:
        raise PluginError(
            f"the manifest is named {manifest.name!r}, its entry point {connector.name!r}: they must be the same"
        )
