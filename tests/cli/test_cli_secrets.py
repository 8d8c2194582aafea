"""Several secrets at once: from standard input by name, and asked for on a terminal."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from kit.cli import PROGRAM, Done, Home
from kit.terminal import at_terminal

from plugins import HERE, install


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with the connector `two_ways`, an empty configuration, and no keyring that answers."""
    home, site = Home(tmp_path / "home"), tmp_path / "site"
    home.folder.mkdir(0o700)
    site.mkdir()
    install(site, "strange-two-ways", "two_ways", HERE / "two_ways.py")
    home.environ |= {
        "PYTHONPATH": str(site), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "CONNECTOR_CORE_CONFIG": str(home.folder / "connector-core.toml"),
    }  # fmt: skip
    (home.folder / "connector-core.toml").touch(0o600)
    return home


def script(home: Home, *arguments: str, stdin: str = "") -> Done:
    done = subprocess.run(
        [*PROGRAM, *arguments], env=home.environ, cwd=home.folder, input=stdin, text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def kept(home: Home) -> dict[str, str]:
    """The secrets of the connection as they lie in their files, and its other settings."""
    table: dict[str, Any] = tomllib.loads((home.folder / "connector-core.toml").read_text())["connections"]["two_ways"]
    table.pop("identity")
    return {k: Path(v["file"]).read_text().strip() if isinstance(v, dict) else v for k, v in table.items()}


@pytest.mark.parametrize(
    "stdin", ['{"client_secret": " s3cret\\n", "token": "t0ken"}', "token=t0ken\r\n\r\nclient_secret= s3cret\n"]
)
def test_several_secrets_come_by_name_on_standard_input(home: Home, stdin: str) -> None:
    """As JSON or as lines, without the space around them."""
    done = script(home, "add", "two_ways", "--set", "client_id=c", "--owner", "o", stdin=stdin)
    assert (done.code, "secrets of [5, 6] characters" in done.out) == (0, True), done
    assert kept(home) == {
        "client_id": "c", "owner": "o", "managed": False, "token": "t0ken", "client_secret": "s3cret"
    }  # fmt: skip


def test_text_without_names_is_the_secret_that_is_enough(home: Home) -> None:
    """Even where it is the JSON of a key file, or holds an equals sign."""
    done = script(home, "add", "two_ways", stdin='{"private_key": "a=b"}\n')
    assert (done.code, kept(home)["token"]) == (0, '{"private_key": "a=b"}'), done


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        ((), "", 3, "two_ways needs token, or client_id and client_secret; it has none of them"),
        (("--set", "client_id=c"), "s3cret", 2, "does not say which secret it is: token, client_secret"),
        ((), '{"token": "s3cret", "token": "s3cret"}', 2, "standard input gives token twice"),
        ((), "token=s3cret\ntoken=s3cret", 2, "standard input gives token twice"),
        ((), '{"token": ["s3cret"]}', 2, "standard input gives token as JSON that is no text"),
        ((), '{"token": " "}', 3, "token is missing"),
        ((), f"token={'s3cret' * 11_000}", 3, "token is longer than"),
        ((), '{"client_secret": "s3cret"}', 3, "it has client_secret"),
    ],
)
def test_what_is_no_set_of_secrets_is_refused(
    home: Home, arguments: tuple[str, ...], stdin: str, code: int, says: str
) -> None:
    """With what is missing or wrong, and nothing of what was read; nothing is saved."""
    done = script(home, "add", "two_ways", *arguments, stdin=stdin)
    assert (done.code, says in done.err) == (code, True), done
    assert "s3cret" not in done.out + done.err
    assert (home.folder / "connector-core.toml").read_text() == ""


def test_a_person_is_asked_for_one_set(home: Home) -> None:
    """Which one, and then what it needs."""
    with at_terminal(home, "add", "two_ways", "--app", "A", "--owner", "o", "--unmanaged") as person:
        person.waits_for("2. client_id and client_secret")
        person.answers("Which of these do you have", "2")
        person.answers("client_id", "c")
        person.answers("not shown", "s3cret")
        person.waits_for("saved two_ways")
        assert person.leaves() == 0
    assert kept(home) == {"app": "A", "client_id": "c", "client_secret": "s3cret"}


def test_several_secrets_are_replaced_at_once_and_an_optional_one_is_taken_out(home: Home) -> None:
    """All that were named, and no other; `NAME=` leaves an optional secret out again, and deletes it."""
    assert script(home, "add", "two_ways", "--set", "client_id=c", stdin="token=old").code == 0
    both = ("configure", "two_ways", "--secret", "token", "--secret", "client_secret")
    done = script(home, "configure", "two_ways", "--secret", "token", stdin="token=a\nclient_secret=b")
    assert (done.code, "add --secret client_secret" in done.err) == (2, True), done
    assert script(home, *both, stdin="only-one").code == 2
    done = script(home, *both, stdin="token=a")
    assert (done.code, "configure two_ways --secret client_secret < token.txt" in done.err) == (3, True), done
    assert script(home, *both, stdin="token=a\nclient_secret=b").code == 0
    assert script(home, "configure", "two_ways", "token=").code == 0
    assert kept(home) == {"managed": False, "client_id": "c", "client_secret": "b"}
    assert len([*(home.folder / "secrets").iterdir()]) == 1


def test_what_a_connector_needs_is_among_its_capabilities(home: Home) -> None:
    """The sets in words and in JSON; a secret that may be left out is optional."""
    out = home("capabilities", "two_ways").out
    assert "It needs token, or client_id and client_secret." in out
    assert "token: secret, optional" in out
    document = home("capabilities", "two_ways", "--json").document
    assert document["one_of"] == [["token"], ["client_id", "client_secret"]]
    assert [row["required"] for row in document["settings"]] == [False, False, False]
