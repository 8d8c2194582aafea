"""One connector, addressed: a typed method for each hook, with errors translated and answers verified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from connector_core.connectors.blame import place, trace
from connector_core.connectors.limits import is_storable_json, storable, within_limits
from connector_core.connectors.plugin_output import PluginVoice
from connector_core.connectors.references import DeclaredTypes, within_references
from connector_core.errors import ConnectorCoreError, PluginError, RowRejected, Unsupported
from connector_core.hookspecs import Vault
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
    ResourceType,
    Span,
)

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from connector_core.http import HttpClient

T = TypeVar("T")
_LONGEST = 500  # characters of a foreign error that are worth showing
_RESERVED_STREAMS = ("", "*")  # the beginning, and no stream
_CONTENTS: Mapping[str, type | tuple[type, ...]] = {
    "resources": Resource, "entitlements": Entitlement, "grants": Grant, "next": Cursor, "rejected": Rejected,
    "unknown": (Key, EntitlementKey), "warnings": str,
}  # fmt: skip


class Connector:
    """One connector, addressed: a typed method for each hook, foreign errors translated at this wall."""

    def __init__(self, name: str, version: str, manager: pluggy.PluginManager) -> None:
        self.name = name
        self.version = version
        self.voice = PluginVoice(mask=str)
        self._declared: DeclaredTypes | None = None  # until its manifest was read
        self._manager = manager
        self.hooks = hooks_of(manager)

    def manifest(self, settings: Any | None = None) -> Manifest:
        manifest = self._ask("connector_manifest", Manifest, settings=settings)
        self._verify("connector_manifest", manifest.resource_types, ResourceType)
        self._verify("connector_manifest", [kind.type for kind in manifest.resource_types], str)
        self._declared = DeclaredTypes.of(manifest)
        return manifest

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

    def check_grant(self, client: Any, grant: Grant) -> bool | None:
        answer = self._call("check_grant", client=client, grant=grant)
        if not isinstance(answer, bool | None):
            raise self._broken("check_grant", f"{type(answer).__name__} where True, False or None is expected")
        return answer

    def create_account(self, client: Any, account: NewAccount) -> Outcome:
        return self._outcome("provision_create_account", client=client, account=account)

    def delete_account(self, client: Any, resource: Resource) -> Outcome:
        return self._outcome("provision_delete_account", client=client, resource=resource)

    def enable_account(self, client: Any, resource: Resource) -> Outcome:
        return self._outcome("provision_enable_account", client=client, resource=resource)

    def disable_account(self, client: Any, resource: Resource) -> Outcome:
        return self._outcome("provision_disable_account", client=client, resource=resource)

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
            with self.voice.speaking():
                return getattr(self._manager.hook, hook)(**arguments)
        except (ConnectorCoreError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit, too: no plugin ends the program
            raise failure(self.name, hook, error) from error

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
        self._verify(hook, [e.resource for e in page.entitlements], Key)
        self._verify(hook, [row.key for row in page.rejected], (Key, type(None)))
        self._verify(hook, [page.span], (Span, type(None)))
        for r in page.resources:
            if not (r.id and r.type and isinstance(r.id, str) and isinstance(r.type, str)):
                raise self._broken(hook, f"a resource whose key is {r.type!r}, {r.id!r}; both must be texts")
        source = f"{hook} of the plugin {self.name}"
        page = within_references(page, source, self._declared)
        for cursor in page.next:
            if cursor.stream in _RESERVED_STREAMS:
                raise self._broken(hook, f"a cursor of the stream {cursor.stream!r}; that name is the host's own")
        if not all(map(_is_number, (page.total, *(cursor.index for cursor in page.next)))):
            raise self._broken(hook, "a total or an index that is no number of rows")
        return within_limits(page, source)

    def _alone(self, hook: str, page: Page) -> Page:
        """The answer about one account: few enough texts to look at each.

        :raises RowRejected: a row holds what it may not. Set aside, it would be taken for an account that is not there.
        """
        given, page = page, storable(self._page(hook, page), f"{hook} of the plugin {self.name}")
        if page.rejected != given.rejected:
            raise RowRejected(f"an answer that breaks the contract: {page.rejected[-1].reason}")
        if not is_storable_json([page.warnings, [row.reason for row in page.rejected]]):
            raise self._broken(hook, "a warning or a reason that is no text")
        return page

    def _verify(self, hook: str, items: Iterable[object], kinds: type | tuple[type, ...]) -> None:
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        if not isinstance(items, list | tuple):
            raise self._broken(hook, f"{type(items).__name__} where a list is expected")
        if set(map(type, items)) <= set(kinds):
            return
        for item in items:
            if not isinstance(item, kinds):
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise self._broken(hook, f"{type(item).__name__} where {expected} is expected")

    def _broken(self, hook: str, answer: str) -> PluginError:
        return PluginError(f"the plugin {self.name} broke its contract: {hook} answered {answer}")


def hooks_of(manager: pluggy.PluginManager) -> frozenset[str]:
    return frozenset(name for name, caller in vars(manager.hook).items() if caller.get_hookimpls())


def failure(name: str, hook: str, error: BaseException) -> PluginError:
    """Return the error for what a hook raised: which plugin, which hook, what, and in which line of the plugin."""
    where = place(error)
    failed = PluginError(
        f"the plugin {name} failed in {hook}: {error_text(error)}" + (f" ({where})" if where else ""),
        hint="connector-core logs CONNECTION --level debug shows the traceback" if where else None,
    )
    failed.trace = trace(error)
    return failed


def error_text(error: BaseException) -> str:
    """What a foreign error says, in one line, even where it cannot say it."""
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = ""
    return (text if isinstance(error, ConnectorCoreError) else f"{type(error).__name__}: {text}")[:_LONGEST]


def _is_number(value: object) -> bool:
    """A number of rows, or none."""
    return value is None or (type(value) is int and abs(value) <= _MOST)


_MOST = 2**53
