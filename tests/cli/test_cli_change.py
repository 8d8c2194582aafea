"""`create-user`, `delete-user`, `grant`, `revoke`, `operations`: lines, documents, exit codes, questions."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit.cli import PROGRAM, Home
from kit.plan import office
from kit.processes import running
from kit.served import TOKEN, ServedWorkspace

STAFF = {"ada@example.com": "editor", "bob@example.com": "viewer", "cyd@example.com": "viewer"}
KEYS = {
    "id", "kind", "user_id", "user", "resource_type", "role", "entitlement", "state", "outcome", "verified", "replaced",
    "reactivated", "warnings", "error", "guard",
}  # fmt: skip
CTRL_C = b"\x03"
SEAT = "note: Editor: Takes a paid seat at once"
TIMER = "72 hours later"


class Bench(Home):
    """A home that is connected to an office, managed."""

    def __init__(self, folder: Path, served: ServedWorkspace) -> None:
        super().__init__(folder)
        self.served = served
        self.connect(served.url, TOKEN, managed="true")

    def answering(self, answer: bytes, *arguments: str) -> tuple[int, str]:
        """On a terminal, with that answer to the question."""
        master, slave = pty.openpty()
        with running(
            [*PROGRAM, *arguments], env=self.environ | {"TERM": "xterm"}, cwd=self.folder, stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True, preexec_fn=_own_terminal,
        ) as process:  # fmt: skip
            os.close(slave)
            text = _until(master, b"[y/N]", process)
            os.write(master, answer)
            text += _until(master, None, process, again=answer if answer == CTRL_C else b"")
            os.close(master)
            return process.wait(timeout=10), text.decode().replace("\r\n", "\n")


def _own_terminal() -> None:
    """Make the pseudo-terminal the one whose Ctrl-C this process gets."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _until(master: int, sign: bytes | None, process: subprocess.Popen[bytes], again: bytes = b"") -> bytes:
    """Read until the sign comes, or the end. ``again``: typed each second, as a person would.

    Python sees a Ctrl-C that comes in the moment before it reads the terminal only with the next key.
    """
    text, began, typed = b"", time.monotonic(), 0
    while (passed := time.monotonic() - began) < 30 and (sign is None or sign not in text):
        ready, _, _ = select.select([master], [], [], 0.05)
        try:
            chunk = os.read(master, 65536) if ready else b""
        except OSError:
            break
        text += chunk
        if not chunk and process.poll() is not None:
            break
        if again and passed > typed + 1:
            typed += 1
            os.write(master, again)
    return text


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with office(STAFF) as served:
        yield Bench(tmp_path, served)


def operation(home: Home, *arguments: str, code: int = 0) -> Any:
    done = home(*arguments, "--json")
    assert done.code == code, done
    return done.document["operation"]


# -- what is done ----------------------------------------------------------------------------------------------


def test_each_operation_and_its_repetition(bench: Bench) -> None:
    """Changed, then unchanged: exit 0, no second write, and no --yes for what is so already. No sync has run."""
    requests = (
        ("create-user", "whimsical", "Eve@Example.com", "--role", "viewer", "--given-name", "Eve"),
        ("grant", "whimsical", "editor", "EVE@example.com"),
        ("revoke", "whimsical", "role:editor", "eve@example.com"),
        ("revoke", "whimsical", "role:viewer:assigned", "eve@example.com", "--yes"),
        ("delete-user", "whimsical", "bob@example.com", "--yes"),
    )
    for number, arguments in enumerate(requests, 1):
        first = operation(bench, *arguments)
        assert set(first) == KEYS
        assert (first["state"], first["outcome"], first["verified"], first["error"]) == ("done", "changed", True, None)
        again = operation(bench, *(a for a in arguments if a != "--yes"))
        assert (again["state"], again["outcome"]) == ("done", "unchanged")
        assert bench.served.writes() == number
    assert bench.served.truth == {"ada@example.com": "editor", "cyd@example.com": "viewer"}


def test_a_person_is_named_by_id_as_well(bench: Bench) -> None:
    """The id is the application's; what ended with the grant is said."""
    id = bench.served.id("bob@example.com")
    done = operation(bench, "grant", "whimsical", "editor", id, "--reason", "TICKET-7")
    assert (done["user_id"], done["user"], done["replaced"]) == (id, "bob@example.com", "viewer")
    document = bench("operations", "whimsical", "--json").document
    assert (document["format_version"], document["connection"]) == (1, "whimsical")
    (row,) = document["operations"]
    assert {name: row[name] for name in KEYS} == done
    assert row["reason"] == "TICKET-7"
    kept = {
        "requested_by",
        "reason",
        "created",
        "finished",
        "part_of",
        "apply",
        "setting",
        "value_before",
        "value_after",
    }
    assert set(row) == KEYS | kept


