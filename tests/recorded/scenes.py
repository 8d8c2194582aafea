"""What is done in front of the recorder, and again at replay.

To add a scene, write a function that takes a `RecordingSetup`, name it in `READING` or `WRITING`, record, and say in
``tests/whimsical/test_cassettes.py`` what it must come to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from attrs import frozen

from connector_core.errors import CredentialsRefused, GuardRefused, NotFound
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.http import HttpClient
from connector_core.model import Finding, Grant, Key, NewAccount, Operation, Outcome, Page, Resource, Secret
from connector_core_whimsical import plugin, roles
from connector_core_whimsical.client import WhimsicalClient
from connector_core_whimsical.settings import Settings

PAGE_SIZE = 7
NOBODY = "nobody@example.com"
WRONG_TOKEN = "nobody-gave-this-out"
THROWAWAY = "throwaway@example.com"


@frozen(kw_only=True)
class RecordingSetup:
    """Where a scene is played: the server, a folder for the state, and the user that may be created and deleted."""

    base_url: str
    token: Secret
    folder: Path
    throwaway: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return {"base_url": self.base_url, "token": self.token, "page_size": PAGE_SIZE}

    def connection(self, *, managed: bool = False, **other: Any) -> Connection:
        settings = {**self.settings, **other}
        return Host(self.folder / "state.db").connection("whimsical", settings=settings, managed=managed)

    @contextmanager
    def client(self) -> Iterator[WhimsicalClient]:
        """The connector's own client; without a throw-away user it cannot write."""
        http = HttpClient(before_write=None if self.throwaway else _refuse)
        try:
            yield plugin.connector_connect(Settings(**self.settings), http)
        finally:
            http.close()


def _refuse(method: str, url: str, body: bytes | None) -> None:
    raise GuardRefused(f"{method} was about to be sent, and this recording only reads")


# -- reading ---------------------------------------------------------------------------------------------------


def sync(stage: RecordingSetup) -> Connection:
    """Everybody, page by page, with one worker; then once more."""
    connection = stage.connection()
    for _ in range(2):
        connection.sync(workers=1)
    return connection


def check(stage: RecordingSetup) -> tuple[Finding, ...]:
    return stage.connection().check()


class Found(NamedTuple):
    listed: Resource
    by_login: Page
    by_login_in_capitals: Page
    nobody: Page
    by_id: Page | None
    no_id: Page | None


def look_up(stage: RecordingSetup) -> Found:
    """The first user of the listing by login and by id, and one that there is not."""
    with stage.client() as client:
        (first,) = plugin.sync_page(client, None).next
        somebody = plugin.sync_page(client, first).resources[0]
        login = somebody.login or ""
        return Found(
            somebody,
            plugin.find_account(client, login),
            plugin.find_account(client, login.upper()),
            plugin.find_account(client, NOBODY),
            plugin.sync_resource(client, somebody),
            plugin.sync_resource(client, Resource(type="user", id="no-such-id")),
        )


def wrong_token(stage: RecordingSetup) -> CredentialsRefused | None:
    try:
        stage.connection(token=Secret(WRONG_TOKEN)).sync(workers=1)
    except CredentialsRefused as error:
        return error
    return None


# -- writing ---------------------------------------------------------------------------------------------------


class Written(NamedTuple):
    """What each write was answered with, and what a read showed after it."""

    created: Outcome
    after_create: Page
    promoted: Outcome
    after_promotion: Page | None
    demoted: Outcome
    after_demotion: Page | None
    deleted: Outcome
    after_delete: Page | None
    gone_already: bool


def write(stage: RecordingSetup) -> Written:
    """A user who was not there comes, is promoted and demoted, and goes."""
    assert stage.throwaway, "writing needs a throw-away user"
    with stage.client() as client:
        if plugin.find_account(client, stage.throwaway).resources:
            raise GuardRefused(f"{stage.throwaway} is there already: it is no throw-away user")
        account = NewAccount(login=stage.throwaway, given_name="Invented", family_name="Person", role=roles.VIEWER)
        created = plugin.provision_create_account(client, account)
        found = plugin.find_account(client, stage.throwaway)
        user = found.resources[0]
        return Written(created, found, *_promoted(client, user.key), *_deleted(client, user))


def _promoted(client: WhimsicalClient, user: Key) -> tuple[Outcome, Page | None, Outcome, Page | None]:
    editor = Grant(roles.EDITOR, user)
    promoted = plugin.provision_grant(client, editor)
    after = client.users.one(user)
    return promoted, after, plugin.provision_revoke(client, editor), client.users.one(user)


def _deleted(client: WhimsicalClient, user: Resource) -> tuple[Outcome, Page | None, bool]:
    deleted = plugin.provision_delete_account(client, user)
    after = plugin.sync_resource(client, user)
    try:
        plugin.provision_delete_account(client, user)
    except NotFound:
        return deleted, after, True
    return deleted, after, False


def operations(stage: RecordingSetup) -> tuple[Operation, ...]:
    """Each operation through the host, and its twin that finds it so already; the journal, oldest first."""
    assert stage.throwaway, "writing needs a throw-away user"
    connection, who = stage.connection(managed=True), stage.throwaway
    if connection.create_account(who, dry_run=True).outcome == "unchanged":
        raise GuardRefused(f"{who} is there already: it is no throw-away user")
    ask: tuple[Callable[[], Operation], ...] = (
        lambda: connection.create_account(who, given_name="Invented", family_name="Person", role="viewer"),
        lambda: connection.grant("editor", who),
        lambda: connection.revoke("editor", who),
        lambda: connection.revoke("viewer", who, yes=True),
        lambda: connection.create_account(who, role="viewer"),  # disabled, or gone (W17)
        lambda: connection.delete_account(who, yes=True),
    )
    for one in ask:
        one()
        one()
    return connection.operations()[::-1]


READING: dict[str, Callable[[RecordingSetup], Any]] = {
    "sync": sync,
    "check": check,
    "look-up": look_up,
    "wrong-token": wrong_token,
}
WRITING: dict[str, Callable[[RecordingSetup], Any]] = {"write": write, "operations": operations}
