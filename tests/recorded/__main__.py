"""``tox -e record``: record the cassettes again, from servers started here or from a workspace of your own.

The workspace is that of CONNECTOR_CORE_WHIMSICAL_BASE_URL and CONNECTOR_CORE_WHIMSICAL_TOKEN.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from attrs import frozen
from servers.peer import Peer
from servers.scim2 import scim2_server
from servers.scimmy import ensure_scimmy, scimmy_server

from connector_core.model import Secret
from connector_core_whimsical.settings import BASE_URL
from recorded.scenes import READING, THROWAWAY, WRITING, RecordingSetup
from recorded.scrubber import Scrubber
from recorded.tape import FOLDER, record

PEOPLE = 25


@frozen
class Source:
    """A server to record: what it is, and which user may be created and deleted in it."""

    described: str
    peer: Peer
    throwaway: str | None = THROWAWAY
    scrubber: Scrubber | None = None


@contextmanager
def scim2() -> Iterator[Source]:
    with scim2_server(users=PEOPLE) as peer:
        yield Source(f"scim2-server {version('scim2-server')}", peer)


@contextmanager
def scimmy() -> Iterator[Source]:
    packages = ensure_scimmy(4) / "node_modules"
    named = ("scimmy", "SCIMMY"), ("scimmy-routers", "SCIMMY Routers"), ("express", "Express")
    versions = [
        f"{title} {json.loads((packages / name / 'package.json').read_text())['version']}" for name, title in named
    ]
    with scimmy_server(express=4, users=PEOPLE) as peer:
        yield Source(", ".join(versions), peer)


@contextmanager
def workspace(throwaway: str | None) -> Iterator[Source]:
    address = os.environ.get("CONNECTOR_CORE_WHIMSICAL_BASE_URL", BASE_URL).rstrip("/")
    token = os.environ.get("CONNECTOR_CORE_WHIMSICAL_TOKEN")
    if not token:
        raise SystemExit("CONNECTOR_CORE_WHIMSICAL_TOKEN is not set")
    scrubber = Scrubber({throwaway: THROWAWAY} if throwaway else {})
    yield Source("a Whimsical workspace", Peer(address, token), throwaway, scrubber)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="tox run -e record --", description="Record the cassettes again.")
    parser.add_argument("servers", nargs="*", metavar="scim2|scimmy|workspace", help="by default: scim2 scimmy")
    parser.add_argument("--write", metavar="EMAIL", help="in the workspace, create this throw-away user and delete it")
    given = parser.parse_args(arguments)
    known = {"scim2": scim2, "scimmy": scimmy, "workspace": lambda: workspace(given.write)}
    for name in given.servers or ["scim2", "scimmy"]:
        if name not in known:
            parser.error(f"no server is called {name}")
        with known[name]() as source:
            record_all(name, source)


def record_all(server: str, source: Source, folder: Path = FOLDER) -> None:
    """Every scene that may be played there, each into a cassette of its own."""
    for scene, play in {**READING, **(WRITING if source.throwaway else {})}.items():
        name = f"{server}-{scene}"
        with tempfile.TemporaryDirectory() as state:
            stage = RecordingSetup(
                base_url=source.peer.url,
                token=Secret(source.peer.token),
                folder=Path(state),
                throwaway=source.throwaway if scene in WRITING else None,
            )
            with record(name, source.peer.url, source.peer.token, source.scrubber, folder=folder):
                play(stage)
        print(f"recorded {name}")
    note(folder.parent / "README.md", f"| `{server}-*` | {source.described} | {datetime.now(UTC):%Y-%m-%d} |")


def note(readme: Path, row: str) -> None:
    """Put the row into the README's table, in the place of the one for the same cassettes."""
    text = readme.read_text("utf-8") if readme.exists() else ""
    first = re.escape(row.partition(" | ")[0])
    changed, found = re.subn(rf"^{first} .*$", lambda _: row, text, flags=re.MULTILINE)
    readme.write_text(changed if found else text.rstrip("\n") + f"\n{row}\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
