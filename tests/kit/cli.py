"""No tests: what the tests of the command line share. Real processes, a home of their own, a workspace to read."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from connector_core.testing import Switches, Workspace
from kit.processes import running
from kit.served import TOKEN, Around, ServedWorkspace, served

PROGRAM = (sys.executable, "-m", "connector_core")


def uncovered(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what has a program measured, which opens files and imports modules of its own."""
    return {name: value for name, value in environ.items() if not name.startswith("COVERAGE_")}


class Done(NamedTuple):
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as the one JSON document it must be."""
        return json.loads(self.out)


class Home:
    """An empty home folder to run commands in, and what they find in their environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.db = folder / "state.db"
        kept = {
            name: os.environ[name] for name in ("PATH", "PYTHONPATH", "COVERAGE_PROCESS_CONFIG") if name in os.environ
        }
        self.environ = {
            **kept,
            "HOME": str(folder),
            "CONNECTOR_CORE_DB": str(self.db),
            "LC_ALL": "C.UTF-8",
            "TZ": "Asia/Tokyo",
        }

    def connect(self, url: str, token: str = TOKEN, **settings: object) -> None:
        """Let the connection ``whimsical`` read from that address."""
        given = {"base_url": url, "token": token, **settings}
        self.environ |= {f"CONNECTOR_CORE_WHIMSICAL_{name.upper()}": str(value) for name, value in given.items()}

    def __call__(self, *arguments: str, timeout: float = 60.0, **environ: str) -> Done:
        """Run ``connector-core`` with these arguments to its end."""
        with self.start(*arguments, **environ) as process:
            out, err = process.communicate(timeout=timeout)
        return Done(process.returncode, out, err)

    def start(self, *arguments: str, **environ: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """Start ``connector-core`` with these arguments; it is killed at the end of the block where it still runs."""
        return running(
            [*PROGRAM, *arguments], env=self.environ | environ, cwd=self.folder, encoding="utf-8", errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def on_terminal(self, *arguments: str, width: int = 80) -> tuple[int, str]:
        """Run it on a pseudo-terminal of that width: exit code, and everything the terminal was sent."""
        master, slave = pty.openpty()
        import fcntl
        import struct
        import termios

        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        command = [*PROGRAM, *arguments]
        streams = {"stdin": slave, "stdout": slave, "stderr": slave}
        environ = self.environ | {"TERM": "xterm-256color"}
        try:
            with running(command, env=environ, cwd=self.folder, start_new_session=True, **streams) as process:
                os.close(slave)
                return _shown(process, master)
        finally:
            os.close(master)


def _shown(process: subprocess.Popen[bytes], master: int, seconds: float = 60.0) -> tuple[int, str]:
    """Read a terminal until the process behind it has ended."""
    text, ends = b"", time.monotonic() + seconds
    while time.monotonic() < ends:
        ready, _, _ = select.select([master], [], [], 0.05)
        try:
            chunk = os.read(master, 65536) if ready else b""
        except OSError:  # Linux: the other side is closed
            break
        text += chunk
        if not chunk and process.poll() is not None:
            break
    return process.wait(timeout=5.0), text.decode().replace("\r\n", "\n")


@contextmanager
def workspace(
    people: int | Iterable[str] = 3, *, page_cap: int = 100, around: Around | None = None
) -> Iterator[ServedWorkspace]:
    """A workspace of these people, every second one an editor, on a real socket of this machine."""
    logins = [f"p{n:03}@example.com" for n in range(1, people + 1)] if isinstance(people, int) else list(people)
    here = Workspace(seed=1)
    for number, login in enumerate(logins):
        here.add(login, given_name="P", family_name=f"No{number + 1}", email=login, role=bool(number % 2))
    with served(here, switches=Switches(page_cap=page_cap), around=around) as it:
        yield it


def slowed(seconds: Callable[[WSGIEnvironment], float]) -> Around:
    """Answers come only after so many seconds."""

    def around(app: WSGIApplication) -> WSGIApplication:
        def slow(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            time.sleep(seconds(environ))
            return app(environ, start)

        return slow

    return around


def answering(status: str, headers: Mapping[str, str], body: bytes) -> WSGIApplication:
    """An application that answers everything alike."""

    def app(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        start(status, [("Content-Type", "application/scim+json"), *headers.items()])
        return [body]

    return app
