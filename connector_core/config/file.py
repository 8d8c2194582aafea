"""Changing the configuration file: its comments, its order and what it does not concern stay as they are."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from filelock import FileLock
from tomlkit import TOMLDocument
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Item

from connector_core.config.configuration import LARGEST, Configuration
from connector_core.errors import ConfigurationChanged, ConfigurationError, UnknownName, UsageError
from connector_core.files import make_private_folder, read_bytes, what_is_wrong, write_private
from connector_core.model import Json
from connector_core.settings import IDENTITY
from connector_core.trust import trusted

_OF_APP = ("owner", "managed")  # what an app says for its connections
_TRIES = 5


class ConfigFile:
    """The file at ``path``, made with mode 0600 where there is none. Every change is written at once, as a whole.

    Methods raise `ConfigurationError` where the file cannot be read or written, `UnknownName` for what is not in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add_connection(
        self, name: str, facts: Mapping[str, Json], app: str | None = None, of_app: Mapping[str, Json] | None = None
    ) -> None:
        """Write ``[connections.NAME]`` with settings and reserved words, and ``[apps."APP"]`` where it is not there.

        :raises UsageError: there is a connection of that name, or such an app, which says itself what ``of_app`` says.
        """

        def change(document: TOMLDocument) -> None:
            if app is not None and app not in (apps := _tables(document, "apps")):
                apps[app] = _table(of_app or {})
            elif app is not None and of_app:
                raise said_already(app)
            tables = _tables(document, "connections")
            if name in tables:
                raise UsageError(f"{self.path} has a connection {name!r} already", hint="name another one with --name")
            tables[name] = _table(facts)

        self._change(change, name)

    def change(
        self, name: str, facts: Mapping[str, Json | None], *, identity: str | None = None, app: str | None = None
    ) -> dict[str, Any]:
        """Set values and reserved words of a connection; None takes one out. Gives its table as it was.

        Owner and managed of a connection with an app are the app's, which is made where it is not there yet: a
        connection that is given one no longer says itself what the app says.

        :param identity: whose values they are; written down where the file has none.
        :param app: the app that is in force although the file does not name it.
        :raises ConfigurationChanged: another connection has that name by now.
        """
        before: dict[str, Any] = {}

        def change(document: TOMLDocument) -> None:
            table = self._known(document, name, identity)
            before.update(table.unwrap())
            in_force = facts["app"] if "app" in facts else table.get("app", app)
            of_app = {k: v for k, v in facts.items() if k in _OF_APP} if in_force else {}
            if in_force:
                _move_into_app(document, str(in_force), table, of_app)
            _set(table, {k: v for k, v in facts.items() if k not in of_app} | _identified(identity))

        self._change(change, name)
        return before

    def remove(self, name: str, *, identity: str | None = None) -> dict[str, Any]:
        """Take a connection out. Gives its table as it was.

        :raises ConfigurationChanged: another connection has that name by now.
        """
        before: dict[str, Any] = {}

        def change(document: TOMLDocument) -> None:
            before.update(self._known(document, name, identity).unwrap())
            del document["connections"][name]

        self._change(change)
        return before

    def rename(self, name: str, new: str, connector: str, *, identity: str | None = None) -> None:
        """Give a connection another name, in its place; ``connector`` is written down, as the name implied it.

        :raises ConfigurationChanged: another connection has that name by now.
        """

        def change(document: TOMLDocument) -> None:
            table, tables = self._known(document, name, identity), document["connections"]
            if new in tables:
                raise UsageError(f"{self.path} has a connection {new!r} already")
            _set(table, _identified(identity))
            if new != connector:
                table["connector"] = connector
            elif table.get("connector") == connector:
                del table["connector"]
            if isinstance(tables, OutOfOrderTableProxy):  # with something else between them: it goes to the end
                tables[new] = table
                del tables[name]
                return
            items = [(new if key == name else key, value) for key, value in tables.items()]
            for key in list(tables):
                del tables[key]
            for key, value in items:
                tables[key] = value

        self._change(change, new)

    def _known(self, document: TOMLDocument, name: str, identity: str | None) -> Any:
        """The table of that connection, if it is still the one that is meant."""
        tables = _tables(document, "connections")
        if name not in tables:
            names = ", ".join(tables) or "none"
            raise UnknownName(f"{self.path} has no connection {name!r}", hint=f"there are: {names}")
        if identity is not None and tables[name].get(IDENTITY, identity) != identity:
            raise ConfigurationChanged(
                f"{name} in {self.path} is another connection by now", hint="nothing was changed; look at the file"
            )
        return tables[name]

    def _change(self, change: Callable[[TOMLDocument], None], name: str | None = None) -> None:
        """Read, change, see that the result can be read back, and replace what was read, and nothing else.

        :param name: a connection that must be one afterwards.
        """
        try:
            make_private_folder(self.path.parent)
            with FileLock(f"{self.path}.lock", mode=0o600, is_singleton=False):
                for _ in range(_TRIES):
                    with suppress(_Overtaken):
                        text = self._text()
                        return self._write(_changed(self._parsed(text), change, self.path), text, name)
        except OSError as error:
            raise ConfigurationError(f"cannot write the configuration {self.path}: {what_is_wrong(error)}") from error
        raise ConfigurationChanged(f"another program writes {self.path} all the time", hint="nothing was changed")

    def _text(self) -> str | None:
        if not self.path.exists():
            return None
        try:
            return read_bytes(self.path, LARGEST, look=trusted(self.path, "the configuration")).decode("utf-8-sig")
        except ValueError as error:
            raise ConfigurationError(f"cannot read the configuration {self.path}: {what_is_wrong(error)}") from error

    def _parsed(self, text: str | None) -> TOMLDocument:
        if text is None:
            return tomlkit.document()
        try:
            tomllib.loads(text)  # what the program cannot read it does not write: tomlkit is not quite as strict
            return tomlkit.parse(text)
        except (ValueError, RecursionError, TOMLKitError) as error:
            raise ConfigurationError(f"cannot read the configuration {self.path}: {what_is_wrong(error)}") from error

    def _write(self, text: str, before: str | None, name: str | None) -> None:
        def look(draft: Path) -> None:
            written = Configuration.load(draft, {}, required=True)
            written.names(())
            if name is not None:
                written.connection(name, ())
            if self._text() != before:  # an editor does not know our lock
                raise _Overtaken

        mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o600
        write_private(self.path, text, mode=mode, look=look)


