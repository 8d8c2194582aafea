"""Who is who: when two names are the same, which account a text names, and what is no e-mail address."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve, frozen

from connector_core.errors import UnknownName, UsageError
from connector_core.model import Entitlement, EntitlementKey, Key
from connector_core.names import ambiguous, checked_address, entitlements_named, fitting, is_same, key_in, normalized


@frozen
class Row:
    id: str
    login: str | None = None
    email: str | None = None
    enabled: bool = True


def meant(text: str, *rows: Row) -> list[str]:
    return [row.id for row in fitting(text, rows, lambda row: row.enabled)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.com", "ann@example.com"), (" ann@x.com", "ann@x.com\u00a0"), ("\tann@x.com\n", "ann@x.com"),
        ("jos\u00e9@x.com", "jose\u0301@x.com"), ("JOSE\u0301@x.com", "jos\u00e9@x.com"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@B\u00dcCHER.example", "ann@b\u00fccher.example"),
        ("\u0394@x.com", "\u03b4@x.com"),
    ],
)  # fmt: skip
def test_spellings_of_one_name(one: str, other: str) -> None:
    """White space at the ends, composition, the case of letters and the writing of the domain make no other name."""
    assert is_same(one, other)
    assert normalized(normalized(one)) == normalized(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("wei\u00df@x.com", "weiss@x.com"), ("\ufb01n@x.com", "fin@x.com"), ("mi\u212ae@x.com", "mike@x.com"),
        ("\u0130@x.com", "i\u0307@x.com"), ("\u0131@x.com", "i@x.com"), ("\uff41nn@x.com", "ann@x.com"),
        ("ann@\uff58.com", "ann@x.com"), ("ann@x\u212a.com", "ann@xk.com"), ("a nn@x.com", "ann@x.com"),
        ("\u03c2@x.com", "\u03c3@x.com"), ("ann@x.com", "ann+1@x.com"), ("\u0430nn@x.com", "ann@x.com"),
        ("", "a"), ("wei\u00df@stra\u00dfe.example", "wei\u00df@strasse.example"),
    ],
)  # fmt: skip
def test_other_names(one: str, other: str) -> None:
    """No case folding, no compatibility forms, and no letter of ASCII out of one that is none."""
    assert not is_same(one, other)


def test_no_name_is_no_name() -> None:
    """Two accounts without a login are not of one name."""
    assert not is_same(None, None)
    assert not is_same(None, "a")


@pytest.mark.parametrize(
    ("text", "rows", "expected"),
    [
        ("Ann@x.com", [Row("1", "ann@x.com"), Row("2", "bo@x.com", "ann@x.com")], ["1"]),
        ("bo@x.com", [Row("bo@x.com", "ann@x.com"), Row("2", "bo@x.com")], ["2", "bo@x.com"]),
        ("bo@x.com", [Row("bo@x.com", "BO@x.com")], ["bo@x.com"]),
        ("Bo@x.com", [Row("bo@x.com", "ann@x.com")], []),
        (" id-1 ", [Row("id-1", "ann@x.com")], ["id-1"]),
        ("mail@x.com", [Row("1", "ann", "MAIL@x.com"), Row("2", "bo")], ["1"]),
        ("mail@x.com", [Row("1", "ann", "mail@x.com"), Row("2", "bo", "mail@x.com")], ["1", "2"]),
        ("ann", [Row("1", "ann", enabled=False), Row("2", "ann ")], ["2"]),
        ("ann", [Row("1", "ann", enabled=False), Row("2", "Ann", enabled=False)], ["1", "2"]),
        ("ann", [Row("1", "ann"), Row("2", "Ann")], ["1", "2"]),
        ("ann", [], []),
    ],
)
def test_what_a_text_names(text: str, rows: list[Row], expected: list[str]) -> None:
    """A login goes before an id, and both before an e-mail; the enabled one of a login's accounts is meant."""
    assert meant(text, *rows) == expected


def test_a_type_and_an_id_name_that_account() -> None:
    """Only of a type that there is; an id may hold colons, and is taken to its last white space."""
    assert key_in(" user:a:b ", ["user"]) == Key("user", "a:b ")
    assert [key_in(text, ["user"]) for text in ("user:", "users:1", "1", ":1")] == [None] * 4


