"""Reading who should have what from a CSV file: a header, lines of people, every mistake named with its line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from attrs import evolve, field, frozen

from connector_core.errors import UsageError
from connector_core.files import read_bytes
from connector_core.model import EntitlementKey
from connector_core.names import checked_address, lowered, normalized, some

COLUMNS = ("email", "role", "given_name", "family_name")
_LARGEST = 16 * 2**20  # bytes: some hundred thousand people
_SHOWN = 10  # mistakes named in one message
_HINT = f"the first line names the columns, separated by commas: {', '.join(COLUMNS)}; only email is required"

FindRole = Callable[[str], EntitlementKey]


@frozen(kw_only=True)
class Wanted:
    """One person: ``role`` None leaves the role as it is, or takes the application's default for a new account.

    ``further``: what else they should have, of other lines or after a semicolon. ``lines``: on which line each is.
    """

    login: str
    role: EntitlementKey | None = None
    further: tuple[EntitlementKey, ...] = ()
    given_name: str | None = None
    family_name: str | None = None
    typed: str = field(default="", eq=False)  # the login as it stands in the file
    line: int | None = field(default=None, eq=False)
    lines: Mapping[EntitlementKey, int] = field(factory=dict, eq=False)

    @property
    def roles(self) -> tuple[EntitlementKey, ...]:
        """All that the person should have, as the file orders it."""
        return (*((self.role,) if self.role else ()), *self.further)


def read_people(path: Path, role: FindRole) -> list[Wanted]:
    """The people in a file.

    :param role: finds the entitlement that a text names, or raises `UsageError`.
    :raises UsageError: naming each line that is wrong, the first ten of them.
    """
    rows, role = _rows(path), cache(role)
    columns = _columns(path, next(rows, (1, []))[1])
    people: dict[str, Wanted] = {}
    mistakes: list[str] = []
    for line, row in rows:
        try:
            person = _person(columns, row, role)
            person = evolve(person, line=line, lines=dict.fromkeys(person.roles, line))
            name = normalized(person.login)
            people[name] = _together(people[name], person) if name in people else person
        except UsageError as error:
            mistakes.append(f"line {line}: {error}" + (f" ({error.hint})" if error.hint else ""))
    if mistakes:
        raise wrong_lines(mistakes, f"{path}: ")
    return list(people.values())


def _together(one: Wanted, other: Wanted) -> Wanted:
    """Return the person of two lines, each of which names roles.

    :raises UsageError: the second one says nothing more, or contradicts the first.
    """
    if not (one.roles and other.roles):
        raise UsageError(f"{other.login} is on line {one.line} already")
    if twice := next((key for key in other.roles if key in one.lines), None):
        raise UsageError(f"{other.login} is on line {one.lines[twice]} already with {twice.id}")
    for name in ("given_name", "family_name"):
        if getattr(other, name) and getattr(one, name) and getattr(other, name) != getattr(one, name):
            raise UsageError(f"{other.login} has another {name} on line {one.line}")
    return evolve(
        one, further=(*one.further, *other.roles), lines={**one.lines, **other.lines},
        given_name=one.given_name or other.given_name, family_name=one.family_name or other.family_name,
    )  # fmt: skip


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the number of the line on which it begins; the header, whatever it is."""
    text = _text(path)
    _refuse_other_separator(path, text.partition("\n")[0].strip())
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for row in reader:
            if begins == 1 or any(cell.strip() for cell in row):
                yield begins, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(
            f"{path}, line {begins}: {error}", hint="a text with commas or quotes in it is quoted"
        ) from None


def _text(path: Path) -> str:
    try:
        raw = read_bytes(path, _LARGEST)
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: this is not UTF-8", hint="save it as CSV in UTF-8") from None


def _refuse_other_separator(path: Path, header: str) -> None:
    """Spreadsheets of some countries write semicolons, and Excel a line of its own that says so, quoted or not."""
    if header.strip('"').lower().startswith("sep="):
        raise UsageError(
            f"{path}, line 1: {header!r} is a note for a spreadsheet, not a header", hint=f"delete this line; {_HINT}"
        )
    for mark, named in ((";", "semicolons"), ("\t", "tabs")):
        if mark in header and "," not in header:
            raise UsageError(
                f"{path}, line 1: the columns are separated by {named}, not by commas",
                hint=f"save it as CSV with commas; {_HINT}",
            )


def _columns(path: Path, header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    if "email" not in columns:
        raise UsageError(f"{path}, line 1: there is no column named email", hint=_HINT)
    for number, column in enumerate(columns):
        if column not in COLUMNS:
            raise UsageError(f"{path}, line 1: there is no column {column!r} to be had", hint=_HINT)
        if column in columns[:number]:
            raise UsageError(f"{path}, line 1: the column {column} is there twice", hint=_HINT)
    return columns


def _person(columns: list[str], row: list[str], role: FindRole) -> Wanted:
    if len(row) != len(columns):
        raise UsageError(f"{len(row)} cells, the header has {len(columns)}")
    cells = {name: cell.strip() for name, cell in zip(columns, row, strict=True)}
    for name, cell in cells.items():
        if not cell.isprintable():
            raise UsageError(f"{name} holds a character that cannot be printed: {cell!r}")
    login = lowered(checked_address(cells["email"]))  # W15
    roles = list(dict.fromkeys(role(name.strip()) for name in cells.get("role", "").split(";") if name.strip()))
    return Wanted(
        login=login, typed=cells["email"], role=roles[0] if roles else None, further=tuple(roles[1:]),
        given_name=cells.get("given_name") or None, family_name=cells.get("family_name") or None,
    )  # fmt: skip


def wrong_lines(mistakes: Sequence[str], where: str = "") -> UsageError:
    """Return the error that names the lines of a file that are wrong, the first ten of them."""
    return UsageError(f"{where}{some(mistakes, _SHOWN, '; ', '; ')}", hint="nothing was planned; mend the file")
