"""Accounts by their names: in the picture, in the picture of a past event, and ever.

An index finds the accounts that a text may name; which of them it does name, `connector_core.names` decides.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from attrs import frozen

from connector_core.model import Key
from connector_core.names import ambiguous, fitting, is_same, key_in, normalized
from connector_core.protection import EVERY

_COLUMNS = "connection, type, id, login, email, status, login_key, email_key"
_EVER = (
    f"(SELECT {_COLUMNS} FROM current_resources WHERE connection = :connection "
    f"UNION ALL SELECT {_COLUMNS} FROM resource_history WHERE connection = :connection)"
)
_PAST = (
    f"(SELECT {_COLUMNS} FROM current_resources WHERE connection = :connection AND began <= :at "
    f"UNION ALL SELECT {_COLUMNS} FROM resource_history "
    "WHERE connection = :connection AND began <= :at AND ended > :at)"
)
_WHICH = ("login_key = :key", "email_key = :key", "id IN (:name, :trimmed)")


@frozen
class NamedAccount:
    """An account's names."""

    type: str
    id: str
    login: str | None
    email: str | None
    status: str

    @property
    def key(self) -> Key:
        return Key(self.type, self.id)


@frozen
class AccountNames:
    """The names of the accounts of one connection, whose row is ``connection``."""

    db: sqlite3.Connection
    connection: int

    def meant(self, text: str, at: int | None = None) -> list[NamedAccount]:
        """Return the accounts of the picture that a text names: none, one, or several where it is ambiguous.

        :param at: an event; the picture is the one of that moment, else that of now.
        """
        rows = self._named("current_resources" if at is None else _PAST, text, at)
        accounts = [NamedAccount(*(row[name] for name in ("type", "id", "login", "email", "status"))) for row in rows]
        if key_in(text, self._types()) is not None:
            return accounts
        return fitting(text, accounts, lambda account: account.status != "disabled")

    def bearing(self, name: str, type: str) -> list[sqlite3.Row]:
        """Return the rows of the picture whose login or e-mail that is."""
        return self._rows("current_resources", [type], _WHICH[:2], name)

    def ever_called(self, login: str, type: str | None = None) -> list[Key]:
        """Return every account that ever had that login in the picture or the journal."""
        types = self._types() if type is None else [type]
        rows = [*self._rows(_EVER, types, _WHICH[:1], login), *self._rows(_JOURNAL, types, _WHICH[:1], login)]
        return sorted({Key(row["type"], row["id"]) for row in rows})

    def ever_named(self, text: str) -> list[Key]:
        """Return every account that ever had that login, e-mail or id."""
        return sorted({Key(row["type"], row["id"]) for row in self._named(_EVER, text)})

    def covered(self, entry: str) -> list[Key]:
        """Return every account of the picture that an entry of ``protected`` names."""
        types = self._types()
        if entry.startswith(EVERY):
            of_domain = [f"substr({key}, -length(:trimmed)) = :trimmed" for key in ("login_key", "email_key")]
            rows = self._rows("current_resources", types, of_domain, normalized(entry).removeprefix("*"))
        else:
            rows = self._rows("current_resources", types, _WHICH, entry)
        return sorted({Key(row["type"], row["id"]) for row in rows})

    def in_journal(self, text: str) -> dict[str, str | None]:
        """Return by which id and which name the operations on the account that a text names stand in the journal.

        :raises AmbiguousName: several accounts of the picture fit.
        """
        key, found = key_in(text, self._types()), self.meant(text)
        if len(found) > 1:
            raise ambiguous(text, found)
        id = found[0].id if found else key.id if key else text.strip()
        return {"id": id, "key": None if key else normalized(text)}

    def renamed(self, login: str) -> tuple[str, str] | None:
        """Say which account that had this login bears another one now, and what to do; None where there is none."""
        now = [row for key in self.ever_called(login) if (row := self._row(key)) and not is_same(row["login"], login)]
        if not now:
            return None
        bearers = " and ".join(f"{row['login'] or 'without a login'} (id {row['id']})" for row in now[:3])
        return f"{login} is called {bearers} now", "name the account by its login of today, or by its id"

    def _row(self, key: Key) -> sqlite3.Row | None:
        rows = self._rows("current_resources", [key.type], ["id = :name"], key.id)
        return rows[0] if rows else None

    def _named(self, source: str, text: str, at: int | None = None) -> list[sqlite3.Row]:
        """Return the rows of a source that a text may name; those of one key where it is ``type:id``."""
        types = self._types()
        if (key := key_in(text, types)) is not None:
            return self._rows(source, [key.type], ["id = :name"], key.id, at)
        return self._rows(source, types, _WHICH, text, at)

    def _types(self) -> list[str]:
        query = "SELECT type FROM resource_types WHERE connection = ? AND account"
        return [row[0] for row in self.db.execute(query, (self.connection,))]

    def _rows(
        self, source: str, types: Iterable[str], which: Iterable[str], name: str, at: int | None = None
    ) -> list[sqlite3.Row]:
        """Rows of a source where one of the conditions holds, each condition found by an index of its own."""
        marks = {f"t{number}": type for number, type in enumerate(types)}
        same = f"connection = :connection AND type IN ({', '.join(f':{mark}' for mark in marks)})"
        query = " UNION ".join(f"SELECT * FROM {source} WHERE {same} AND {condition}" for condition in which)
        names = {"name": name, "trimmed": name.strip(), "key": normalized(name), "at": at}
        return self.db.execute(query, {"connection": self.connection, **names, **marks}).fetchall()


_JOURNAL = "(SELECT connection, type, account AS id, login_key FROM journal WHERE account IS NOT NULL)"
