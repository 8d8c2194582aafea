"""Where each value comes from: flag, then environment, then file, then default. Secrets are fetched last, by reference.

The file is never looked for in the current folder: it may name commands to run and addresses to send tokens to.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from attrs import Factory, field, frozen

from connector_core import secrets
from connector_core.convert import from_json
from connector_core.errors import ConfigurationError, UnknownName
from connector_core.hookspecs import SANDBOX_SECRET
from connector_core.model import Json, Secret
from connector_core.settings import Setting, declared

RESERVED = ("connector", "app", "owner", "managed")
SANDBOX = "-sandbox"
_PREFIX = "CONNECTOR_CORE_"


@frozen
class Value:
    """A raw value and where it was found, in words."""

    raw: Json | Secret
    origin: str


@frozen(kw_only=True)
class ConnectionConfig:
    """What is configured for one connection. ``values`` are settings of the connector, not yet checked."""

    name: str
    connector: str
    app: str | None = None
    owner: str | None = None
    managed: bool = False
    values: Mapping[str, Value] = field(factory=dict, repr=False)
    environ: Mapping[str, str] = field(factory=dict, repr=False)
    others: tuple[str, ...] = ()
    file: Path | None = None

    @property
    def sandbox(self) -> bool:
        return self.name == self.connector + SANDBOX


@frozen(kw_only=True)
class Configuration:
    """The configuration file and the environment. ``path`` is the file, whether there is one or not."""

    path: Path | None = None
    apps: Mapping[str, Mapping[str, Any]] = Factory(dict)
    connections: Mapping[str, Mapping[str, Any]] = Factory(dict)
    environ: Mapping[str, str] = field(factory=dict, repr=False)

    @classmethod
    def load(cls, path: Path | None, environ: Mapping[str, str], *, required: bool = False) -> Configuration:
        """Read the file, where there is one.

        :param required: somebody named it, so it must be there.
        :raises ConfigurationError: it is not TOML, or holds what it should not; or two names come out alike.
        """
        document = _read(path) if path is not None and (required or path.exists()) else {}
        _only_known(document, ("apps", "connections"), str(path))
        apps = _tables(document, "apps", path)
        for app, table in apps.items():
            _only_known(table, ("owner", "managed"), f'{path}: [apps."{app}"]')
        connections = _tables(document, "connections", path)
        _distinct(connections)
        return cls(path=path, apps=apps, connections=connections, environ=environ)

    def names(self, connectors: Iterable[str]) -> list[str]:
        """Every connection there is: those in the file, and for each connector one of its name and its sandbox."""
        implied = [name for c in connectors for name in (c, c + SANDBOX)]
        return sorted({*self.connections, *implied})

    def connection(self, name: str, connectors: Iterable[str]) -> ConnectionConfig:
        """What is configured for that connection; ``connectors`` are the names of those installed.

        :raises UnknownName: it is neither in the file nor implied by a connector's name.
        """
        names = self.names(connectors)
        if name not in names and variable(name, "connector") not in self.environ:
            raise self._unknown(name, names)
        file = {k: Value(v, f"[connections.{name}] in {self.path}") for k, v in self.connections.get(name, {}).items()}
        reserved = file | _from_environment(name, RESERVED, self.environ)
        app = _text(reserved.get("app"))
        if app is not None and app not in self.apps:
            raise ConfigurationError(f"the connection {name} belongs to the app {app!r}, which {self.path} lacks")
        reserved = self._of_app(app) | reserved
        connector = _text(reserved.get("connector")) or name.removesuffix(SANDBOX)
        return ConnectionConfig(
            name=name, connector=connector, app=app, owner=_text(reserved.get("owner")),
            managed=name == connector + SANDBOX or _boolean(reserved.get("managed")),
            values={k: v for k, v in file.items() if k not in RESERVED},
            environ=self.environ, others=tuple(n for n in names if n != name), file=self.path,
        )  # fmt: skip

    def _of_app(self, app: str | None) -> dict[str, Value]:
        return {k: Value(v, f'[apps."{app}"] in {self.path}') for k, v in self.apps.get(app or "", {}).items()}

    def _unknown(self, name: str, names: list[str]) -> UnknownName:
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names) or 'none'}"
        return UnknownName(f"no connection named {name!r}", hint=hint)


def variable(connection: str, setting: str) -> str:
    """The environment variable of a setting: ``CONNECTOR_CORE_WHIMSICAL_TOKEN``."""
    return f"{_PREFIX}{_shout(connection)}_{_shout(setting)}"


def resolve(config: ConnectionConfig, settings: type, *, sandbox_address: str | None = None) -> Any:
    """An instance of the connector's settings class, every value found, converted and checked.

    :param sandbox_address: where the stand-in of a sandbox connection listens.
    :raises ConfigurationError: a setting is missing (naming the places looked at), unknown, or wrong.
    """
    settable = list(declared(settings))
    names = [s.name for s in settable]
    origin = f"[connections.{config.name}] in {config.file}" if config.file else "settings"
    _only_known(config.values, names, origin, RESERVED)
    _no_stray_variables(config, names)
    values = {**config.values, **_from_environment(config.name, names, config.environ)}
    given = {s.name: _convert(s, values[s.name]) for s in settable if s.name in values}
    given |= _of_sandbox(settable, sandbox_address)
    for s in settable:
        if s.required and s.name not in given:
            raise _missing(s, config)
    try:
        return settings(**given)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{config.name}: {error.args[0] if error.args else error}") from None


def _of_sandbox(settable: list[Setting], address: str | None) -> dict[str, Any]:
    """A sandbox is reached at its own address with its own secrets, whatever else is configured."""
    if address is None:
        return {}
    return {s.name: Secret(SANDBOX_SECRET) if s.secret else address for s in settable if s.secret or s.address}


def _convert(setting: Setting, value: Value) -> Any:
    if setting.secret:
        return secrets.fetch(value.raw, value.origin, setting.name)
    raw = value.raw
    if isinstance(raw, str) and value.origin.startswith("$"):
        raw = _from_text(raw, setting.type)
    return from_json(raw, setting.type, what=f"{setting.name} ({value.origin})")  # type: ignore[arg-type]


def _from_text(text: str, kind: Any) -> Json:
    """An environment variable's text as the JSON that a file would have held."""
    if kind is bool:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)
    if kind in (int, float) and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    if get_origin(kind) is tuple and get_args(kind)[0] is str:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _from_environment(name: str, keys: Iterable[str], environ: Mapping[str, str]) -> dict[str, Value]:
    variables = {key: variable(name, key) for key in keys}
    return {k: Value(environ[v], f"${v}") for k, v in variables.items() if environ.get(v)}


