"""No tests: a person at a terminal, who waits for a question and answers it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kit.cli import PROGRAM, Home
from kit.processes import running


class TerminalUser:
    """Sees what the program writes to its terminal, and types."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self.seen = ""
        self._terminal = terminal
        self._read = 0  # how much of it was waited for already

    def waits_for(self, text: str, seconds: float = 30.0) -> None:
        """Until the program writes that; fails with all that it wrote."""
        ends = time.monotonic() + seconds
        while (at := self.seen.find(text, self._read)) < 0:
            assert time.monotonic() < ends, f"no {text!r} in:\n{self.seen}"
            if not self._look():
                raise AssertionError(f"it ended without {text!r}:\n{self.seen}")
        self._read = at + len(text)

    def types(self, text: str) -> None:
        os.write(self._terminal, f"{text}\n".encode())

    def answers(self, question: str, answer: str) -> None:
        self.waits_for(question)
        if "not shown" in question:
            self._waits_for_silence()
        self.types(answer)

    def _waits_for_silence(self, seconds: float = 30.0) -> None:
        """Until what is typed is not shown: what is typed before the echo goes off is thrown away with it."""
        ends = time.monotonic() + seconds
        while termios.tcgetattr(self._terminal)[3] & termios.ECHO:
            assert time.monotonic() < ends, "what is typed is shown"
            time.sleep(0.01)

    def leaves(self, seconds: float = 60.0) -> int:
        """Until the program has ended: its exit code."""
        ends = time.monotonic() + seconds
        while self._look():
            assert time.monotonic() < ends, f"it does not end:\n{self.seen}"
        return self.process.wait(timeout=10)

    def _look(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], 0.1)
        try:
            chunk = os.read(self._terminal, 65536) if ready else b""
        except OSError:  # Linux: the other side is closed
            return False
        self.seen += chunk.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(chunk) or self.process.poll() is None


@contextmanager
def at_terminal(home: Home, *arguments: str) -> Iterator[TerminalUser]:
    """A person who has started ``connector-core`` with these arguments."""
    terminal, inside = pty.openpty()
    command = [*PROGRAM, *arguments]
    streams = {"stdin": inside, "stdout": inside, "stderr": inside}
    environ = home.environ | {"TERM": "xterm-256color"}
    try:
        with running(command, env=environ, cwd=home.folder, start_new_session=True, **streams) as process:
            os.close(inside)
            yield TerminalUser(process, terminal)
    finally:
        os.close(terminal)
