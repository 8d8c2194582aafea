"""The identity of a connection in the configuration file: read, checked, and never from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_core.config.configuration import Configuration, resolve
from connector_core.errors import ConfigurationError
from connector_core_whimsical.settings import Settings

ONE, OTHER = "1" * 32, "2" * 32


def loaded(tmp_path: Path, text: str, **environ: str) -> Configuration:
    path = tmp_path / "c.toml"
    path.touch(0o600)
    path.write_text(text)
    return Configuration.load(path, environ)


def test_the_identity_of_the_file_is_the_connections(tmp_path: Path) -> None:
    """It is no setting of the connector; a connection without one is as valid."""
    text = f'[connections.whimsical]\nidentity = "{ONE}"\n[connections.x]\nconnector = "whimsical"\n'
    config = loaded(tmp_path, text)
    found = config.connection("whimsical", ["whimsical"], settings={"token": "t"})
    assert (found.identity, found.ref.identity, found.values.keys()) == (ONE, ONE, {"token"})
    resolve(found, Settings)
    assert config.connection("x", ["whimsical"]).identity is None


@pytest.mark.parametrize("identity", ['"mine"', '"../../etc/passwd"', "7", '""', f'"{ONE.upper()}A"', f'["{ONE}"]'])
def test_an_identity_that_is_none_is_refused(tmp_path: Path, identity: str) -> None:
    """It becomes part of files' names."""
    with pytest.raises(ConfigurationError, match="identity") as raised:
        loaded(tmp_path, f"[connections.whimsical]\nidentity = {identity}\n")
    assert "take the line out" in str(raised.value.hint)


def test_two_connections_never_have_the_same_identity(tmp_path: Path) -> None:
    """As when a table is copied by hand: both are named."""
    text = f'[connections.whimsical]\nidentity = "{ONE}"\n'
    text += text.replace("whimsical", "design") + 'connector = "whimsical"\n'
    with pytest.raises(ConfigurationError, match="'whimsical' and 'design' have the same identity"):
        loaded(tmp_path, text)
    loaded(tmp_path, text.replace(ONE, OTHER, 1))


def test_no_variable_gives_an_identity(tmp_path: Path) -> None:
    """A variable of that name is an error like every unknown one."""
    config = loaded(tmp_path, "", CONNECTOR_CORE_WHIMSICAL_IDENTITY=ONE, CONNECTOR_CORE_WHIMSICAL_TOKEN="t")
    found = config.connection("whimsical", ["whimsical"])
    assert found.identity is None
    with pytest.raises(ConfigurationError, match="is no setting of whimsical"):
        resolve(found, Settings)
