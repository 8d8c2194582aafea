"""Rows as real servers send them: read tolerantly, one by one, a malformed one never taking its page with it (P35).

``schemas`` and ``meta`` are not looked at (P18, P33, P34), unknown attributes are ignored (P19b).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from attrs import Factory, define

from connector_core.errors import RowRejected
from connector_core.model import Json, Key, Rejected

T = TypeVar("T")

_ABSENT = object()
_WORDS = {"true": True, "false": False}


class ScimRow:
    """One resource as it was sent, its attributes found whatever the case of their names (P17).

    Asked by the name that the RFC uses, which is the quick way. Where a server spells its names otherwise, all its rows
    do so alike: the spelling is worked out once for each set of names, not for each row.
    """

    __slots__ = ("_spelled", "document")

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._spelled: Mapping[str, str] | None = None

    def get(self, name: str) -> Any:
        """The value of an attribute; None where it is absent or unassigned (P26)."""
        value = self.document.get(name, _ABSENT)
        if value is _ABSENT:
            value = self._otherwise(name)
        return value if value or (value != "" and value != []) else None

    def text(self, name: str) -> str | None:
        """An attribute as text; None where it is unassigned or something else than text."""
        value = self.document.get(name, _ABSENT)
        if value is _ABSENT:
            value = self._otherwise(name)
        if not isinstance(value, str) or not value:
            return None
        return value if value.isascii() else to_text(value)

    def flag(self, name: str) -> bool | None:
        """An attribute as a boolean, see `to_bool`."""
        value = self.document.get(name)
        return value if value is True or value is False else to_bool(self.get(name), name)

    def _otherwise(self, name: str) -> Any:
        """The value of an attribute whose name is spelled in another case, or None."""
        if self._spelled is None:
            self._spelled = _spelling(tuple(self.document))
        spelled = self._spelled.get(name.casefold())
        return None if spelled is None else self.document[spelled]

    def part(self, name: str) -> ScimRow | None:
        """A complex attribute, such as ``name``; None where it is unassigned or not complex."""
        value = self.get(name)
        return ScimRow(value) if isinstance(value, dict) else None


class Extension:
    """One attribute of an extension schema, wherever a server puts it (P19, P21).

    Made from its full name, ``URN:attribute``, which is split at the last colon because URNs hold colons and dots
    themselves (P22). Found nested under the URN, or flattened as ``URN:attribute`` or ``URN.attribute``.
    """

    __slots__ = ("_flat", "attribute", "urn")

    def __init__(self, full_name: str) -> None:
        self.urn, _, self.attribute = full_name.rpartition(":")
        self._flat = (f"{self.urn}:{self.attribute}", f"{self.urn}.{self.attribute}")

    def of(self, row: ScimRow) -> Any:
        """Its value in ``row``, or None where it is unassigned or absent."""
        plain = row.document.get(self.urn)
        if isinstance(plain, dict) and isinstance(value := plain.get(self.attribute), bool):
            return value
        nested = row.part(self.urn)
        if nested is not None and (value := nested.get(self.attribute)) is not None:
            return value
        colon, dot = self._flat
        value = row.get(colon)
        return row.get(dot) if value is None else value


# -- values ----------------------------------------------------------------------------------------------------


def to_bool(value: Any, attribute: str) -> bool | None:
    """JSON booleans, ``"True"``, ``"false"``, 1 and 0; None for what counts as unassigned (P25, P26).

    Anything else raises `RowRejected`: a guess here would show access that does not exist.
    """
    if isinstance(value, bool):
        return value
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, str) and (word := _WORDS.get(value.strip().casefold())) is not None:
        return word
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise RowRejected(f"{attribute} is not a boolean")


def to_id(value: Any) -> str:
    """An id: text or a whole number (P27). ``RowRejected`` for what could not stand in an address."""
    if isinstance(value, str):
        if value.strip() not in ("", ".", "..") and (value.isascii() or to_text(value) == value):
            return value
    elif isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowRejected("id is missing or unusable")


def id_of(row: Json) -> str | None:
    """The id of a row as it was sent, or None where it has none that can be read."""
    try:
        return to_id(ScimRow(row).get("id")) if isinstance(row, dict) else None
    except RowRejected:
        return None


def to_text(value: str) -> str:
    """``value`` as it is, but for halves of surrogate pairs, which no file and no socket takes: those become ``?``."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def email(row: ScimRow) -> str | None:
    """The primary e-mail, else the first: from a list of objects or of text, from one object or one text (P30)."""
    value = row.get("emails")
    entries = value if isinstance(value, list) else [value]
    first = None
    for entry in entries:
        address, primary = _address(entry)
        if address and primary:
            return address
        first = first or address
    return first


class PersonName(NamedTuple):
    """The attribute ``name`` of a person, as far as it is there."""

    formatted: str | None = None
    given: str | None = None
    family: str | None = None


def person_name(row: ScimRow) -> PersonName:
    name = row.part("name")
    if name is None:
        return PersonName()
    return PersonName(name.text("formatted"), name.text("givenName"), name.text("familyName"))


def display_name(row: ScimRow, name: PersonName) -> str | None:
    """What to call the one in this row: displayName, name.formatted, given and family name, userName (P36)."""
    if shown := row.text("displayName") or name.formatted:
        return shown
    given, family = name.given, name.family
    return f"{given} {family}" if given and family else given or family or row.text("userName")


# -- pages of rows ---------------------------------------------------------------------------------------------


@define
class Rows(Generic[T]):
    """What was read from the rows of one page, by id, and what was not."""

    read: dict[str, T] = Factory(dict)
    rejected: list[Rejected] = Factory(list)
    warnings: list[str] = Factory(list)


def read_rows(rows: Iterable[Json], type: str, read: Callable[[ScimRow, str], T]) -> Rows[T]:
    """Read each row with ``read(row, id)``, which may raise `RowRejected`.

    A row that repeats an id replaces the earlier one; where the two differ, a warning says so (P07).
    """
    result: Rows[T] = Rows()
    for document in rows:
        try:
            if not isinstance(document, dict):
                raise RowRejected("the row is not an object")
            row = ScimRow(document)
            row_id = to_id(row.get("id"))
            value = read(row, row_id)
        except RowRejected as error:
            result.rejected.append(_rejected(document, type, error.message))
            continue
        if result.read.setdefault(row_id, value) != value:
            result.warnings.append(f"{Key(type, row_id)} is listed twice with different content; the later was taken")
            result.read[row_id] = value
    return result


def _rejected(document: Json, type: str, reason: str) -> Rejected:
    row_id = id_of(document)
    if row_id is None:
        return Rejected(reason=reason)
    key = Key(type, row_id)
    return Rejected(reason=f"{key}: {reason}", key=key)


def _address(entry: Json) -> tuple[str | None, bool]:
    if isinstance(entry, str):
        return to_text(entry), False
    if not isinstance(entry, dict):
        return None, False
    value, primary = entry.get("value"), entry.get("primary")
    if isinstance(value, str) and value and value.isascii() and isinstance(primary, bool):
        return value, primary  # as it should be; what follows is for the others
    row = ScimRow(entry)
    primary = row.get("primary")
    return row.text("value"), primary is True or (isinstance(primary, str) and primary.casefold() == "true")


@lru_cache(maxsize=128)
def _spelling(names: tuple[str, ...]) -> Mapping[str, str]:
    return {name.casefold(): name for name in names}
