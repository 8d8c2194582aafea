"""The CSV file of who should have what: what is read, and how each mistake is told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from connector_core.errors import UsageError
from connector_core.model import EntitlementKey
from connector_core.provision.people_file import Wanted, read_people
from connector_core.provision.requests import named

EDITOR = EntitlementKey("role", "editor", "assigned")
KNOWN = {EDITOR, EntitlementKey("role", "viewer", "assigned")}


def role(name: str) -> EntitlementKey:
    return named(name, KNOWN)


def read(folder: Path, content: str | bytes) -> list[Wanted]:
    path = folder / "people.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_people(path, role)


def refused(folder: Path, content: str | bytes) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(folder, content)
    assert caught.value.exit_code == 2
    assert "people.csv" in caught.value.message
    return caught.value


def test_a_file_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    """A byte order mark, CRLF, quotes around commas and quotes, columns in another order, blank lines."""
    head = "\ufeffFamily_Name,email, role ,given_name\r\n"
    text = head + '"King, Jr.",Ada@Example.com,editor,"A ""B"""\r\n\r\n,b@x.example,,\r\n'
    assert read(tmp_path, text) == [
        Wanted(login="ada@example.com", role=EDITOR, given_name='A "B"', family_name="King, Jr."),
        Wanted(login="b@x.example"),
    ]


def test_only_email_is_required(tmp_path: Path) -> None:
    """A list of addresses is a file; an empty one is nobody."""
    assert read(tmp_path, "email\na@example.com") == [Wanted(login="a@example.com")]
    assert read(tmp_path, "email\n") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: there is no column named email"),
        ("\n\n", "line 1: there is no column named email"),
        ("a@example.com,editor\n", "line 1: there is no column named email"),
        ("email,team\n", "line 1: there is no column 'team'"),
        ("email,role,Email\n", "line 1: the column email is there twice"),
        ("email;role\na@example.com;editor\n", "line 1: the columns are separated by semicolons"),
        ('"email";"role"\r\n"a@example.com";"editor"\r\n', "line 1: the columns are separated by semicolons"),
        ("\ufeffsep=;\r\nemail;role\r\n", "line 1: 'sep=;' is a note for a spreadsheet"),
        ('"sep=,"\nemail,role\n', "line 1: '\"sep=,\"' is a note for a spreadsheet"),
        ("email\trole\na@example.com\teditor\n", "line 1: the columns are separated by tabs"),
        ("email,role\na@example.com\n", "line 2: 1 cells, the header has 2"),
        ("email\na@example.com,editor\n", "line 2: 2 cells, the header has 1"),
        ("email,role\na@example.com,admin\n", "line 2: there is no role 'admin' (there are: editor, viewer)"),
        ("email,role\n,editor\n", "line 2: there is no e-mail address"),
        ("email\nada\n", "line 2: 'ada' is no e-mail address"),
        ("email\n@example.com\n", "line 2: '@example.com' is no e-mail address"),
        ("email\nada@\n", "line 2: 'ada@' is no e-mail address"),
        ("email\na@b@example.com\n", "line 2: 'a@b@example.com' is no e-mail address"),
        ("email\nAda <ada@example.com>\n", "line 2: 'Ada <ada@example.com>' is no e-mail address"),
        (f"email\n{'a' * 250}@example.com\n", "is no e-mail address"),
        ("email\na@example.com\nb@example.com\nA@EXAMPLE.com\n", "line 4: a@example.com is on line 2 already"),
        ('email,given_name\n"a@example.com","A\nB"\n', "line 2: given_name holds a character that cannot be printed"),
        ("email,given_name\na@example.com,A\x1b[2J\n", "line 2: given_name holds a character that cannot be printed"),
        ("email\na@example.com\0\n", "line 2: email holds a character that cannot be printed"),
        ('email\n"a@example.com\n', "line 2: unexpected end of data"),
        (b"email\na@example.com\nb\xff@example.com\n", "line 3: this is not UTF-8"),
        ("email\na@example.com\n".encode("utf-16"), "line 1: this is not UTF-8"),
        ("email\n" + "a" * 200_000 + "\n", "line 2: field larger than field limit"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    """What is wrong, and where, in words; nobody is planned for out of half a file."""
    assert message in refused(tmp_path, content).message


@pytest.mark.parametrize(
    ("content", "cure"),
    [('"email";"role"\n', "save it as CSV with commas"), ("sep=;\nemail;role\n", "delete this line")],
)
def test_a_file_of_another_country_names_its_cure(tmp_path: Path, content: str, cure: str) -> None:
    """What spreadsheets write with semicolons is refused with what to do about it."""
    assert cure in (refused(tmp_path, content).hint or "")


def test_a_line_after_one_that_wraps_has_its_own_number(tmp_path: Path) -> None:
    """The number is that of the line in the file, as an editor shows it."""
    assert "line 4: 'x' is no e-mail" in refused(tmp_path, 'email,role\r\n"a@example.com","\r\n"\r\nx,\r\n').message


def test_many_mistakes_are_told_at_once_and_not_without_end(tmp_path: Path) -> None:
    """Ten of them, and how many more there are."""
    message = refused(tmp_path, "email\n" + "nobody\n" * 5_000).message
    assert "line 11: 'nobody'" in message
    assert "line 12" not in message
    assert message.endswith("; and 4990 more")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A file of gigabytes that is none on the disk costs neither time nor memory."""
    path = tmp_path / "people.csv"
    with path.open("wb") as file:
        file.truncate(8 * 2**30)
    with pytest.raises(UsageError, match="larger than 16 MB"):
        read_people(path, role)


def test_a_file_that_is_not_there_or_none(tmp_path: Path) -> None:
    """The reason is the system's own."""
    with pytest.raises(UsageError, match="No such file"):
        read_people(tmp_path / "no.csv", role)
    with pytest.raises(UsageError, match="Is a directory"):
        read_people(tmp_path, role)


def test_a_pipe_is_as_good_as_a_file(tmp_path: Path) -> None:
    """What a shell hands over as <(...) has no size."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("email\na@example.com\n",))
    writer.start()
    assert read_people(pipe, role) == [Wanted(login="a@example.com")]
    writer.join()
