"""Where in a plugin an error arose: for its author, who reads the message without the host's code."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType

import pluggy

_HOST = (Path(__file__).parents[1], Path(pluggy.__file__).parent)
_FRAMES = 40  # lines of a traceback that are worth keeping
_LONGEST = 500  # characters of one of them


def place(error: BaseException) -> str | None:
    """Return file and line of the innermost frame that is a plugin's own; None where no frame is.

    Frames of the host, of pluggy, of Python and of installed libraries below the plugin's frame are passed over: the
    plugin's line is the one that its author can change.
    """
    own = [(file, line) for file, line in _frames(error.__traceback__) if _is_a_plugins(file)]
    if not own:
        return None
    first = own[0][0].parent
    file, line = next(((f, n) for f, n in reversed(own) if first in (f.parent, *f.parents)), own[-1])
    return f"{file.parent.name}/{file.name}, line {line}"


def trace(error: BaseException) -> tuple[str, ...]:
    """Return the traceback of an error, a line each, the innermost last."""
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # an error that cannot say what it is
        text = "".join(traceback.format_tb(error.__traceback__))
    lines = [line.rstrip()[:_LONGEST] for line in text.splitlines() if line.strip()]
    return tuple(lines[-_FRAMES:])


def _frames(start: TracebackType | None) -> list[tuple[Path, int]]:
    return [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(start)]


def _is_a_plugins(file: Path) -> bool:
    return not any(folder in file.parents for folder in _HOST)
