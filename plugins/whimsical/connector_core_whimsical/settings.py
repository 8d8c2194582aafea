"""What an administrator can say about a Whimsical workspace."""

from __future__ import annotations

from math import inf
from typing import Literal

from attrs import frozen
from attrs.validators import and_, ge, le, lt

from connector_core.model import Secret
from connector_core.scim import PatchStyle
from connector_core.settings import address, secret, setting

BASE_URL = "https://api.whimsical.com/scim-v2"  # W1; the older one that Microsoft's tutorial names (W4) redirects away


@frozen(kw_only=True)
class Settings:
    """Which PATCH Whimsical prefers is not known (P20): ``path`` is the RFC's own shape, ``flat`` is Entra's (W5)."""

    token: Secret = secret(help="SCIM OAuth token from the workspace settings")  # noqa: RUF009
    base_url: str = address(default=BASE_URL, help="where the SCIM API is")
    page_size: int = setting(
        default=100, help="users to ask for at once, 1 to 1000", reading=True, validator=and_(ge(1), le(1000))
    )
    requests_per_second: float = setting(
        default=0.0, help="send no more than that; 0: find the limit by being refused", validator=and_(ge(0), lt(inf))
    )
    patch_style: PatchStyle = setting(  # noqa: RUF009
        default="path", help="how a PATCH names an attribute: path, nested or flat"
    )
    viewer_revoke: Literal["deactivate", "refuse"] = setting(
        default="deactivate", help="what revoking Viewer does: remove the member from the workspace, or refuse"
    )
    protected: tuple[str, ...] = setting(
        default=(), help="accounts that are never removed or downgraded: e-mail addresses, or *@domain"
    )
