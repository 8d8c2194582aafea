"""What a page may hold: rows with a value that no field may have are set aside, and texts without end are cut."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from attrs import astuple, evolve

from connector_core.clock import utc_time
from connector_core.model import AccountType, Entitlement, Json, Key, Page, Rejected, Resource, Status

LONGEST = 4096  # characters of a value
_TEXTS = ("name", "login", "email", "manager")
_WORDS = {"status": get_args(Status), "account_type": get_args(AccountType)}
_TIMES = ("last_login", "created_at")
_STATUSES, _ACCOUNT_TYPES = _WORDS.values()


def within_limits(page: Page, source: str) -> Page:
    """Return the page without rows that hold what they may not, and with texts of at most `LONGEST` characters.

    Each row set aside is among ``rejected``, with ``source`` as its giver, each cut among ``warnings``. A row whose id
    holds a NUL has no key that could be kept. Nearly all pages are returned as they are.
    """
    if any(map(_wrong_definition, page.entitlements)):
        page = _without_wrong_definitions(page, source)
    if not any(map(_is_odd, page.resources)):
        return page
    resources, warnings, rejected, dropped = [], list(page.warnings), list(page.rejected), []
    for r in page.resources:
        if (wrong := _wrong_value(r)) is not None:
            key = None if _has_nul(r) else r.key
            rejected.append(Rejected(reason=f"{source} gave {r.key} {wrong}", key=key))
            dropped.append(r.key)
            continue
        if _is_odd(r):
            r = _cut(r)
            warnings.append(f"{r.key}: a value of more than {LONGEST:,} characters was cut")
        resources.append(r)
    return evolve(
        page, resources=tuple(resources), warnings=tuple(warnings), rejected=tuple(rejected),
        grants=tuple(g for g in page.grants if g.principal not in dropped),
        unknown=tuple(key for key in page.unknown if key not in dropped),
    )  # fmt: skip


def storable(page: Page, source: str) -> Page:
    """Return the page without rows, entitlements and grants with texts that no store can take; itself where all can.

    To look at every text of every page would cost more: this is asked once the store has refused a page.
    """
    rows = [r for r in page.resources if not _is_storable(astuple(r, recurse=False))]
    definitions = [e for e in page.entitlements if not _is_storable(astuple(e, recurse=False))]
    keys = {r.key for r in rows}
    grants = [g for g in page.grants if g.principal not in keys and not _is_storable((g.entitlement, g.principal))]
    if not (rows or definitions or grants):
        return page
    named = [(str(r.key), r.key if _is_storable(r.key) else None) for r in rows]
    named += [(f"the entitlement {e.key}", None) for e in definitions]
    named += [(f"a grant of {g.entitlement} to {g.principal}", None) for g in grants]
    return evolve(
        page,
        resources=tuple(r for r in page.resources if r not in rows),
        entitlements=tuple(e for e in page.entitlements if e not in definitions),
        grants=tuple(g for g in page.grants if g not in grants and g.principal not in keys),
        unknown=tuple(key for key in page.unknown if key not in keys),
        rejected=(*page.rejected, *(_no_text(source, what, key) for what, key in named)),
    )


def _no_text(source: str, what: str, key: Key | None) -> Rejected:
    shown = what.encode("utf-8", "backslashreplace").decode()
    return Rejected(reason=f"{source} gave {shown} with a value that is no Unicode text", key=key)


def _is_storable(values: object) -> bool:
    try:
        json.dumps(values, ensure_ascii=False, default=dict).encode()
    except (TypeError, ValueError):
        return False
    return True


def is_storable_json(value: object) -> bool:
    """Return whether JSON has that value, and a file can hold its text."""
    return is_json(value) and _is_storable(value)


def is_json(value: object) -> bool:
    """Return whether a value is one that JSON can write: neither NaN, nor with keys that are no texts."""
    if type(value) is dict and {*map(type, value), *map(type, value.values())} == {str}:  # as nearly all profiles are
        return True
    if value is None or isinstance(value, _PLAIN):
        return True
    if isinstance(value, float):
        return value - value == 0  # neither NaN nor infinite
    if isinstance(value, list | tuple):
        return all(map(is_json, value))
    return isinstance(value, Mapping) and all(isinstance(k, str) and is_json(v) for k, v in value.items())


_PLAIN = (str, bool, int)


def _is_odd(r: Resource) -> bool:
    """Whether a row may be one to set aside or to cut: asked of every row of every page."""
    if r.profile != {} and not _is_object(r.profile):
        return True
    if "\0" in r.id or "\0" in r.type or r.status not in _STATUSES or r.account_type not in _ACCOUNT_TYPES:
        return True
    says_more = r.last_login or r.created_at or r.mfa is not None or r.manager is not None
    if says_more and (_wrong_value(r) is not None or _is_long(r.manager)):
        return True
    return (
        _is_odd_text(r.name) or _is_odd_text(r.login) or _is_odd_text(r.email) or any(map(_is_long, r.profile.values()))
    )


def _wrong_value(r: Resource) -> str | None:
    """Return which value of a row is none that its field may have, in words; None where all are."""
    if _has_nul(r):
        return "an id with a NUL character"
    for name, allowed in _WORDS.items():
        if (value := getattr(r, name)) not in allowed:
            return f"the {name} {_shown(value)}, and not one of {', '.join(allowed)}"
    for name in _TIMES:
        if (value := getattr(r, name)) and not (isinstance(value, str) and utc_time(value)):
            return f"the {name} {_shown(value)}, and no time such as 2026-01-31T12:00:00Z"
    if r.mfa not in (None, True, False):
        return f"the mfa {_shown(r.mfa)}, and neither True, False nor None"
    for name in _TEXTS:
        if not isinstance(value := getattr(r, name), str | None):
            return f"the {name} {_shown(value)}, and no text"
    return None if _is_object(r.profile) else f"the profile {_shown(r.profile)}, and no JSON object"


def _is_object(profile: object) -> bool:
    return isinstance(profile, Mapping) and is_json(profile)


def _without_wrong_definitions(page: Page, source: str) -> Page:
    wrong = [(e, reason) for e in page.entitlements if (reason := _wrong_definition(e))]
    rejected = (Rejected(reason=f"{source} gave an entitlement on {e.resource} {reason}") for e, reason in wrong)
    kept = tuple(e for e in page.entitlements if not _wrong_definition(e))
    return evolve(page, entitlements=kept, rejected=(*page.rejected, *rejected))


def _wrong_definition(e: Entitlement) -> str | None:
    """Return which text of an entitlement is none, in words; None where all are."""
    for name in ("slug", "name", "description", "exclusive", "note"):
        value = getattr(e, name)
        if not isinstance(value, str) and (value is not None or name in ("slug", "name")):
            return f"the {name} {_shown(value)}, and no text"
    return None


def _shown(value: object) -> str:
    return repr(value)[:60]


def _has_nul(r: Resource) -> bool:
    return "\0" in r.id or "\0" in r.type


def _is_odd_text(value: object) -> bool:
    return value is not None and (not isinstance(value, str) or len(value) > LONGEST)


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > LONGEST


def _cut(r: Resource) -> Resource:
    texts: dict[str, Any] = {name: _shortened(getattr(r, name)) for name in _TEXTS}
    return evolve(r, **texts, profile={name: _shortened(value) for name, value in r.profile.items()})


def _shortened(value: Json) -> Json:
    return f"{value[: LONGEST - 1]}…" if isinstance(value, str) and len(value) > LONGEST else value
