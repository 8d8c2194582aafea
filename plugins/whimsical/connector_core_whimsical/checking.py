"""Whether a workspace can be reached, accepts the token and lists its users: what `check` shows."""

from __future__ import annotations

from collections.abc import Iterator

from connector_core.errors import ApplicationError, CredentialsRefused
from connector_core.model import Finding, Page
from connector_core_whimsical.client import WhimsicalClient


def findings(workspace: WhimsicalClient) -> list[Finding]:
    """One request, of the page size that a sync asks for: a size that the application refuses shows here, too (P10).

    What went wrong is a finding whose code is the error's.
    """
    try:
        page = workspace.users.listed(workspace.users.first())
    except (CredentialsRefused, ApplicationError) as error:
        return [Finding(level="error", code=error.code, message=error.message, hint=error.hint)]
    return [
        Finding(level="ok", code="reachable", message="Whimsical answers"),
        Finding(level="ok", code="credentials", message="the token is accepted"),
        *_listing(page),
    ]


def _listing(page: Page) -> Iterator[Finding]:
    if not (page.resources or page.rejected):
        yield Finding(
            level="warning",
            code="empty",
            message="the workspace lists no users",
            hint="right for a new workspace; else see that the token belongs to the workspace you mean",
        )
        return
    counted = "users are listed" if page.total is None else f"users are listed: {page.total}"
    yield Finding(level="ok", code="users", message=counted)
    for rejected in page.rejected[:1]:
        yield Finding(level="warning", code="unreadable_user", message=f"a user cannot be read: {rejected.reason}")
    if page.grants:
        yield Finding(level="ok", code="roles", message="roles can be read")
    elif page.unknown:
        yield Finding(
            level="warning",
            code="roles_unreadable",
            message="roles cannot be read: the listing does not show who is an editor",
            hint="users are synced, their roles stay unknown; grant and revoke work, but cannot be verified",
        )
