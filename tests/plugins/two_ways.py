"""A connector that is let in by a token, or by a client id and its secret; it says which one it was given."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from connector_core import Finding, Manifest, Page, ResourceType, Secret, hookimpl, secret, setting


@frozen(kw_only=True)
class Settings:
    token: Secret | None = secret(default=None, help="the token")  # noqa: RUF009
    client_id: str | None = setting(default=None, help="the client")
    client_secret: Secret | None = secret(default=None, help="the client's secret")  # noqa: RUF009
    one_of = ("token", ("client_id", "client_secret"))


@hookimpl
def connector_manifest() -> Manifest:
    return Manifest(
        contract=2, name="two_ways", display_name="Two ways", summary="", settings=Settings,
        resource_types=(ResourceType(type="user", display_name="User", traits=("user",)),),
    )  # fmt: skip


@hookimpl
def connector_connect(settings: Settings) -> Any:
    return settings


@hookimpl
def connector_check(client: Settings) -> list[Finding]:
    given = [name for name in ("token", "client_id", "client_secret") if getattr(client, name) is not None]
    lengths = [len(value.reveal()) for value in (client.token, client.client_secret) if value is not None]
    return [Finding(level="ok", code="in", message=f"with {given}, secrets of {lengths} characters")]


@hookimpl
def sync_page() -> Page:
    return Page()
