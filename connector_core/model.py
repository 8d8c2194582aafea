"""The values that everything speaks in: frozen, typed, without behaviour beyond their own shape.

The first half is what plugins hand to the host and back (docs/plugins.md); the second
half is what the host answers. Times are UTC: ISO 8601 text with a ``Z`` wherever a person or a script can see them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from attrs import Factory, field, frozen

Json = None | bool | int | float | str | list[Any] | dict[str, Any]
Status = Literal["enabled", "disabled", "pending", "unknown"]
AccountType = Literal["human", "service", "system", "unknown"]
OnRevoke = Literal["nothing", "falls_back", "removes_account", "refused"]
Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")


class Key(NamedTuple):
    """Which resource: its type and the id that the application gave it. Written ``type:id``."""

    type: str
    id: str

    @classmethod
    def parse(cls, text: str) -> Key:
        """``type:id`` back into a key; an id may hold colons, a type may not."""
        kind, colon, id = text.partition(":")
        if not (kind and colon and id):
            raise ValueError(f"expected type:id, found {text!r}")
        return cls(kind, id)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


class EntitlementKey(NamedTuple):
    """Which entitlement: the resource it is held on, and its slug. Written ``type:id:slug``."""

    type: str
    id: str
    slug: str

    @property
    def resource(self) -> Key:
        return Key(self.type, self.id)

    @classmethod
    def parse(cls, text: str) -> EntitlementKey:
        """``type:id:slug`` back into a key; an id may hold colons, a type and a slug may not."""
        resource, colon, slug = text.rpartition(":")
        if not (colon and slug):
            raise ValueError(f"expected type:id:slug, found {text!r}")
        return cls(*Key.parse(resource), slug)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}:{self.slug}"


class Secret:
    """A value that does not show itself: not in ``repr``, ``str``, logs or tracebacks. ``reveal()`` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("a Secret is not pickled: it would lie readable in a file")


# -- what a connector declares ---------------------------------------------------------------------------------


@frozen(kw_only=True)
class ResourceType:
    """A kind of resource. A type with the trait ``user`` holds accounts.

    ``grants``: ``with_resource`` where a read of such a resource, in a listing or by `sync_resource`, gives all grants
    that it holds, so that a grant which it does not give has ended. ``elsewhere``: other listings give them, and a read
    of the resource proves nothing against a grant. ``principal``: whether such a resource can hold entitlements, as
    accounts do, and groups where their members inherit; by default those with the trait ``user``.
    """

    type: str
    display_name: str
    traits: tuple[Literal["user", "role", "group"], ...] = ()
    grants: Literal["with_resource", "elsewhere"] = "elsewhere"
    principal: bool = Factory(lambda self: "user" in self.traits, takes_self=True)


_ACTIVITY = {"activity": True}  # of a field: a fact that changes without meaning for access


@frozen(kw_only=True)
class Resource:
    """One thing in the application.

    Of an account: ``account_type``; ``manager``, the login or id of the account that it reports to; ``mfa``, whether it
    signs in with a second factor; None where the application does not say. ``last_login`` and ``created_at`` are its
    activity, RFC 3339 times with an offset: kept, but never a version and never a change; None leaves what was known.

    ``profile`` holds further facts worth keeping, JSON values by name; they count as content, so leave out what
    changes without meaning (time stamps, versions).
    """

    type: str
    id: str
    name: str | None = None
    login: str | None = None
    email: str | None = None
    status: Status = "unknown"
    account_type: AccountType = "unknown"
    manager: str | None = None
    mfa: bool | None = None
    last_login: str | None = field(default=None, metadata=_ACTIVITY)
    created_at: str | None = field(default=None, metadata=_ACTIVITY)
    parent: Key | None = None
    profile: Mapping[str, Json] = Factory(dict)

    @property
    def key(self) -> Key:
        return Key(self.type, self.id)


@frozen(kw_only=True)
class Entitlement:
    """What can be held on a resource.

    ``description`` says in a sentence, to a reviewer, what holding it allows. ``privileged`` is true where that is
    power over the application itself, or over the access of other accounts.
    ``exclusive`` names a group of entitlements of which a principal holds at most one. ``paid`` is true where holding
    it costs money. ``on_revoke`` says what revoking does: ``nothing`` else, ``falls_back`` to ``falls_back_to``,
    ``removes_account``, or is ``refused``. ``note`` is shown before a write. ``expands`` is true where who holds it
    inherits all that its resource holds (membership of a group).
    """

    resource: Key
    slug: str
    name: str
    description: str | None = None
    privileged: bool = False
    exclusive: str | None = None
    paid: bool = False
    on_revoke: OnRevoke = "nothing"
    falls_back_to: EntitlementKey | None = None
    note: str | None = None
    expands: bool = False

    @property
    def key(self) -> EntitlementKey:
        return EntitlementKey(self.resource.type, self.resource.id, self.slug)

    def excludes(self, other: Entitlement) -> bool:
        """Return whether a principal holds at most one of the two."""
        return self.key != other.key and self.exclusive is not None and self.exclusive == other.exclusive


