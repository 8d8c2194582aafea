"""Who is who: whether two names are the same, which account a text names, and which role.

One rule for look-ups, CSV files, plans, ``protected``, ``access --user`` and ``history`` alike. Two names are the same
when they are equal after `normalized`. No case folding: ``ß`` is not ``ss``, and no step turns a letter outside ASCII
into one inside it, so that the Kelvin sign is never a ``k``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar
from unicodedata import normalize

from connector_core.errors import AmbiguousName, UnknownName, UsageError
from connector_core.model import EntitlementKey, Key

# NFC would turn each of these into a character of ASCII: the Kelvin sign, the Greek question mark, the Greek varia.
_SINGLETONS = re.compile("([\u212a\u037e\u1fef])")
_LONGEST = 100  # characters of a text that are shown in an error
_DOTS = "\u3002\uff0e\uff61"  # what IDNA reads as a dot


class Named(Protocol):
    """Anything that bears an account's names, such as `connector_core.Resource`."""

    @property
    def id(self) -> str: ...

    @property
    def login(self) -> str | None: ...

    @property
    def email(self) -> str | None: ...


T = TypeVar("T", bound=Named)


def is_same(one: str | None, other: str | None) -> bool:
    """Whether two names are the same name; None is the name of no account."""
    return one is not None and other is not None and normalized(one) == normalized(other)


@lru_cache(maxsize=4096)
def normalized(name: str) -> str:
    """Return the form under which names are compared.

    White space at both ends is removed; letters are composed (NFC) and lower-cased, each where that gives one letter;
    after an ``@``, the domain is written as IDNA writes it (UTS 46).
    """
    name = name.strip()
    if name.isascii():
        return name.lower()
    local, at, domain = lowered(name).rpartition("@")
    return local + at + (_in_ascii(domain) if at else domain)


def fitting(text: str, accounts: Iterable[T], is_enabled: Callable[[T], bool]) -> list[T]:
    """Return the accounts that a text names: none, one, or several where it is ambiguous.

    A text names the account of that login; else of exactly that id; else of that e-mail. Where it is one account's
    login and another's id, both are returned. Of several accounts of one login, the enabled one is meant where only
    one is enabled.
    """
    rows = list(accounts)
    by_login = [row for row in rows if is_same(row.login, text)]
    by_id = [row for row in rows if row.id in (text, text.strip())]
    if len({row.id for row in by_login}) > 1:
        enabled = [row for row in by_login if is_enabled(row)]
        by_login = enabled if len({row.id for row in enabled}) == 1 else by_login
    found = by_login + [row for row in by_id if row.id not in {other.id for other in by_login}]
    return found or [row for row in rows if is_same(row.email, text)]


def key_in(text: str, types: Iterable[str]) -> Key | None:
    """Return the key that a text of the form ``type:id`` names, where the type is one of these; else None.

    The id is exactly what follows the colon: white space at its end may be all that tells two ids apart.
    """
    type, colon, id = text.lstrip().partition(":")
    return Key(type, id) if colon and id and type in types else None


def some(texts: Sequence[str], most: int = 10, between: str = ", ", last: str = " ") -> str:
    """The first of these, and how many more there are, for a message."""
    more = f"{last}and {len(texts) - most} more" if len(texts) > most else ""
    return between.join(texts[:most]) + more


def ambiguous(text: str, accounts: Iterable[Named]) -> AmbiguousName:
    """Return the error that says which accounts a text may mean, each with its id."""
    every = [f"{row.login or row.email or 'an account without a login'} (id {row.id})" for row in accounts]
    return AmbiguousName(
        f"{text!r} may mean any of: {some(every)}", hint="name the account by its id, as type:id or alone"
    )


def entitlements_named(
    text: str, known: Collection[EntitlementKey], names: Mapping[Key, str] | None = None
) -> list[EntitlementKey]:
    """Return which of ``known`` a text names: by their resource's id or name, as ``type:id`` or as ``type:id:slug``.

    A text that is the id of one and the name of another may mean both.

    :param names: of resources, by key; they are compared in any case.
    :raises UnknownName: none; the hint lists those there are, ten at most.
    """
    names = names or {}
    called = lowered(text.strip())
    found = [
        key for key in known
        if text in (key.id, str(key.resource), str(key)) or lowered(names.get(key.resource, "")) == called
    ]  # fmt: skip
    if not found or not called:
        there = sorted({_shown(key.resource, names.get(key.resource)) for key in known})
        raise UnknownName(f"there is no role {text!r}", hint=f"there are: {some(there) or 'none'}")
    return found


def _shown(role: Key, name: str | None) -> str:
    """Its name, but for one that is the id in another case, as `Editor` is `editor`."""
    return name if name and lowered(name) != lowered(role.id) else role.id


def checked_address(text: str) -> str:
    """Return an e-mail address that a person typed, without white space around it.

    Nothing is looked up in the DNS.

    :raises UsageError: it is no address, or holds a letter that only looks like one of ASCII.
    """
    address, shown = text.strip(), shorten(text)
    if not address:
        raise UsageError("there is no e-mail address")
    if (why := _why_no_address(address)) is not None:
        raise UsageError(f"{shown} is no e-mail address: {why}")
    if _SINGLETONS.search(address) or "\u0130" in address or _turns_ascii(address.rpartition("@")[2]):
        raise UsageError(f"{shown} holds a letter that only looks like one of ASCII", hint="type the address again")
    return address


def is_address(text: str) -> bool:
    """Whether a login has the form of an e-mail address, whatever its letters look like."""
    return text.isprintable() and _why_no_address(text) is None


def _why_no_address(address: str) -> str | None:
    """Why it is none. Domains that no public mail reaches, such as ``corp.local``, are those of logins all the same."""
    from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

    last = address.rpartition("@")[2].lower().rpartition(".")
    if not last[0]:
        return "its domain has no dot" if "@" in address else "it has no @"
    reaches = f"{address}.example" if last[2] in SPECIAL_USE_DOMAIN_NAMES else address
    try:
        validate_email(reaches, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        return str(error).rstrip(".")
    return None


def shorten(text: str) -> str:
    """Return a text in quotes, and of a long one the beginning."""
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def lowered(name: str) -> str:
    """Return a name with its letters composed (NFC) and lower-cased, each where that gives one letter."""
    return _composed("".join(map(_lower, _composed(name))))


def _composed(name: str) -> str:
    return "".join(part if _SINGLETONS.fullmatch(part) else normalize("NFC", part) for part in _SINGLETONS.split(name))


def _lower(letter: str) -> str:
    lower = letter.lower()
    return lower if len(lower) == 1 and (letter.isascii() or not lower.isascii()) else letter


def _in_ascii(domain: str) -> str:
    """The domain as IDNA writes it; one that it cannot write, or that would turn a letter into ASCII, stays."""
    if domain.isascii():
        return domain
    import idna

    if _turns_ascii(domain):
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return domain


def _turns_ascii(domain: str) -> bool:
    """Whether IDNA would make a letter of ASCII of one outside, as of the Kelvin sign or a full-width letter."""
    import idna

    for letter in domain:
        if letter.isascii() or letter in _DOTS:
            continue
        try:
            if idna.uts46_remap(letter).isascii():
                return True
        except idna.IDNAError:
            continue
    return False
