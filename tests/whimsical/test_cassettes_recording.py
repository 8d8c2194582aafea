"""Recording, and what keeps real people, tokens and unwanted writes out of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from recorded import __main__ as recording
from recorded.scenes import WRITING, RecordingSetup, look_up
from recorded.scrubber import Scrubber
from recorded.tape import HOME, record
from servers.peer import EXTENSION, Peer

from connector_core.errors import GuardRefused
from connector_core.model import Secret
from connector_core.testing import LoopbackServer, ScimApp, Workspace

TOKEN = "canary-token-5e1f"
JANE = {
    "id": "7",
    "userName": "Jane.Roe@acme.test",
    "displayName": "Jane Roe",
    "name": {"givenName": "Jane", "familyName": "Roe"},
    "emails": [{"value": "jane.roe@acme.test", "type": "work", "primary": True}],
    "phoneNumbers": [{"value": "+1 555 0100", "type": "work"}],
    "unheardOf": {"note": "sits beside Jane"},
    "active": True,
    EXTENSION: {"editor": False},
}


def scrubbed(document: Any, scrubber: Scrubber | None = None) -> Any:
    body = (scrubber or Scrubber()).body(json.dumps(document).encode())
    assert body is not None
    return json.loads(body)


def test_a_person_is_replaced_and_the_protocol_stays() -> None:
    """Names, addresses, telephones and what nobody thought of become inventions; ids, types and booleans stay."""
    user = scrubbed(JANE)
    assert user == {
        **JANE,
        "userName": "invented1@example.com",
        "displayName": "Invented 1",
        "name": {"givenName": "Invented 2", "familyName": "Invented 3"},
        "emails": [{"value": "invented1@example.com", "type": "work", "primary": True}],
        "phoneNumbers": [{"value": "Invented 4", "type": "work"}],
        "unheardOf": {"note": "Invented 5"},
    }


def test_the_same_person_is_the_same_invention_everywhere() -> None:
    """In a second document, in another case, in a path and in a query, so that a replay finds what it looks up."""
    scrubber = Scrubber()
    first = scrubbed(JANE, scrubber)
    assert scrubbed({"value": "JANE.ROE@ACME.TEST"}, scrubber) == {"value": first["userName"]}
    assert scrubbed(JANE, scrubber) == first
    asked = scrubber.url(HOME + "/Users?filter=userName+eq+%22jane.roe%40acme.test%22&count=7")
    assert asked == HOME + "/Users?filter=userName+eq+%22invented1%40example.com%22&count=7"
    assert scrubber.url(HOME + "/Users/jane.roe%40acme.test") == HOME + "/Users/invented1%40example.com"
    assert scrubber.url(HOME + "/Users/7") == HOME + "/Users/7"


@pytest.mark.parametrize("address", ["o'roe@acme.test", "jane+x@acme.test", "jané@acmé.test", "jane@intranet"])
def test_no_odd_address_is_overlooked(address: str) -> None:
    """Alone, as an id, as a login, and in the middle of a sentence."""
    text = json.dumps(scrubbed({"id": address, "userName": address, "x": address, "version": f"by {address}."}))
    assert "acm" not in text
    assert "intranet" not in text
    assert "roe" not in text


def test_a_login_that_is_no_address_and_an_error_that_names_somebody() -> None:
    """Both are replaced; so is a body that is not JSON, of which nobody knows what it says."""
    assert scrubbed({"userName": "jroe"}) == {"userName": "invented1@example.com"}
    assert scrubbed({"detail": "Jane Roe is there", "status": "409"}) == {"detail": "Invented 1", "status": "409"}
    assert Scrubber().body(b"<h1>Hello Jane</h1>") == b""
    assert Scrubber().body(None) is None


def test_invented_people_stay_as_they_are() -> None:
    """Addresses at example.com and example.org belong to nobody, also those given beforehand."""
    scrubber = Scrubber({"Jane.Roe@acme.test": "throwaway@example.com"})
    assert scrubbed({"value": "ada@example.com"}, scrubber) == {"value": "ada@example.com"}
    assert scrubbed({"value": "jane.roe@acme.test"}, scrubber) == {"value": "throwaway@example.com"}


class Tattling:
    """A workspace of one person, whose server repeats the token and sets a cookie."""

    def __init__(self) -> None:
        self.methods: list[str] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.methods.append(environ["REQUEST_METHOD"])
        found = "nobody" not in environ["QUERY_STRING"] and "no-such-id" not in environ["PATH_INFO"]
        reply: dict[str, Any] = {"totalResults": int(found), "Resources": [{**JANE, "note": TOKEN}] if found else []}
        if environ["PATH_INFO"].endswith("/7"):
            reply = JANE
        status = "404 Not Found" if "no-such-id" in environ["PATH_INFO"] else "200 OK"
        if status.startswith("404"):
            reply = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404", "detail": "Jane?"}
        start_response(status, [("Content-Type", "application/scim+json"), ("Set-Cookie", f"session={TOKEN}")])
        return [json.dumps(reply).encode()]


def test_a_recorded_workspace_names_nobody(tmp_path: Path) -> None:
    """What reaches the file after a look-up of a real-looking person: neither her, nor the token, nor where it was."""
    with LoopbackServer(Tattling()) as server:
        stage = RecordingSetup(base_url=server.url, token=Secret(TOKEN), folder=tmp_path)
        with record("workspace-look-up", server.url, TOKEN, Scrubber(), folder=tmp_path):
            look_up(stage)
    text = (tmp_path / "workspace-look-up.yaml").read_text()
    for real in ("jane", "roe", "acme", "555", TOKEN, "uthorization", "ookie", str(server.port)):
        assert real not in text.lower()
    exchanges = yaml.safe_load(text)["interactions"]
    assert len(exchanges) == 11
    assert HOME + "/Users?filter=userName+eq+%22invented1%40example.com%22" in [e["request"]["uri"] for e in exchanges]


def test_without_a_throwaway_user_nothing_is_written(tmp_path: Path) -> None:
    """A scene that writes is not even sent where reading alone was allowed."""
    with LoopbackServer(app := Tattling()) as server:
        stage = RecordingSetup(base_url=server.url, token=Secret(TOKEN), folder=tmp_path)
        with stage.client() as client, pytest.raises(GuardRefused, match="only reads"):
            client.users.client.delete("Users", "7")
    assert app.methods == []


def test_a_throwaway_user_who_is_there_is_left_alone(tmp_path: Path) -> None:
    """The name of a colleague, given by mistake, is refused before the first write."""
    with LoopbackServer(app := Tattling()) as server:
        stage = RecordingSetup(
            base_url=server.url, token=Secret(TOKEN), folder=tmp_path, throwaway="jane.roe@acme.test"
        )
        with pytest.raises(GuardRefused, match="is there already"):
            WRITING["write"](stage)
    assert set(app.methods) == {"GET"}


def test_a_workspace_is_only_read_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``--write`` no scene that writes is recorded; with it, it is, and the user's real address is nowhere."""
    app = ScimApp(Workspace(), token=TOKEN)
    with LoopbackServer(app) as server:
        monkeypatch.setenv("CONNECTOR_CORE_WHIMSICAL_BASE_URL", server.url + "/")
        monkeypatch.setenv("CONNECTOR_CORE_WHIMSICAL_TOKEN", TOKEN)
        Peer(server.url, TOKEN).add("jane.roe@acme.test", editor=True, given="Jane", family="Roe")
        for throwaway, scenes in ((None, 4), ("gone@acme.test", 6)):
            folder = tmp_path / f"cassettes-{scenes}" / "whimsical"
            with recording.workspace(throwaway) as source:
                recording.record_all("workspace", source, folder)
            assert len(list(folder.glob("*.yaml"))) == scenes
            texts = "".join(path.read_text().lower() for path in folder.glob("*.yaml"))
            assert "acme" not in texts
            assert "jane" not in texts
            assert TOKEN not in texts


def test_the_readme_has_one_row_for_each_server(tmp_path: Path) -> None:
    """Recording again replaces the row."""
    readme = tmp_path / "README.md"
    readme.write_text("| a |\n|---|\n| `scim2-*` | old | 2000-01-01 |\n")
    recording.note(readme, "| `scim2-*` | new | 2026-01-01 |")
    recording.note(readme, "| `scimmy-*` | first | 2026-01-01 |")
    assert readme.read_text() == (
        "| a |\n|---|\n| `scim2-*` | new | 2026-01-01 |\n| `scimmy-*` | first | 2026-01-01 |\n"
    )