class Grant(NamedTuple):
    """``principal`` holds ``entitlement``."""

    entitlement: EntitlementKey
    principal: Key


@frozen(kw_only=True)
class Guide:
    """How an administrator gets the credentials: steps in order, and a page that says more."""

    steps: tuple[str, ...] = ()
    url: str | None = None


@frozen(kw_only=True)
class Manifest:
    """What a connector is.

    ``name`` equals the name of its entry point. ``settings`` is an attrs class whose fields are made with
    ``setting()``, ``secret()`` and ``address()``. ``entitlements`` are those that exist in every account of the
    application, whatever a listing says. ``max_workers`` is the most pages to ask for at once. ``contract`` is the
    version of the plugin contract that it is written for: 2 is the newest, and 1 where a plugin does not say.
    """

    name: str
    display_name: str
    summary: str
    settings: type
    resource_types: tuple[ResourceType, ...]
    entitlements: tuple[Entitlement, ...] = ()
    guide: Guide = Guide()
    max_workers: int = 4
    contract: int = 1


# -- what a connector reads ------------------------------------------------------------------------------------


@frozen
class Cursor:
    """Where to go on reading.

    ``stream`` is a name that is stable between syncs; completeness is judged by stream. ``position`` is JSON that only
    the connector understands. ``index`` is the 1-based number of the first row asked for, where the application
    numbers its rows: the host then ends the cursors behind an empty page and compares neighbouring pages.
    """

    stream: str
    position: Json = None
    index: int | None = None


class Span(NamedTuple):
    """Which rows of a numbered listing a page held: ``start`` (1-based), how many, and the first and last row's id.

    Pages of one stream overlap by a row, so that the host can see whether rows moved between two requests (P08).
    """

    start: int
    rows: int
    first: str | None
    last: str | None


@frozen(kw_only=True)
class Rejected:
    """A row that could not be read, why, and which resource it is where that much is readable."""

    reason: str
    key: Key | None = None


