"""JSON to the model and back: strict, with errors that say where."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from attrs import frozen

from connector_core import ConfigurationError, EntitlementKey, ErrorInfo, Key, NewAccount, Secret
from connector_core.convert import compact, from_json, to_json


@frozen
class Thing:
    count: int
    key: Key | None = None
    tags: tuple[str, ...] = ()
    kind: Literal["a", "b"] = "a"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"count": "1"}, "expected int, found str @ $.count"),
        ({"count": True}, "expected int, found bool @ $.count"),
        ({}, "required field missing @ $.count"),
        ({"count": 1, "cuont": 2}, "extra fields found (cuont)"),
        ({"count": 1, "key": 5}, "expected str, found int @ $.key"),
        ({"count": 1, "key": "user"}, "expected type:id, found 'user' @ $.key"),
        ({"count": 1, "tags": "abc"}, "expected list, found str @ $.tags"),
        ({"count": 1, "tags": ["a", 2]}, "expected str, found int @ $.tags[1]"),
        ({"count": 1, "kind": "c"}, "expected one of a, b @ $.kind"),
        (3, "invalid value for type, expected Thing"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(document: Any, says: str) -> None:
    """Nothing is converted by guessing: a text is no number, and no list of letters."""
    with pytest.raises(ConfigurationError) as raised:
        from_json(document, Thing, what="thing.json")
    assert raised.value.message == f"thing.json: {says}"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (["x"], "expected an object, found list"),
        ("a", "expected an object, found str"),
        (None, "invalid value for type, expected ErrorInfo"),
        (3.5, "invalid value for type, expected ErrorInfo"),
    ],
)
def test_what_is_no_object_is_said_to_be_none(document: Any, says: str) -> None:
    """Whatever stands there in its place, and not in words of Python's."""
    with pytest.raises(ConfigurationError) as raised:
        from_json(document, ErrorInfo, what="x")
    assert raised.value.message == f"x: {says}"


def test_every_wrong_place_is_named_at_once() -> None:
    """So that a file is mended in one go."""
    with pytest.raises(ConfigurationError, match=r"@ \$\.count; .* @ \$\.kind"):
        from_json({"count": "1", "kind": "c"}, Thing, what="x")


@pytest.mark.parametrize(
    "value",
    [
        Thing(1, Key("user", "a:b"), ("x",), "b"),
        ErrorInfo(code="usage", message="m", hint=None),
        NewAccount(
            login="ada@example.com", role=EntitlementKey("role", "editor", "assigned"),
            profile={"list": [1, {"a": None}], "text": "x", "yes": True},
        ),
    ],
)  # fmt: skip
def test_what_was_written_is_read_back(value: Any) -> None:
    """Keys as ``type:id`` texts, profiles as whatever JSON they hold."""
    assert from_json(to_json(value), type(value), what="x") == value


def test_a_secret_is_never_written() -> None:
    """Nor read: secrets are fetched."""
    assert to_json({"token": Secret("s3cr3t")}) == {"token": "***"}
    with pytest.raises(ConfigurationError):
        from_json("s3cr3t", Secret, what="x")


def test_the_same_value_gives_the_same_text() -> None:
    """Whatever order its keys were put in; what JSON cannot say is refused."""
    assert compact({"b": 1, "a": "é"}) == compact({"a": "é", "b": 1}) == '{"a":"é","b":1}'
    with pytest.raises(ValueError, match="JSON"):
        compact(float("nan"))
