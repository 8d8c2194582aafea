"""Users as RFC 7643 section 4.1 describes them: listed, looked up, created and changed, for any SCIM application."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

from attrs import evolve, frozen

from connector_core.errors import OperationRefused, ProtocolError, RowRejected
from connector_core.model import Cursor, Grant, Json, Key, NewAccount, Outcome, Page, Resource, Status
from connector_core.scim import paging
from connector_core.scim.client import ScimClient
from connector_core.scim.filters import find_all
from connector_core.scim.patch import PatchStyle, replace
from connector_core.scim.presence import existing
from connector_core.scim.reading import (
    Extension,
    PersonName,
    ScimRow,
    display_name,
    email,
    person_name,
    read_rows,
    to_text,
)

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_MANAGER = Extension(f"{ENTERPRISE}:manager")

Held = Callable[[ScimRow, Resource], Iterable[Grant] | None]
"""What a user's own row says the user holds; None where that cannot be read."""

_STATUS: dict[bool | None, Status] = {True: "enabled", False: "disabled", None: "unknown"}  # P32: missing is unknown


def held_elsewhere(row: ScimRow, user: Resource) -> Iterable[Grant]:
    """Rows of users say nothing of what they hold: groups list their members."""
    return ()


@frozen(kw_only=True)
class ScimUsers:
    """The users of a SCIM service provider.

    :param count: rows to ask for at once.
    :param held: grants that a row itself shows, such as a role in an extension.
    :param login_is_email: whether a ``userName`` with an ``@`` counts as the e-mail of one who has none.
    """

    client: ScimClient
    count: int
    endpoint: str = "Users"
    stream: str = "users"
    type: str = "user"
    held: Held = held_elsewhere
    login_is_email: bool = False

    # -- reading -------------------------------------------------------------------------------------------

    def first(self) -> Cursor:
        """Where the listing begins."""
        return paging.first(self.stream)

    def listed(self, cursor: Cursor) -> Page:
        """The page of the listing at ``cursor``."""
        with _hinting(f"where {self.count} are too many at once, set a smaller page_size"):
            reading = paging.read(self.client, self.endpoint, cursor, count=self.count)
        return evolve(self.page(reading.rows), next=reading.next, total=reading.total, span=reading.span)

    def one(self, user: Key) -> Page | None:
        """A user as they are now; None where it is proven that there is none (P55).

        :raises ProtocolError: the application answered with another user.
        """
        row = existing(self.client, self.endpoint, user.id)
        if row is None:
            return None
        page = self.page([row])
        if any(resource.key != user for resource in page.resources):
            raise ProtocolError(f"asked for {user}, the application answered with another user")
        return page

    def by_login(self, login: str) -> Page:
        """Every user whose userName is that name (`connector_core.names`); an empty page where there is none."""
        rows = find_all(self.client, self.endpoint, "userName", login, count=self.count)
        return self.page(rows) if rows else Page()

    def page(self, rows: Sequence[Json]) -> Page:
        """Users and what their rows say they hold, from rows of the listing or documents of single users."""
        users = read_rows(rows, self.type, self._read)
        grants: list[Grant] = []
        unknown = []
        for resource, held in users.read.values():
            if held is None:
                unknown.append(resource.key)
            else:
                grants.extend(held)
        return Page(
            resources=tuple(resource for resource, _ in users.read.values()), grants=tuple(grants),
            unknown=tuple(unknown), rejected=tuple(users.rejected), warnings=tuple(users.warnings),
        )  # fmt: skip

    def _read(self, row: ScimRow, id: str) -> tuple[Resource, Iterable[Grant] | None]:
        """One row; raises `RowRejected` for one without a userName, which RFC 7643 section 4.1.1 requires."""
        login = row.text("userName")
        if login is None:
            raise RowRejected("userName is missing or not text")
        name = person_name(row)
        resource = Resource(
            type=self.type, id=id, name=display_name(row, name), login=login,
            email=email(row) or (login if self.login_is_email and "@" in login else None),
            status=_STATUS[row.flag("active")], profile=_profile(row, name), manager=_manager(row),
        )  # fmt: skip
        return resource, self.held(row, resource)

    # -- writing: one request each -------------------------------------------------------------------------

    def create(self, document: dict[str, Any], account: NewAccount) -> Outcome:
        """POST a document such as `new_user` gives.

        A reply that shows no user that can be read leaves the account pending: the host looks for it.
        """
        made = self.client.create(self.endpoint, document)
        after = None if made is None else self._after({"userName": account.login, **made})
        if after is None:
            return Outcome(pending=True)
        held = account.role is None or Grant(account.role, after.resources[0].key) in after.grants
        return Outcome(after=after, verified=held and after.resources[0].status == "enabled")

    def delete(self, user: Key) -> Outcome:
        """DELETE. That the user is gone only a read can show (P55); a 404 is for the host to judge (P54)."""
        self.client.delete(self.endpoint, user.id)
        return Outcome()

    def set_active(self, user: Key, active: bool, style: PatchStyle) -> Outcome:
        """PATCH ``active``."""
        after = self.patched(user, replace(style, "active", active))
        return Outcome(after=after, verified=after is not None and after.resources[0].status == _STATUS[active])

    def patched(self, user: Key, body: dict[str, Any]) -> Page | None:
        """PATCH; the user as the reply shows it, or None where it shows nothing, or another user."""
        with _hinting(f"where the reason is the shape of the request, set patch_style: {_STYLES}"):
            document = self.client.patch(self.endpoint, user.id, body)
        after = None if document is None else self._after(document)
        return after if after is not None and after.resources[0].key == user else None

    def put(self, user: Key, changes: Mapping[str, Json]) -> Page | None:
        """Read the user, and PUT the document with these attributes in it: for servers without PATCH (P42).

        :param changes: by the attribute's name as RFC 7643 spells it; None unassigns it.
        :returns: the user as the reply shows it, or None where it shows nothing, or another user.
        :raises NotFound: there is no such user.
        """
        document = self.client.get(self.endpoint, user.id)
        spelled = {name.casefold(): name for name in document}
        for name, value in changes.items():
            document[spelled.get(name.casefold(), name)] = value
        for name in ("meta", *(name for name, value in changes.items() if value is None)):
            document.pop(spelled.get(name.casefold(), name), None)
        reply = self.client.replace(self.endpoint, user.id, document)
        after = None if reply is None else self._after(reply)
        return after if after is not None and after.resources[0].key == user else None

    def _after(self, document: dict[str, Any]) -> Page | None:
        """What a reply shows of the user, or None where it cannot be read: the host then reads for itself."""
        after = self.page([document])
        return after if after.resources else None


