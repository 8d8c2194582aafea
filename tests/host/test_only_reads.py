"""Reading commands send nothing that may change the application; a dry run shows the write, and no token request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from kit.tokens import CLIENT, SECRET, TokenApplication

from connector_core import (
    Entitlement,
    EntitlementKey,
    Finding,
    Grant,
    GuardRefused,
    Host,
    HttpClient,
    Manifest,
    Outcome,
    Page,
    Resource,
    ResourceType,
    Secret,
    hookimpl,
    oauth2_client_credentials,
    setting,
)
from connector_core.clock import SystemClock
from connector_core.testing import LoopbackServer

ADMIN = EntitlementKey("role", "admin", "assigned")
ADA = Resource(type="user", id="1", login="ada@example.com", name="Ada", status="enabled")


@frozen(kw_only=True)
class PostingSettings:
    url: str = setting(help="where the application is")
    reads: bool = setting(default=True, help="whether the listing is marked as one that reads")


class Posting:
    """A connector for an application whose listings are POSTs, behind OAuth 2."""

    @hookimpl
    def connector_manifest(self) -> Manifest:
        return Manifest(
            name="posting", display_name="Posting", summary="Lists by POST", settings=PostingSettings,
            resource_types=(
                ResourceType(type="user", display_name="User", traits=("user",)),
                ResourceType(type="role", display_name="Role", traits=("role",)),
            ),
            entitlements=(Entitlement(resource=ADMIN.resource, slug="assigned", name="Admin"),),
        )  # fmt: skip

    @hookimpl
    def connector_connect(self, settings: PostingSettings, http: HttpClient) -> Any:
        auth = oauth2_client_credentials(
            http, token_url=f"{settings.url}/token", client_id=CLIENT, client_secret=Secret(SECRET)
        )

        def ask(path: str, **options: Any) -> int:
            return http.request("POST", settings.url + path, body=b"{}", auth=auth, **options).status

        return settings, ask

    @hookimpl
    def connector_check(self, client: Any) -> list[Finding]:
        client[1]("/list", reads=client[0].reads)
        return [Finding(level="ok", code="users", message="listed")]

    @hookimpl
    def sync_page(self, client: Any) -> Page:
        client[1]("/list", reads=client[0].reads)
        return Page(resources=(ADA, Resource(type="role", id="admin", name="Admin")))

    @hookimpl
    def find_account(self, client: Any) -> Page:
        client[1]("/list", reads=True)
        return Page(resources=(ADA,))

    @hookimpl
    def sync_resource(self, client: Any) -> Page:
        return self.find_account(client)

    @hookimpl
    def provision_grant(self, client: Any, grant: Grant) -> Outcome:
        client[1]("/grant")
        return Outcome(after=Page(resources=(ADA,), grants=(grant,)), verified=True)


@contextmanager
def connection(folder: Path, *, reads: bool) -> Iterator[tuple[TokenApplication, Any]]:
    app = TokenApplication(SystemClock().monotonic)
    with (
        LoopbackServer(app) as server,
        Host(folder / "state.db", plugins={"posting": Posting()}, installed=False) as host,
    ):
        yield app, host.connection("posting", settings={"url": server.url, "reads": reads}, managed=True)


def test_a_post_that_is_not_marked_as_reading_never_leaves_a_check_or_a_sync(tmp_path: Path) -> None:
    """Both end with an error that names what was about to leave, and how a connector marks it."""
    with connection(tmp_path, reads=False) as (app, posting):
        for command in (posting.check, posting.sync):
            with pytest.raises(GuardRefused, match="POST") as caught:
                command()
            assert "reads=True" in str(caught.value.hint)
    assert not [line for line in app.log if line.startswith("POST")]


def test_a_post_that_reads_serves_check_and_sync(tmp_path: Path) -> None:
    """Marked as reading, it is sent; the token request before it needs no mark."""
    with connection(tmp_path, reads=True) as (app, posting):
        assert [finding.level for finding in posting.check()] == ["ok"]
        assert posting.sync().sync.status == "complete"
    assert app.log.count("POST /list 200") >= 2


def test_a_dry_run_shows_the_write_and_not_the_token_request(tmp_path: Path) -> None:
    """With OAuth 2, a dry run of a grant names the request that grants; nothing of it leaves."""
    with connection(tmp_path, reads=True) as (app, posting):
        planned = posting.grant("admin", "ada@example.com", dry_run=True)
        assert planned.request is not None
        assert (planned.request.method, planned.request.path) == ("POST", "/grant")
        assert "POST /grant 200" not in app.log
        done = posting.grant("admin", "ada@example.com")
        journal = json.dumps([str(operation) for operation in posting.operations()])
    assert (done.state, done.outcome) == ("done", "changed")
    assert app.log.count("POST /grant 200") == 1
    assert "/token" not in journal
