"""Words and variables of a set-up: what goes before the file, and what an app says for its connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from connector_core.config.configuration import SANDBOX, Configuration, variable
from connector_core.errors import UsageError

OF_APP = ("owner", "managed")  # what an app says for its connections


def refuse_sandbox_name(name: str) -> None:
    """Refuse a name that the stand-in of a connector has: no application is ever reached under it.

    :raises UsageError: it is one.
    """
    if name.endswith(SANDBOX):
        raise UsageError(
            f"{name!r} cannot be the name of a connection: NAME{SANDBOX} is the stand-in of the connector NAME",
            hint=f"choose a name that does not end in {SANDBOX}",
        )


def variables_in_force(name: str, words: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """What was changed in the file, and has no effect while a variable says it."""
    return tuple(
        f"the environment variable {variable(name, word)} stays in force: it goes before {word} of the file"
        for word in words
        if variable(name, word) in environ
    )


def variables_of_earlier(name: str, new: str, words: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that named a connection as it was called before: they say nothing about it any more."""
    return tuple(
        f"the environment variable {variable(name, word)} is set for {name}: {new} reads {variable(new, word)}"
        for word in words
        if variable(name, word) in environ
    )


def said_by_app(now: Configuration, name: str, given: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Whose owner and managed may be others since ``given`` of a connection was changed: each with these words.

    For the connection itself, which has another app, what was not given; for all others of its app, what was.
    """
    app = now.connections.get(name, {}).get("app")
    for other, table in now.connections.items():
        of_same = app is not None and table.get("app") == app
        if other == name and "app" in given:
            yield other, tuple(word for word in OF_APP if word not in given)
        elif other != name and of_same:
            yield other, tuple(word for word in OF_APP if word in given)
