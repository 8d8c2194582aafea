"""A stand-in for Whimsical: its documented rules over the stand-in SCIM server of `connector_core.testing`.

What is not documented is decided here in the way that shows most: the role is readable, and created people appear
at once instead of after their first SAML login (W14), so that every command has something to show. There are no
administrators or guests: SCIM knows neither (W11, W12).
"""

from __future__ import annotations

from pathlib import Path
from wsgiref.types import WSGIApplication

from connector_core.hookspecs import SANDBOX_SECRET
from connector_core.testing import ScimApp, Switches, Workspace
from connector_core_whimsical.people import people

PREFIX = "/scim-v2"

RULES = Switches(
    default_role=False,  # W8: a viewer, where the administrator never chose another default
    names_fixed=True,  # W13
    lowercase_logins="reject",  # W15
    email_follows_login=True,  # W16
    deactivation_removes=True,  # W17
    page_cap=100,
)


def app(folder: Path) -> WSGIApplication:
    """The workspace kept in ``folder``, filled on first use; its base address is ``/scim-v2``, or none.

    Raises `StateError` where the folder holds something else.
    """
    workspace = Workspace(folder, seed=1)
    with workspace.changing():
        if not workspace.begun:
            _move_in(workspace)
    return ScimApp(workspace, token=SANDBOX_SECRET, switches=RULES, prefix=PREFIX)


def _move_in(workspace: Workspace) -> None:
    for person in people():
        workspace.add(
            person.login,
            given_name=person.given_name,
            family_name=person.family_name,
            email=person.login,
            role=person.editor,
        )
