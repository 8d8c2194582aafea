"""Finds, loads and verifies plugins, one by one: a broken one is a row in a table, never a crash.

pluggy drops a second plugin of the same name without a word, accepts a misspelt hook until it is asked about pending
ones, and stops at the first plugin that fails on import. So each plugin gets a manager of its own here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy
from attrs import evolve, field, frozen

from connector_core import hookspecs
from connector_core.clock import within
from connector_core.connectors.blame import place
from connector_core.connectors.connector import Connector, error_text, failure, hooks_of
from connector_core.connectors.plugin_output import PluginVoice
from connector_core.errors import ConnectorCoreError, PluginError, UnknownName
from connector_core.model import Manifest
from connector_core.settings import sufficient_sets

T = TypeVar("T")
CONTRACTS = (1, 2)  # the versions of the plugin contract that this host speaks
ANNOUNCEMENT_SECONDS = 30.0  # an announcement is not waited for any longer


@frozen(kw_only=True)
class PluginInfo:
    """A row of `connector-core plugins`: what is installed, and why it cannot be used where ``error`` is set.

    ``contract``: the version of the plugin contract that a connector is written for; None of other plugins. ``notes``:
    what it does not say, and the newest contract asks for.
    """

    name: str
    distribution: str | None
    version: str | None
    hooks: tuple[str, ...] = ()
    error: str | None = None
    contract: int | None = None
    notes: tuple[str, ...] = ()


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
        :param more: plugins given by hand, by name: modules or objects with hook implementations. One takes the place
            of an installed plugin of the same name.
        :param entry_point_group: where installed ones are found; None looks for none.
        """
        more = more or {}
        installed = entry_points(group=entry_point_group) if entry_point_group else ()
        found = [_from_entry_point(entry) for entry in installed if entry.name not in more]
        found += [_Found(name, None, None, lambda plugin=plugin: plugin) for name, plugin in more.items()]  # type: ignore[misc]
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
            near = get_close_matches(name, self.names(), 1)
            hint = f"did you mean {near[0]}?" if near else f"installed: {', '.join(self.names()) or 'none'}"
            raise UnknownName(f"no connector named {name!r} is installed", hint=hint)
        manager = self._load(name)
        version = next(f.version for f in self._found if f.name == name) or "0"
        connector = Connector(name, version, manager)
        connector.require("connector_manifest", "connector_connect", "sync_page")
        _verify_manifest(connector)
        return connector

    def announce(self, hook: str, *, seconds: float = ANNOUNCEMENT_SECONDS, **arguments: Any) -> list[str]:
        """Tell every plugin. One that fails is no failure of ours: the complaints are returned, to be logged."""
        complaints = []
        for name in self.names():
            try:
                tell = getattr(self._load(name).hook, hook)
            except PluginError:  # a row of `rows` already
                continue
            try:
                within(seconds, lambda tell=tell: _spoken(tell, arguments))  # type: ignore[misc]
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                complaints.append(failure(name, hook, error).message)
        return complaints

    def _row(self, found: _Found) -> PluginInfo:
        hooks: frozenset[str] = frozenset()
        problem = manifest = None
        try:
            manager = self._load(found.name)
            hooks = hooks_of(manager)
            if "connector_manifest" in hooks:
                manifest = _verify_manifest(Connector(found.name, found.version or "0", manager))
        except ConnectorCoreError as error:
            problem = str(error)
        row = PluginInfo(
            name=found.name, distribution=found.distribution, version=found.version, hooks=tuple(sorted(hooks)),
            error=problem,
        )  # fmt: skip
        return row if manifest is None else evolve(row, contract=manifest.contract, notes=_notes(manifest, hooks))

    def _load(self, name: str) -> pluggy.PluginManager:
        if name not in self._managers:
            # Two threads may both get here: the first one's manager is kept, and nothing is lost.
            self._managers.setdefault(name, self._try(name))
        outcome = self._managers[name]
        if isinstance(outcome, PluginError):
            raise PluginError(outcome.message, hint=outcome.hint)
        return outcome

    def _try(self, name: str) -> pluggy.PluginManager | PluginError:
        offers = [f for f in self._found if f.name == name]
        if len(offers) > 1:
            who = " and ".join(str(f.distribution) for f in offers)
            return PluginError(f"the name {name} is offered by {who}", hint="uninstall all but one of them")
        try:
            return _manager(offers[0])
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            where = place(error)
            at = f" ({where})" if where else ""
            return PluginError(f"the plugin {name} cannot be loaded: {error_text(error)}{at}")


