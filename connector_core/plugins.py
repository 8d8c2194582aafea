"""Finds, loads and verifies plugins, one by one: a broken one is a row in a table, never a crash.

pluggy drops a second plugin of the same name without a word, accepts a misspelt hook until it is asked about pending
ones, and stops at the first plugin that fails on import. So each plugin gets a manager of its own here.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pluggy
from attrs import field, frozen

from connector_core import hookspecs
from connector_core.clock import within
from connector_core.errors import ConnectorCoreError, PluginError, UnknownName, Unsupported
from connector_core.model import (
    Cursor,
    Entitlement,
    EntitlementKey,
    Finding,
    Grant,
    Key,
    Manifest,
    NewAccount,
    Outcome,
    Page,
    Rejected,
    Resource,
)
from connector_core.settings import declared

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from connector_core.http import HttpClient

T = TypeVar("T")
CONTRACT = 1  # the version of the plugin contract that this host speaks
ANNOUNCEMENT_SECONDS = 30.0  # longer than this, nobody waits for a plugin that is only told something

_LONGEST = 500  # characters of a foreign error that are worth showing
_CONTENTS: Mapping[str, type] = {
    "resources": Resource, "entitlements": Entitlement, "grants": Grant, "next": Cursor, "rejected": Rejected,
    "unknown": Key, "warnings": str,
}  # fmt: skip


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
        findings = self._ask("connector_check", list, client=client)
        self._verify("connector_check", findings, Finding)
        return tuple(findings)

    def sync_page(self, client: Any, cursor: Cursor | None) -> Page:
        return self._page("sync_page", self._ask("sync_page", Page, client=client, cursor=cursor))

    def sync_resource(self, client: Any, resource: Resource) -> Page | None:
        answer = self._call("sync_resource", client=client, resource=resource)
        return None if answer is None else self._alone("sync_resource", answer)  # None: proven gone

    def find_account(self, client: Any, login: str) -> Page:
        return self._alone("find_account", self._ask("find_account", Page, client=client, login=login))

    def create_account(self, client: Any, account: NewAccount) -> Outcome:
        return self._outcome("provision_create_account", client=client, account=account)

    def delete_account(self, client: Any, resource: Resource) -> Outcome:
        return self._outcome("provision_delete_account", client=client, resource=resource)

    def enable_account(self, client: Any, resource: Resource) -> Outcome:
        return self._outcome("provision_enable_account", client=client, resource=resource)

    def grant(self, client: Any, grant: Grant) -> Outcome:
        return self._outcome("provision_grant", client=client, grant=grant)

    def revoke(self, client: Any, grant: Grant) -> Outcome:
        return self._outcome("provision_revoke", client=client, grant=grant)

    def sandbox_app(self, folder: Path) -> WSGIApplication:
        app: WSGIApplication = self._call("sandbox_app", folder=folder)
        if not callable(app):
            raise self._broken("sandbox_app", "no WSGI application")
        return app

    def require(self, *hooks: str) -> None:
        """Raise `Unsupported` where the connector lacks one of these hooks; before any request is made."""
        missing = [hook for hook in hooks if hook not in self.hooks]
        if missing:
            raise Unsupported(
                f"the connector {self.name} cannot do this: it has no {', '.join(missing)}",
                hint=f"connector-core capabilities {self.name} shows what it can do",
            )

    # -- the wall ------------------------------------------------------------------------------------------

    def _call(self, hook: str, **arguments: Any) -> Any:
        self.require(hook)
        try:
            return getattr(self._manager.hook, hook)(**arguments)
        except (ConnectorCoreError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit, too: no plugin ends the program
            raise PluginError(f"the plugin {self.name} failed in {hook}: {_words(error)}") from error

    def _ask(self, hook: str, kind: type[T], **arguments: Any) -> T:
        answer = self._call(hook, **arguments)
        if not isinstance(answer, kind) or answer is None:
            raise self._broken(hook, type(answer).__name__)
        return answer

    def _outcome(self, hook: str, **arguments: Any) -> Outcome:
        outcome = self._ask(hook, Outcome, **arguments)
        if outcome.after is not None:
            self._alone(hook, outcome.after)
        return outcome

    def _page(self, hook: str, page: Page) -> Page:
        """What does not fit the contract is found here, and not when it is half written."""
        self._verify(hook, [page], Page)
        for name, kind in _CONTENTS.items():
            self._verify(hook, getattr(page, name), kind)
        self._verify(hook, [g.entitlement for g in page.grants], EntitlementKey)
        self._verify(hook, [g.principal for g in page.grants], Key)
        for r in page.resources:
            if not (r.id and r.type and isinstance(r.id, str) and isinstance(r.type, str)):
                raise self._broken(hook, f"a resource whose key is {r.type!r}, {r.id!r}; both must be texts")
            if r.profile and not _is_json(r.profile):
                raise self._broken(hook, f"{r.key} with a profile that is not JSON")
        if not all(map(_is_number, (page.total, *(cursor.index for cursor in page.next)))):
            raise self._broken(hook, "a total or an index that is no number of rows")
        return page

    def _alone(self, hook: str, page: Page) -> Page:
        """The answer about one account: few enough texts to look at each."""
        self._page(hook, page)
        texts = [(*r.key, r.name, r.login, r.email, r.profile) for r in page.resources]
        try:
            json.dumps([texts, page.warnings, [row.reason for row in page.rejected]], ensure_ascii=False).encode()
        except (ValueError, TypeError) as error:
            raise self._broken(hook, f"what no store can take ({type(error).__name__})") from None
        return page

    def _verify(self, hook: str, items: Iterable[object], kind: type) -> None:
        if not isinstance(items, list | tuple):
            raise self._broken(hook, f"{type(items).__name__} where a list is expected")
        if set(map(type, items)) <= {kind}:
            return
        for item in items:
            if not isinstance(item, kind):
                raise self._broken(hook, f"{type(item).__name__} where {kind.__name__} is expected")

    def _broken(self, hook: str, answer: str) -> PluginError:
        return PluginError(f"the plugin {self.name} broke its contract: {hook} answered {answer}")


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
                within(seconds, lambda tell=tell: tell(**arguments))  # type: ignore[misc]
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                complaints.append(f"the plugin {name} failed in {hook}: {_words(error)}")
        return complaints

    def _row(self, found: _Found) -> PluginInfo:
        hooks: frozenset[str] = frozenset()
        problem = None
        try:
            manager = self._load(found.name)
            hooks = _hooks_of(manager)
            if "connector_manifest" in hooks:
                _verify_manifest(Connector(found.name, found.version or "0", manager))
        except ConnectorCoreError as error:
            problem = str(error)
        return PluginInfo(
            name=found.name, distribution=found.distribution, version=found.version, hooks=tuple(sorted(hooks)),
            error=problem,
        )  # fmt: skip

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
            who = " and ".join(f.distribution or "the program" for f in offers)
            return PluginError(f"the name {name} is offered by {who}", hint="uninstall all but one of them")
        try:
            return _manager(offers[0])
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return PluginError(f"the plugin {name} cannot be loaded: {_words(error)}")


def _words(error: BaseException) -> str:
    """What a foreign error says, in one line, even where it cannot say it."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return (text if isinstance(error, ConnectorCoreError) else f"{type(error).__name__}: {text}")[:_LONGEST]


