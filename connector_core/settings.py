"""How a connector declares its settings: an attrs class whose fields say what a person needs to know.

::

    @attrs.frozen(kw_only=True)
    class Settings:
        token: Secret = secret(help="SCIM token of the workspace settings")
        base_url: str = address(default="https://api.example.com/scim", help="where the API is")
        page_size: int = setting(default=100, help="rows to ask for at once")

Types understood: str, int, float, bool, ``Literal`` of strings, ``tuple[str, ...]`` and `Secret`. A setting that may be
left out has the default None and the type ``... | None``. ``one_of`` on the class says which sets of them are enough::

    one_of = ("token", ("client_id", "client_secret"))
"""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import NOTHING, frozen

from connector_core.model import Secret

RESERVED = ("connector", "app", "owner", "managed", "guard")
"""What a connection itself can say: no setting has such a name."""
IDENTITY = "identity"  # of a connection; set-up writes it into the configuration file, and no setting has that name
_META = "connector_core"


@frozen(kw_only=True)
class Setting:
    """One declared setting, for listings and for the loader. ``default`` is ``attrs.NOTHING`` where one is required.

    ``type`` is that of a value that is given: ``str`` of a setting declared as ``str | None``.
    ``address``: it says which account of the application is meant; when it changes, removals are held.
    ``reading``: it decides what is read; an interrupted sync is resumed only if such settings are the same.
    """

    name: str
    type: Any
    help: str
    default: Any = NOTHING
    secret: bool = False
    address: bool = False
    reading: bool = False

    @property
    def required(self) -> bool:
        return self.default is NOTHING


def setting(*, help: str, default: Any = NOTHING, reading: bool = False, validator: Any = None) -> Any:
    """A field of a settings class. ``validator`` is an attrs validator; its message is shown to the person."""
    return _field(help, default, validator, reading=reading)


def secret(*, help: str, default: None = NOTHING) -> Any:  # type: ignore[assignment]
    """A field of type `Secret`: asked for without echo, kept out of files and output.

    :param default: None where the secret may be left out; there is no other, which would stand in the code.
    :raises TypeError: another default is given.
    """
    if default is not NOTHING and default is not None:
        raise TypeError("the default of a secret is None, or there is none")
    return _field(help, default, None, secret=True)


def address(*, help: str, default: Any = NOTHING) -> Any:
    """A field that says where the application is; on a sandbox connection, where the stand-in listens."""
    return _field(help, default, None, address=True, reading=True)


def declared(settings: type) -> Iterator[Setting]:
    """The settings of a settings class, in their order.

    :raises TypeError: it is no attrs class of settings.
    """
    hints = get_type_hints(settings)
    for a in attrs.fields(settings):
        if _META not in a.metadata:
            raise TypeError(f"{settings.__name__}.{a.name} is not made with setting(), secret() or address()")
        if a.name in (*RESERVED, IDENTITY):
            raise TypeError(f"{settings.__name__}.{a.name} is a reserved word")
        yield Setting(name=a.name, type=_given(hints[a.name]), default=a.default, **a.metadata[_META])


def sufficient_sets(settings: type) -> tuple[tuple[str, ...], ...]:
    """Return the sets of settings of which one must be given whole, as ``one_of`` of the class says; else ().

    :raises TypeError: ``one_of`` is no tuple of names and tuples of names, or names what may not be left out.
    """
    optional = {s.name: s.default is None for s in declared(settings)}
    said = () if "one_of" in optional else getattr(settings, "one_of", ())
    sets = tuple((item,) if isinstance(item, str) else item for item in said) if isinstance(said, tuple) else (said,)
    for item in sets:
        if not (isinstance(item, tuple) and item and all(isinstance(name, str) for name in item)):
            raise TypeError(f"{settings.__name__}.one_of must hold names and tuples of names")
        for name in item:
            if not optional.get(name):
                raise TypeError(f"{settings.__name__}.one_of: {name!r} is no setting with the default None")
    return sets


def alternatives(sets: tuple[tuple[str, ...], ...]) -> str:
    """Return the sets in words: ``token, or client_id and client_secret``."""
    return ", or ".join(" and ".join(names) for names in sets)


def _given(hint: Any) -> Any:
    """The type of a value that is given, without the None that stands for one left out."""
    if get_origin(hint) not in (Union, UnionType):
        return hint
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if len(kinds) == 1 else hint


def _field(help: str, default: Any, validator: Any, **facts: bool) -> Any:
    return attrs.field(default=default, validator=validator, metadata={_META: {"help": help, **facts}})


__all__ = [
    "RESERVED", "Secret", "Setting", "address", "alternatives", "declared", "secret", "setting", "sufficient_sets",
]  # fmt: skip
