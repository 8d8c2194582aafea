"""What each command prints and how it ends, through real processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from kit.cli import Home, answering, uncovered, workspace
from kit.served import TOKEN

from connector_core.cli.program import COMMANDS, cli
from connector_core.testing import LoopbackServer

COMMON = """
Options of every command:
  --db PATH      The state file ($CONNECTOR_CORE_DB).
  --config PATH  The configuration ($CONNECTOR_CORE_CONFIG).
  --json         Print one JSON document.
  -v, --verbose  Say more while working; -vv still more.
  -q, --quiet    Say nothing but answers, warnings and errors.
  -h, --help     Show this message and exit.
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def still(text: str) -> str:
    """With times, durations and ids that differ from run to run blanked out."""
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{3}Z", "TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", "TIME", text)
    text = re.sub(r"\d{4}-\d\d-\d\d", "DAY", text)
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    return re.sub(r'\d+\.\d+(?= s\b)|(?<="seconds": )[\d.]+', "N", text)


# -- run -------------------------------------------------------------------------------------------------------


def test_the_first_run_and_the_next(home: Home) -> None:
    """A run says what it found, what changed, what it took, and what to do next."""
    with workspace(3) as served:
        home.connect(served.url)
        first = home("run", "whimsical")
        served.workspace.add("new@example.com", email="new@example.com", role=True)
        second = home("run", "whimsical")
    assert (first.code, first.err, still(first.out)) == (
        0,
        "",
        "whimsical: complete\n"
        "  3 users, 2 roles, 3 grants\n"
        "  the first picture: later syncs are compared with it\n"
        "  sync 1: 2 pages, 2 requests, N s\n"
        "  next: connector-core access whimsical\n",
    )
    assert (second.code, second.err, still(second.out)) == (
        0,
        "",
        "whimsical: complete\n"
        "  4 users, 2 roles, 4 grants\n"
        "  2 added, 0 removed, 0 changed\n"
        "  sync 2: 2 pages, 2 requests, N s\n"
        "  next: connector-core changes whimsical\n",
    )


def test_run_as_json(home: Home) -> None:
    """One document of the promised shape, on standard output alone, wherever --json stands."""
    with workspace(3) as served:
        home.connect(served.url)
        done = home("--json", "run", "whimsical")
        again = home("run", "--json", "whimsical", "--exit-code")
    assert (done.code, done.err) == (0, "")
    assert list(done.document) == [
        "format_version", "connection", "connector", "sync", "counts", "changes", "rejected", "warnings",
    ]  # fmt: skip
    assert done.document["format_version"] == 1
    assert done.document["sync"].keys() >= {"id", "status", "resumed", "pages", "requests", "seconds"}
    assert done.document["counts"] == {
        "user": 3, "role": 2, "entitlement": 2, "grant": 3, "by_type": {"role": 2, "user": 3},
    }  # fmt: skip
    assert done.document["changes"] == {"added": 0, "removed": 0, "changed": 0}
    assert (again.code, again.document["sync"]["id"]) == (0, 2)


def test_run_exits_with_10_where_asked_and_something_changed(home: Home) -> None:
    """--exit-code tells a script about changes, and says nothing else by it."""
    with workspace(3) as served:
        home.connect(served.url)
        codes = [home("run", "whimsical", "--exit-code").code]
        served.workspace.add("new@example.com", role=True)
        codes += [home("run", "whimsical", "--exit-code").code, home("run", "whimsical", "--exit-code").code]
        assert [home("changes", "whimsical").code, home("changes", "whimsical", "--exit-code").code] == [0, 0]
        assert home("changes", "whimsical", "--from", "1", "--exit-code").code == 10
    assert codes == [0, 10, 0]


def test_run_in_the_sandbox_needs_nothing(home: Home) -> None:
    """`run whimsical --sandbox` works in an empty home, and is `run` on whimsical-sandbox."""
    done = home("run", "whimsical", "--sandbox")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("whimsical-sandbox: complete\n  61 users, 2 roles, 61 grants\n")
    assert home("run", "whimsical-sandbox", "--sandbox", "--json").document["sync"]["id"] == 2


def test_a_failed_run_prints_the_same_document_with_an_error(home: Home) -> None:
    """Scripts find the sync's id and status beside the error; people find the error and what to do."""
    with workspace(3) as served:
        home.connect(served.url, token="wrong-token")
        done = home("run", "whimsical", "--json")
        said = home("run", "whimsical")
    assert (done.code, done.err) == (4, "")
    assert done.document["sync"]["status"] == "failed"
    assert (done.document["counts"]["user"], done.document["changes"]["added"]) == (0, 0)
    assert done.document["error"].keys() == {"code", "message", "hint"}
    assert done.document["error"]["code"] == "credentials_refused"
    assert (said.code, said.out) == (4, "")
    assert re.fullmatch(r"error: .+\nhint: .+\n", said.err)


