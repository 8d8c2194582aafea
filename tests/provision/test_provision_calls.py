"""Connectors that misbehave: odd errors, odd answers, hooks that never come back, requests that nobody asked for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.provision import ADA, BOB, EVE, Scene, answer, scene, variant

from connector_core.errors import ConnectorCoreError, GuardRefused, OperationRefused, PluginError, ProtocolError
from connector_core.model import Entitlement, EntitlementKey, Grant, Key, NewAccount, Outcome, Page, Resource
from connector_core_whimsical import plugin, roles


def odd(tmp_path: Path, people: dict[str, bool | None] | None = None, **hooks: Any) -> Any:
    return scene(tmp_path, people, plugins=variant(**hooks), connector="odd")


def ends(here: Scene) -> tuple[str, str | None]:
    operation = here.connection.grant("editor", BOB)
    return operation.state, operation.error.code if operation.error else None


# -- odd errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("x"), RecursionError(), SystemExit(3), StopIteration()])
def test_an_odd_error_before_anything_left(tmp_path: Path, error: BaseException) -> None:
    """Failed, with the plugin's name; the server saw nothing."""

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        raise error

    with odd(tmp_path, provision_grant=provision_grant) as here:
        assert ends(here) == ("failed", "plugin_failed")
        assert here.faults.writes() == {}


def test_an_odd_error_after_it_was_done(tmp_path: Path) -> None:
    """What can be seen counts, and the error is said."""

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        plugin.provision_grant(client, grant)
        raise ValueError("odd")

    with odd(tmp_path, provision_grant=provision_grant) as here:
        operation = here.connection.grant("editor", BOB)
        assert (operation.state, operation.outcome, operation.verified) == ("done", "changed", True)
        assert "odd" in operation.warnings[0]


def test_an_odd_error_after_a_request_that_did_nothing(tmp_path: Path) -> None:
    """Unknown, until the next command sees that it failed."""

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        plugin.provision_grant(client, grant)
        raise ValueError("odd")

    with odd(tmp_path, provision_grant=provision_grant) as here:
        here.faults.on("PATCH", answer(204))
        assert ends(here)[0] == "unknown"
        here.connection.sync()
        assert here.states() == ["failed"]


@pytest.mark.parametrize("value", [None, "done", Outcome(after=Page(), verified=True), Outcome(verified=True)])
def test_an_odd_answer_proves_nothing(tmp_path: Path, value: Any) -> None:
    """Neither nothing, nor something else than an outcome, nor a claim without a page to show it."""

    def provision_grant(client: Any, grant: Grant) -> Any:
        return value

    with odd(tmp_path, provision_grant=provision_grant) as here:
        assert ends(here)[0] == "failed"
        assert here.truth()[BOB] == "viewer"


def test_a_claim_about_somebody_else_proves_nothing(tmp_path: Path) -> None:
    """The reply shows Ada, an editor; Bob is none."""

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        return Outcome(after=plugin.find_account(client, ADA), verified=True)

    with odd(tmp_path, provision_grant=provision_grant) as here:
        assert ends(here) == ("failed", "not_carried_out")


def test_p60_somebody_else_under_the_id_asked_for(tmp_path: Path) -> None:
    """A read that brings another account is no answer; nothing is written."""

    def sync_resource(client: Any, resource: Resource) -> Page | None:
        return plugin.find_account(client, ADA)

    with odd(tmp_path, sync_resource=sync_resource) as here:
        with pytest.raises(ProtocolError, match="something else"):
            here.connection.delete_account(here.id(BOB), yes=True)
        assert here.faults.writes() == {}


@pytest.mark.parametrize("terms", [{}, {"dry_run": True}])
def test_p69_somebody_else_under_the_name_asked_for(tmp_path: Path, terms: Any) -> None:
    """Neither deleted nor taken for the person to create."""

    def find_account(client: Any, login: str) -> Page:
        return plugin.find_account(client, ADA)

    with odd(tmp_path, find_account=find_account) as here:
        for ask in (here.connection.delete_account, here.connection.create_account):
            with pytest.raises(ProtocolError, match="of no use"):
                ask(BOB, yes=True, **terms)
        assert here.truth() == {ADA: "editor", BOB: "viewer"}
        assert here.faults.writes() == {}


