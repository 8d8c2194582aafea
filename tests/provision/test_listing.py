"""Reading the application's lists for one account: whatever they hold, it comes to an end."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.sync import Script, users

from connector_core.errors import ApplicationError
from connector_core.hookspecs import hookimpl
from connector_core.host.connection import Connection
from connector_core.model import Cursor, Outcome, Page, Resource


class EndlessLists(Script):
    """One more page is always there: an empty one, or one of people that no other page gave."""

    def __init__(self, *, empty: bool) -> None:
        super().__init__({})
        self.empty = empty
        self.number = 0

    @hookimpl
    def sync_page(self, cursor: Cursor | None) -> Page:
        self.number += 1
        next = (Cursor("users", self.number),)
        return Page(next=next) if self.empty else users(f"u{self.number}", next=next)

    @hookimpl
    def find_account(self, login: str) -> Page:
        return Page()

    @hookimpl
    def provision_delete_account(self, resource: Resource) -> Outcome:
        raise AssertionError("not to be called")


def managed(connector: Script, folder: Path) -> Connection:
    return connector.connect(folder / "s.db").host.connection("script", managed=True)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(("empty", "pages"), [(True, 101), (False, 10_000)])
def test_lists_without_end_are_an_error(tmp_path: Path, empty: bool, pages: int) -> None:
    """After a hundred empty pages of a list, or ten thousand of any kind; nothing is removed."""
    connector = EndlessLists(empty=empty)
    with pytest.raises(ApplicationError, match="not end"):
        managed(connector, tmp_path).delete_account("who@example.com", yes=True)
    assert connector.number == pages
