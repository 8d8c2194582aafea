"""Which accounts the setting ``protected`` names: its entries read strictly, and compared by the rule of `names`.

An entry that is read as something else than was meant protects no account, in silence: so what is no entry is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from attrs import field, frozen

from connector_core.errors import UsageError
from connector_core.names import checked_address, normalized, shorten

SETTING = "protected"
EVERY = "*@"  # the beginning of an entry for all accounts of a domain
_BETWEEN = re.compile(r"[\s;,<>\"\[\]{}()|\\]")  # what stands between or around addresses, and in none
_HINT = "one e-mail address, login, id or *@domain an entry: commas between them in a variable, a list in the file"


@frozen
class Protection:
    """Entries, each an e-mail address or login, an id, or ``*@domain`` for every account of that domain."""

    entries: tuple[str, ...] = ()
    _by_name: Mapping[str, str] = field(init=False)

    @_by_name.default
    def _names(self) -> Mapping[str, str]:
        return {normalized(entry): entry for entry in self.entries}

    @classmethod
    def of(cls, entries: Iterable[str]) -> Protection:
        """Read entries.

        :raises UsageError: naming one that is none.
        """
        return cls(tuple(_checked(str(entry)) for entry in entries))

    def entry_for(self, *names: str | None) -> str | None:
        """Return the entry that names an account which has these names (login, e-mail, id); None where none does."""
        for name in map(normalized, filter(None, names)):
            pattern = EVERY + name.rpartition("@")[2] if "@" in name else name
            if (entry := self._by_name.get(name) or self._by_name.get(pattern)) is not None:
                return entry
        return None


def _checked(entry: str) -> str:
    text = entry.strip()
    try:
        if "*" in text.removeprefix(EVERY):
            raise UsageError("* stands before the @ of a domain, and nowhere else")
        if odd := _BETWEEN.search(text):
            raise UsageError(f"it holds {odd[0]!r}")
        if text.startswith(EVERY):
            checked_address(f"every{text.removeprefix('*')}")
        elif "@" in text:
            checked_address(text)
        elif not text or not text.isprintable():
            raise UsageError("it is neither an address nor an id")
    except UsageError as error:
        why = error.message.rpartition(": ")[2]
        raise UsageError(f"the entry {shorten(entry)} names no account: {why}", hint=_HINT) from None
    return text
