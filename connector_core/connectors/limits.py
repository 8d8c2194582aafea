"""What a page may hold: rows with an id that no store can take are set aside, and texts without end are cut."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from connector_core.model import Json, Page, Rejected, Resource

LONGEST = 4096  # characters of a value
_TEXTS = ("name", "login", "email")


def within_limits(page: Page) -> Page:
    """Return the page without rows whose id holds a NUL, and with texts of at most `LONGEST` characters.

    Each row set aside is among ``rejected``, each cut among ``warnings``. Nearly all pages are returned as they are.
    """
    if not any(map(_is_odd, page.resources)):
        return page
    resources, warnings, dropped = [], list(page.warnings), []
    for r in page.resources:
        if _has_nul(r):
            dropped.append(r.key)
            continue
        if _is_odd(r):
            r = _cut(r)
            warnings.append(f"{r.key}: a value of more than {LONGEST:,} characters was cut")
        resources.append(r)
    rejected = tuple(Rejected(reason=f"{key}: the id holds a NUL character") for key in dropped)
    return evolve(
        page, resources=tuple(resources), warnings=tuple(warnings), rejected=(*page.rejected, *rejected),
        grants=tuple(g for g in page.grants if g.principal not in dropped),
        unknown=tuple(key for key in page.unknown if key not in dropped),
    )  # fmt: skip


def _has_nul(r: Resource) -> bool:
    return "\0" in r.id or "\0" in r.type


def _is_odd(r: Resource) -> bool:
    if _has_nul(r) or _is_long(r.name) or _is_long(r.login) or _is_long(r.email):
        return True
    return any(map(_is_long, r.profile.values()))


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > LONGEST


def _cut(r: Resource) -> Resource:
    texts: dict[str, Any] = {name: _shortened(getattr(r, name)) for name in _TEXTS}
    return evolve(r, **texts, profile={name: _shortened(value) for name, value in r.profile.items()})


def _shortened(value: Json) -> Json:
    return f"{value[: LONGEST - 1]}…" if isinstance(value, str) and len(value) > LONGEST else value
