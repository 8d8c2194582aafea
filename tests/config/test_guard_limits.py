"""The reserved word ``guard``: a connection's own limits, read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
from kit.cli import Home

from connector_core.config.configuration import Configuration, described
from connector_core.config.guard import GuardLimits
from connector_core.errors import ConfigurationError
from connector_core.settings import RESERVED

NAMES = ("whimsical",)


def limits(tmp_path: Path, line: str = "", **environ: str) -> GuardLimits:
    path = tmp_path / "connector-core.toml"
    path.write_text(f"[connections.whimsical]\n{line}")
    return Configuration.load(path, environ).connection("whimsical", NAMES).guard


def test_either_limit_may_be_given(tmp_path: Path) -> None:
    """In the file as a table, in the environment as JSON, which goes before the file; without any there is none."""
    assert "guard" in RESERVED
    assert limits(tmp_path) == GuardLimits()
    assert limits(tmp_path, "guard = { share = 0.5 }") == GuardLimits(share=0.5)
    assert limits(tmp_path, "guard = { share = 1, most = 0 }") == GuardLimits(share=1, most=0)
    variable = {"CONNECTOR_CORE_WHIMSICAL_GUARD": '{"most": 7}'}
    assert limits(tmp_path, "guard = { share = 0.5 }", **variable) == GuardLimits(most=7)


@pytest.mark.parametrize(
    "value, said",
    [
        ("0.2", "expected a table"), ("'half'", "expected a table"), ("[1]", "expected a table"),
        ("{ share = 1.01 }", "share is 1.01"), ("{ share = -0.1 }", "share is -0.1"),
        ("{ share = nan }", "share is nan"), ("{ share = '20%' }", "share is '20%'"),
        ("{ share = true }", "share is True"),
        ("{ most = -1 }", "most is -1"), ("{ most = 1.5 }", "most is 1.5"), ("{ most = true }", "most is True"),
        ("{ shere = 0.2 }", "unknown key 'shere'"), ("{ most = 1, all = 3 }", "unknown key 'all'"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_an_error(tmp_path: Path, value: str, said: str) -> None:
    """It says where the value stands and what to write."""
    with pytest.raises(ConfigurationError) as raised:
        limits(tmp_path, f"guard = {value}")
    assert said in raised.value.message and "[connections.whimsical]" in raised.value.message and raised.value.hint


def test_a_variable_that_is_no_table_is_an_error(tmp_path: Path) -> None:
    """The variable is named."""
    with pytest.raises(ConfigurationError, match=r"\$CONNECTOR_CORE_WHIMSICAL_GUARD\): expected a table"):
        limits(tmp_path, CONNECTOR_CORE_WHIMSICAL_GUARD="share=0.2")


def test_config_show_shows_the_limits_and_where_they_come_from(tmp_path: Path) -> None:
    """A connection without its own shows none."""
    path = tmp_path / "connector-core.toml"
    path.write_text(
        "[connections.whimsical]\nguard = { share = 0.1, most = 50 }\n[connections.design]\nconnector='whimsical'"
    )
    found = Configuration.load(path, {})
    row = described(found.connection("whimsical", NAMES), ())["guard"]
    assert row == {"value": '{"share": 0.1, "most": 50}', "origin": f"[connections.whimsical] in {path}"}
    assert described(found.connection("design", NAMES), ())["guard"] == {"value": "", "origin": "default"}


def test_a_wrong_limit_ends_a_command_with_exit_3(tmp_path: Path) -> None:
    """Before anything is asked of the application."""
    home = Home(tmp_path)
    (tmp_path / "c.toml").write_text("[connections.whimsical]\nguard = { share = 20 }")
    done = home("--config", str(tmp_path / "c.toml"), "run", "whimsical")
    assert done.code == 3 and "share is 20" in done.err
