"""Write the lowest version that setup.cfg allows of each direct requirement, extras included, as a file for pip."""

from __future__ import annotations

import configparser
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lowest() -> list[str]:
    """Return ``name==version`` for each requirement with a floor; markers are kept."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", "utf-8")
    extras = setup["options.extras_require"].values()
    lines = "\n".join([setup["options"]["install_requires"], *extras]).splitlines()
    return sorted({_pinned(line) for line in lines if ">=" in line})


def _pinned(line: str) -> str:
    """The requirement at its floor: ``a[x]>=1,<2; marker`` becomes ``a[x]==1; marker``."""
    return re.sub(r">=([^,;\s]+)[^;]*", r"==\1", line.strip())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(lowest()) + "\n", "utf-8")
