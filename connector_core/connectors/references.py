"""What a page may refer to: cursors that JSON can hold, grants with all their names, types that the manifest declares.

What is not so is set aside, with its reason, as a row with a wrong value is (`limits`): the rest of the page is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import evolve, frozen

from connector_core.connectors.limits import is_storable_json
from connector_core.model import Cursor, Entitlement, Grant, Manifest, Page, Rejected, Resource

_LONGEST = 300  # characters of a reference that are worth showing
_STRICT = 2  # the contract from which on rows of types that are not declared are set aside

Row = Cursor | Resource | Entitlement | Grant


@frozen
class DeclaredTypes:
    """The types of a manifest. ``strict``: rows of any other are set aside; else a warning names their type."""

    names: frozenset[str]
    strict: bool

    @classmethod
    def of(cls, manifest: Manifest) -> DeclaredTypes:
        """Return what a manifest declares."""
        return cls(frozenset(kind.type for kind in manifest.resource_types), manifest.contract >= _STRICT)


def within_references(page: Page, source: str, declared: DeclaredTypes | None) -> Page:
    """Return the page without what refers to nothing, each among ``rejected``; itself where all is right.

    :param source: what gave the page, for the reasons.
    :param declared: the types there are; None takes any.
    """
    wrong: list[tuple[Row, str]] = [
        (c, f"a cursor that is not JSON: {repr(c)[:_LONGEST]}") for c in page.next if not _is_cursor(c)
    ]
    if not _all_are_names(_names(page.grants, page.entitlements)):
        wrong += _nameless(page)
    if wrong:
        page = _without(page, wrong, source)
    if declared is None or _types(page) <= declared.names:
        return page
    strange = list(_undeclared(page, declared.names))
    if declared.strict:
        return _without(page, strange, source)
    return evolve(page, warnings=(*page.warnings, *dict.fromkeys(f"{source} gave {what}" for _, what in strange)))


def _is_cursor(cursor: Cursor) -> bool:
    return isinstance(cursor.stream, str) and is_storable_json([cursor.stream, cursor.position])


def _names(grants: Iterable[Grant], entitlements: Iterable[Entitlement]) -> list[object]:
    names: list[object] = [name for g in grants for name in (*g.entitlement, *g.principal)]
    return names + [name for e in entitlements for name in e.resource]


def _all_are_names(names: list[object]) -> bool:
    return not names or (set(map(type, names)) == {str} and "" not in names)


def _nameless(page: Page) -> Iterator[tuple[Row, str]]:
    said = "in which a name is missing or is no text"
    for g in page.grants:
        if not _all_are_names(_names([g], ())):
            yield g, f"a grant {said}: {repr(g)[:_LONGEST]}"
    for e in page.entitlements:
        if not _all_are_names(_names((), [e])):
            yield e, f"an entitlement {said}: {repr(e.key)[:_LONGEST]}"


def _types(page: Page) -> set[str]:
    types = {r.type for r in page.resources} | {e.resource.type for e in page.entitlements}
    return types | {g.entitlement.type for g in page.grants} | {g.principal.type for g in page.grants}


def _undeclared(page: Page, names: frozenset[str]) -> Iterator[tuple[Row, str]]:
    """Yield the rows of types that are not declared. Rows of one type have one reason: there may be very many."""
    for r in page.resources:
        if r.type not in names:
            yield r, _of_type("resources", r.type)
    for e in page.entitlements:
        if e.resource.type not in names:
            yield e, _of_type("entitlements on resources", e.resource.type)
    for g in page.grants:
        if g.entitlement.type not in names:
            yield g, _of_type("grants on resources", g.entitlement.type)
        elif g.principal.type not in names:
            yield g, _of_type("grants to principals", g.principal.type)


def _of_type(what: str, type: str) -> str:
    return f"{what} of the type {type[:_LONGEST]!r}, which its manifest does not declare"


def _without(page: Page, wrong: list[tuple[Row, str]], source: str) -> Page:
    out = {id(row) for row, _ in wrong}
    return evolve(
        page,
        resources=tuple(r for r in page.resources if id(r) not in out),
        entitlements=tuple(e for e in page.entitlements if id(e) not in out),
        grants=tuple(g for g in page.grants if id(g) not in out),
        next=tuple(c for c in page.next if id(c) not in out),
        rejected=(*page.rejected, *(Rejected(reason=f"{source} gave {what}") for _, what in wrong)),
    )