def test_a_held_run_says_how_to_go_on(home: Home) -> None:
    """Whoever empties a workspace is asked first; --accept-removals accepts exactly that."""
    with workspace(12) as served:
        home.connect(served.url)
        home("run", "whimsical")
        for user in served.workspace.users()[2:]:
            served.workspace.remove(user.id)
        held = home("run", "whimsical")
        warned = home("access", "whimsical")
        accepted = home("run", "whimsical", "--accept-removals")
    assert (held.code, held.err, still(held.out)) == (
        6,
        "",
        "whimsical: held (10 of 12 accounts are no longer listed)\n"
        "  nothing was published: the picture is as it was\n"
        "  sync 2: 2 pages, 2 requests, N s\n"
        "  look at the application; where it is right: connector-core run whimsical --accept-removals\n",
    )
    assert still(warned.err) == (
        "12 users: 6 editor (paid), 6 viewer\n"
        "warning: the last sync is held, not complete; the last complete one ended TIME UTC "
        "(connector-core logs whimsical)\n"
    )
    assert (accepted.code, accepted.out.splitlines()[1]) == (0, "  2 users, 2 roles, 2 grants")


# -- answers ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which five people were synced, then one joined, one left, and one became an editor."""
    home = Home(tmp_path_factory.mktemp("synced"))
    with workspace(["ada@example.com", "ben@example.com", "cleo@example.com", "dan@example.com"]) as served:
        home.connect(served.url)
        assert home("run", "whimsical").code == 0
        served.workspace.remove(served.workspace.users()[3].id)
        served.workspace.add("eve@example.com", given_name="Eve", family_name="夏", email="eve@example.com", role=True)
        served.workspace.set_role(served.workspace.users()[0].id, True)
        assert home("run", "whimsical").code == 0
    return home


def test_access(synced: Home) -> None:
    """A line for each person and role, a count on standard error."""
    done = synced("access", "whimsical")
    assert (done.code, done.err) == (0, "4 users: 3 editor (paid), 1 viewer\n")
    assert still(done.out) == (
        "USER              NAME    ROLE    STATUS   SINCE\n"
        "ada@example.com   P No1   editor  enabled  DAY\n"
        "ben@example.com   P No2   editor  enabled  DAY\n"
        "cleo@example.com  P No3   viewer  enabled  DAY\n"
        "eve@example.com   Eve 夏  editor  enabled  DAY\n"
    )


