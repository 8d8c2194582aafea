"""SCIMMY, a SCIM server in another language by other people, on Express 4 and on Express 5.

Its packages are installed once, outside the repository: into ``CONNECTOR_CORE_TEST_NODE``, or the user's
cache folder. Without node, npm or a package index tests skip; with ``CONNECTOR_CORE_REQUIRE_LIVE=1`` they fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NoReturn

import platformdirs
import pytest
from filelock import FileLock

from servers.peer import Document, Peer

TOKEN = "scimmy-token"
_HERE = Path(__file__).with_name("scimmy")
_EXPRESS = {4: "^4.21.0", 5: "^5.1.0"}


class ScimmyPeer(Peer):
    def users(self) -> list[Document]:
        """All users, by a search: on Express 5 a listing is for ever its first 20 rows (P03), a search is not."""
        message = {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "startIndex": 1,
            "count": 100_000,
        }
        answer = self.request("POST", "/Users/.search", message)
        found: list[Document] = self._expect(200, answer).json()["Resources"]
        return found


@contextmanager
def scimmy_server(*, express: Literal[4, 5] = 4, users: int = 300) -> Iterator[Peer]:
    """Serve ``users`` people, with the roles that `servers.scim2` gives. Knows no page cap and no cursors.

    Past the last row it answers its first page; on Express 5, where parameters stay text, it always does.
    """
    folder = ensure_scimmy(express)
    environ = {**os.environ, "SCIM_TOKEN": TOKEN}
    command = [_program("node"), "server.mjs", str(users)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, env=environ, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin and process.stdout
        port = process.stdout.readline().strip()
        assert port.isdigit(), "the server did not start"
        try:
            yield ScimmyPeer(f"http://127.0.0.1:{port}/scim", TOKEN)
        finally:
            process.stdin.close()  # its sign to end, which a test run that is killed gives as well
            process.kill()


def ensure_scimmy(express: Literal[4, 5]) -> Path:
    """The folder with the server and its packages, installed where they are not; skips the test where that fails."""
    folder = _cache() / f"scimmy-express{express}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        wanted = _package(express)
        installed = folder / "installed.json"
        if not installed.exists() or installed.read_text() != wanted:
            (folder / "package.json").write_text(wanted)
            _install(folder)
            installed.write_text(wanted)
        shutil.copyfile(_HERE / "server.mjs", folder / "server.mjs")
    return folder


def _package(express: int) -> str:
    package = json.loads((_HERE / "package.json").read_text())
    package["dependencies"]["express"] = _EXPRESS[express]
    return json.dumps(package)


def _install(folder: Path) -> None:
    command = [_program("npm"), "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=180)
    except subprocess.SubprocessError as error:
        _unavailable(f"npm install failed: {getattr(error, 'stderr', None) or error}")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        _unavailable(f"{name} is not installed")
    return found


def _cache() -> Path:
    chosen = os.environ.get("CONNECTOR_CORE_TEST_NODE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("connector-core-tests")


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CONNECTOR_CORE_REQUIRE_LIVE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
