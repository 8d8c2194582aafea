"""The reserved word ``guard``: where a connection has other limits for what may leave the picture at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches

from attrs import asdict, frozen

from connector_core.errors import ConfigurationError

_FORM = "write guard = { share = 0.2, most = 500 }: a share from 0 to 1, and a number of accounts or grants"


@frozen(kw_only=True)
class GuardLimits:
    """``share`` of what there is, and ``most`` of it, that may leave at once; None: the guard's own limit."""

    share: float | None = None
    most: int | None = None

    def given(self) -> dict[str, float | int]:
        """Return those that are set, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def guard_limits(raw: object, origin: str) -> GuardLimits:
    """Return the limits that a table says, or its text as JSON, as in an environment variable.

    :raises ConfigurationError: it is no such table, or a value cannot be a limit.
    """
    where = f"guard ({origin})"
    table = _table(raw) if isinstance(raw, str) else raw
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"{where}: expected a table", hint=_FORM)
    for key in table:
        if key not in ("share", "most"):
            near = get_close_matches(str(key), ("share", "most"), 1)
            hint = f"did you mean {near[0]}?" if near else "known are: most, share"
            raise ConfigurationError(f"{where}: unknown key {key!r}", hint=hint)
    share, most = table.get("share"), table.get("most")
    if "share" in table and not (isinstance(share, int | float) and type(share) is not bool and 0 <= share <= 1):
        raise ConfigurationError(f"{where}: share is {share!r}; expected a number from 0 to 1", hint=_FORM)
    if "most" in table and not (isinstance(most, int) and type(most) is not bool and most >= 0):
        raise ConfigurationError(f"{where}: most is {most!r}; expected a whole number, 0 or more", hint=_FORM)
    return GuardLimits(share=share, most=most)


def _table(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