def test_the_answer_in_words(bench: Bench) -> None:
    """A line on standard output that says what is so now, and under which number it is kept."""
    assert bench("grant", "whimsical", "editor", "bob@example.com").out.startswith(
        "bob@example.com holds editor, no longer viewer (operation "
    )
    assert bench("grant", "whimsical", "editor", "bob@example.com").out.startswith("unchanged: bob@example.com holds")
    assert bench("delete-user", "whimsical", "bob@example.com", "--yes").out.startswith(
        "bob@example.com has no account"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("grant", "whimsical", "editor", "ad@example.com"), 2, "unknown_name"),
        (("grant", "whimsical", "admin", "ada@example.com"), 2, "unknown_name"),
        (("grant", "whimsicle", "editor", "ada@example.com"), 2, "unknown_name"),
        (("create-user", "whimsical", "ada"), 2, "usage"),
        (("create-user", "whimsical", "ada@"), 2, "usage"),
        (("delete-user", "whimsical", "ada@example.com"), 8, "guard_refused"),
        (("revoke", "whimsical", "viewer", "bob@example.com"), 8, "guard_refused"),
    ],
)
def test_what_is_refused(bench: Bench, arguments: tuple[str, ...], code: int, error: str) -> None:
    """The exit code says whose turn it is, the document says why; nothing is written."""
    done = bench(*arguments, "--json")
    assert (done.code, done.document["error"]["code"]) == (code, error)
    assert bench.served.writes() == 0


def test_a_near_name_is_offered(bench: Bench) -> None:
    """Once the picture knows people."""
    assert bench("run", "whimsical").code == 0
    done = bench("grant", "whimsical", "editor", "adda@example.com")
    assert (done.code, done.out) == (2, "")
    assert "did you mean ada@example.com" in done.err


def test_an_unmanaged_connection_refuses_before_any_request(bench: Bench) -> None:
    """Exit 8, with the line that would allow it."""
    done = bench("grant", "whimsical", "editor", "bob@example.com", CONNECTOR_CORE_WHIMSICAL_MANAGED="false")
    assert done.code == 8
    assert "managed = true" in done.err
    assert bench.served.asked == []


def test_a_protected_account_needs_more_than_yes(bench: Bench) -> None:
    """`--include-protected`, whatever the command."""
    protected = {"CONNECTOR_CORE_WHIMSICAL_PROTECTED": "ada@example.com"}
    for command in (
        ("delete-user", "whimsical", "ADA@example.com"),
        ("revoke", "whimsical", "editor", "ada@example.com"),
    ):
        done = bench(*command, "--yes", **protected)
        assert done.code == 8
        assert "--include-protected" in done.err
    assert bench.served.writes() == 0
    assert bench("revoke", "whimsical", "editor", "ada@example.com", "--include-protected", **protected).code == 0


def test_a_failed_operation_is_a_document_too(bench: Bench) -> None:
    """The operation, with its number, and the error as every command has it; exit 5."""
    error = b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"seat limit","status":"403"}'
    bench.served.before = lambda method, target: (403, error) if method == "POST" else None
    done = bench("create-user", "whimsical", "eve@example.com", "--json")
    assert done.code == 5
    assert (done.document["operation"]["state"], done.document["error"]["code"]) == ("failed", "refused")
    assert "seat limit" in done.document["error"]["message"]
    assert bench("create-user", "whimsical", "eve@example.com").out.startswith("failed: eve@example.com has an account")


def test_p72_refused_credentials_keep_the_operation_in_the_document(bench: Bench) -> None:
    """Exit 4; what was begun is in the journal, and in the answer."""
    bench.served.before = lambda method, target: (401, b"{}") if method == "PATCH" else None
    done = bench("grant", "whimsical", "editor", "bob@example.com", "--json")
    assert done.code == 4
    assert (done.document["operation"]["state"], done.document["error"]["code"]) == ("failed", "credentials_refused")


# -- what it costs ---------------------------------------------------------------------------------------------


def test_w25_a_paid_seat_is_mentioned_before_it_is_taken(bench: Bench) -> None:
    """On standard error, also in a dry run; not where nothing is written, nor where it costs nothing."""
    assert SEAT in bench("grant", "whimsical", "editor", "bob@example.com", "--dry-run").err
    assert SEAT in bench("grant", "whimsical", "editor", "bob@example.com", "--json").err
    assert SEAT not in bench("grant", "whimsical", "editor", "bob@example.com").err
    assert SEAT not in bench("grant", "whimsical", "viewer", "bob@example.com").err
    assert SEAT in bench("create-user", "whimsical", "eve@example.com", "--role", "editor").err
    assert "may take a paid seat" in bench("create-user", "whimsical", "fay@example.com").err


def test_w19_the_offboarding_timer_is_mentioned_before_a_removal(bench: Bench) -> None:
    """Deleting, and revoking Viewer, start it; once, and not for somebody who is gone."""
    assert bench("delete-user", "whimsical", "cyd@example.com", "--yes").err.count(TIMER) == 1
    assert TIMER not in bench("delete-user", "whimsical", "cyd@example.com").err
    assert bench("revoke", "whimsical", "viewer", "bob@example.com", "--yes").err.count(TIMER) == 1
    assert TIMER not in bench("revoke", "whimsical", "editor", "ada@example.com").err


