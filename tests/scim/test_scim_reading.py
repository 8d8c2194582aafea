"""Rows, values and envelopes as real servers send them."""

from __future__ import annotations

from typing import Any

import pytest

from connector_core.errors import ProtocolError, RowRejected
from connector_core.model import Key
from connector_core.scim import Extension, ScimRow, read_rows
from connector_core.scim.listing import parse
from connector_core.scim.reading import display_name, email, id_of, person_name, to_bool, to_id

URN = "urn:ietf:params:scim:schemas:extension:acme:2.0:User"
EDITOR = Extension(f"{URN}:editor")


def read_login(row: ScimRow, row_id: str) -> str:
    login = row.text("userName")
    if login is None:
        raise RowRejected("userName is missing")
    return f"{row_id} {login}"


# -- values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, "true", "True", " TRUE ", 1])
def test_p25_true_in_every_spelling(value: Any) -> None:
    """Booleans sent as text or numbers are understood."""
    assert to_bool(value, "active") is True


@pytest.mark.parametrize("value", [False, "false", "False", 0])
def test_p25_false_in_every_spelling(value: Any) -> None:
    """So are those that say no."""
    assert to_bool(value, "active") is False


@pytest.mark.parametrize("value", [None, "", []])
def test_p26_null_and_empty_are_unassigned(value: Any) -> None:
    """Null, empty text and an empty list mean: no value."""
    assert to_bool(value, "active") is None
    assert ScimRow({"a": value}).get("a") is None


@pytest.mark.parametrize("value", ["yes", "1", 2, -1, 1.0, {}, [True]])
def test_p25_anything_else_is_no_boolean(value: Any) -> None:
    """What is no boolean is refused by the attribute's name, never taken for false."""
    with pytest.raises(RowRejected, match="active is not a boolean"):
        to_bool(value, "active")


@pytest.mark.parametrize(("value", "read"), [("7", "7"), (7, "7"), ("a/b+c@d%e", "a/b+c@d%e"), ("x" * 500, "x" * 500)])
def test_p27_ids_are_kept_as_sent(value: Any, read: str) -> None:
    """An id is text or a whole number, whatever characters it holds."""
    assert to_id(value) == read


@pytest.mark.parametrize("value", [None, "", " ", ".", "..", True, 1.5, [], {}, "\ud800"])
def test_p27_unusable_ids_are_refused(value: Any) -> None:
    """What could not stand in an address is no id."""
    with pytest.raises(RowRejected):
        to_id(value)
    assert id_of({"id": value}) is None


def test_p17_names_are_found_in_any_case() -> None:
    """Attribute names differ in case from server to server."""
    row = ScimRow({"USERNAME": "ada", "Name": {"GIVENNAME": "Ada"}})
    name = row.part("name")
    assert row.text("userName") == "ada"
    assert name is not None
    assert name.text("givenName") == "Ada"


def test_p17_the_right_spelling_goes_first() -> None:
    """Where a name is there twice, the one that the RFC spells counts, in whatever order they come."""
    assert ScimRow({"active": True, "ACTIVE": False}).flag("active") is True
    assert ScimRow({"ACTIVE": False, "active": True}).flag("active") is True


@pytest.mark.parametrize(
    "document",
    [
        {URN: {"editor": True}},
        {URN.upper(): {"Editor": True}},
        {f"{URN}:editor": True},
        {f"{URN}.editor": True},
        {f"{URN.lower()}:EDITOR": True},
        {URN: {}, f"{URN}:editor": True},
        {URN: None, f"{URN}.editor": True},
    ],
)
def test_p19_p21_an_extension_is_found_wherever_it_lies(document: dict[str, Any]) -> None:
    """Nested, flattened, with a dot, in any case; ``schemas`` is not asked (P18)."""
    assert EDITOR.of(ScimRow(document)) is True


@pytest.mark.parametrize("document", [{}, {URN: {}}, {URN: {"editor": None}}, {URN: "editor"}, {"editor": True}])
def test_p19_an_absent_extension_is_none(document: dict[str, Any]) -> None:
    """What is not there is not made up."""
    assert EDITOR.of(ScimRow(document)) is None


def test_p22_a_full_name_is_split_at_its_last_colon() -> None:
    """The dot in ``2.0`` and the colons of the URN belong to the URN."""
    assert (EDITOR.urn, EDITOR.attribute) == (URN, "editor")


