"""What a stand-in server decides where SCIM leaves a choice."""

from __future__ import annotations

from typing import Literal

from attrs import frozen

EXTENSION = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"


@frozen(kw_only=True)
class Switches:
    """How this server decides what SCIM leaves open. None of these is a fault: each is known of a real server.

    ``extension``, ``flag``: URN and boolean attribute that hold the role.
    ``default_role``: the role of a user created without one (W8). ``hide_role``: written, never shown (P19).
    ``lowercase_logins``: ``fold`` or ``reject`` upper case (W15). ``email_follows_login``: W16.
    ``names_fixed``: names written after creation are passed over in silence (W13).
    ``deactivation_removes``: ``active: false`` takes the user out (W17).
    ``pending_hidden``: created users are listed once they logged in (W14, P14), see `Workspace.log_in`.
    ``page_cap``: most rows of a page, whatever is asked for (P01); ``default_page``: rows where nothing is asked for.
    ``cursor_paging``: RFC 9865, ``offered`` or the ``only`` way (P13); ``cursor_timeout`` in seconds, None is for ever.
    ``index_paging_ignored``: every page is the first (P03).
    ``total``: the grand total, the page's own length (P02), a text, or absent (P12).
    ``patch_reply``: 200 with the user, or 204 (P38).
    """

    extension: str = EXTENSION
    flag: str = "editor"
    default_role: bool | None = None
    hide_role: bool = False
    lowercase_logins: Literal["off", "fold", "reject"] = "off"
    email_follows_login: bool = False
    names_fixed: bool = False
    deactivation_removes: bool = False
    pending_hidden: bool = False
    page_cap: int | None = None
    default_page: int = 100
    cursor_paging: Literal["off", "offered", "only"] = "off"
    cursor_timeout: float | None = None
    index_paging_ignored: bool = False
    total: Literal["grand", "page", "text", "absent"] = "grand"
    patch_reply: Literal[200, 204] = 200