@frozen(kw_only=True)
class Page:
    """What one call read.

    ``next``: the cursors that follow. ``total``: how many resources the application says its stream has, or None.
    ``span``: see `Span`. ``unknown``: principals whose grants could not be read, and entitlements of which it could not
    be read which principals hold them; the earlier grants of both stand, unconfirmed. A page with a warning and without
    rows or cursors says that its listing could not be read.
    """

    resources: tuple[Resource, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    grants: tuple[Grant, ...] = ()
    next: tuple[Cursor, ...] = ()
    total: int | None = None
    span: Span | None = None
    rejected: tuple[Rejected, ...] = ()
    unknown: tuple[Key | EntitlementKey, ...] = ()
    warnings: tuple[str, ...] = ()


@frozen(kw_only=True)
class Finding:
    """One answer of `check`. ``code`` is a word that scripts can compare; ``hint`` says what to do."""

    level: Literal["ok", "warning", "error"]
    code: str
    message: str
    hint: str | None = None


# -- what a connector writes -----------------------------------------------------------------------------------


@frozen(kw_only=True)
class NewAccount:
    """An account to create, of a resource type with the user trait.

    ``roles`` are what it is to hold; none means the application's own default. ``role`` is the first of them, for
    plugins of contract 1.
    """

    login: str
    type: str = "user"
    given_name: str | None = None
    family_name: str | None = None
    role: EntitlementKey | None = None
    roles: tuple[EntitlementKey, ...] = Factory(lambda self: (self.role,) if self.role else (), takes_self=True)
    profile: Mapping[str, Json] = Factory(dict)


@frozen(kw_only=True)
class Outcome:
    """What a write was answered with.

    ``after``: the resource and its grants as the reply itself showed them, or None where it showed nothing.
    ``verified``: whether that reply already proves that it is as desired. ``pending``: accepted, and to be completed
    later (202) or by a person, as an invitation is; the host sees a reply with the status 202 by itself.
    """

    after: Page | None = None
    verified: bool = False
    pending: bool = False


# -- what the host answers -------------------------------------------------------------------------------------

SyncStatus = Literal["running", "complete", "incomplete", "held", "failed", "interrupted"]


@frozen(kw_only=True)
class Counts:
    """How many there are in the picture; ``by_type``: of each resource type that the connector declares."""

    user: int = 0
    role: int = 0
    entitlement: int = 0
    grant: int = 0
    by_type: Mapping[str, int] = Factory(dict)


@frozen(kw_only=True)
class ChangeCounts:
    """How many rows of `changes` a sync added to the history. A first sync is the baseline: none."""

    added: int = 0
    removed: int = 0
    changed: int = 0

    @property
    def total(self) -> int:
        return self.added + self.removed + self.changed


@frozen(kw_only=True)
class ErrorInfo:
    """An error as data: a code, a sentence, and what to do."""

    code: str
    message: str
    hint: str | None = None


@frozen(kw_only=True)
class SyncInfo:
    """One run over everything. ``event`` is where in the history it was published, or None."""

    id: int
    status: SyncStatus
    started: str
    finished: str | None = None
    event: int | None = None
    resumed: bool = False
    pages: int = 0
    requests: int = 0
    seconds: float = 0.0
    reason: str | None = None


@frozen(kw_only=True)
class SyncReport:
    """What one `sync` came to."""

    connection: str
    connector: str
    sync: SyncInfo
    counts: Counts = Counts()
    changes: ChangeCounts = ChangeCounts()
    rejected: int = 0
    warnings: tuple[str, ...] = ()
    error: ErrorInfo | None = None


@frozen(kw_only=True)
class Picture:
    """Which state an answer shows: the last event in it, when that was, and how good it is.

    ``status`` is that of the last sync that ended; ``last_complete`` the time of the last complete one, or None.
    """

    event: int | None
    at: str | None
    status: str | None
    last_complete: str | None


@frozen(kw_only=True)
class AccessRow:
    """One person and one thing held; a person without a known role is one row with ``role`` None.

    ``role_name`` is the name of the role, group or other resource that it is held on. ``last_login`` is the last one
    known: None in a picture of the past. It, ``mfa`` and ``manager`` are None where the application does not say.
    """

    connection: str
    user_id: str
    user: str | None
    name: str | None
    email: str | None
    status: Status
    resource_type: str | None
    role: str | None
    entitlement: str | None
    via: str | None
    confirmed: bool
    since: str | None
    role_name: str | None = None
    entitlement_name: str | None = None
    account_type: AccountType = "unknown"
    last_login: str | None = None
    mfa: bool | None = None
    manager: str | None = None


@frozen(kw_only=True)
class Change:
    """One difference between two pictures. Exactly one of ``sync`` and ``operation`` is set.

    ``requested_by`` and ``reason`` are those of the operation, which the journal keeps.
    """

    sync: int | None
    operation: int | None
    at: str
    kind: Literal["added", "removed", "changed"]
    user_id: str
    user: str | None
    what: str
    before: str | None
    after: str | None
    requested_by: str | None = None
    reason: str | None = None


@frozen(kw_only=True)
class History:
    """All that is known of one account: what it held when it was first seen, every change since, and what it holds now.

    ``first``: when that was; ``baseline``: the oldest picture has it already, so that its joining was not seen.
    ``held`` then, each as ``type:id:slug``. ``now`` is empty where it has left.
    """

    user_id: str
    user: str | None
    first: str
    baseline: bool
    held: tuple[str, ...]
    changes: tuple[Change, ...]
    now: tuple[AccessRow, ...]


@frozen(kw_only=True)
class Pruned:
    """What was forgotten: rows of ``syncs``, of ``changes``, and earlier versions of resources and grants.

    ``oldest``: the moment of the oldest picture that can still be shown, or None where nothing was old enough.
    """

    oldest: str | None = None
    syncs: int = 0
    changes: int = 0
    versions: int = 0


@frozen(kw_only=True)
class LogLine:
    """One line of the log that is kept with the state. ``data`` holds figures by name."""

    at: str
    level: Level
    message: str
    sync: int | None = None
    operation: int | None = None
    data: Mapping[str, Json] = Factory(dict)


# -- what the host has written ---------------------------------------------------------------------------------

OperationKind = Literal[
    "create_account", "delete_account", "enable_account", "disable_account", "grant", "revoke", "apply", "setup"
]
OperationState = Literal["planned", "pending", "sent", "done", "failed", "unknown", "refused"]


@frozen(kw_only=True)
class Request:
    """A request that a dry run stopped before it left. ``body`` is JSON, or text where it is none."""

    method: str
    path: str
    body: Json = None


@frozen(kw_only=True)
class Operation:
    """One provisioning request and its result, or a change of set-up.

    ``state``: ``planned`` in a dry run only; ``pending`` and ``sent`` while under way; ``done``, ``failed``, or
    ``unknown`` where the answer never came; ``refused`` where a ``guard`` of this host forbade it and nothing was sent.
    ``outcome``: ``unchanged`` where it was so already and nothing was sent.
    ``verified``: the application was seen to be as desired. ``replaced``: the role that ended with it. ``reactivated``:
    the account was disabled, and enabled first. ``part_of``: the operation that it is a step of.

    Of the kind ``setup``: ``setting`` of the connection changed from ``value_before`` to ``value_after``, each None
    where there was none; a secret's value is never there. Of the kind ``apply``: a plan that was refused as a whole.
    """

    id: int | None
    kind: OperationKind
    user_id: str | None
    user: str | None
    resource_type: str | None = None
    role: str | None = None
    entitlement: str | None = None
    state: OperationState
    outcome: Literal["changed", "unchanged"] | None = None
    verified: bool = False
    replaced: str | None = None
    reactivated: bool = False
    warnings: tuple[str, ...] = ()
    error: ErrorInfo | None = None
    requested_by: str | None = None
    reason: str | None = None
    created: str | None = None
    finished: str | None = None
    part_of: int | None = None
    apply: int | None = None
    request: Request | None = None
    guard: str | None = None
    setting: str | None = None
    value_before: str | None = None
    value_after: str | None = None