def _is_json(value: object) -> bool:
    if type(value) is dict and {*map(type, value), *map(type, value.values())} == {str}:  # as nearly all profiles are
        return True
    if value is None or isinstance(value, _PLAIN):
        return True
    if isinstance(value, float):
        return value - value == 0  # neither NaN nor infinite
    if isinstance(value, list | tuple):
        return all(map(_is_json, value))
    return isinstance(value, Mapping) and all(isinstance(k, str) and _is_json(v) for k, v in value.items())


_PLAIN = (str, bool, int)


def _is_number(value: object) -> bool:
    """A number of rows, or none."""
    return value is None or (type(value) is int and abs(value) <= _MOST)


_MOST = 2**53


def _from_entry_point(entry: EntryPoint) -> _Found:
    dist = entry.dist
    return _Found(entry.name, dist.name if dist else None, dist.version if dist else None, entry.load)


def _manager(found: _Found) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(found.load(), found.name)
    hooks = _hooks_of(manager)
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


def _hooks_of(manager: pluggy.PluginManager) -> frozenset[str]:
    return frozenset(name for name, caller in vars(manager.hook).items() if caller.get_hookimpls())


def _verify_manifest(connector: Connector) -> None:
    manifest, name = connector.manifest(), connector.name
    if manifest.contract != CONTRACT:
        raise PluginError(f"the plugin {name} speaks version {manifest.contract} of the contract, this host {CONTRACT}")
    if manifest.name != name:
        raise PluginError(f"the manifest is named {manifest.name!r}, its entry point {name!r}: they must be the same")
    try:
        list(declared(manifest.settings))
    except Exception as error:
        raise PluginError(f"the plugin {name} has no usable settings class: {_words(error)}") from error
