"""A few threads that ask the connector for pages and hand them, parsed, to the one thread that writes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from attrs import frozen

from connector_core.clock import Clock
from connector_core.model import Page
from connector_core.store.frontier import Task


@frozen
class Read:
    """What a task came to: a page, None for a resource proven gone, or an error.

    ``asked``: `Staging.newest_mark` then; ``begun`` and ``ended``: monotonic seconds of the clock.
    """

    task: Task
    asked: int
    begun: float
    ended: float
    page: Page | None = None
    error: BaseException | None = None


class Readers:
    """Daemon threads: one that never comes back cannot keep the program alive.

    Only as many tasks are under way as there are threads, so that pages never pile up in memory.
    """

    def __init__(self, count: int, read: Callable[[Task], Page | None], clock: Clock) -> None:
        self.count = count
        self._read = read
        self._clock = clock
        self._tasks: queue.SimpleQueue[tuple[Task, int] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Read] = queue.SimpleQueue()
        self._begun: dict[int, float] = {}
        for number in range(count):
            threading.Thread(target=self._work, name=f"reader-{number}", daemon=True).start()

    @property
    def busy(self) -> tuple[int, ...]:
        """The tasks under way."""
        return tuple(self._begun)

    @property
    def free(self) -> int:
        return self.count - len(self._begun)

    def longest(self) -> float:
        """For how many seconds the oldest task has been under way."""
        return self._clock.monotonic() - min(self._begun.values()) if self._begun else 0.0

    def ask(self, task: Task, asked: int) -> None:
        self._begun[task.id] = self._clock.monotonic()
        self._tasks.put((task, asked))

    def next(self, timeout: float) -> Read | None:
        """The next result, or None when none came within ``timeout`` real seconds."""
        try:
            result = self._results.get(timeout=timeout)
        except queue.Empty:
            return None
        del self._begun[result.task.id]
        return result

    def close(self) -> None:
        for _ in range(self.count):
            self._tasks.put(None)

    def _work(self) -> None:
        while (item := self._tasks.get()) is not None:
            task, asked = item
            begun = self._clock.monotonic()
            page, failure = None, None
            try:
                page = self._read(task)
            except BaseException as error:
                failure = error
            self._results.put(Read(task, asked, begun, self._clock.monotonic(), page, failure))
