"""Accounts that an entry of ``protected`` named once: they stay protected under another login.

They are forgotten with the entry, when it is taken out of the configuration. Another spelling of it is the same entry.
"""

from __future__ import annotations

import json
import sqlite3

from attrs import frozen

from connector_core.model import Key
from connector_core.names import normalized
from connector_core.protection import Protection
from connector_core.store.naming import AccountNames


@frozen
class ProtectedAccounts:
    """Of one connection, whose row is ``connection``."""

    db: sqlite3.Connection
    connection: int

    def refresh(self, protection: Protection) -> frozenset[Key]:
        """Remember which accounts the entries name in the picture; all that are protected.

        To be called before a sync changes the names in the picture, and after it, in the caller's transaction.
        """
        entries = json.dumps(protection.entries)
        self.db.execute(
            "DELETE FROM protected_accounts WHERE connection = ? "
            "AND name_key(entry) NOT IN (SELECT name_key(value) FROM json_each(?))",
            (self.connection, entries),
        )
        for entry in protection.entries:
            for key in self._names.covered(entry):
                self.remember(key, entry)
        return self.remembered(protection)

    def remember(self, key: Key, entry: str) -> None:
        """Remember that an entry names that account."""
        query = "INSERT OR IGNORE INTO protected_accounts (connection, type, id, entry) VALUES (?, ?, ?, ?)"
        self.db.execute(query, (self.connection, *key, entry))

    def remembered(self, protection: Protection) -> frozenset[Key]:
        """The accounts that one of these entries named once."""
        query = (
            "SELECT type, id FROM protected_accounts WHERE connection = ? "
            "AND name_key(entry) IN (SELECT name_key(value) FROM json_each(?))"
        )
        rows = self.db.execute(query, (self.connection, json.dumps(protection.entries)))
        return frozenset(Key(*row) for row in rows)

    def idle(self, protection: Protection) -> list[str]:
        """The entries that name no account, and never named one that is in the picture still."""
        query = (
            "SELECT DISTINCT p.entry FROM protected_accounts p JOIN current_resources r "
            "ON r.connection = p.connection AND r.type = p.type AND r.id = p.id WHERE p.connection = ?"
        )
        used = {normalized(row[0]) for row in self.db.execute(query, (self.connection,))}
        unused = [entry for entry in protection.entries if normalized(entry) not in used]
        return [entry for entry in unused if not self._names.covered(entry)]

    @property
    def _names(self) -> AccountNames:
        return AccountNames(self.db, self.connection)
