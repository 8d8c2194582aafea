"""``tox run -e chaos -- --schedules 5000``: random fault schedules by the thousand, and what came of them.

A schedule follows from its seed alone: ``--seed 1816 --schedules 1`` plays one again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from chaos.running import Summary, run_all
from chaos.schedule import ChaosSchedule


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tox run -e chaos --", description="Play random schedules of faults.")
    parser.add_argument("--schedules", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--seed", type=int, default=1, help="the first one's seed; the others count on (1)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once (one a processor)")
    given = parser.parse_args(arguments)
    seeds = range(given.seed, given.seed + given.schedules)
    if given.schedules == 1:
        print(ChaosSchedule.of(given.seed))
    began = time.monotonic()
    summary = _spread(seeds, min(given.processes, given.schedules))
    print(*summary.lines(), sep="\n")
    print(f"{summary.schedules / (time.monotonic() - began):.0f} schedules a second")
    return 1 if summary.failures else 0


def _spread(seeds: range, processes: int) -> Summary:
    if processes <= 1:
        return run_all(seeds)
    summary = Summary()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(run_all, [seeds[n::processes] for n in range(processes)]):
            summary.join(part)
    return summary


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
