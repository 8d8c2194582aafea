"""The identities that a configuration file holds: what each must be, and that no two connections have the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector_core.errors import ConfigurationError
from connector_core.settings import IDENTITY

_SHAPE = re.compile(r"[0-9a-f]{32}")


def check_identities(connections: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Refuse an identity that is none, and one that two connections share, as after a table was copied.

    :raises ConfigurationError: the connections are named.
    """
    seen: dict[str, str] = {}
    for name, table in connections.items():
        identity = table.get(IDENTITY)
        if identity is None:
            continue
        if not (isinstance(identity, str) and _SHAPE.fullmatch(identity)):
            raise ConfigurationError(
                f"[connections.{name}] in {path}: {IDENTITY} is not one that `connector-core add` made",
                hint="take the line out; the state then keeps the identity of the connection",
            )
        if (other := seen.setdefault(identity, name)) != name:
            raise ConfigurationError(
                f"{path}: the connections {other!r} and {name!r} have the same {IDENTITY}",
                hint=f"take the line `{IDENTITY} = ...` out of the copy: they would share their history",
            )
