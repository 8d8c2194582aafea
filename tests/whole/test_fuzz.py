"""The fuzzer's targets, each with some seeds; `tox run -e fuzz` goes on from there for minutes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from fuzz import targets
from fuzz.mutations import worse

CASES = 150


@pytest.mark.parametrize("target", targets.TARGETS)
def test_nothing_that_is_read_breaks_its_reader(target: str) -> None:
    """Whatever stands there: what the reader promises, or an error that it is documented to raise."""
    for seed in range(CASES):
        try:
            targets.run(target, seed)
        except BaseException as error:
            error.add_note(f"{target}, seed {seed}")
            raise


def test_a_seed_always_makes_the_same_input() -> None:
    """A finding can be told by its target and its seed."""
    assert [worse(random.Random(n), b"some bytes") for n in range(50)] == [
        worse(random.Random(n), b"some bytes") for n in range(50)
    ]
    assert len({worse(random.Random(n), b"some bytes") for n in range(50)}) > 30


def found(target: str) -> bool:
    """Whether the fuzzer finds anything in its first seeds."""
    for seed in range(CASES):
        try:
            targets.run(target, seed)
        except Exception:
            return True
    return False


Change = Callable[[Any], Any]
PLANTED: dict[str, tuple[str, str, Change]] = {
    "a role that cannot be read is taken for Viewer": (
        "listings", "connector_core_whimsical.users.to_bool", lambda real: lambda value, name: bool(real(value, name)),
    ),
    "a row that cannot be read fails its page": (
        "listings", "connector_core.scim.reading.RowRejected", lambda real: KeyError,
    ),
    "an id is shortened": ("listings", "connector_core.scim.reading.to_id", lambda real: lambda value: real(value)[:3]),
    "a plan's digest is not looked at": (
        "plans", "connector_core.provision.plan._digest", lambda real: lambda plan: plan.digest,
    ),
    "a wait is not clamped": (
        "waits", "connector_core.http.retry.RetryBudget.clamped", lambda real: lambda self, asked: asked,
    ),
    "a body is unpacked without a limit": (
        "bodies", "fuzz.targets._unpacked", lambda real: lambda raw, encoding, cap: real(raw, encoding, 10**9),
    ),
    "a token is shown": ("errors", "fuzz.targets.Mask", lambda real: lambda secrets: str),
    "control characters are shown": ("terminals", "fuzz.targets.clean", lambda real: str),
    "people are read twice": ("people", "fuzz.targets.read_people", lambda real: lambda *given: real(*given) * 2),
}  # fmt: skip


@pytest.mark.parametrize("fault", PLANTED)
def test_the_fuzzer_finds_what_is_planted(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Each of its oracles turns red where the promise is broken."""
    target, place, change = PLANTED[fault]
    module, _, name = place.rpartition(".")
    owner = _owner(module)
    assert not found(target)
    monkeypatch.setattr(owner, name, change(getattr(owner, name)))
    assert found(target)


def _owner(path: str) -> Any:
    """A module, or a class in one."""
    from importlib import import_module

    try:
        return import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(import_module(module), name)
