"""What reaches people and scripts: lines, JSON documents, errors. Foreign text can forge none of them."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from connector_core.errors import ConnectorCoreError

if TYPE_CHECKING:
    from connector_core.model import ErrorInfo, Finding

FORMAT_VERSION = 1
_CHUNK = 2**16  # characters, of what is written while it is made
_LABEL = re.compile(r" *(\d+\. |\w+: +|\w+ {2,})?")  # `2. text`, `hint: text`, `FAILED  text`


def clean(text: str) -> str:
    """Text that a terminal shows as it is: what would steer, hide or reorder it is written out, such as ``\\x1b``."""
    return _escaped(text, lambda c: c.encode("unicode_escape").decode())


def note(message: str) -> None:
    """A line of the answer, on standard output."""
    _write("stdout", _wrapped("stdout", message))


def say(message: str) -> None:
    """A line for the person, on standard error."""
    _write("stderr", _wrapped("stderr", message))


def print_lines(text: str) -> None:
    """Lines that are clean and laid out already, on standard output."""
    _write("stdout", text)


def print_json(document: dict[str, Any]) -> None:
    """One document on standard output: a line for each member, and for each item of a list.

    Members are written one after the other, those that are iterators while they are gone through.
    """
    waiting: list[str] = []
    size = 0
    for part in _json_document({"format_version": FORMAT_VERSION, **document}):
        waiting.append(part)
        size += len(part)
        if size > _CHUNK:
            _write("stdout", "".join(waiting), end="")
            waiting, size = [], 0
    _write("stdout", "".join(waiting))


def print_json_line(document: dict[str, Any]) -> None:
    """One document on one line of standard output, for answers that go on and on."""
    _write("stdout", _json({"format_version": FORMAT_VERSION, **document}))


def print_error(error: ConnectorCoreError, as_json: bool) -> int:
    """The error, with what to do next; gives its exit code. As JSON after what had come of it until then."""
    if as_json:
        from connector_core.convert import to_json
        from connector_core.model import Operation

        report: Any = {} if isinstance(error.report, Operation) else to_json(error.report) or {}
        print_json({**report, **error_member(error)})
    else:
        say(f"error: {error.message}")
        if error.hint:
            say(f"hint: {error.hint}")
    return error.exit_code


def error_member(error: ConnectorCoreError | ErrorInfo | Finding) -> dict[str, Any]:
    """As every command's document has it where something went wrong."""
    return {"error": {"code": error.code, "message": error.message, "hint": error.hint}}


def exit_code_of(code: str) -> int:
    """The exit code of the error with that code, as findings and operations carry it."""
    kinds = [ConnectorCoreError]
    for kind in kinds:
        if kind.code == code:
            return kind.exit_code
        kinds += kind.__subclasses__()
    return ConnectorCoreError.exit_code


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 page``, ``1,240 pages``."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def minute(moment: str) -> str:
    """``2026-01-31T12:00:00.123Z`` to the minute, as tables show it."""
    return moment[: len("2026-01-31T12:00")].replace("T", " ")


def second(moment: str) -> str:
    """``2026-01-31T12:00:00.123Z`` to the second, as tables show it."""
    return moment[: len("2026-01-31T12:00:00")].replace("T", " ")


def columns(name: Literal["stdout", "stderr"]) -> int | None:
    """How wide the terminal is, or None where that stream is none."""
    stream = getattr(sys, name)
    if stream is None or not stream.isatty():
        return None
    return os.get_terminal_size(stream.fileno()).columns or 80


def _escaped(text: str, escape: Callable[[str], str]) -> str:
    """Controls, bidirectional marks, line separators, surrogates and what has no look of its own, escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else escape(c) for c in text)


def _json_document(members: dict[str, Any]) -> Iterator[str]:
    encode = _encoder()
    before = "{\n"
    for name, value in members.items():
        yield f"{before}  {encode(name)}: "
        before = ",\n"
        if isinstance(value, list | tuple | Iterator):
            yield from _json_items(value, encode)
        else:
            yield encode(value)
    yield "\n}"


def _json_items(items: Iterable[Any], encode: Callable[[Any], str]) -> Iterator[str]:
    before = "[\n    "
    for item in items:
        yield before + encode(item)
        before = ",\n    "
    yield "[]" if before.startswith("[") else "\n  ]"


def _json(value: Any) -> str:
    """JSON on one line, escaped further where a terminal would not show it or the stream could not hold it."""
    return _encoder()(value)


def _encoder() -> Callable[[Any], str]:
    """Return what makes that JSON for standard output as it is now."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    utf = encoding.lower().startswith("utf")
    encode = json.JSONEncoder(ensure_ascii=not utf, check_circular=False).encode  # a fifth faster, and ours are trees

    def encoded(value: Any) -> str:
        text = encode(value)
        if text.isascii() and "\x7f" not in text:  # JSON escapes the other controls itself
            return text
        return _escaped(text, lambda c: json.dumps(c)[1:-1])

    return encoded


def _wrapped(name: Literal["stdout", "stderr"], message: str) -> str:
    """On a terminal, lines end between words, and the following ones begin below the text behind a label."""
    text = clean(message)
    width = columns(name)
    if width is None or len(text) <= width:
        return text
    label = _LABEL.match(text)
    indent = " " * (len(label[0]) if label else 0)
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _write(name: Literal["stdout", "stderr"], text: str, end: str = "\n") -> None:
    """A reader who has gone away, as `head` does, changes nothing about what the command does and its exit code."""
    stream = getattr(sys, name)
    if stream is None:  # the calling process closed it
        return
    try:
        print(text, file=stream, end=end, flush=True)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # nor may what is left in it complain at exit
        if not isinstance(error, BrokenPipeError) and name == "stdout":
            raise ConnectorCoreError(f"the output cannot be written: {error.strerror}") from error
