"""The options of a change of access: confirmation, reason, requester, protected accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from connector_core.model import Operation


class ChangeOptions(TypedDict, total=False):
    """Keywords that every change of access understands.

    ``who`` asks (by default user@host) and the ``reason``: both go into the journal. ``yes`` confirms a removal;
    ``confirm`` is asked instead, with a sentence that says what is removed. ``on_planned`` is called before that, with
    the operation as it is planned, where there is something to write. ``include_protected`` allows what protected
    accounts are kept from. ``dry_run`` stops before anything is written: the result shows the request.
    """

    who: str | None
    reason: str | None
    yes: bool
    confirm: Callable[[str], bool] | None
    on_planned: Callable[[Operation], None] | None
    include_protected: bool
    dry_run: bool


def require_known(terms: ChangeOptions) -> None:
    """Refuse a misspelt keyword: what it was meant to say would be lost without a word.

    :raises TypeError: naming it, as Python does for any other function.
    """
    unknown = sorted(terms.keys() - ChangeOptions.__annotations__.keys())
    if unknown:
        raise TypeError(f"got an unexpected keyword argument {unknown[0]!r}")
