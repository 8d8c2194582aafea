"""Who has what, now or after a past event: read a page of accounts at a time, and never held as a whole."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

from attrs import frozen

from connector_core.model import AccessRow, Key
from connector_core.store.columns import COLUMNS
from connector_core.store.views import access_query, holders_query

PAGE = 200  # accounts


@frozen
class AccessRows:
    """Rows of one connection's picture, ordered by login. ``at`` is an event number; None means now."""

    db: sqlite3.Connection
    connection: int
    name: str
    at: int | None

    def of_all(self, type: str | None = None) -> Iterator[AccessRow]:
        """What every account holds, or every account of that type."""
        names = {"connection": self.connection, "at": self.at, "account": type}
        accounts = self.db.execute(_ACCOUNTS.format(resources=resources_at(self.at)), names)
        while page := accounts.fetchmany(PAGE):
            yield from self.of_accounts([Key(*row) for row in page])

    def of_accounts(self, accounts: Sequence[Key], entitlements: Sequence[int] | None = None) -> Iterator[AccessRow]:
        """What these accounts hold, or which of these entitlements."""
        return self._rows(_THESE, entitlements, keys=json.dumps([list(key) for key in accounts]))

    def of_holders(self, entitlements: Sequence[int]) -> Iterator[AccessRow]:
        """The accounts that hold one of these entitlements."""
        return self._rows(holders_query(past=self.at is not None), entitlements, found=True)

    def _rows(
        self, seed: str, entitlements: Sequence[int] | None, *, keys: str | None = None, found: bool = False
    ) -> Iterator[AccessRow]:
        query = access_query(seed, past=self.at is not None, found=found)
        chosen = "" if entitlements is None else _CHOSEN
        roles = None if entitlements is None else json.dumps(list(entitlements))
        rows = self.db.cursor()
        rows.row_factory = None
        rows.execute(
            query + chosen + _ORDER, {"connection": self.connection, "at": self.at, "keys": keys, "roles": roles}
        )
        columns = [name for name, *_ in rows.description]
        for row in rows:
            values = dict(zip(columns, row, strict=True))
            values["connection"] = self.name
            values["confirmed"] = bool(values["confirmed"])
            values["mfa"] = None if values["mfa"] is None else bool(values["mfa"])
            yield AccessRow(**values)


def resources_at(at: int | None) -> str:
    """The resources of the picture as a subquery: now, or as they were after an event."""
    if at is None:
        return "(SELECT * FROM current_resources WHERE connection = :connection)"
    still = f"SELECT {COLUMNS} FROM current_resources WHERE connection = :connection AND began <= :at"
    past = f"SELECT {COLUMNS} FROM resource_history WHERE connection = :connection AND began <= :at AND ended > :at"
    return f"({still} UNION ALL {past})"


_ACCOUNTS = """SELECT r.type, r.id FROM {resources} r
    JOIN resource_types t ON t.connection = :connection AND t.type = r.type AND t.account
    WHERE :account IS NULL OR r.type = :account
    ORDER BY lower(coalesce(r.login, r.name, r.id)), r.id, r.type"""
_THESE = """SELECT :connection, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[0]'),
    json_extract(value, '$[1]') FROM json_each(:keys)"""
_CHOSEN = """
AND g.entitlement IN (SELECT value FROM json_each(:roles))"""
# The accounts as above, so that pages follow one another; then what each of them holds.
_ORDER = """
ORDER BY lower(coalesce(r.login, r.name, r.id)), r.id, r.type, n.type, n.resource_id, n.slug, via"""