def said_already(app: str) -> UsageError:
    """Owner and managed of a connection are given, and its app says them."""
    return UsageError(
        f"the app {app!r} is there already, and says itself who owns it",
        hint="leave --owner, --managed and --unmanaged out; `connector-core configure` changes them",
    )


class _Overtaken(Exception):
    """The file is not as it was read."""


def _changed(document: TOMLDocument, change: Callable[[TOMLDocument], None], path: Path) -> str:
    """What the file becomes. tomlkit has its own ways of failing at files that are laid out oddly."""
    try:
        change(document)
        text = tomlkit.dumps(document)
        text.encode()
    except (LookupError, TypeError, ValueError, AttributeError, TOMLKitError) as error:
        raise ConfigurationError(
            f"{path} cannot be changed from here ({type(error).__name__})", hint="change it by hand"
        ) from error
    return text


def _tables(document: TOMLDocument, key: str) -> Any:
    if key not in document:
        document[key] = tomlkit.table(is_super_table=True)
    return document[key]


def _move_into_app(document: TOMLDocument, app: str, table: Any, facts: Mapping[str, Json | None]) -> None:
    apps = _tables(document, "apps")
    if app not in apps:
        apps[app] = _table({k: table[k] for k in _OF_APP if k in table})
    for key in _OF_APP:
        table.pop(key, None)
    _set(apps[app], facts)


def _identified(identity: str | None) -> dict[str, Json]:
    return {} if identity is None else {IDENTITY: identity}


def _set(table: Any, facts: Mapping[str, Json | None]) -> None:
    for key, value in facts.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = _item(value)


def _table(facts: Mapping[str, Json | None]) -> Any:
    table = tomlkit.table()
    _set(table, facts)
    return table


def _item(value: Json) -> Item:
    """A reference to a secret is written in one line: ``{ file = "..." }``."""
    if isinstance(value, dict):
        inline: InlineTable = tomlkit.inline_table()
        inline.update(value)
        return inline
    return tomlkit.item(value)
