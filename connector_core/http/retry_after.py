"""How long a server asks to wait. Servers write it in seven ways (P61, RFC 9110 section 10.2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_EPOCH_SECONDS = 1e9  # the year 2001; as a duration it would be 31 years
_EPOCH_MILLISECONDS = 1e11  # the year 1973; as epoch seconds it would be the year 5138

_RESET_HEADERS = ("RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset")


def asked_wait(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that a 429 or 503 asks us to wait, or None where it names no time that can be understood.

    A 429 without ``Retry-After`` may say it in a rate limit header; on a 503 those describe something else. A moment
    counts from the reply's own ``Date``, since the server's clock and ours may differ; from ``now`` where it has none.
    """
    if status not in (429, 503):
        return None
    names = ("Retry-After", *_RESET_HEADERS) if status == 429 else ("Retry-After",)
    sent = _from_http_date(headers.get("Date") or "")
    now = now if sent is None else _timestamp(sent)
    waits = (parse_retry_after(headers.get(name), now) for name in names)
    return next((wait for wait in waits if wait is not None), None)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from ``now`` (seconds since 1970) until the moment that ``value`` names; 0.0 for the past.

    Understood: seconds, whole or broken; seconds or milliseconds since 1970; RFC 3339; the three dates of HTTP.
    Anything else is None; nothing raises.
    """
    text = (value or "").strip()
    wait = _from_number(text, now)
    if wait is None:
        moment = _from_rfc3339(text) or _from_http_date(text)
        wait = None if moment is None else _timestamp(moment) - now
    return None if wait is None or not math.isfinite(wait) else max(0.0, wait)


def _from_number(text: str, now: float) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    if number >= _EPOCH_MILLISECONDS:
        return number / 1000 - now
    return number - now if number >= _EPOCH_SECONDS else number


def _from_rfc3339(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _from_http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _timestamp(moment: datetime) -> float:
    # Without a zone it is UTC, as HTTP's asctime form is; the zone of this machine would be a guess.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
