"""Faults of single resources: how servers spell, shape and leave out what they know of a user (P17 to P36)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector_core.testing.faults.catalogue import READS, altered, put
from connector_core.testing.faults.exchange import Answer, Exchange, Proceed

User = dict[str, Any]

_SHOWN = READS | {"create", "patch", "put"}  # whatever shows a user


def _on_each(name: str, summary: str, change: Callable[[User], Any], **more: Any) -> None:
    """A fault that shows each user as ``change`` makes it."""

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        return altered(exchange, proceed, lambda d: _changed(d, change))

    put(name, summary, lambda: act, _SHOWN, **more)


def _changed(document: User, change: Callable[[User], Any]) -> Any:
    if isinstance(rows := document.get("Resources"), list):
        return {**document, "Resources": [_one(row, change) for row in rows]}
    return change(document) if "id" in document else None


def _one(row: Any, change: Callable[[User], Any]) -> Any:
    """Faults are laid over each other: what comes may be no user any more."""
    return change(dict(row)) if isinstance(row, dict) else row


def _on_one(name: str, summary: str, change: Callable[[User], Any], **more: Any) -> None:
    """A fault that spoils the second row of a page alone."""

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        def spoil(d: User) -> User:
            rows = d.get("Resources") or []
            return {**d, "Resources": [*rows[:1], *(_one(row, change) for row in rows[1:2]), *rows[2:]]}

        return altered(exchange, proceed, spoil) if exchange.kind == "list" else None

    put(name, summary, lambda: act, frozenset({"list"}), **more)


def _extension(user: User) -> tuple[str, dict[str, Any]]:
    """The extension that holds the role: its URN, and what is in it."""
    return next(
        ((name, value) for name, value in user.items() if ":extension:" in name and isinstance(value, dict)), ("", {})
    )


def _role(change: Callable[[str, str, Any], User]) -> Callable[[User], User]:
    """A change of the role alone, from URN, attribute and value; of a user who shows one."""

    def changed(user: User) -> User:
        urn, held = _extension(user)
        if not held:
            return user
        ((attribute, value),) = held.items()
        rest = {name: other for name, other in user.items() if name != urn}
        return {**rest, **change(urn, attribute, value)}

    return changed


def _with(**attributes: Any) -> Callable[[User], User]:
    return lambda user: {**user, **attributes}


def _without(*names: str) -> Callable[[User], User]:
    return lambda user: {name: value for name, value in user.items() if name not in names}


def _shout(value: Any) -> Any:
    return "True" if value is True else "False" if value is False else value


def _with_booleans(convert: Callable[[Any], Any]) -> Callable[[User], User]:
    def changed(user: User) -> User:
        urn, held = _extension(user)
        role = {urn: {name: convert(value) for name, value in held.items()}} if urn else {}
        return {**user, **role, "active": convert(user.get("active"))}

    return changed


def _digits(user: User) -> User:
    id = str(user.get("id"))
    return {**user, "id": int(id)} if id.isdigit() and id == str(int(id)) else user


def _emails(user: User) -> list[dict[str, Any]]:
    emails = user.get("emails")
    return [each for each in emails if isinstance(each, dict)] if isinstance(emails, list) else []


# -- spelling ------------------------------------------------------------------------------------------------------

_on_each(
    "p17_names_in_upper_case", "Attribute names in capitals.",
    lambda user: {name if ":" in name else name.upper(): value for name, value in user.items()},
)  # fmt: skip
_on_each(
    "p17_urn_in_upper_case", "The extension's URN in capitals.",
    _role(lambda urn, attribute, value: {urn.upper(): {attribute: value}}),
)  # fmt: skip
_on_each("p18_schemas_absent", "No ``schemas``.", _without("schemas"))
_on_each("p18_schemas_as_text", "``schemas`` is a text.", lambda user: {**user, "schemas": str(user.get("schemas"))})
_on_each(
    "p19_role_flattened", "The role as ``URN:attribute``.",
    _role(lambda urn, attribute, value: {f"{urn}:{attribute}": value}),
)  # fmt: skip
_on_each("p19_role_hidden", "The role is never shown.", _role(lambda *_: {}), distorts=["role"])
_on_each(
    "p19_role_in_another_case", "The role's attribute in capitals.",
    _role(lambda urn, attribute, value: {urn: {attribute.upper(): value}}),
)  # fmt: skip
_on_each(
    "p19b_unknown_attributes",
    "Unknown attributes and extensions.",
    _with(**{"urn:example:params:scim:vendor:1.0:User": {"x": [1, {"y": None}]}, "shoeSize": 46, "": 1}),
)
_on_each(
    "p21_dot_before_the_attribute", "The role as ``URN.attribute``.",
    _role(lambda urn, attribute, value: {f"{urn}.{attribute}": value}),
)  # fmt: skip

# -- values --------------------------------------------------------------------------------------------------------

_on_each("p25_booleans_as_text", '``"True"`` and ``"False"``.', _with_booleans(_shout))
_on_each("p25_booleans_as_numbers", "1 and 0.", _with_booleans(lambda v: int(v) if isinstance(v, bool) else v))
_on_each("p25_role_is_null", "The role is null.", _role(lambda u, a, v: {u: {a: None}}), distorts=["role"])
_on_each("p25_role_makes_no_sense", "The role is a word.", _role(lambda u, a, v: {u: {a: "some"}}), distorts=["role"])
_on_each(
    "p26_nulls_and_empties", "What is unassigned is null, an empty text or an empty list.",
    _with(title=None, nickName="", phoneNumbers=[], groups=None, externalId=""),
)  # fmt: skip
_on_each("p27_ids_as_numbers", "An id of digits comes as a number.", _digits)
_on_each(
    "p28_login_in_capitals", "``userName`` comes back in capitals.",
    lambda user: {**user, "userName": str(user.get("userName")).upper()}, distorts=["login"],
)  # fmt: skip
_on_each(
    "p28_login_prefixed", "``userName`` comes back with a domain before it.",
    lambda user: {**user, "userName": f"PRIMARY/{user.get('userName')}"}, distorts=["login"],
)  # fmt: skip
_on_each(
    "p30_emails_as_texts", "``emails`` is a list of texts.",
    lambda user: {**user, "emails": [each.get("value") for each in _emails(user)]},
)  # fmt: skip
_on_each(
    "p30_emails_as_an_object", "``emails`` is one object.",
    lambda user: {**user, "emails": next(iter(_emails(user)), None)},
)  # fmt: skip
_on_each(
    "p30_two_primary_emails", "Two e-mails are primary.",
    lambda user: {**user, "emails": [*_emails(user), {"value": "other@example.com", "primary": True}]},
)  # fmt: skip
_on_each("p30_no_emails", "No ``emails``.", _without("emails"))
_on_each(
    "p31_roles_as_an_object", "``roles`` says something of its own.", _with(roles={"editor": True, "admin": False})
)
_on_each("p31_roles_as_texts", "``roles`` is a list of words.", _with(roles=["editor", "viewer"]))
_on_each("p32_active_absent", "No ``active``.", _without("active"), distorts=["status"])
_on_each("p32_active_makes_no_sense", "``active`` is a word.", _with(active="sometimes"), distorts=["status"])
_on_each(
    "p33_dates_are_garbage", "Dates without zone or sense.",
    lambda user: {**user, "meta": {**(user.get("meta") or {}), "created": "31.02.2019 25:00", "lastModified": "0"}},
)  # fmt: skip
_on_each("p33_meta_absent", "No ``meta``.", _without("meta"))
_on_each(
    "p34_meta_points_elsewhere", "``meta`` names another type and another host.",
    lambda user: {**user, "meta": {"resourceType": "Users", "location": "https://elsewhere.example.com/scim/7"}},
)  # fmt: skip
_on_each("p36_names_absent", "No name of any kind.", _without("name", "displayName"), distorts=["name"])
_on_each(
    "p36_name_formatted_alone", "Only ``name.formatted``.",
    lambda user: {**_without("displayName")(user), "name": {"formatted": "Another Name"}}, distorts=["name"],
)  # fmt: skip

# -- one row in a page ---------------------------------------------------------------------------------------------

_on_one("p35_row_without_login", "The second row of each page has no ``userName``.", _without("userName"))
_on_one("p35_row_without_id", "The second row of each page has no ``id``.", _without("id"))
_on_one("p35_row_is_null", "The second row of each page is null.", lambda row: None)