def test_an_ambiguous_name_says_which_accounts_there_are() -> None:
    """Each with its id; of very many the first ten."""
    error = ambiguous("ann", [Row(str(n), "ann") for n in range(12)])
    assert "ann (id 0), ann (id 1)" in error.message
    assert error.message.endswith("and 2 more")


@pytest.mark.parametrize(
    "text",
    [
        "", "ann", "ann@", "@x.com", "ann@x.com;", "<ann@x.com>", "mailto:ann@x.com", '="ann@x.com"', "ann@x.com.",
        "ann@x..com", "ann@.com", "ann@x.com|y", "an n@x.com", "ann@x .com", "ann@x.com bo@x.com", "ann@x.com,bo@x.com",
        "ann@x.com\nbo@x.com", "Ann <ann@x.com>", '["ann@x.com"]', '"ann"@x.com', "ann@x", "ann@[1.2.3.4]",
        "mi\u212ae@x.com", "ann@x\u212a.com", "\u0130nn@x.com", "ann\u200b@x.com",
        "ann@x.com\u202e", "a" * 300 + "@x.com",
    ],
)  # fmt: skip
def test_no_address(text: str) -> None:
    """What is no e-mail address is an error that shows it, shortened."""
    with pytest.raises(UsageError) as raised:
        checked_address(text)
    assert len(raised.value.message) < 400


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com", "Ann.O'Neil+x@Example.co.uk", "jos\u00e9@example.com", "ann@b\u00fccher.example",
        "wei\u00df@example.com", "ann@xn--bcher-kva.example", "ann@corp.local", "a_b-c@sub.example.org",
    ],
)  # fmt: skip
def test_an_address_stays_as_it_was_typed(text: str) -> None:
    """Without the white space around it."""
    assert checked_address(f" {text}\u00a0") == text


def test_no_other_module_folds_the_case_of_names() -> None:
    """The rule stands in one place: elsewhere only SCIM's own words, whose case does not count, are folded."""
    root = Path(__file__).parents[2] / "connector_core"
    rooms = ("store", "provision", "host", "cli", "config", "fleet", "export", "review")
    files = [file for room in rooms for file in (root / room).rglob("*.py")]
    offending = [str(file) for file in files if any(word in file.read_text("utf-8") for word in ("casefold", "NOCASE"))]
    assert offending == []


# -- roles -----------------------------------------------------------------------------------------------------------

EDITOR, MEMBER, OWNER = (
    EntitlementKey("role", "editor", "assigned"), EntitlementKey("group", "g1", "member"),
    EntitlementKey("group", "g1", "owner"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("editor", [EDITOR]), ("role:editor", [EDITOR]), ("role:editor:assigned", [EDITOR]), ("g1", [MEMBER, OWNER]),
        ("group:g1:owner", [OWNER]),
    ],
)  # fmt: skip
def test_a_role_is_named_by_id_type_and_slug(text: str, found: list[EntitlementKey]) -> None:
    """The same forms everywhere: in questions to the picture, in commands and in plans."""
    assert entitlements_named(text, [EDITOR, MEMBER, OWNER]) == found


def test_an_unknown_role_lists_those_there_are() -> None:
    """Another spelling names none."""
    with pytest.raises(UnknownName, match="there is no role 'Editor'") as raised:
        entitlements_named("Editor", [EDITOR, MEMBER, OWNER])
    assert raised.value.hint == "there are: editor, g1"


def test_entitlements_of_one_group_exclude_each_other() -> None:
    """But none excludes itself, and those of no group exclude nothing."""
    editor = Entitlement(resource=EDITOR.resource, slug="assigned", name="Editor", exclusive="role")
    viewer = evolve(editor, resource=Key("role", "viewer"))
    free = evolve(viewer, exclusive=None)
    assert (editor.excludes(viewer), editor.excludes(editor), free.excludes(free), editor.excludes(free)) == (
        True, False, False, False,
    )  # fmt: skip
