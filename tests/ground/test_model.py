"""The values that everything speaks in."""

from __future__ import annotations

import copy
import inspect
import pickle
import traceback

import attrs
import pytest

from connector_core import EntitlementKey, Key, Secret, model


def classes() -> list[type]:
    return [c for _, c in inspect.getmembers(model, inspect.isclass) if c.__module__ == model.__name__]


@pytest.mark.parametrize("kind", [c for c in classes() if attrs.has(c)], ids=lambda c: c.__name__)
def test_values_are_frozen(kind: type) -> None:
    """What was handed out cannot be altered behind anybody's back."""
    assert kind.__setattr__ is not object.__setattr__
    value = kind.__new__(kind)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, attrs.fields(kind)[0].name, None)


@pytest.mark.parametrize("kind", [c for c in classes() if attrs.has(c) and c is not model.Cursor], ids=str)
def test_values_take_keywords_only(kind: type) -> None:
    """So that a field can be added in any place."""
    assert all(field.kw_only for field in attrs.fields(kind))


@pytest.mark.parametrize("text", ["user:1", "user:a:b", "role:editor"])
def test_a_key_is_read_as_it_is_written(text: str) -> None:
    """An id may hold colons."""
    assert str(Key.parse(text)) == text


@pytest.mark.parametrize("text", ["", "user", "user:", ":1"])
def test_what_is_no_key_is_refused(text: str) -> None:
    """Both halves are needed."""
    with pytest.raises(ValueError, match="expected type:id"):
        Key.parse(text)


def test_an_entitlement_is_read_as_it_is_written() -> None:
    """The slug is what follows the last colon."""
    key = EntitlementKey("team", "a:b", "member")
    assert (EntitlementKey.parse(str(key)), key.resource) == (key, Key("team", "a:b"))
    for text in ("role", "role:editor", "role:editor:", "::"):
        with pytest.raises(ValueError, match="expected type:id"):
            EntitlementKey.parse(text)


def test_p74_a_secret_does_not_show_itself() -> None:
    """Not in text, not in a traceback, not in a file."""
    secret = Secret("s3cr3t")
    try:
        raise RuntimeError(secret)
    except RuntimeError:
        shown = f"{secret} {secret!r} {[secret]} {traceback.format_exc()}"
    assert ("s3cr3t" in shown, secret.reveal(), hasattr(secret, "__dict__")) == (False, "s3cr3t", False)
    for keep in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            keep(secret)


def test_secrets_are_compared_by_what_they_hold() -> None:
    """And with secrets only."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