def _missing(setting: Setting, config: ConnectionConfig) -> ConfigurationError:
    form = '{ file = "..." }' if setting.secret else "..."
    places = [f"the environment variable {variable(config.name, setting.name)}"]
    if config.file is not None:
        places.append(f"{setting.name} under [connections.{config.name}] in {config.file}")
    return ConfigurationError(
        f"{config.name} has no {setting.name} ({setting.help}); looked at: {'; '.join(places)}",
        hint=f"set the variable, or write `{setting.name} = {form}` into the file; "
        f"`connector-core capabilities {config.connector}` shows all settings",
    )


def _only_known(table: Mapping[str, Any], known: Iterable[str], where: str, besides: Iterable[str] = ()) -> None:
    every = [*known, *besides]
    for key in table:
        if key not in every:
            near = get_close_matches(key, every, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(every)}"
            raise ConfigurationError(f"{where}: unknown key {key!r}", hint=hint)


def _no_stray_variables(config: ConnectionConfig, names: list[str]) -> None:
    """A misspelt variable would silently leave the default in force, so it is an error."""
    mine = variable(config.name, "")
    known = {variable(config.name, n) for n in (*names, *RESERVED)}
    theirs = tuple(prefix for o in config.others if (prefix := variable(o, "")).startswith(mine))
    for key in config.environ:
        if key.startswith(mine) and key not in known and not (theirs and key.startswith(theirs)):
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(sorted(known))}"
            raise ConfigurationError(f"the environment variable {key} is no setting of {config.name}", hint=hint)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot read the configuration {path}: {error}") from error


def _tables(document: Mapping[str, Any], key: str, path: Path | None) -> dict[str, dict[str, Any]]:
    tables = document.get(key, {})
    if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        raise ConfigurationError(f"{path}: [{key}] must hold tables, such as [{key}.NAME]")
    return tables


def _distinct(names: Iterable[str]) -> None:
    """Two connections whose names differ only in punctuation would share their environment variables."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_shout(name), name)
        if other != name:
            raise ConfigurationError(
                f"the connections {other!r} and {name!r} share their environment variables ({variable(name, '')}...)",
                hint="rename one of them",
            )


def _shout(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())


def _text(value: Value | None) -> str | None:
    if value is None:
        return None
    return from_json(value.raw, str, what=value.origin)  # type: ignore[arg-type]


def _boolean(value: Value | None) -> bool:
    if value is None:
        return False
    raw = _from_text(value.raw, bool) if isinstance(value.raw, str) else value.raw
    return from_json(raw, bool, what=f"managed ({value.origin})")  # type: ignore[arg-type]
