"""One person through all pictures: since when they are known, and everything that changed since."""

from __future__ import annotations

from attrs import frozen

from connector_core.model import AccessRow, History, Key
from connector_core.store.changes import changes_where
from connector_core.store.naming import AccountNames
from connector_core.store.queries import Reader


@frozen
class Histories:
    """Of the accounts of one connection."""

    reader: Reader

    def of(self, user: str) -> tuple[History, ...]:
        """Return what is known of each account that has, or had, that login, e-mail or id; several if reused (P60).

        :raises UnknownName: no account ever had it.
        :raises NoPicture: nothing was published yet.
        """
        self.reader.picture()
        return tuple(self._history(key, began) for key, began in self._named(user).items())

    def _named(self, user: str) -> dict[Key, int]:
        """Those who ever had that name, each with the event in which they were first seen; the longest known first."""
        keys = AccountNames(self.reader.db, self.reader.id).ever_named(user)
        if not keys:
            raise self.reader.unknown_user(user, None)
        return dict(sorted(((key, self._first(key)) for key in keys), key=lambda item: item[1]))

    def _first(self, key: Key) -> int:
        query = f"SELECT min(began) FROM ({_VERSIONS}) WHERE type = :type AND id = :id"
        names = {"connection": self.reader.id, **key._asdict()}
        began: int = self.reader.db.execute(query, names).fetchone()[0]
        return max(began, self.reader.oldest)

    def _history(self, key: Key, began: int) -> History:
        changes = tuple(changes_where(self.reader.db, self.reader.id, "l.type = ? AND l.resource_id = ?", *key))
        at_first, now = (tuple(self.reader.rows(at).of_accounts([key])) for at in (began, None))
        known = now or at_first
        return History(
            user_id=key.id, user=known[0].user if known else None, first=self._moment(began),
            baseline=not (changes and changes[0].what == "account" and changes[0].kind == "added"),
            held=tuple(map(_held, filter(lambda row: row.role is not None, at_first))), changes=changes, now=now,
        )  # fmt: skip

    def _moment(self, event: int) -> str:
        at: str = self.reader.db.execute("SELECT at FROM events WHERE id = ?", (event,)).fetchone()[0]
        return at


def _held(row: AccessRow) -> str:
    return f"{row.resource_type}:{row.role}:{row.entitlement}"


_VERSIONS = (
    "SELECT type, id, began FROM current_resources WHERE connection = :connection "
    "UNION ALL SELECT type, id, began FROM resource_history WHERE connection = :connection"
)
