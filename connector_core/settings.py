"""How a connector declares its settings: an attrs class whose fields say what a person needs to know.

::

    @attrs.frozen(kw_only=True)
    class Settings:
        token: Secret = secret(help="SCIM token of the workspace settings")
        base_url: str = address(default="https://api.example.com/scim", help="where the API is")
        page_size: int = setting(default=100, help="rows to ask for at once")

Types understood: str, int, float, bool, ``Literal`` of strings, ``tuple[str, ...]`` and `Secret`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_type_hints

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


def secret(*, help: str) -> Any:
    """A required field of type `Secret`: asked for without echo, kept out of files and output."""
    return _field(help, NOTHING, None, secret=True)


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
        yield Setting(name=a.name, type=hints[a.name], default=a.default, **a.metadata[_META])


def _field(help: str, default: Any, validator: Any, **facts: bool) -> Any:
    return attrs.field(default=default, validator=validator, metadata={_META: {"help": help, **facts}})


__all__ = ["RESERVED", "Secret", "Setting", "address", "declared", "secret", "setting"]
