"""A whole connector in one file: an application that is a dictionary, with people and the teams they are in.

Copy this folder to begin a connector of your own: rename the module, and the entry point and the manifest, which share
a name.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from connector_core import (
    Cursor,
    Entitlement,
    EntitlementKey,
    Finding,
    Grant,
    Key,
    Manifest,
    Page,
    Resource,
    ResourceType,
    Secret,
    hookimpl,
    secret,
    setting,
)

PEOPLE = {"u1": "ada@example.com", "u2": "grace@example.com", "u3": "alan@example.com"}
TEAMS: Mapping[str, list[str]] = {"compilers": ["u1", "u2"], "machines": ["u3"]}


@frozen(kw_only=True)
class Settings:
    token: Secret = secret(help="any text will do")  # noqa: RUF009
    page_size: int = setting(default=2, help="people on a page", reading=True)


@hookimpl
def connector_manifest() -> Manifest:
    return Manifest(
        contract=2,
        name="minimal",
        display_name="Minimal",
        summary="People and teams of a dictionary",
        settings=Settings,
        resource_types=(
            ResourceType(type="user", display_name="User", traits=("user",)),
            ResourceType(type="team", display_name="Team", traits=("group",)),
        ),
    )


@hookimpl
def connector_connect(settings: Settings) -> Settings:
    return settings


@hookimpl
def connector_check() -> list[Finding]:
    return [Finding(level="ok", code="users", message=f"{len(PEOPLE)} people")]


@hookimpl
def sync_page(client: Settings, cursor: Cursor | None) -> Page:
    if cursor is None:
        return Page(next=(Cursor("people", 0), Cursor("teams")))
    return _teams() if cursor.stream == "teams" else _people(int(str(cursor.position)), client.page_size)


@hookimpl
def sync_resource(resource: Resource) -> Page | None:
    return Page(resources=(_person(resource.id),)) if resource.id in PEOPLE else None


def _people(start: int, size: int) -> Page:
    ids = list(PEOPLE)[start : start + size]
    more = (Cursor("people", start + size),) if start + size < len(PEOPLE) else ()
    return Page(resources=tuple(map(_person, ids)), next=more, total=len(PEOPLE))


def _person(id: str) -> Resource:
    return Resource(type="user", id=id, login=PEOPLE[id], email=PEOPLE[id], status="enabled")


def _teams() -> Page:
    """Each team, what can be held on it, and who does."""
    teams = tuple(Resource(type="team", id=team, name=team.title()) for team in TEAMS)
    membership = tuple(Entitlement(resource=t.key, slug="member", name=f"{t.name} member", expands=True) for t in teams)
    grants = [
        Grant(EntitlementKey("team", team, "member"), Key("user", id)) for team, ids in TEAMS.items() for id in ids
    ]
    return Page(resources=teams, entitlements=membership, grants=tuple(grants), total=len(teams))