def test_access_as_json(synced: Home) -> None:
    """The promised members, in order; times in UTC whatever the machine's zone."""
    done = synced("access", "whimsical", "--user", "EVE@example.com", "--json")
    assert list(done.document) == ["format_version", "picture", "access"]
    assert list(done.document["picture"]) == ["event", "at", "status", "last_complete"]
    (row,) = done.document["access"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", row["since"])
    assert {k: v for k, v in row.items() if k not in ("since", "user_id")} == {
        "connection": "whimsical", "user": "eve@example.com", "name": "Eve 夏", "email": "eve@example.com",
        "status": "enabled", "resource_type": "role", "role": "editor", "entitlement": "assigned", "via": None,
        "confirmed": True, "role_name": "Editor", "entitlement_name": "Editor", "account_type": "unknown",
        "last_login": None, "mfa": None, "manager": None,
    }  # fmt: skip


def test_access_by_role_and_as_it_was(synced: Home) -> None:
    """--role and --at narrow the answer; the past carries no warning."""
    done = synced("access", "whimsical", "--role", "editor", "--at", "1", "-q")
    assert (done.code, done.err, [line.split()[0] for line in done.out.splitlines()[1:]]) == (
        0, "", ["ben@example.com", "dan@example.com"],
    )  # fmt: skip


def test_changes(synced: Home) -> None:
    """Joiners, leavers and swaps of role, one person's lines together."""
    done = synced("changes", "whimsical")
    assert (done.code, done.err) == (0, "2 added, 2 removed, 1 changed\n")
    assert still(done.out) == (
        "WHEN (UTC)        USER             WHAT    BEFORE  AFTER\n"
        "TIME  ada@example.com  role    viewer  editor\n"
        "TIME  dan@example.com  left\n"
        "TIME  dan@example.com  role    editor\n"
        "TIME  eve@example.com  joined\n"
        "TIME  eve@example.com  role            editor\n"
    )


def test_changes_as_json(synced: Home) -> None:
    """Rows as promised; --to the first sync there were none."""
    rows = synced("changes", "whimsical", "--json").document["changes"]
    assert list(rows[0]) == [
        "sync", "operation", "at", "kind", "user_id", "user", "what", "before", "after", "requested_by", "reason",
    ]  # fmt: skip
    shown = {(row["user"], row["kind"], row["what"], row["before"], row["after"]) for row in rows}
    editor, viewer = "role:editor:assigned", "role:viewer:assigned"
    assert shown >= {
        ("ada@example.com", "changed", "grant", viewer, editor),
        ("dan@example.com", "removed", "grant", editor, None),
        ("eve@example.com", "added", "grant", None, editor),
    }
    assert synced("changes", "whimsical", "--to", "1", "--json").document["changes"] == []
    assert synced("changes", "whimsical", "--to", "1").err == "no changes\n"


def test_syncs_and_logs(synced: Home) -> None:
    """Figures stand right-aligned; JSON carries the whole rows."""
    done = synced("syncs", "whimsical")
    assert still(done.out) == (
        "SYNC  STATUS    STARTED (UTC)         TOOK  PAGES  REASON\n"
        "   2  complete  TIME  N s      2\n"
        "   1  complete  TIME  N s      2\n"
    )
    document = synced("syncs", "whimsical", "--limit", "1", "--json").document
    assert (list(document), [row["id"] for row in document["syncs"]]) == (
        ["format_version", "connection", "syncs"],
        [2],
    )
    assert "TIME  info   complete" in still(synced("logs", "whimsical", "1").out).splitlines()
    line = synced("logs", "whimsical", "--json").document["logs"][-2]
    assert (line["level"], line["message"], line["sync"]) == ("info", "published: 2 added, 2 removed, 1 changed", 2)


# -- looking ---------------------------------------------------------------------------------------------------


def test_plugins(home: Home) -> None:
    """Name, distribution, version and hooks of what is installed."""
    row = next(row for row in home("plugins", "--json").document["plugins"] if row["name"] == "whimsical")
    assert (list(row), row["distribution"], row["error"]) == (
        ["name", "distribution", "version", "hooks", "error", "contract", "notes"], "connector-core", None,
    )  # fmt: skip
    assert re.search(r"^whimsical  +connector-core  +\S+  +connector_check, ", home("plugins").out, re.M)


def test_capabilities(home: Home) -> None:
    """The table of what is synced and provisioned, and every setting with type, default and variable."""
    done = home("capabilities", "whimsical")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        "Whimsical: Members of a Whimsical workspace and their roles, over SCIM 2.0\n"
        "\n"
        "RESOURCE               SYNC  PROVISION\n"
        "Users                  yes   create, delete\n"
        "Roles: Editor, Viewer  yes   grant, revoke\n"
        "\n"
        "Settings, each with its name in the environment:\n"
        "  token: secret, required\n"
        "      SCIM OAuth token from the workspace settings\n"
        "      CONNECTOR_CORE_WHIMSICAL_TOKEN\n"
        "  base_url: text, default https://api.whimsical.com/scim-v2\n"
    )
    settings = home("capabilities", "whimsical", "--json").document["settings"]
    assert list(settings[0]) == ["name", "type", "required", "default", "environment", "help"]
    assert [s["name"] for s in settings if s["required"]] == ["token"]


def test_check(home: Home) -> None:
    """Each finding on a line; with what to do where there is something."""
    with workspace(0) as served:
        home.connect(served.url)
        done = home("check", "whimsical")
        document = home("check", "whimsical", "--json").document
    assert (done.code, done.err, done.out) == (
        0,
        "",
        "ok      Whimsical answers\n"
        "ok      the token is accepted\n"
        "note    the workspace lists no users\n"
        "        right for a new workspace; else see that the token belongs to the workspace you mean\n",
    )
    assert (document["connection"], document["ok"], "error" in document) == ("whimsical", True, False)
    assert list(document["findings"][0]) == ["level", "code", "message", "hint"]


def test_a_failed_check(home: Home) -> None:
    """The exit code is that of the error, which JSON repeats beside the findings."""
    with workspace(1) as served:
        home.connect(served.url, token="wrong-token")
        done = home("check", "whimsical", "--json")
        said = home("check", "whimsical")
    assert (done.code, done.document["ok"], done.document["error"]["code"]) == (4, False, "credentials_refused")
    assert (said.code, said.err) == (4, "")
    assert re.fullmatch(r"FAILED  .+\n        .+\n", said.out)


def test_help_fits_eighty_columns_uncut(home: Home) -> None:
    """Each command has one line, and no line of it is cut or wider than a terminal."""
    done = home("--help")
    listed = done.out.partition("Commands:\n")[2].splitlines()
    assert len(listed) >= 9
    for line in listed:
        name = line.split()[0]
        assert re.fullmatch(rf"  {name} +\S.*\.", line) and not line.endswith("..."), line
        text = home(name, "--help").out
        assert max(map(len, text.splitlines())) <= 80
        assert text.endswith(COMMON), name


