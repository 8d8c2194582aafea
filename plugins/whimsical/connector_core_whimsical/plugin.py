"""The hooks of the Whimsical connector: each one line that says where its work is done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from connector_core.hookspecs import hookimpl
from connector_core.model import (
    Cursor,
    Finding,
    Grant,
    Guide,
    Manifest,
    NewAccount,
    Outcome,
    Page,
    Resource,
    ResourceType,
)
from connector_core_whimsical import checking, provisioning, roles
from connector_core_whimsical.client import WhimsicalClient, connect
from connector_core_whimsical.settings import Settings

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from connector_core.http import HttpClient

_GUIDE = Guide(  # W20, W22; plans are named differently in different places (W24), so none is named here
    steps=(
        "In Whimsical, open the workspace settings as an administrator; the plan has to include SAML SSO and SCIM.",
        "Set up SAML SSO and see that signing in works. Switching it off later switches SCIM off, too.",
        "Switch on SCIM provisioning.",
        "Reveal the SCIM token, copy it at once, and paste it here.",
    ),
    url="https://help.whimsical.com/security/scim",
)

# == setting up ================================================================================================


@hookimpl
def connector_manifest(settings: Settings | None) -> Manifest:
    return Manifest(
        contract=2,
        name="whimsical",
        display_name="Whimsical",
        summary="Members of a Whimsical workspace and their roles, over SCIM 2.0",
        settings=Settings,
        resource_types=(
            ResourceType(type="user", display_name="User", traits=("user",), grants="with_resource"),
            ResourceType(type="role", display_name="Role", traits=("role",)),
        ),
        entitlements=roles.entitlements("deactivate" if settings is None else settings.viewer_revoke),
        guide=_GUIDE,
        max_workers=8,
    )


@hookimpl
def connector_connect(settings: Settings, http: HttpClient) -> WhimsicalClient:
    return connect(settings, http)


@hookimpl
def connector_check(client: WhimsicalClient) -> list[Finding]:
    return checking.findings(client)


# == reading ===================================================================================================


@hookimpl
def sync_page(client: WhimsicalClient, cursor: Cursor | None) -> Page:
    if cursor is None:
        return roles.page(client.settings.viewer_revoke, next=(client.users.first(),))
    return client.users.listed(cursor)


@hookimpl
def sync_resource(client: WhimsicalClient, resource: Resource) -> Page | None:
    if resource.type == "role":
        return roles.one(resource.key)
    return client.users.one(resource.key)


@hookimpl
def find_account(client: WhimsicalClient, login: str) -> Page:
    return client.users.by_login(login)


# == writing ===================================================================================================


@hookimpl
def provision_create_account(client: WhimsicalClient, account: NewAccount) -> Outcome:
    return provisioning.create(client, account)


@hookimpl
def provision_delete_account(client: WhimsicalClient, resource: Resource) -> Outcome:
    return provisioning.delete(client, resource.key)


@hookimpl
def provision_enable_account(client: WhimsicalClient, resource: Resource) -> Outcome:
    return provisioning.enable(client, resource.key)


@hookimpl
def provision_grant(client: WhimsicalClient, grant: Grant) -> Outcome:
    return provisioning.grant(client, grant)


@hookimpl
def provision_revoke(client: WhimsicalClient, grant: Grant) -> Outcome:
    return provisioning.revoke(client, grant)


# == trying out ================================================================================================


@hookimpl
def sandbox_app(folder: Path) -> WSGIApplication:
    from connector_core_whimsical import sandbox

    return sandbox.app(folder)
