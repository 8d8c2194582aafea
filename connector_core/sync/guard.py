"""When a picture would lose so much at once that a person should look first.

A server that shows an empty list, half its users or another workspace's must never end any access.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from attrs import frozen

from connector_core.store.losses import Losses

_ANOTHER = "it may be another workspace: see whether the credentials are those of the right one"


@frozen(kw_only=True)
class Guard:
    """The limits: more than ``share`` of what there is and at least ``some``, more than ``most``, or ``all`` of it.

    Of grants, ``most`` is at least 2 % of all of them. Each kind of loss is judged by itself, for this sync and
    together with the syncs of the 24 hours before.
    """

    share: float = 0.20
    some: int = 10
    most: int = 500
    all: int = 3

    def objection(self, losses: Losses, *, address_changed: bool, earlier: Losses | None = None) -> str | None:
        """Why the sync must be held, in words, or None.

        :param losses: those of this sync that were not accepted.
        :param earlier: those of the 24 hours before it, and how much there was then.
        """
        reasons = list(self._too_many(losses, earlier or Losses()))
        if losses.moved >= self.all and losses.moved * 2 > losses.accounts:
            moved = f"{losses.moved} of {losses.accounts} accounts are listed under another id"
            reasons.append(f"{moved}; {_ANOTHER}")
        if reasons:
            return "; ".join(reasons)
        if address_changed and losses.unseen + losses.disabled + losses.renamed + losses.ended:
            return (
                f"the address of the application was changed, and {losses.unseen} accounts and {losses.ended} "
                f"grants would leave the picture, {losses.disabled} accounts be disabled and {losses.renamed} renamed"
            )
        return None

    def _too_many(self, now: Losses, before: Losses) -> Iterator[str]:
        """Say of each kind whether it is too many in this sync, or together with those before."""
        for kind in (
            _Kind(now.unseen, before.unseen, now.accounts, before.accounts, "accounts are no longer listed"),
            _Kind(now.disabled, before.disabled, now.enabled, before.enabled, "enabled accounts are disabled now"),
            _Kind(now.renamed, before.renamed, now.accounts, before.accounts, _RENAMED),
            _Kind(now.ended, before.ended, now.grants, before.grants, _ENDED),
        ):
            floor = _OF_GRANTS if kind.what == _ENDED else 0
            together, there = kind.now + kind.before, max(kind.there, kind.there_before)
            if kind.now and self._is_over(kind.now, kind.there, floor):
                yield f"{kind.now} of {kind.there} {kind.what}"
            elif kind.now and kind.before and self._is_over(together, there, floor):
                yield f"{together} of {there} {kind.what}, {kind.before} of them by syncs of the last 24 hours"

    def _is_over(self, lost: int, there: int, floor: float) -> bool:
        if lost > self.most and lost > floor * there + _ROUNDING:
            return True
        is_share = lost > self.share * there + _ROUNDING and lost >= self.some
        return is_share or (lost >= there and lost >= self.all)


class _Kind(NamedTuple):
    """One kind of loss: how many in this sync, and in the 24 hours before it, of how many there are, and there were."""

    now: int
    before: int
    there: int
    there_before: int
    what: str


_OF_GRANTS = 0.02  # of many grants as many may end, whatever ``most`` says
_ROUNDING = 1e-9  # 29 is not more than 0.29 of 100
_RENAMED = f"accounts bear another login; {_ANOTHER}"
_ENDED = "grants have ended on accounts that are still listed"
