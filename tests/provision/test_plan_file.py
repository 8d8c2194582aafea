"""The plan's file: what is written is read, and everything else is refused in words."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from connector_core.convert import to_json
from connector_core.errors import UsageError
from connector_core.model import EntitlementKey
from connector_core.provision.plan import Plan, Step, read_plan, write_plan

EDITOR, VIEWER = (EntitlementKey("role", role, "assigned") for role in ("editor", "viewer"))

PLAN = Plan(
    connection="c", connector="whimsical", address="a", picture=7, created="2026-01-01T00:00:00.000Z", accounts=3,
    steps=(
        Step(kind="grant", user="a@x.example", user_id="1", role=EDITOR, before=(VIEWER,), seats=1, effect="upgrade"),
        Step(kind="create_account", user="z@x.example", given_name="Zoë", seats=None, effect="create"),
    ),
    kept=(Step(kind="delete_account", user="b@x.example", user_id="2", before=(), effect="remove"),),
    warnings=("a warning",), unchanged=1,
).sealed()  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "people.plan.json"
    write_plan(PLAN, path)
    return path


def refused(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_plan(path)
    assert caught.value.exit_code == 2
    assert len(caught.value.message) < 1_000
    return caught.value


def test_a_plan_is_read_as_it_was_written(path: Path) -> None:
    """All of it; for its owner's eyes only, and with nothing left beside it."""
    assert read_plan(path) == PLAN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("field", ["user_id", "given_name"])
def test_half_a_character_is_in_no_plan(path: Path, field: str) -> None:
    """Neither the store nor the application could take it; a digest that fits does not help."""
    odd = evolve(PLAN.steps[0], **{field: "a\ud800"})
    document = to_json(evolve(PLAN, steps=(odd,), digest=""))
    assert isinstance(document, dict)
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    document["digest"] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    path.write_text(json.dumps(document))
    with pytest.raises(UsageError, match="is no plan"):
        read_plan(path)


def test_an_older_plan_is_replaced_as_a_whole(path: Path) -> None:
    """Also one that everybody could read."""
    path.write_text("x" * 100_000)
    path.chmod(0o644)
    write_plan(PLAN, path)
    assert read_plan(path) == PLAN
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_plan_that_cannot_be_written(tmp_path: Path) -> None:
    """The reason is the system's own; nothing is left behind."""
    with pytest.raises(UsageError, match="No such file"):
        write_plan(PLAN, tmp_path / "no" / "plan.json")
    with pytest.raises(UsageError, match="Is a directory"):
        write_plan(PLAN, tmp_path)
    assert list(tmp_path.iterdir()) == []


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of everything in a document that is no container, and of empty containers."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [place for name, part in inside for place in leaves(part, (*at, name))]
    return found or [at]


def test_the_digest_covers_everything(path: Path) -> None:
    """Whatever single value is altered, the file is refused."""
    places = leaves(json.loads(path.read_text()))
    assert len(places) > 30
    for place in places:
        document = json.loads(path.read_text())
        *way, last = place
        holder = document
        for name in way:
            holder = holder[name]
        old = holder[last]
        holder[last] = f"{old}x" if isinstance(old, str) else 8 if old != 8 else 9
        altered = path.with_name("altered.json")
        altered.write_text(json.dumps(document))
        refused(altered)


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (lambda d: d["steps"].pop(), "was altered"),
        (lambda d: d["steps"].reverse(), "was altered"),
        (lambda d: d.update(kept=[]), "was altered"),
        (lambda d: d.update(digest="0" * 64), "was altered"),
        (lambda d: d.update(accounts=1_000_000), "was altered"),
        (lambda d: d["steps"][1].update(given_name="\ud800"), "was altered"),
        (lambda d: d.update(format_version=3), "no plan of format 2"),
        (lambda d: d.update(format_version=True), "no plan of format 2"),
        (lambda d: d.pop("format_version"), "no plan of format 2"),
        (lambda d: d.pop("steps"), "was altered"),
        (lambda d: d.pop("address"), "address"),
        (lambda d: d.update(more=1), "more"),
        (lambda d: d.update(accounts="3"), "expected int, found str @ $.accounts"),
        (lambda d: d.update(steps={}), "expected list, found dict @ $.steps"),
        (lambda d: d["steps"][0].update(effect="nothing"), "expected one of"),
        (lambda d: d["steps"][0].update(kind="reboot"), "expected one of"),
        (lambda d: d["steps"][0].update(role="editor"), "steps[0].role"),
        (lambda d: d["steps"][0].update(role=None), "grant needs a role"),
        (lambda d: d["steps"][0].update(user_id=None), "grant needs a user_id"),
        (lambda d: d["steps"][0].update(user_id=""), "printable name"),
        (lambda d: d["steps"][0].update(user=""), "printable name"),
        (lambda d: d["steps"][0].update(user="a\x1b[2J"), "printable name"),
        (lambda d: d.update(steps=[1] * 5_000), "expected"),
    ],
)  # fmt: skip
def test_an_altered_plan_is_refused(path: Path, alter: Callable[[Any], object], message: str) -> None:
    """With what is wrong, and where."""
    document = json.loads(path.read_text())
    alter(document)
    path.write_text(json.dumps(document))
    assert message in refused(path).message


@pytest.mark.parametrize(
    "content",
    [
        b"", b"email,role\n", b"[]", b"7", b'{"a": 1', b"\xff\xfe{", b"[" * 100_000,
        b'{"format_version": 1' + b"0" * 5_000,
    ],
)  # fmt: skip
def test_what_is_no_plan_is_refused(path: Path, content: bytes) -> None:
    """No JSON, too deep, too long a number, or another document."""
    path.write_bytes(content)
    assert "no plan" in refused(path).message


def test_a_huge_file_is_refused_before_it_is_read(path: Path) -> None:
    """A file of gigabytes that is none on the disk costs neither time nor memory."""
    with path.open("wb") as file:
        file.truncate(8 * 2**30)
    assert "larger than 64 MB" in refused(path).message


def test_no_plan_is_written_that_could_not_be_read(tmp_path: Path) -> None:
    """One that is too large is refused when it is made."""
    large = evolve(PLAN, warnings=("x" * 2**20,) * 65).sealed()
    with pytest.raises(UsageError, match="the plan of 2 steps is larger than 64 MB") as caught:
        write_plan(large, tmp_path / "plan.json")
    assert "fewer people" in (caught.value.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The reason is the system's own."""
    assert "No such file" in refused(tmp_path / "plan.json").message
