"""The one converter between JSON and the model, for our own documents: strict, with errors that carry a path.

Replies of applications are not read with it: they are read tolerantly, in named places, by `connector_core.scim`.
cattrs is imported at the first use: who only asks the picture need not pay for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

from connector_core.errors import ConfigurationError
from connector_core.model import EntitlementKey, Grant, Json, Key, Secret, Span

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")


def from_json(value: Json, kind: type[T], *, what: str) -> T:
    """JSON as a model value; ``what`` names the document in errors.

    :raises ConfigurationError: naming each wrong place, such as ``expected int, found str @ $.page_size``.
    """
    from cattrs.errors import CattrsError

    try:
        return _converter().structure(value, kind)
    except (CattrsError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"{what}: {_explain(error, kind)}") from error


def to_json(value: Any) -> Json:
    """A model value as JSON: objects for attrs classes, ``type:id`` texts for keys, ``***`` for secrets."""
    plain: Json = _converter().unstructure(value)
    return plain


def compact(value: Json) -> str:
    """JSON text without spaces, keys sorted: the same value always gives the same text.

    Raises `ValueError` for NaN and infinity, which no JSON reader has to understand.
    """
    return _encode(value)


_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


@cache
def _converter() -> Converter:
    from cattrs.preconf.json import make_converter

    converter = make_converter(detailed_validation=True, forbid_extra_keys=True)
    for kind in (str, bool, int, float):
        converter.register_structure_hook(kind, _exactly(kind))
    for key in (Key, EntitlementKey):
        converter.register_structure_hook(key, _parsed)
        converter.register_unstructure_hook(key, str)
    for pair in (Grant, Span):  # their annotations are texts, which cattrs cannot resolve from Python 3.14 on
        converter.register_unstructure_hook(pair, lambda items: tuple(map(converter.unstructure, items)))
    converter.register_unstructure_hook(Secret, str)
    converter.register_structure_hook_func(lambda kind: kind == Json, lambda value, _: value)
    converter.register_structure_hook_factory(_is_list, _listed)
    return converter


def _exactly(kind: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is kind or (kind is float and type(value) is int):
            return kind(value)
        raise ValueError(f"expected {kind.__name__}, found {type(value).__name__}")

    return structure


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[-1] is ...


def _listed(kind: Any, converter: Any) -> Callable[[Any, Any], Any]:
    """A tuple is read from a list alone: of a text, cattrs would make a tuple of its letters."""
    from cattrs.cols import homogenous_tuple_structure_factory

    structure = homogenous_tuple_structure_factory(kind, converter)

    def listed(value: Any, _: Any) -> Any:
        if isinstance(value, list | tuple):
            return structure(value, kind)
        raise ValueError(f"expected list, found {type(value).__name__}")

    return listed


def _parsed(value: Any, kind: Any) -> Any:
    if isinstance(value, str):
        return kind.parse(value)
    raise ValueError(f"expected str, found {type(value).__name__}")


def _explain(error: Exception, kind: type) -> str:
    from cattrs import transform_error
    from cattrs.errors import BaseValidationError

    if isinstance(error, BaseValidationError):
        return "; ".join(line.removesuffix(" @ $") for line in transform_error(error, format_exception=_say))
    return _say(error, kind)


def _say(error: BaseException, kind: type | None) -> str:
    from cattrs.v import format_exception

    if get_origin(kind) is Literal:
        return f"expected one of {', '.join(map(str, get_args(kind)))}"
    if isinstance(error, AttributeError):  # it was asked for its members
        return f"expected an object, found {type(error.obj).__name__}"
    return str(error) if type(error) is ValueError else format_exception(error, kind)
