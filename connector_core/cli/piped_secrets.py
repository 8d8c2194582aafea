"""Secrets from standard input: one as it is, or several by name, as JSON or a line each. Nothing of them is quoted."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable

from attrs import frozen

from connector_core.errors import ConfigurationError, UsageError
from connector_core.model import Secret

_LONGEST_SECRET = 65_536  # characters; what is longer is some other file
FORMS = 'JSON such as {"NAME": "..."}, or a line NAME=... for each'


@frozen
class PipedSecrets:
    """What standard input held: one secret, ``text``, or secrets by name, ``named``."""

    text: str
    named: dict[str, str] | None

    @classmethod
    def read(cls, known: Collection[str]) -> PipedSecrets:
        """Read standard input.

        Text that names the secrets of the connector, and nothing else, gives them by name; any other, the JSON of a
        key file included, is one secret.

        :param known: the names of the connector's secrets.
        :raises ConfigurationError: it is no text, or longer than secrets are.
        :raises UsageError: a secret is named twice, or one that is named is no text.
        """
        text = _standard_input().strip()
        pairs = _of_json(text) or _of_lines(text)
        if not pairs or not all(name in known for name, _ in pairs):
            return cls(text, None)
        names = [name for name, _ in pairs]
        if twice := [name for name in known if names.count(name) > 1]:
            raise UsageError(f"standard input gives {' and '.join(twice)} twice")
        if wrong := [name for name, value in pairs if not isinstance(value, str)]:
            raise UsageError(f"standard input gives {' and '.join(wrong)} as JSON that is no text")
        return cls(text, {name: str(value).strip() for name, value in pairs})

    def of(self, wanted: Iterable[str]) -> dict[str, str]:
        """Return the secrets by name; text without names is the one that is wanted.

        :raises UsageError: it does not say which of several it is.
        """
        names = list(wanted)
        if self.named is not None:
            return self.named
        if len(names) <= 1 or not self.text:
            return {name: self.text for name in names if self.text}
        raise UsageError(
            f"standard input does not say which secret it is: {', '.join(names)}", hint=f"name the secrets: {FORMS}"
        )


def checked(name: str, text: str, hint: str, help: str) -> Secret:
    """Return a secret as it was typed or piped, without space around it.

    :raises ConfigurationError: it is empty, or longer than secrets are.
    """
    if len(text) > _LONGEST_SECRET:
        raise ConfigurationError(f"{name} is longer than {_LONGEST_SECRET:,} characters: no secret is")
    if not text.strip():
        raise ConfigurationError(f"{name} is missing ({help})", hint=hint)
    return Secret(text.strip())


def _standard_input() -> str:
    """Standard input, as far as secrets are long. Whatever the locale says: a file of secrets is UTF-8, too."""
    try:
        return sys.stdin.buffer.read(4 * _LONGEST_SECRET + 1).decode("utf-8-sig") if sys.stdin is not None else ""
    except UnicodeDecodeError:  # its words would quote a byte of the secret
        raise ConfigurationError(
            "the secret on standard input is not text in UTF-8", hint="save it as UTF-8, or paste it again"
        ) from None


def _of_json(text: str) -> list[tuple[str, object]]:
    """The members of a JSON object, one that comes twice included; none where the text is something else."""
    try:
        found = json.loads(text, object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        return []
    return [*found] if isinstance(found, _Members) else []


class _Members(list[tuple[str, object]]):
    """The members of a JSON object."""


def _of_lines(text: str) -> list[tuple[str, object]]:
    """Lines ``name=value``; none where a line is something else."""
    parts = [line.partition("=") for line in text.splitlines() if line.strip()]
    return [(name.strip(), value) for name, _, value in parts] if all(equals for _, equals, _ in parts) else []
