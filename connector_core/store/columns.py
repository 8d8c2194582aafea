"""A resource in columns: one for each field of `Resource`, in the order of the class.

Whatever holds resources - the picture, its history, what a sync has staged - has these columns, and everything that
reads or writes them takes them from here. Fields that are activity are apart from them: see `activity`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args, get_origin, get_type_hints

from attrs import fields

from connector_core.convert import compact
from connector_core.model import Json, Key, Resource

Value = str | int | None
Fields = tuple[Value, ...]

ACTIVITY = tuple(field.name for field in fields(Resource) if field.metadata.get("activity"))
"""What is kept of a resource, and never compared with earlier versions: columns of the table ``activity``."""
_TYPES = {name: hint for name, hint in get_type_hints(Resource).items() if name not in (*Key._fields, *ACTIVITY)}
FIELDS = tuple(_TYPES)
"""The columns of what is kept of a resource and compared with earlier versions, its key apart."""
COLUMNS = f"connection, type, id, {', '.join(FIELDS)}, began, since, login_key, email_key"
"""The columns of a version in the picture or its history; the last two are `name_keys`."""


def name_keys(prefix: str) -> str:
    """Return the values of ``login_key`` and ``email_key``: the login and e-mail as names are compared.

    :param prefix: what is before ``login`` and ``email`` where this stands: ``:`` for parameters, ``s.`` for columns.
    """
    login, email = f"{prefix}login", f"{prefix}email"
    # of most accounts both are the same text, which is looked at only once
    return f"name_key({login}), CASE WHEN {email} IS NOT {login} THEN nullif(name_key({email}), name_key({login})) END"


def values_of(resources: Sequence[Resource]) -> list[Fields]:
    """Return the values of `FIELDS` of each resource."""
    return list(zip(*(_encoded(name, resources) for name in FIELDS), strict=True))


def resource_of(row: sqlite3.Row) -> Resource:
    """Return the resource that a row with type, id and `FIELDS` was made from."""
    values = {name: _decoded(_TYPES[name], row[name]) for name in FIELDS}
    return Resource(type=row["type"], id=row["id"], **values)


def _encoded(name: str, resources: Sequence[Resource]) -> Sequence[Value]:
    """Return one column of all, at once: value by value it takes five times as long."""
    values = [getattr(resource, name) for resource in resources]
    if _is(_TYPES[name], Mapping):
        return _json_texts(values)
    if _is(_TYPES[name], Key):
        return [None if value is None else str(value) for value in values]
    if _is(_TYPES[name], bool):  # as SQLite has it
        return [None if value is None else int(value) for value in values]
    return values


def as_text(name: str, value: Value) -> Value:
    """Return a value of a column as the log of changes shows it: true and false in words."""
    return _WORDS.get(value, value) if _is(_TYPES[name], bool) else value


def as_text_sql(name: str, column: str) -> str:
    """Return the same as SQL, for a ``column`` such as ``r.mfa``."""
    words = " ".join(f"WHEN {number} THEN '{word}'" for number, word in _WORDS.items())
    return f"CASE {column} {words} END" if _is(_TYPES[name], bool) else column


_WORDS: dict[Value, str] = {1: "true", 0: "false"}


def _decoded(type: Any, value: Any) -> Any:
    if value is None:
        return None
    decode: Callable[[Any], Any] | None = next((decode for kind, decode in _DECODERS if _is(type, kind)), None)
    return value if decode is None else decode(value)


_DECODERS: tuple[tuple[type, Callable[[Any], Any]], ...] = ((Mapping, json.loads), (Key, Key.parse), (bool, bool))


def _is(type: Any, kind: type) -> bool:
    """Whether a field of that type holds values of that kind, or None."""
    return kind in (type, get_origin(type), *get_args(type)) or any(get_origin(arg) is kind for arg in get_args(type))


_IN_LINES = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",\n", ":"))


def _json_texts(values: Sequence[Mapping[str, Json]]) -> list[str]:
    """Return each as `compact` writes it.

    No text in JSON holds a line break, so each is between two items, and one next to braces between two objects.
    """
    profiles = [value if type(value) is dict else dict(value) for value in values]
    texts = _IN_LINES.encode(profiles)[2:-2].split("},\n{")
    if len(texts) != len(values):  # there are objects within them
        return [compact(profile) for profile in profiles]
    return [f"{{{text}}}".replace("\n", "") for text in texts]
