"""When a picture would lose so much at once that a person should look first.

A server that shows an empty list, half its users or another workspace's must never end anybody's access.
"""

from __future__ import annotations

from attrs import frozen

from connector_core.store.removals import Losses


@frozen(kw_only=True)
class Guard:
    """The limits: more than ``share`` of what there is and at least ``some``, more than ``many``, or ``all`` of it."""

    share: float = 0.20
    some: int = 10
    many: int = 500
    all: int = 3

    def objection(self, losses: Losses, *, address_changed: bool) -> str | None:
        """Why the sync must be held, in words, or None."""
        if self._too_many(losses.unseen, losses.accounts):
            return f"{losses.unseen} of {losses.accounts} accounts are no longer listed"
        if self._too_many(losses.ended, losses.grants):
            return f"{losses.ended} of {losses.grants} grants have ended on accounts that are still listed"
        if address_changed and losses.unseen + losses.ended:
            return (
                f"the address of the application was changed, and {losses.unseen} accounts and {losses.ended} "
                "grants would leave the picture"
            )
        return None

    def _too_many(self, lost: int, of: int) -> bool:
        if lost > self.many:
            return True
        return (lost > self.share * of and lost >= self.some) or (lost >= of and lost >= self.all)