def test_help_says_of_each_command_what_it_says_of_itself() -> None:
    """The list of commands is kept apart from them, so that it takes no import of theirs."""
    context = click.Context(cli)
    own = {name: cli.get_command(context, name) for name in COMMANDS}
    assert {name: command and command.get_short_help_str(200) for name, command in own.items()} == {
        name: summary for name, (_, summary) in COMMANDS.items()
    }


def test_help_imports_no_command() -> None:
    """Nor what the commands need: it is as quick as click allows."""
    program = (
        "import sys; from connector_core.cli.program import run; run(['--help']); "
        "names = [m for m in sys.modules if m.startswith(('connector_core', 'pluggy', 'sqlite3'))]; "
        "print(*names, file=sys.stderr)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=uncovered(os.environ), capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert set(done.stderr.split()) <= {
        "connector_core", "connector_core.errors", "connector_core.cli", "connector_core.cli.output",
        "connector_core.cli.program",
    }  # fmt: skip


# -- the sandbox -----------------------------------------------------------------------------------------------


def test_shuffling_and_resetting_the_sandbox(home: Home) -> None:
    """What --shuffle did is what the next run finds; --reset brings everybody back."""
    home("run", "whimsical", "--sandbox")
    shuffled = home("sandbox", "whimsical", "--shuffle", "--json").document["shuffled"]
    report = home("run", "whimsical", "--sandbox", "--json").document
    assert report["changes"]["changed"] == len(shuffled["changed"])
    rows = home("changes", "whimsical-sandbox", "--json").document["changes"]
    assert {r["user"] for r in rows if (r["what"], r["kind"]) == ("account", "added")} == set(shuffled["joined"])
    assert {r["user"] for r in rows if (r["what"], r["kind"]) == ("account", "removed")} == set(shuffled["left"])
    reset = home("sandbox", "whimsical", "--reset")
    assert (reset.code, reset.out) == (0, "the sandbox of whimsical is as it was in the beginning\n")


# -- every way to fail -----------------------------------------------------------------------------------------


def test_a_missing_token_names_the_places_looked_at(home: Home) -> None:
    """Exit 3: the variable and the file are named."""
    done = home("run", "whimsical")
    assert (done.code, done.out) == (3, "")
    assert "CONNECTOR_CORE_WHIMSICAL_TOKEN" in done.err
    assert "connector-core.toml" in done.err
    assert "\nhint: " in done.err


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_host_that_is_down(home: Home, command: str) -> None:
    """Exit 5 within ten seconds, after three tries."""
    with LoopbackServer(answering("200 OK", {}, b"")) as server:
        url = server.url
    home.connect(url)
    done = home(command, "whimsical", "-v", timeout=15.0)
    assert done.code == 5
    if command == "run":
        assert done.err.count("again in") == 2


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["run", "whimsicle"], "did you mean whimsical?"),
        (["capabilities", "whimsicl"], "did you mean whimsical?"),
        (["access", "whimsical", "--user", "eva@example.com"], "did you mean eve@example.com"),
        (["access", "whimsical", "--role", "edittor"], "there are: editor, viewer"),
        (
            ["logs", "whimsical", "77"],
            "connector-core syncs whimsical lists the syncs, operations whimsical the others",
        ),
        (["access", "whimsical", "--at", "yesterday"], "a time looks like 2026-01-31T12:00:00Z"),
        (["acces", "whimsical"], "did you mean access?"),
        (["run"], "connector-core run --help says more"),
        (["run", "whimsical", "--frsh"], "connector-core run --help says more"),
        (["run", "whimsical", "--workers", "0"], "connector-core run --help says more"),
        (["run", "whimsical", "-v", "-q"], "leave one of them out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_nobody_knows(synced: Home, arguments: list[str], hint: str) -> None:
    """Exit 2, with near matches where there are some; as JSON the same as a document."""
    done = synced(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert f"\nhint: {hint}" in done.err
    document = synced(*arguments, "--json").document
    assert document["error"]["hint"].startswith(hint)


def test_no_picture_yet(home: Home) -> None:
    """Exit 6, and the command that makes one."""
    for command in ("access", "changes"):
        done = home(command, "whimsical")
        assert (done.code, done.out) == (6, "")
        assert done.err.endswith("hint: connector-core run whimsical makes one\n")


def test_a_wrong_token_is_not_repeated(home: Home) -> None:
    """What was pasted wrongly is still a secret."""
    with LoopbackServer(
        answering("401 Unauthorized", {"X-Token": TOKEN}, f'{{"detail": "{TOKEN}"}}'.encode())
    ) as server:
        home.connect(server.url)
        done = home("run", "whimsical", "-vv")
    assert done.code == 4
    assert TOKEN not in done.out + done.err
