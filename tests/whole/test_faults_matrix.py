"""Every fault of the catalogue alone, against everything that a host does: nothing untrue is said, nobody is lost."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from chaos.operations import DEEDS, Deed, perform
from chaos.oracle import Doubt
from chaos.stage import HTTP, IMPATIENT, Stage

from connector_core.testing.faults import CATALOGUE, Description, fault

PEOPLE = 12

# Where a fault finds nothing to spoil. There it must not strike: a table that claims too much would hide silent ones.
_ONE_ROW = {"check", "delete", "delete by id", "delete gone"}  # look at one row at most, or at one page alone
_LISTED = {"delete gone"}  # looks through the list for whose e-mail it may be
_NO_EXTENSION = {"revoke viewer"}  # sets ``active``
_EVERYBODY_THERE = {"grant", "revoke", "revoke viewer", "apply"}
SPARED: dict[str, set[str]] = {
    "p03_start_ignored": _ONE_ROW - _LISTED,
    "p04_items_per_page_echoed": {"check"},
    "p05_resources_absent": {deed.name for deed in DEEDS} - {"create", "delete by id", "delete gone", "apply"},
    "p05_resources_null": {deed.name for deed in DEEDS} - {"create", "delete by id", "delete gone", "apply"},
    "p08_window_moved": _ONE_ROW - _LISTED,
    "p08_empty_page": _ONE_ROW - _LISTED,
    "p20_flat_refused": _NO_EXTENSION,
    "p20_nested_refused": _NO_EXTENSION,
    "p22_urn_split_at_its_dot": _NO_EXTENSION,
    "p27_ids_as_numbers": {"create existing", "grant", "revoke viewer"},  # of people with other ids
    "p29_filter_minds_the_case": {deed.name for deed in DEEDS}
    - {"create", "create existing", "delete gone", "grant", "apply"},
    "p51_created_and_not_listed_yet": {deed.name for deed in DEEDS} - {"create", "apply"},
    **{name: _ONE_ROW for name in CATALOGUE if name.startswith("p35_")},
    **{name: {"delete", "delete by id"} for name in ("p35_row_is_null", "p35_row_without_id", "p35_row_without_login")},
    **{name: _EVERYBODY_THERE for name in CATALOGUE if "unknown_id" in name},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "p20_nested_refused": {"patch_style": "nested"},
    "p20_flat_refused": {"patch_style": "flat"},
}


def _expected(about: Description, deed: Deed) -> bool:
    return not about.provoked and deed.name not in SPARED.get(about.name, ())


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_nothing_untrue_comes_of(stage: Stage, name: str) -> None:
    """Journal, picture and application agree; an error is in words; nobody else is touched; the fault did strike."""
    about = CATALOGUE[name]
    http = IMPATIENT if "silent" in name else HTTP
    doubt = evolve(Doubt.of([about]), lies=False)  # alone, a read shows it
    wrong, silent = {}, {}
    for deed in DEEDS:
        if not about.kinds & deed.kinds:
            continue
        with stage.scene(PEOPLE, http=http, page_size=5, **SETTINGS.get(name, {})) as scene:
            over = fault(name)
            scene.lay([over])
            if violations := perform(scene, deed, doubt):
                wrong[deed.name] = violations
            if bool(over.fired) != _expected(about, deed):
                silent[deed.name] = over.fired
    assert (wrong, silent) == ({}, {})


def test_each_fault_meets_a_deed() -> None:
    """No fault of the catalogue is left out of the matrix, apart from those of PUT, which no deed sends (P42)."""
    left_out = {name for name, about in CATALOGUE.items() if not any(about.kinds & deed.kinds for deed in DEEDS)}
    assert left_out == {"p42_put_is_not_routed"}


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name)
def test_with_nothing_wrong_everything_succeeds(stage: Stage, deed: Deed) -> None:
    """The same deeds without a fault: done, and the requests are those that the matrix counts on."""
    kinds: set[str] = set()
    with stage.scene(PEOPLE, page_size=5) as scene:
        scene.lay([], lambda exchange: kinds.add(exchange.kind))
        assert perform(scene, deed, Doubt()) == []
        assert all(operation.state == "done" for operation in scene.connection.operations())
    assert kinds >= deed.kinds
