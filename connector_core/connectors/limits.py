"""What a page may hold: rows with a value that no field may have are set aside, and texts without end are cut."""

from __future__ import annotations

from typing import Any, get_args

from attrs import evolve

from connector_core.clock import utc_time
from connector_core.model import AccountType, Json, Page, Rejected, Resource, Status

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


def _is_odd(r: Resource) -> bool:
    """Whether a row may be one to set aside or to cut: asked of every row of every page."""
    if "\0" in r.id or "\0" in r.type or r.status not in _STATUSES or r.account_type not in _ACCOUNT_TYPES:
        return True
    says_more = r.last_login or r.created_at or r.mfa is not None or r.manager is not None
    if says_more and (_wrong_value(r) is not None or _is_long(r.manager)):
        return True
    return _is_long(r.name) or _is_long(r.login) or _is_long(r.email) or any(map(_is_long, r.profile.values()))


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
    manager: object = r.manager  # whatever a plugin gave
    if not isinstance(manager, str | None):
        return f"the manager {_shown(manager)}, and no text"
    return None


def _shown(value: object) -> str:
    return repr(value)[:60]


def _has_nul(r: Resource) -> bool:
    return "\0" in r.id or "\0" in r.type


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > LONGEST


def _cut(r: Resource) -> Resource:
    texts: dict[str, Any] = {name: _shortened(getattr(r, name)) for name in _TEXTS}
    return evolve(r, **texts, profile={name: _shortened(value) for name, value in r.profile.items()})


def _shortened(value: Json) -> Json:
    return f"{value[: LONGEST - 1]}…" if isinstance(value, str) and len(value) > LONGEST else value
