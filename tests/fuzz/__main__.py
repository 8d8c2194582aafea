"""`python -m fuzz --minutes 10`: every target in turn, from one seed on, until the time is over."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from types import FrameType

from fuzz.targets import TARGETS, run

_LONGEST = 10  # seconds that one case may take: it is a hang otherwise
_MEMORY = 2**31  # bytes of addresses
_SHOWN = 5  # findings of one target that are shown


def main() -> int:
    options = _options()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(signal.SIGALRM, _hung)
    cases, findings, slowest = Counter[str](), Counter[str](), dict.fromkeys(TARGETS, 0.0)
    seed, ends = options.seed, time.monotonic() + 60 * options.minutes
    while time.monotonic() < ends:
        for name in options.target or TARGETS:
            began = time.monotonic()
            findings[name] += _found(name, seed, quiet=findings[name] >= _SHOWN)
            cases[name] += 1
            slowest[name] = max(slowest[name], time.monotonic() - began)
        seed += 1
    for name, count in cases.items():
        print(f"{name:15} {count:9,} cases  {findings[name]:5,} findings  slowest {slowest[name]:.3f} s")
    print(
        f"seeds {options.seed} to {seed - 1}; at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
    )
    return 1 if findings.total() else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=0, help="where to begin; a finding names its own")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only these")
    return parser.parse_args()


def _found(name: str, seed: int, *, quiet: bool) -> bool:
    signal.alarm(_LONGEST)
    try:
        run(name, seed)
    except Exception:
        if not quiet:
            print(f"-- {name}, seed {seed} (python -c 'from fuzz.targets import run; run({name!r}, {seed})')")
            traceback.print_exc(limit=-4)
        return True
    finally:
        signal.alarm(0)
    return False


def _hung(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"no end within {_LONGEST} s")


if __name__ == "__main__":
    sys.exit(main())