# -- dry runs --------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_the_request_and_sends_none(bench: Bench) -> None:
    """Method, path and body, and what would be so then; for each kind, and no --yes is needed."""
    bob = bench.served.id("bob@example.com")
    for arguments, method, path in (
        (("create-user", "whimsical", "eve@example.com"), "POST", "/Users"),
        (("grant", "whimsical", "editor", "bob@example.com"), "PATCH", f"/Users/{bob}"),
        (("revoke", "whimsical", "viewer", "bob@example.com"), "PATCH", f"/Users/{bob}"),
        (("delete-user", "whimsical", "bob@example.com"), "DELETE", f"/Users/{bob}"),
    ):
        planned = operation(bench, *arguments, "--dry-run")
        assert set(planned) == KEYS | {"request"}
        assert (planned["id"], planned["state"], planned["outcome"]) == (None, "planned", "changed")
        assert (planned["request"]["method"], planned["request"]["path"]) == (method, path)
        words = bench(*arguments, "--dry-run").out
        assert f"would send {method} {path}" in words
        assert "nothing was sent" in words
    assert bench.served.writes() == 0
    assert bench("operations", "whimsical", "--json").document["operations"] == []


def test_a_dry_run_of_what_is_so_already(bench: Bench) -> None:
    """There is nothing to send."""
    done = bench("grant", "whimsical", "viewer", "bob@example.com", "--dry-run")
    assert (done.code, done.out) == (0, "nothing to send: bob@example.com holds viewer\n")


# -- on a terminal ---------------------------------------------------------------------------------------------

REMOVALS = [("delete-user", "whimsical", "bob@example.com"), ("revoke", "whimsical", "viewer", "bob@example.com")]


@pytest.mark.parametrize("arguments", REMOVALS)
def test_a_removal_is_asked_about_on_a_terminal(bench: Bench, arguments: tuple[str, ...]) -> None:
    """Yes removes; no, which is also the answer to Enter, and Ctrl-C remove nobody."""
    for answer, code, words in (
        (b"n\n", 8, "was not confirmed"),
        (b"\n", 8, "was not confirmed"),
        (CTRL_C, 130, "interrupted"),
    ):
        ended, text = bench.answering(answer, *arguments)
        assert (ended, words in text) == (code, True), text
        assert "This removes bob@example.com" in text
    assert bench.served.writes() == 0
    ended, text = bench.answering(b"y\n", *arguments)
    assert ended == 0, text
    assert "bob@example.com" not in bench.served.truth


def test_a_command_looks_a_person_up_once(bench: Bench) -> None:
    """The question is asked within the one operation, and its answer is for the account that it named."""
    assert bench("grant", "whimsical", "editor", "bob@example.com").code == 0
    assert sum("filter" in target for _, target in bench.served.asked) == 1
    bench.served.asked.clear()
    code, text = bench.answering(b"y\n", "delete-user", "whimsical", "cyd@example.com")
    assert (code, text.count("[y/N]")) == (0, 1), text
    assert sum("filter" in target for _, target in bench.served.asked) == 1
    assert [row["kind"] for row in bench("operations", "whimsical", "--json").document["operations"]] == [
        "delete_account", "grant"
    ]  # fmt: skip


def test_nothing_is_asked_with_json(bench: Bench) -> None:
    """A document is for scripts: refused, on a terminal, too."""
    code, text = bench.on_terminal("delete-user", "whimsical", "bob@example.com", "--json")
    assert code == 8
    assert "[y/N]" not in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_journal_fits_the_terminal(bench: Bench, width: int) -> None:
    """At 80 and at 120 columns no line is longer, the newest first, and a long reason goes on below."""
    bench.served.add({"a.person.with.quite.a.long.address@subsidiary.example.com": "viewer"})
    reason = "the quarterly review of everybody's access, as decided by the committee in its last meeting"
    bench(
        "grant", "whimsical", "editor", "a.person.with.quite.a.long.address@subsidiary.example.com", "--reason", reason
    )
    bench("revoke", "whimsical", "editor", "ada@example.com")
    code, text = bench.on_terminal("operations", "whimsical", width=width)
    lines = text.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= width
    assert lines[0].split()[:2] == ["NO", "WHEN"]
    assert "ada@example.com" in lines[1]
    assert "meeting" in text
    assert (
        json.loads(bench("operations", "whimsical", "--json", "--limit", "1").out)["operations"][0]["kind"] == "revoke"
    )


def test_the_journal_of_one_person(bench: Bench) -> None:
    """By e-mail in any case, or id."""
    bench("grant", "whimsical", "editor", "bob@example.com")
    bench("revoke", "whimsical", "editor", "ada@example.com")
    for name in ("BOB@example.com", bench.served.id("bob@example.com")):
        (row,) = bench("operations", "whimsical", "--user", name, "--json").document["operations"]
        assert row["user"] == "bob@example.com"
