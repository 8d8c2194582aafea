"""The stand-in for an application: its data next to the state, so that ids stay the same from command to command."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector_core.config.configuration import SANDBOX
from connector_core.connectors.connector import Connector
from connector_core.errors import StateError, Unsupported
from connector_core.files import make_private_folder, what_is_wrong

if TYPE_CHECKING:
    from connector_core.http.loopback import LoopbackServer


class Sandbox:
    """One connector's stand-in, with its data in a folder of its own below ``folder``."""

    def __init__(self, connector: Connector, folder: Path) -> None:
        self._connector = connector
        self._home = folder / f"{connector.name}{SANDBOX}"

    def serve(self, port: int = 0) -> LoopbackServer:
        """Start it on this machine; a context manager whose ``url`` says where.

        :raises OSError: the port is taken.
        """
        from connector_core.http.loopback import LoopbackServer

        return LoopbackServer(self._app(), port=port)

    def reset(self) -> None:
        """Forget everything that was changed in it."""
        shutil.rmtree(self._home, ignore_errors=True)

    def shuffle(self) -> Mapping[str, Sequence[str]]:
        """Make joiners, leavers and role changes: logins by what happened to them.

        :raises Unsupported: this stand-in cannot.
        """
        shuffle: Any = getattr(self._app(), "shuffle", None)
        if shuffle is None:
            raise Unsupported(f"the sandbox of {self._connector.name} cannot shuffle its people")
        done: Mapping[str, Sequence[str]] = shuffle()._asdict()
        return done

    def _app(self) -> Any:
        try:
            make_private_folder(self._home)
        except OSError as error:
            raise StateError(f"cannot use the folder {self._home}: {what_is_wrong(error)}") from error
        return self._connector.sandbox_app(self._home)