@contextmanager
def _hinting(hint: str) -> Iterator[None]:
    """Say which setting may help, where the application declines and no other cure is known."""
    try:
        yield
    except OperationRefused as refused:
        refused.hint = refused.hint or hint
        raise


_STYLES = ", ".join(get_args(PatchStyle))


def new_user(account: NewAccount) -> dict[str, Any]:
    """Return the document of an account to create: userName, the same as primary e-mail, names, active."""
    document: dict[str, Any] = {
        "schemas": [CORE],
        "userName": account.login,
        "emails": [{"value": account.login, "type": "work", "primary": True}],
        "active": True,
    }
    names = {"givenName": account.given_name, "familyName": account.family_name}
    if name := {part: value for part, value in names.items() if value}:
        document["name"] = name
    return document


def _manager(row: ScimRow) -> str | None:
    """The id of the manager (RFC 7643 section 4.3): from an object or a text; some objects have none."""
    value = _MANAGER.of(row)
    value = ScimRow(value).get("value") if isinstance(value, dict) else value
    return to_text(value) if isinstance(value, str) and value.strip() else None


def _profile(row: ScimRow, name: PersonName) -> dict[str, Json]:
    facts: dict[str, Json] = {}
    if name.given:
        facts["given_name"] = name.given
    if name.family:
        facts["family_name"] = name.family
    if external := row.text("externalId"):
        facts["external_id"] = external
    return facts