def test_others_beside_the_one_asked_for(tmp_path: Path) -> None:
    """A page may hold more, such as a manager; the account is the one of that id."""

    def sync_resource(client: Any, resource: Resource) -> Page | None:
        one, more = plugin.sync_resource(client, resource), plugin.find_account(client, ADA)
        return evolve(one, resources=more.resources + one.resources, grants=more.grants + one.grants)

    with odd(tmp_path, sync_resource=sync_resource) as here:
        operation = here.connection.grant("editor", here.id(BOB))
        assert (operation.user, operation.replaced, operation.verified) == (BOB, "viewer", True)


# -- requests that nobody asked for ----------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["find_account", "sync_resource"])
def test_a_read_never_writes(tmp_path: Path, hook: str) -> None:
    """It is stopped before it leaves."""

    def writes(client: Any, **_: Any) -> Any:
        return client.users.client.delete("Users", "1")

    def find_account(client: Any, login: str) -> Any:
        return writes(client)

    def sync_resource(client: Any, resource: Resource) -> Any:
        return writes(client)

    with odd(tmp_path, **{hook: locals()[hook]}) as here:
        with pytest.raises(GuardRefused, match="outside of any operation"):
            here.connection.grant("editor", BOB if hook == "find_account" else here.id(BOB))
        assert here.faults.requests == []


def test_a_dry_run_of_a_plugin_that_swallows_errors(tmp_path: Path) -> None:
    """What stops it is not an error for the plugin to deal with."""

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        try:
            return plugin.provision_grant(client, grant)
        except ConnectorCoreError:
            return Outcome(pending=True)

    with odd(tmp_path, provision_grant=provision_grant) as here:
        operation = here.connection.grant("editor", BOB, dry_run=True)
        assert operation.request is not None
        assert operation.request.method == "PATCH"
        assert here.faults.writes() == {}


def test_a_dry_run_of_a_plugin_that_sends_nothing(tmp_path: Path) -> None:
    """There is no request to show."""

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        return Outcome()

    with odd(tmp_path, provision_grant=provision_grant) as here:
        assert here.connection.grant("editor", BOB, dry_run=True).request is None


# -- hooks that never come back --------------------------------------------------------------------------------


def test_a_hook_that_outlives_its_deadline(tmp_path: Path) -> None:
    """Left behind, the operation unknown; what it sends afterwards is stopped, and a later command settles it."""
    go, came_back = threading.Event(), threading.Event()
    late: list[BaseException] = []

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        if go.is_set():
            return plugin.provision_grant(client, grant)
        here.clock.advance(901)
        go.wait(20)
        try:
            return plugin.provision_grant(client, grant)
        except BaseException as error:
            late.append(error)
            raise
        finally:
            came_back.set()

    with odd(tmp_path, provision_grant=provision_grant) as here:
        operation = here.connection.grant("editor", BOB)
        assert operation.error is not None
        assert operation.state == "failed"
        assert "did not answer in time" in operation.error.message
        go.set()
        assert came_back.wait(20)
        assert "its caller stopped waiting" in str(late[0])
        assert here.faults.writes() == {}
        assert here.connection.grant("editor", BOB).outcome == "changed"


def test_a_hook_that_hangs_after_its_request(tmp_path: Path) -> None:
    """What it did can be seen."""
    go = threading.Event()

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        plugin.provision_grant(client, grant)
        here.clock.advance(901)
        go.wait(20)
        return Outcome()

    with odd(tmp_path, provision_grant=provision_grant) as here:
        operation = here.connection.grant("editor", BOB)
        go.set()
        assert (operation.state, operation.verified) == ("done", True)


