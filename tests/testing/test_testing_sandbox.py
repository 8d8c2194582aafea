"""Whimsical's stand-in: its people and its documented rules."""

from __future__ import annotations

from pathlib import Path

from servers.peer import EXTENSION, Peer

from connector_core.hookspecs import SANDBOX_SECRET
from connector_core.testing import LoopbackServer, ScimApp
from connector_core_whimsical.people import people
from connector_core_whimsical.sandbox import PREFIX, app


def peer(server: LoopbackServer, prefix: str = PREFIX) -> Peer:
    return Peer(server.url + prefix, SANDBOX_SECRET)


def test_its_people_are_believable() -> None:
    """About sixty, at example.com, in lower case (W15), of both roles; accents, one long name, one nameless."""
    everybody = list(people())
    assert 55 <= len(everybody) <= 65
    assert len({person.login for person in everybody}) == len(everybody)
    assert all(person.login == person.login.lower() and person.login.endswith("@example.com") for person in everybody)
    names = [f"{person.given_name} {person.family_name}" for person in everybody if person.given_name]
    assert len(names) == len(everybody) - 1
    assert max(map(len, names)) > 60
    assert sum(not name.isascii() for name in names) > 10
    assert 15 < sum(person.editor for person in everybody) < 30


def test_people_keep_their_ids_from_command_to_command(tmp_path: Path) -> None:
    """A second start on the same folder serves the same people, with what was changed meanwhile."""
    with LoopbackServer(app(tmp_path)) as server:
        before = peer(server).users()
        peer(server).set_role(before[2]["id"], True)
    with LoopbackServer(app(tmp_path)) as server:
        after = peer(server).users()
    assert [user["id"] for user in after] == [user["id"] for user in before]
    assert (before[2][EXTENSION], after[2][EXTENSION]) == ({"editor": False}, {"editor": True})


def test_people_have_the_same_ids_everywhere(tmp_path: Path) -> None:
    """Two folders begin alike, so that what is shown in a manual is what a reader sees."""
    starts = [app(tmp_path / name) for name in ("one", "two")]
    ids = [[user.id for user in start.workspace.users()] for start in starts if isinstance(start, ScimApp)]
    assert ids[0] == ids[1] != []


def test_an_emptied_workspace_stays_empty(tmp_path: Path) -> None:
    """Whoever removed everybody finds nobody at the next start."""
    with LoopbackServer(app(tmp_path)) as server:
        for user in peer(server).users():
            peer(server).remove(user["id"])
    with LoopbackServer(app(tmp_path)) as server:
        assert peer(server).users() == []


def test_two_commands_at_once_see_each_other(tmp_path: Path) -> None:
    """A server that runs on notices what another one on its folder wrote."""
    with LoopbackServer(app(tmp_path)) as one, LoopbackServer(app(tmp_path)) as other:
        new = peer(one).add("new@example.com")
        assert peer(other).request("GET", f"/Users/{new}").status == 200
        peer(other).remove(new)
        assert peer(one).request("GET", f"/Users/{new}").status == 404


def test_its_base_address_has_the_path_of_the_real_one_or_none(tmp_path: Path) -> None:
    """W1, W3: users are under /scim-v2, and locations agree with the address that was used."""
    with LoopbackServer(app(tmp_path)) as server:
        for prefix in (PREFIX, ""):
            (user,) = peer(server, prefix).page(count=1)["Resources"]
            assert user["meta"]["location"] == f"{server.url}{prefix}/Users/{user['id']}"


def test_w08_w14_a_new_member_is_a_listed_viewer(tmp_path: Path) -> None:
    """Created without a role one becomes a viewer, and is on the list at once."""
    with LoopbackServer(app(tmp_path)) as server:
        peer(server).add("new@example.com")
        assert peer(server).roles()["new@example.com"] is False


def test_w13_w15_w16_w17_the_rules_are_on(tmp_path: Path) -> None:
    """Lower case only, the login for an e-mail, names that stay, and removal by deactivation."""
    with LoopbackServer(app(tmp_path)) as server:
        there = peer(server)
        assert there.request("POST", "/Users", {"userName": "Upper@example.com"}).status == 400
        new = there.add("new@example.com", given="Nora")
        change = {"userName": "renamed@example.com", "name": {"givenName": "Nina"}}
        document = there.request("PUT", f"/Users/{new}", change).json()
        assert (document["emails"][0]["value"], document["name"]["givenName"]) == ("renamed@example.com", "Nora")
        there.request("PATCH", f"/Users/{new}", {"Operations": [{"op": "replace", "value": {"active": False}}]})
        assert there.request("GET", f"/Users/{new}").status == 404


def test_it_can_be_shuffled(tmp_path: Path) -> None:
    """`shuffle` makes joiners, leavers and role changes, seen by every server on the folder."""
    start = app(tmp_path)
    assert isinstance(start, ScimApp)
    with LoopbackServer(app(tmp_path)) as server:
        before = peer(server).roles()
        done = start.shuffle(1)
        after = peer(server).roles()
    assert set(done.joined) == after.keys() - before.keys()
    assert set(done.left) == before.keys() - after.keys()
    assert all(after[login] != before[login] for login in done.changed)
