"""One program run and what it took; many of them, in pairs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
_KEPT = 2**20


@dataclass(frozen=True)
class MeasuredRun:
    """One run of one program: seconds by the clock and of processor, peak memory in bytes, output if short."""

    seconds: float
    cpu: float
    memory: int
    output: str

    @property
    def document(self) -> dict[str, Any]:
        """What it printed, as JSON."""
        found: dict[str, Any] = json.loads(self.output)
        return found


@dataclass(frozen=True)
class Pair:
    """Runs of two programs, one right after the other, so that both met the same machine."""

    base: MeasuredRun
    ours: MeasuredRun


@dataclass(frozen=True)
class Medians:
    """Medians over pairs; of the ratios also the smallest and the largest."""

    base: float
    ours: float
    ratio: float
    least: float
    most: float
    cpu_ratio: float
    base_memory: int
    memory: int

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Medians:
        ratios = [pair.ours.seconds / pair.base.seconds for pair in pairs]
        return cls(
            base=median(pair.base.seconds for pair in pairs),
            ours=median(pair.ours.seconds for pair in pairs),
            ratio=median(ratios),
            least=min(ratios),
            most=max(ratios),
            cpu_ratio=median(pair.ours.cpu / pair.base.cpu for pair in pairs),
            base_memory=max(pair.base.memory for pair in pairs),
            memory=max(pair.ours.memory for pair in pairs),
        )


def alternate(pairs: int, base: Callable[[], MeasuredRun], ours: Callable[[], MeasuredRun]) -> list[Pair]:
    """A B A B ..."""
    return [Pair(base(), ours()) for _ in range(pairs)]


def run(command: Sequence[str | Path], home: Path, **environ: str) -> MeasuredRun:
    """Run ``command`` with ``home`` for a home and nothing else in its environment but ``environ``.

    :raises SystemExit: it failed; what it said goes along.
    """
    with (home / "output").open("w+b") as output, (home / "errors").open("w+b") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(map(str, command)), cwd=home, stdout=output, stderr=errors, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(home), **environ},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)  # unlike subprocess, it tells what the child has used
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        # What is long stays in the file: what this process holds would count as memory of the next one it starts.
        output.seek(0, os.SEEK_END)
        kept = output.tell() <= _KEPT or process.returncode != 0
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            said = (output.read() + errors.read()).decode()
            raise SystemExit(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{said}")
        memory = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return MeasuredRun(seconds, usage.ru_utime + usage.ru_stime, memory, output.read().decode() if kept else "")


def until(text: bytes, command: Sequence[str | Path], home: Path, **environ: str) -> float:
    """Seconds until ``command`` has printed ``text``; then it is killed."""
    began = time.perf_counter()
    with subprocess.Popen(
        list(map(str, command)), cwd=home, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": str(home), **environ},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if text in line:
                break
        seconds = time.perf_counter() - began
        process.kill()
    return seconds


def program() -> Path:
    """The installed ``connector-core``, of the Python that runs this."""
    installed = Path(sys.executable).with_name("connector-core")
    found = installed if installed.exists() else shutil.which("connector-core")
    if found is None:
        raise SystemExit("connector-core is not installed for this Python: pip install .")
    return Path(found)


class ServerProcess:
    """A running `server.py`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.url = self._line()

    def change(self) -> None:
        """Change one member in a hundred, or change them back."""
        self._ask("change")

    def stats(self) -> dict[str, float]:
        stats: dict[str, float] = json.loads(self._ask("stats"))
        return stats

    def _ask(self, order: str) -> str:
        assert self._process.stdin is not None
        print(order, file=self._process.stdin, flush=True)
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def serving(users: int, *, latency: float = 0.0, rate: float = 0.0) -> Iterator[ServerProcess]:
    """Start a server in a process of its own, and stop it."""
    command = [sys.executable, str(HERE / "server.py"), f"--users={users}", f"--latency={latency}", f"--rate={rate}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield ServerProcess(process)
        finally:
            process.terminate()