def _spoken(tell: Callable[..., object], arguments: Mapping[str, Any]) -> None:
    with PluginVoice(mask=str).speaking():
        tell(**arguments)


def _from_entry_point(entry: EntryPoint) -> _Found:
    dist = entry.dist
    return _Found(entry.name, dist.name if dist else None, dist.version if dist else None, entry.load)


def _manager(found: _Found) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    with PluginVoice(mask=str).speaking():  # what it prints while it is imported is no answer
        plugin = found.load()
    manager.register(plugin, found.name)
    hooks = hooks_of(manager)
    for name in sorted(hooks - vars(hookspecs).keys()):
        near = get_close_matches(name, [n for n, caller in vars(manager.hook).items() if caller.has_spec()], 1)
        raise PluginError(f"{name} is no hook{f'; did you mean {near[0]}?' if near else ''}")
    if not hooks:
        raise PluginError("it implements no hook; are its functions marked with @hookimpl?")
    for hook in sorted(hooks):
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if any(is_lazy(implementation.function) for is_lazy in _LAZY):
                raise PluginError(f"{hook} is a generator or coroutine; hooks return values")
    return manager


_LAZY = (inspect.isgeneratorfunction, inspect.isasyncgenfunction, inspect.iscoroutinefunction)


def _verify_manifest(connector: Connector) -> Manifest:
    manifest, name = connector.manifest(), connector.name
    if manifest.contract not in CONTRACTS:
        spoken = " and ".join(map(str, CONTRACTS))
        raise PluginError(f"the plugin {name} speaks version {manifest.contract} of the contract, this host {spoken}")
    if manifest.name != name:
        raise PluginError(f"the manifest is named {manifest.name!r}, its entry point {name!r}: they must be the same")
    _verify_grants(manifest)
    try:
        sufficient_sets(manifest.settings)
    except Exception as error:
        raise PluginError(f"the plugin {name} has no usable settings class: {error_text(error)}") from error
    return manifest


def _verify_grants(manifest: Manifest) -> None:
    """Refuse a type that does not say in a word of the contract where its grants are read, or is not declared."""
    for kind in manifest.resource_types:
        if kind.grants not in ("with_resource", "elsewhere"):
            said = f"grants={kind.grants!r} of its resource type {kind.type!r}"
            raise PluginError(
                f"the plugin {manifest.name} broke its contract: {said} is neither 'with_resource' nor 'elsewhere'"
            )
    if manifest.contract > 1 and (types := _undeclared_types(manifest)):
        raise PluginError(f"the plugin {manifest.name} broke its contract: its manifest has {_on_types(types)}")


def _undeclared_types(manifest: Manifest) -> list[str]:
    """Return the types on which a manifest has entitlements, and which it does not declare."""
    declared = {kind.type for kind in manifest.resource_types}
    return sorted({e.resource.type for e in manifest.entitlements} - declared)


def _on_types(types: list[str]) -> str:
    return f"entitlements on resources of the type {' and '.join(map(repr, types))}, which it does not declare"


def _notes(manifest: Manifest, hooks: frozenset[str]) -> tuple[str, ...]:
    """Return what a plugin of an earlier contract does not say, each with what follows from it."""
    if manifest.contract == CONTRACTS[-1]:
        return ()
    notes = []
    if all(kind.grants == "elsewhere" for kind in manifest.resource_types):
        notes.append("no resource type says grants='with_resource': a read of an account ends none of its grants")
    if "provision_create_account" in hooks:
        notes.append("a new account is read for one role (NewAccount.role), and not for several (NewAccount.roles)")
    if types := _undeclared_types(manifest):
        notes.append(f"its manifest has {_on_types(types)}: contract {CONTRACTS[-1]} refuses them")
    return (*notes, f"set Manifest(contract={CONTRACTS[-1]}) once that is looked at (docs/plugins.md)")
