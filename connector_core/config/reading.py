"""One reading of the configuration: an address and a secret of two different readings never go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector_core.config.configuration import Configuration, ConnectionConfig, values_in_force
from connector_core.errors import ConfigurationChanged
from connector_core.settings import IDENTITY, declared


def require_same_reading(config: ConnectionConfig, settings: type) -> None:
    """Refuse secrets that were fetched after the file was given other addresses or secrets for their connection.

    A secret is fetched when it is needed, from where the file said when it was read. Other changes do not
    matter: a connection keeps what it was opened with, and one that has neither from the file does not look at it.

    :raises ConfigurationChanged: the file says another address or secret by now, or has another connection.
    :raises ConfigurationError: the file cannot be read.
    """
    places = [s for s in declared(settings) if s.secret or s.address]
    found = values_in_force(config, [s.name for s in places])
    if config.file is None or not any(s.name in found and found[s.name].source == "file" for s in places):
        return
    table = _table(Configuration.load(config.file, config.environ), config)
    for s in places:
        value = found.get(s.name)
        is_of_file = value is None or value.source == "file"
        if is_of_file and (table is None or table.get(s.name) != (value and value.raw)):
            raise ConfigurationChanged(
                f"the configuration of {config.name} in {config.file} is not the one that was read",
                hint="nothing was sent; open the connection again, or repeat the command",
            )


def _table(now: Configuration, config: ConnectionConfig) -> Mapping[str, Any] | None:
    """What the file says of that connection by now, whatever it is called; None where it is gone."""
    if config.identity is not None:
        same = [t for t in now.connections.values() if t.get(IDENTITY) == config.identity]
        named = now.connections.get(config.name)  # to which the identity may not have been written yet
        return same[0] if same else named if named is not None and IDENTITY not in named else None
    return now.connections.get(config.name)
