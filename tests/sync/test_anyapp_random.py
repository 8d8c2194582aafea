"""Applications of random shape, with random changes and random faults in their child listings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.anyapp import AnyApp, Reach, connected, reached

Holders = Mapping[str, set[str]]
FAULTS = ("403", "404", "500", "half", "rejected", "warning")  # silence takes real time; test_anyapp.py has it


@st.composite
def applications(draw: st.DrawFn) -> AnyApp:
    """People, groups and a tree of projects with roles; any account and any group may hold anything, in circles too."""
    app = AnyApp()
    app.accounts = {f"a{n}": draw(st.sampled_from(["human", "service"])) for n in range(draw(st.integers(1, 5)))}
    app.projects = [f"p{n}" for n in range(draw(st.integers(0, 2)))]
    groups = [f"group:g{n}" for n in range(draw(st.integers(0, 4)))]
    roles = ["role:r0", *(f"role:{p}.r{n}" for p, n in product(app.projects, range(draw(st.integers(0, 2)))))]
    principals = [*(f"user:{a}" for a in app.accounts), *groups]
    app.holders = {key: draw(st.sets(st.sampled_from(principals))) for key in [*groups, *roles]}
    app.holders["permission:x"] = draw(st.sets(st.sampled_from(roles)))
    return app


def reach(app: AnyApp, join: Callable[[set[str], set[str]], set[str]], before: Holders, after: Holders) -> Reach:
    """What accounts would reach if each thing were held by what ``join`` makes of its holders before and after."""
    other = AnyApp()
    other.accounts = app.accounts
    other.holders = {key: join(before[key], after[key]) for key in before}
    return other.reach()


def survives(app: AnyApp, data: st.DataObject, folder: Path) -> None:
    with connected(app, folder) as connection:
        assert connection.sync().sync.status == "complete"
        assert reached(connection) == app.reach()
        truth, before = app.reach(), app.holders
        principals = [*(f"user:{a}" for a in app.accounts), *(key for key in before if key.startswith("group:"))]
        changed = data.draw(st.sets(st.sampled_from(sorted(before.keys() - {"permission:x"}))))
        app.holders = before | {key: data.draw(st.sets(st.sampled_from(principals))) for key in sorted(changed)}
        listings = st.sampled_from(app.listings())
        app.faults = data.draw(st.dictionaries(listings, st.sampled_from(FAULTS), max_size=3))
        status, shown = connection.sync().sync.status, reached(connection)
        if status == "held":
            assert shown == truth
        else:
            kept = reach(app, set.intersection, before, app.holders)
            assert kept <= shown <= reach(app, set.union, before, app.holders)
            assert status == "incomplete" or shown == app.reach()
        app.faults = {}
        if connection.sync().sync.status == "held":
            assert connection.sync(accept_removals=True).sync.status == "complete"
        assert reached(connection) == app.reach()


@settings(max_examples=8, derandomize=True, deadline=None, database=None)
@given(applications(), st.data())
def test_no_application_of_random_shape_loses_a_true_grant(app: AnyApp, data: st.DataObject) -> None:
    """Whatever the shape, the change and the faults: what is true throughout stands, and nothing untrue is shown."""
    with TemporaryDirectory() as folder:
        survives(app, data, Path(folder))


@pytest.mark.slow
@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(applications(), st.data())
def test_no_application_of_many_shapes_loses_a_true_grant(app: AnyApp, data: st.DataObject) -> None:
    """The same of many more."""
    with TemporaryDirectory() as folder:
        survives(app, data, Path(folder))