def test_a_read_that_hangs(tmp_path: Path) -> None:
    """An error, in time, and nothing written."""
    go = threading.Event()

    def find_account(client: Any, login: str) -> Page:
        here.clock.advance(901)
        go.wait(20)
        return Page()

    with odd(tmp_path, find_account=find_account) as here:
        with pytest.raises(PluginError, match="in time"):
            here.connection.create_account(EVE)
        go.set()
        assert here.states() == []


# -- entitlements that no manifest names -----------------------------------------------------------------------

_DOOR = EntitlementKey("role", "door", "key")


@pytest.mark.parametrize(
    ("on_revoke", "asks"), [("nothing", False), ("removes_account", True), ("falls_back", False), (None, True)]
)
def test_what_revoking_does_is_asked_of_the_application(tmp_path: Path, on_revoke: Any, asks: bool) -> None:
    """An entitlement that only reading shows is guarded as it says; one of which nothing is known, as the worst."""
    door = Entitlement(resource=_DOOR.resource, slug=_DOOR.slug, name="Door", on_revoke=on_revoke or "nothing")

    def sync_resource(client: Any, resource: Resource) -> Page | None:
        if resource.key == _DOOR.resource:
            return Page(entitlements=(door,)) if on_revoke else None
        page = plugin.sync_resource(client, resource)
        return evolve(page, grants=(*page.grants, Grant(_DOOR, resource.key)))

    def find_account(client: Any, login: str) -> Page:
        page = plugin.find_account(client, login)
        return evolve(page, grants=(*page.grants, *(Grant(_DOOR, r.key) for r in page.resources)))

    def provision_revoke(client: Any, grant: Grant) -> Outcome:
        raise OperationRefused("locked")

    hooks = {"sync_resource": sync_resource, "find_account": find_account, "provision_revoke": provision_revoke}
    with odd(tmp_path, **hooks) as here:
        from connector_core.provision.requests import Requests

        connection = here.connection
        with connection._provisioning(connection._connector(), {}) as engine:
            revoke = Requests(engine).revoke
            if asks:
                with pytest.raises(GuardRefused, match="needs to be confirmed"):
                    revoke(_DOOR, BOB)
            else:
                assert revoke(_DOOR, BOB).state == "failed"


def test_a_grant_beside_others_takes_nothing(tmp_path: Path) -> None:
    """What is not exclusive is no downgrade, also for the protected."""

    def sync_resource(client: Any, resource: Resource) -> Page | None:
        if resource.key == _DOOR.resource:
            return Page(entitlements=(Entitlement(resource=_DOOR.resource, slug=_DOOR.slug, name="Door"),))
        return plugin.sync_resource(client, resource)

    def provision_grant(client: Any, grant: Grant) -> Outcome:
        raise OperationRefused("locked")

    with odd(tmp_path, sync_resource=sync_resource, provision_grant=provision_grant) as here:
        here.settings["protected"] = (ADA,)
        from connector_core.provision.requests import Requests

        connection = here.connection
        with connection._provisioning(connection._connector(), {}) as engine:
            assert Requests(engine).grant(_DOOR, Key("user", here.id(ADA))).state == "failed"


def test_a_connector_for_one_who_is_there_under_another_case(tmp_path: Path) -> None:
    """Logins are compared as people do, in every alphabet."""
    with scene(tmp_path, {"Zoë@Example.com": False}) as here:
        here.connection.sync()
        assert here.connection.create_account("ZOË@example.com").outcome == "unchanged"
        assert here.connection.delete_account("zoË@example.com", yes=True).outcome == "changed"
        assert here.connection.delete_account("ZOË@EXAMPLE.com").outcome == "unchanged"


def test_the_engine_takes_an_account_from_a_caller(tmp_path: Path) -> None:
    """`Requests` is what the command line and plans use, too."""
    with scene(tmp_path) as here:
        from connector_core.provision.requests import Requests

        connection = here.connection
        with connection._provisioning(connection._connector(), {"who": "me"}) as engine:
            operation = Requests(engine).create(NewAccount(login=EVE, role=roles.VIEWER))
        assert (operation.requested_by, operation.verified) == ("me", True)
