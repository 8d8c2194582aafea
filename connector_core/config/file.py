"""Changing the configuration file: its comments, its order and what it does not concern stay as they are."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tomlkit
from filelock import FileLock
from tomlkit import TOMLDocument
from tomlkit.container import OutOfOrderTableProxy
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable, Item

from connector_core.config.configuration import LARGEST, Configuration
from connector_core.errors import ConfigurationError, UnknownName, UsageError
from connector_core.files import make_private_folder, read_bytes, what_is_wrong, write_private
from connector_core.model import Json
from connector_core.trust import trusted


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

        :raises UsageError: there is a connection of that name.
        """

        def change(document: TOMLDocument) -> None:
            if app is not None and app not in (apps := _tables(document, "apps")):
                apps[app] = _table(of_app or {})
            tables = _tables(document, "connections")
            if name in tables:
                raise UsageError(f"{self.path} has a connection {name!r} already", hint="name another one with --name")
            tables[name] = _table(facts)

        self._change(change)

    def change(
        self, name: str, facts: Mapping[str, Json | None], app: str | None, of_app: Mapping[str, Json | None]
    ) -> None:
        """Set values of a connection, and of the app it belongs to, made where it is not there yet; None removes one.

        A connection that is given an app no longer says itself what the app says.
        """

        def change(document: TOMLDocument) -> None:
            table = self._known(document, name)[name]
            if app is not None:
                apps = _tables(document, "apps")
                if app not in apps:
                    apps[app] = _table({k: table[k] for k in ("owner", "managed") if k in table})
                for key in ("owner", "managed"):
                    table.pop(key, None)
                _set(apps[app], of_app)
            _set(table, facts)

        self._change(change)

    def remove(self, name: str) -> None:
        """Take a connection out."""

        def change(document: TOMLDocument) -> None:
            del self._known(document, name)[name]

        self._change(change)

    def rename(self, name: str, new: str, connector: str) -> None:
        """Give a connection another name, in its place; ``connector`` is written down, as the name implied it."""

        def change(document: TOMLDocument) -> None:
            tables = self._known(document, name)
            if new in tables:
                raise UsageError(f"{self.path} has a connection {new!r} already")
            table = tables[name]
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

        self._change(change)

    def _known(self, document: TOMLDocument, name: str) -> Any:
        tables = _tables(document, "connections")
        if name not in tables:
            names = ", ".join(tables) or "none"
            raise UnknownName(f"{self.path} has no connection {name!r}", hint=f"there are: {names}")
        return tables

    def _change(self, change: Callable[[TOMLDocument], None]) -> None:
        """Read, change, check that the result can be read back, write beside, replace."""
        try:
            make_private_folder(self.path.parent)
            with FileLock(f"{self.path}.lock", mode=0o600, is_singleton=False):
                document = self._read()
                self._write(_changed(document, change, self.path))
        except OSError as error:
            raise ConfigurationError(f"cannot write the configuration {self.path}: {what_is_wrong(error)}") from error

    def _read(self) -> TOMLDocument:
        if not self.path.exists():
            return tomlkit.document()
        try:
            text = read_bytes(self.path, LARGEST, look=trusted(self.path, "the configuration")).decode("utf-8-sig")
            tomllib.loads(text)  # what the program cannot read it does not write: tomlkit is not quite as strict
            return tomlkit.parse(text)
        except (ValueError, RecursionError, TOMLKitError) as error:
            raise ConfigurationError(f"cannot read the configuration {self.path}: {what_is_wrong(error)}") from error

    def _write(self, text: str) -> None:
        def look(draft: Path) -> None:
            Configuration.load(draft, {}, required=True).names(())

        mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o600
        write_private(self.path, text, mode=mode, look=look)


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