@pytest.mark.parametrize(
    ("emails", "found"),
    [
        ([{"value": "a@x"}, {"value": "b@x", "primary": True}], "b@x"),
        ([{"value": "a@x", "primary": True}, {"value": "b@x", "primary": True}], "a@x"),
        ([{"value": "a@x"}, {"value": "b@x", "primary": "True"}], "b@x"),
        ([{"type": "work"}, {"value": "b@x"}], "b@x"),
        ([{"value": "", "primary": True}, {"value": "b@x"}], "b@x"),
        (["a@x", "b@x"], "a@x"),
        ({"value": "a@x"}, "a@x"),
        ("a@x", "a@x"),
        ([], None),
        (None, None),
        ([None, 7, {"value": 7}], None),
    ],
)
def test_p30_the_primary_email_or_the_first(emails: Any, found: str | None) -> None:
    """Lists of objects or of text, one object, one text, two primaries or none: one e-mail comes out."""
    assert email(ScimRow({"emails": emails})) == found


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"displayName": "A", "name": {"formatted": "B"}}, "A"),
        ({"displayName": "", "name": {"formatted": "B", "givenName": "C"}}, "B"),
        ({"name": {"givenName": "C", "familyName": "D"}}, "C D"),
        ({"name": {"familyName": "D"}, "userName": "e"}, "D"),
        ({"name": {}, "userName": "e"}, "e"),
        ({"name": "text", "userName": "e"}, "e"),
        ({}, None),
    ],
)
def test_p36_a_name_is_found(document: dict[str, Any], name: str | None) -> None:
    """displayName, then name.formatted, then given and family name, then userName."""
    row = ScimRow(document)
    assert display_name(row, person_name(row)) == name


def test_text_keeps_all_but_half_surrogates() -> None:
    """Control characters are data; half a surrogate pair could be written nowhere and becomes a question mark."""
    assert ScimRow({"a": "x\x1b[1m\ud800y é"}).text("a") == "x\x1b[1m?y é"


# -- pages of rows ---------------------------------------------------------------------------------------------


def test_p35_a_malformed_row_does_not_take_its_page_with_it() -> None:
    """Good rows are read; each bad one is named, by id where it has one."""
    rows = read_rows([{"id": "1", "userName": "a"}, {"id": 2}, "text", {"userName": "d"}], "user", read_login)
    assert rows.read == {"1": "1 a"}
    assert [(r.key, r.reason) for r in rows.rejected] == [
        (Key("user", "2"), "user:2: userName is missing"),
        (None, "the row is not an object"),
        (None, "id is missing or unusable"),
    ]


def test_p07_the_later_of_two_rows_with_one_id_is_taken() -> None:
    """Equal copies pass in silence, different ones with a warning."""
    same = {"id": "1", "userName": "a"}
    assert read_rows([same, dict(same)], "user", read_login).warnings == []
    rows = read_rows([same, {"id": 1, "userName": "b"}], "user", read_login)
    assert rows.read == {"1": "1 b"}
    assert rows.warnings == ["user:1 is listed twice with different content; the later was taken"]


# -- envelopes -------------------------------------------------------------------------------------------------


def test_p11_envelope_keys_in_any_case() -> None:
    """``resources`` and ``TOTALRESULTS`` are what they look like."""
    reply = parse({"resources": [{"id": 1}], "TOTALRESULTS": 1, "NextCursor": "c"})
    assert (reply.rows, reply.total, reply.next_cursor) == ([{"id": 1}], 1, "c")


@pytest.mark.parametrize("document", [{"totalResults": 0}, {"totalResults": 0, "Resources": None}, {"Resources": []}])
def test_p05_absent_rows_are_none(document: dict[str, Any]) -> None:
    """Rows absent, null or empty are an empty page."""
    assert parse(document).rows == []


@pytest.mark.parametrize(
    ("sent", "total"),
    [("42", 42), (42, 42), (0, 0), (None, None), ("many", None), (True, None), (-1, None), ({}, None)],
)
def test_p12_totals_in_every_form(sent: Any, total: int | None) -> None:
    """A total may be text; one that makes no sense is none."""
    assert parse({"Resources": [], "totalResults": sent}).total == total


@pytest.mark.parametrize("document", [{}, {"message": "ok"}, {"Resources": {"id": 1}}, {"Resources": "none"}])
def test_p37_a_reply_that_is_no_list_is_an_error(document: dict[str, Any]) -> None:
    """What is no list is never taken for an empty one."""
    with pytest.raises(ProtocolError):
        parse(document)
