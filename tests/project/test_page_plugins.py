"""What docs/plugins.md shows is so: its blocks are run."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

import attrs
import click
import pytest
from click.testing import CliRunner
from kit.pages import blocks

import connector_core
from connector_core import Connection, Host, Options
from connector_core.settings import sufficient_sets
from connector_core.testing import LoopbackServer


def executed(number: int) -> dict[str, Any]:
    """What a block defines, run after the imports that a plugin begins with."""
    names: dict[str, Any] = {name: getattr(connector_core, name) for name in connector_core.__all__}
    names |= {"click": click, "frozen": attrs.frozen}
    exec(compile(blocks("docs/plugins.md", "python")[number], "plugins.md", "exec", dont_inherit=True), names)
    return names


def test_the_whole_plugin_is_one(tmp_path: Path) -> None:
    """The example connects, checks and syncs, as it stands."""
    module = types.ModuleType("connector_core_rota")
    plugin = blocks("docs/plugins.md", "python")[0]
    exec(compile(plugin, "plugins.md", "exec", dont_inherit=True), vars(module))
    (tmp_path / "rota.csv").write_text("email,name,lead\nada@example.com,Ada,yes\nben@example.com,Ben,no\n")
    with Host(tmp_path / "state.db", plugins={"rota": module}, installed=False) as host:
        assert [plugin.error for plugin in host.plugins()] == [None]
        rota = host.connection("rota", settings={"file": str(tmp_path / "rota.csv")})
        assert rota.check()[0].message == "2 people are on the rota"
        assert rota.sync().sync.status == "complete"
        assert [(row.user, row.role) for row in rota.access()] == [
            ("ada@example.com", "lead"),
            ("ben@example.com", None),
        ]


def test_its_settings_have_two_sets_of_which_one_is_enough() -> None:
    """A token, or a client and its secret."""
    settings = executed(-2)["Settings"]
    assert sufficient_sets(settings) == (("token",), ("client_id", "client_secret"))
    assert settings().base_url == "https://api.example.com"


def test_its_command_prints_who_has_no_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Added to a group, it has the host of the command line's options."""
    rota = types.ModuleType("connector_core_rota")
    exec(compile(blocks("docs/plugins.md", "python")[0], "plugins.md", "exec", dont_inherit=True), vars(rota))
    (tmp_path / "rota.csv").write_text("email,name,lead\nada@example.com,Ada,yes\nben@example.com,Ben,no\n")
    (tmp_path / "connector-core.toml").write_text("[connections.rota]\n")
    (tmp_path / "connector-core.toml").chmod(0o600)
    monkeypatch.setenv("CONNECTOR_CORE_CONFIG", str(tmp_path / "connector-core.toml"))
    options, program = Options(db=str(tmp_path / "state.db")), click.Group()
    with Host(tmp_path / "state.db", plugins={"rota": rota}, installed=False) as host:
        host.connection("rota", settings={"file": str(tmp_path / "rota.csv")}).sync()
    executed(-1)["register_commands"](program)
    done = CliRunner().invoke(program, ["strangers", "rota"], obj=options)
    assert (done.output, done.exit_code) == ("ben@example.com\n", 0)


# -- the HTTP connector, task by task --------------------------------------------------------------------------


