"""What the hooks are given to work with: the users of one workspace, and its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from connector_core.scim import ScimClient, ScimUsers, bearer
from connector_core_whimsical import users
from connector_core_whimsical.settings import Settings

if TYPE_CHECKING:
    from connector_core.http import HttpClient

_SWITCHES = (
    "copy the token again from the workspace settings, and see that SAML SSO and SCIM are both still on: "
    "switching SAML off switches SCIM off"  # W20, P72
)
_HINTS = {
    401: _SWITCHES,
    403: _SWITCHES,
    404: "see that base_url is the SCIM base that the workspace settings show, and that SCIM is on",
}


@frozen
class WhimsicalClient:
    """One Whimsical workspace."""

    users: ScimUsers
    settings: Settings


def connect(settings: Settings, http: HttpClient) -> WhimsicalClient:
    """Raises `ConfigurationError` for a token or an address that cannot be right; makes no request."""
    if settings.requests_per_second:
        http.set_rate(settings.requests_per_second)
    scim = ScimClient(http, settings.base_url, bearer(settings.token), hints=_HINTS)
    return WhimsicalClient(users.reader(scim, settings.page_size), settings)
