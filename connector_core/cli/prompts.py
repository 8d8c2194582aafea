"""Asking a person, where there is one: on a terminal, never in a script."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from connector_core.cli.output import clean
from connector_core.errors import Interrupted

if TYPE_CHECKING:
    from connector_core.cli.program import Options


def confirmation(options: Options) -> Callable[[str], bool] | None:
    """A question with the answer no by default; None without a terminal, and where JSON is wanted."""
    if options.json or not all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        return None
    return _ask


def _ask(sentence: str) -> bool:
    """While a question waits, Ctrl-C ends the question at once: there is no work in hand that could be finished."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return click.confirm(f"{clean(sentence)}\nGo on?", default=False, err=True)
    except click.Abort:
        raise Interrupted("interrupted; nothing was changed") from None
    finally:
        signal.signal(signal.SIGINT, before)