class Acme:
    """The application that the page's connector reads; its first token is good for three requests."""

    def __init__(self) -> None:
        self.tokens = self.left = 0
        self.forbidden: set[str] = set()
        self.people: dict[str, dict[str, Any]] = {
            id: {
                "id": id, "email": f"{id}@example.com", "name": id, "active": True, "bot": id == "bo",
                "last_seen": "2026-01-31T12:00:00Z",
            }
            for id in ("ada", "bo", "cy")
        }  # fmt: skip
        self.lists: dict[str, list[dict[str, str]]] = {
            "/groups": [{"id": "a/b", "name": "Staff"}, {"id": "g2", "name": "Board"}],
            "/projects": [{"id": "p1", "name": "Moon"}],
            "/groups/a/b/members": [{"type": "user", "id": "ada"}, {"type": "group", "id": "g2"}],
            "/groups/g2/members": [{"type": "user", "id": "cy"}],
            "/projects/p1/roles": [
                {"type": "group", "id": "a/b", "role": "reader"}, {"type": "user", "id": "bo", "role": "owner"},
            ],
        }  # fmt: skip

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, document = self._answer(environ, environ["PATH_INFO"])
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(document).encode()]

    def _answer(self, environ: WSGIEnvironment, path: str) -> tuple[str, Any]:
        if path == "/token":
            self.tokens, self.left = self.tokens + 1, 1000 if self.tokens else 3
            return "200 OK", {"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": 3600}
        if environ.get("HTTP_AUTHORIZATION") != f"Bearer token-{self.tokens}" or not self.left:
            return "401 Unauthorized", {}
        self.left -= 1
        if path in self.forbidden:
            return "403 Forbidden", {}
        if path == "/users":
            return "200 OK", self._users(parse_qs(environ["QUERY_STRING"]).get("after", [""])[0])
        if path in self.lists:
            return "200 OK", {path.rpartition("/")[2]: self.lists[path]}
        found = self.people.get(path.removeprefix("/users/"))
        return ("200 OK", found) if found else ("404 Not Found", {"error": "no_such_thing"})

    def _users(self, after: str) -> dict[str, Any]:
        names = [name for name in self.people if name > after]
        return {
            "users": [self.people[n] for n in names[:2]],
            "next": names[1] if names[2:] else None,
            "total": len(self.people),
        }


def acme(folder: Path, url: str) -> Connection:
    """A connection of the page's connector with that application."""
    module = types.ModuleType("connector_core_acme")
    source = "\n".join(blocks("docs/plugins.md", "python")[1:-2])
    exec(compile(source, "plugins.md", "exec", dont_inherit=True), vars(module))
    host = Host(folder / "state.db", plugins={"acme": module}, installed=False)
    assert [(plugin.error, plugin.notes) for plugin in host.plugins()] == [(None, ())]
    settings = {"base_url": url, "client_id": "c", "client_secret": "s"}
    return host.connection("acme", settings=settings)


def holds(connection: Connection) -> set[tuple[str, str | None, bool]]:
    return {(row.user_id, row.entitlement_name, row.via is None) for row in connection.access()}


WHOLE = {
    ("ada", "Member of Staff", True), ("ada", "Reader of Moon", False), ("bo", "Owner of Moon", True),
    ("cy", "Member of Board", True), ("cy", "Member of Staff", False), ("cy", "Reader of Moon", False),
}  # fmt: skip


def test_its_http_connector_reads_members_per_group_and_roles_on_projects(tmp_path: Path) -> None:
    """Through groups in groups; a token that has expired is renewed, and a login is no change."""
    application = Acme()
    with LoopbackServer(application) as server:
        connection = acme(tmp_path, server.url)
        assert connection.check()[0].message == "3 people are listed"
        report = connection.sync()
        assert (report.sync.status, report.rejected, report.warnings) == ("complete", 0, ())
        assert holds(connection) == WHOLE
        assert application.tokens == 2
        application.people["ada"]["last_seen"] = "2026-02-01T12:00:00Z"
        assert connection.sync().changes.total == 0
        ada = next(row for row in connection.access() if row.user_id == "ada")
        assert (ada.last_login, ada.account_type) == ("2026-02-01T12:00:00Z", "human")


def test_its_http_connector_loses_nothing_to_a_child_that_is_forbidden(tmp_path: Path) -> None:
    """What that list gave stands; the others are read, and who is proven gone is gone."""
    application = Acme()
    with LoopbackServer(application) as server:
        connection = acme(tmp_path, server.url)
        connection.sync()
        application.forbidden.add("/groups/a/b/members")
        del application.people["bo"], application.lists["/projects/p1/roles"][1]
        report = connection.sync()
        assert report.sync.status == "incomplete"
        assert "members:a/b: a page of it could not be read" in str(report.sync.reason)
        assert holds(connection) == {row for row in WHOLE if row[0] != "bo"}
        application.forbidden.clear()
        application.lists["/groups/a/b/members"].pop(0)
        assert connection.sync().sync.status == "complete"
        assert holds(connection) == {("ada", None, True), *(row for row in WHOLE if row[0] == "cy")}
