"""Making input worse: bytes, texts and JSON documents, each from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

JSON = Any

BYTES = (
    b"", b"\0", b"\n", b"\r\n", b"\r", b"\t", b" ", b'"', b'""', b"'", b",", b";", b":", b"{", b"}", b"[", b"]", b"\\",
    b"=", b"#", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xe2\x80\xae",
    b"\xe2\x80\xa8", b"\x1b[2J", b"\x7f", b"null", b"true", b"NaN", b"-Infinity", b"1e999", b"-0", b"9" * 400, b"0x10",
    b"1_000", b"\xd9\xa1", b"=cmd|' /C calc'!A0", b"+1", b"-1", b"@", b"..", b"/", b"%00", b"$(id)", b"[[", b"]]",
    b'"""', b"'''", b"__proto__", b"\\u0000", b"\\ud800", b"2026-01-01", b"inf", b"nan",
)  # fmt: skip
TEXTS = (
    "", " ", "\0", "\n", "x", "X" * 300, "é", "e\u0301", "İ", "ß", "\u202e", "\u2028", "\ud800", "\U0001f600",
    "\x1b[2J", "..", ".", "a/b", "%2e", "+", "a@b", "A@B.example", "true", "False", "0", "1", "null", "9" * 30, "=1+1",
    "\ufeff",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 7, 2**31, 2**53, 2**63, 10**30, -(10**30), 0.5, -0.0, 1e308, 5e-324)


def worse(rng: random.Random, raw: bytes) -> bytes:
    """The same bytes, altered in one to eight places."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        raw = rng.choice(_EDITS)(rng, raw)
    return raw


def altered_once(rng: random.Random, raw: bytes) -> bytes:
    """Another byte in one place."""
    at = rng.randrange(len(raw))
    return raw[:at] + bytes([(raw[at] + rng.randrange(1, 256)) % 256]) + raw[at + 1 :]


def text(rng: random.Random, samples: Sequence[str]) -> str:
    """One of the samples made worse, or something odd altogether."""
    if rng.random() < 0.2:
        return rng.choice(TEXTS) + rng.choice(TEXTS)
    return worse(rng, rng.choice(samples).encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")


def value(rng: random.Random, depth: int = 3) -> JSON:
    """Any JSON at all."""
    kind = rng.randrange(7 if depth else 4)
    if kind == 0:
        return rng.choice((None, True, False))
    if kind == 1:
        return rng.choice(NUMBERS)
    if kind < 4:
        return rng.choice(TEXTS)
    if kind == 4:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(TEXTS) or "k": value(rng, depth - 1) for _ in range(rng.randrange(4))}


def twisted(rng: random.Random, document: JSON, often: float = 0.15) -> JSON:
    """A document with some values replaced, doubled, left out or wrapped, and some keys in another case."""
    if rng.random() < often / 3:
        return rng.choice((_wrapped, _as_text))(rng, document) if rng.random() < 0.5 else value(rng)
    if isinstance(document, dict):
        return _twisted_object(rng, document, often)
    if isinstance(document, list):
        items = [twisted(rng, item, often) for item in document if rng.random() > often / 3]
        return items + ([rng.choice(items)] if items and rng.random() < often else [])
    return value(rng, 1) if rng.random() < often else document


def _twisted_object(rng: random.Random, document: dict[str, JSON], often: float) -> dict[str, JSON]:
    made: dict[str, JSON] = {}
    for key, inner in document.items():
        if rng.random() < often / 3:
            continue
        name = rng.choice((str.upper, str.lower, str.title))(key) if rng.random() < often else key
        made[name] = twisted(rng, inner, often)
    if rng.random() < often:
        made[rng.choice((*document, *TEXTS))] = value(rng)
    return made


def _wrapped(rng: random.Random, document: JSON) -> JSON:
    return [document] if rng.random() < 0.5 else {"value": document}


def _as_text(rng: random.Random, document: JSON) -> JSON:
    return str(document)


# -- bytes -----------------------------------------------------------------------------------------------------------


def _insert(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randint(0, len(raw))
    return raw[:at] + rng.choice(BYTES) + raw[at:]


def _replace(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randint(0, len(raw))
    piece = rng.choice(BYTES)
    return raw[:at] + piece + raw[at + len(piece) :]


def _flip(rng: random.Random, raw: bytes) -> bytes:
    return altered_once(rng, raw) if raw else raw


def _cut(rng: random.Random, raw: bytes) -> bytes:
    at, end = sorted((rng.randint(0, len(raw)), rng.randint(0, len(raw))))
    return raw[:at] + raw[min(end, at + 20) :]


def _truncate(rng: random.Random, raw: bytes) -> bytes:
    return raw[: rng.randint(0, len(raw))]


def _repeat(rng: random.Random, raw: bytes) -> bytes:
    at, end = sorted((rng.randint(0, len(raw)), rng.randint(0, len(raw))))
    return raw[:end] + raw[at:end] * (50 if end - at < 1000 and rng.random() < 0.2 else 1) + raw[end:]


def _shuffle_lines(rng: random.Random, raw: bytes) -> bytes:
    lines = raw.split(b"\n")
    rng.shuffle(lines)
    return b"\n".join(lines)


_EDITS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    _insert, _insert, _replace, _flip, _flip, _cut, _truncate, _repeat, _shuffle_lines,
)  # fmt: skip
