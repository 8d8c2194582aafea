"""What a connector is handed to create an account from."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.sync import EDITOR, VIEWER, Script, user

from connector_core import Host
from connector_core.hookspecs import hookimpl
from connector_core.model import EntitlementKey, NewAccount, Outcome, Page, ResourceType


class PersonConnector(Script):
    """A connector whose accounts are of the type ``person``."""

    def __init__(self) -> None:
        super().__init__({})
        self.types = (ResourceType(type="person", display_name="Person", traits=("user",)),)
        self.made: list[NewAccount] = []

    @hookimpl
    def find_account(self, login: str) -> Page:
        return Page(resources=tuple(user(a.login, type=a.type, login=a.login) for a in self.made if a.login == login))

    @hookimpl
    def provision_create_account(self, account: NewAccount) -> Outcome:
        self.made.append(account)
        return Outcome()


@pytest.mark.parametrize(("role", "roles"), [("editor", (EDITOR,)), (None, ())])
def test_a_new_account_has_the_type_that_accounts_have(
    tmp_path: Path, role: str | None, roles: tuple[EntitlementKey, ...]
) -> None:
    """The connector's own, whatever it is called; and its role, for a plugin of either contract."""
    people = PersonConnector()
    with Host(tmp_path / "s.db", plugins={"script": people}, installed=False) as host:
        host.connection("script", managed=True).create_account("ada@example.com", role=role)
    (account,) = people.made
    assert (account.type, account.role, account.roles) == ("person", roles[0] if roles else None, roles)


def test_the_roles_of_a_new_account_may_be_several() -> None:
    """A single role is all of them, where nothing else is said."""
    assert NewAccount(login="a", role=VIEWER).roles == (VIEWER,)
    assert NewAccount(login="a", role=VIEWER, roles=(VIEWER, EDITOR)).roles == (VIEWER, EDITOR)
    assert NewAccount(login="a").roles == ()
