"""The one converter between JSON and the model, for our own documents: strict, with errors that carry a path.

Replies of applications are not read with it: they are read tolerantly, in named places, by `connector_core.scim`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal, TypeVar, get_args, get_origin

from cattrs import transform_error
from cattrs.errors import ClassValidationError
from cattrs.preconf.json import make_converter
from cattrs.v import format_exception

from connector_core.errors import ConfigurationError
from connector_core.model import EntitlementKey, Json, Key, Secret

T = TypeVar("T")


def from_json(value: Json, kind: type[T], *, what: str) -> T:
    """JSON as a model value; ``what`` names the document in errors.

    :raises ConfigurationError: naming each wrong place, such as ``expected int, found str @ $.page_size``.
    """
    try:
        return _converter.structure(value, kind)
    except (ClassValidationError, ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(f"{what}: {'; '.join(transform_error(error, format_exception=_explain))}") from error


def to_json(value: Any) -> Json:
    """A model value as JSON: objects for attrs classes, ``type:id`` texts for keys, ``***`` for secrets."""
    plain: Json = _converter.unstructure(value)
    return plain


def compact(value: Json) -> str:
    """JSON text without spaces, keys sorted: the same value always gives the same text."""
    return _encode(value)


_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode
_converter = make_converter(detailed_validation=True, forbid_extra_keys=True)


def _explain(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError | ClassValidationError):
        return format_exception(error, kind)
    literal = f"expected one of {', '.join(map(str, get_args(kind)))}" if get_origin(kind) is Literal else None
    return literal or str(error)


def _exactly(kind: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is kind or (kind is float and type(value) is int):
            return kind(value)
        raise ValueError(f"expected {kind.__name__}, found {type(value).__name__}")

    return structure


for _kind in (str, bool, int, float):
    _converter.register_structure_hook(_kind, _exactly(_kind))
for _key in (Key, EntitlementKey):
    _converter.register_structure_hook(_key, lambda value, kind: kind.parse(value))
    _converter.register_unstructure_hook(_key, str)
_converter.register_structure_hook(Secret, lambda value, _: value if isinstance(value, Secret) else Secret(str(value)))
_converter.register_unstructure_hook(Secret, str)
