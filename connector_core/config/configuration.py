"""Where each value comes from: argument, then environment, then file, then default. Secrets are fetched by reference.

The file is never looked for in the current folder: it may name commands to run and addresses to send tokens to.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_origin
from urllib.parse import quote

from attrs import Attribute, Factory, field, frozen

from connector_core import protection
from connector_core.config import addresses
from connector_core.config.addresses import refuse_credentials
from connector_core.config.guard import GuardLimits, guard_limits
from connector_core.config.identity import check_identities
from connector_core.config.secrets import Places, fetch
from connector_core.errors import ConfigurationError, UnknownName, UsageError
from connector_core.files import read_bytes, what_is_wrong
from connector_core.model import Json, Secret
from connector_core.settings import IDENTITY, RESERVED, Setting, alternatives, declared, sufficient_sets
from connector_core.store.connections import ConnectionRef
from connector_core.trust import trusted

SANDBOX = "-sandbox"
_PREFIX = "CONNECTOR_CORE_"
LARGEST = 4 * 2**20  # bytes of a configuration file
_LONGEST = 120  # of a connection's name as it stands in file names, which systems limit to 255 bytes


@frozen
class Value:
    """A raw value, what gave it, and where that was, in words."""

    raw: Json | Secret
    source: Literal["argument", "environment", "file"]
    origin: str


def _sensible(_: object, __: Attribute[str], name: str) -> None:
    """Names appear in files' names, variables and on terminals. Raises `ConfigurationError`."""
    if not (name.isprintable() and name == name.strip() and name[:1].isalnum()):
        raise ConfigurationError(
            f"{name!r} cannot be the name of a connection",
            hint="it begins with a letter or digit, and holds only characters that can be seen",
        )
    if len(quote(name, safe="")) > _LONGEST:
        raise ConfigurationError(f"the name {name[:20]!r}... of a connection is too long")


@frozen(kw_only=True)
class ConnectionConfig:
    """What is configured for one connection. ``values`` are settings of the connector, not yet checked; ``words`` the
    reserved words that are given. ``identity`` is None where the file holds none: then the state keeps it. ``new``: it
    is being set up.

    ``others`` are the names of the other connections, ``file`` is the configuration file, ``environ`` the environment
    that settings may come from.
    """

    name: str = field(validator=_sensible)
    connector: str
    identity: str | None = None
    new: bool = False
    app: str | None = None
    owner: str | None = None
    managed: bool = False
    guard: GuardLimits = Factory(GuardLimits)
    values: Mapping[str, Value] = field(factory=dict, repr=False)
    words: Mapping[str, Value] = field(factory=dict, repr=False)
    environ: Mapping[str, str] = field(factory=dict, repr=False)
    others: tuple[str, ...] = ()
    file: Path | None = None

    def __attrs_post_init__(self) -> None:
        if self.name.endswith(SANDBOX) and not self.sandbox:
            raise ConfigurationError(
                f"the connection {self.name} is named like a sandbox, but its connector is {self.connector}",
                hint=f"rename it: NAME{SANDBOX} is always the stand-in of the connector NAME",
            )

    @property
    def sandbox(self) -> bool:
        return self.name == self.connector + SANDBOX

    @property
    def ref(self) -> ConnectionRef:
        """Return what the state knows it by."""
        return ConnectionRef(name=self.name, connector=self.connector, identity=self.identity, new=self.new)


@frozen(kw_only=True)
class Configuration:
    """The configuration file and the environment. ``path`` is the file, whether there is one or not."""

    path: Path | None = None
    apps: Mapping[str, Mapping[str, Any]] = Factory(dict)
    connections: Mapping[str, Mapping[str, Any]] = Factory(dict)
    environ: Mapping[str, str] = field(factory=dict, repr=False)

    @classmethod
    def load(cls, path: Path, environ: Mapping[str, str], *, required: bool = False) -> Configuration:
        """Read the file, where there is one.

        :param required: it was named, so it must exist.
        :raises ConfigurationError: it is not TOML, or holds what it should not.
        """
        document = _read(path, required=required)
        _only_known(document, ("apps", "connections"), str(path))
        apps = _tables(document, "apps", path)
        for app, table in apps.items():
            _only_known(table, ("owner", "managed"), f'[apps."{app}"] in {path}')
        connections = _tables(document, "connections", path)
        check_identities(connections, path)
        return cls(path=path, apps=apps, connections=connections, environ=environ)

    def names(self, connectors: Iterable[str]) -> list[str]:
        """Every connection there is: those in the file, and for each connector one of its name and its sandbox.

        :raises ConfigurationError: two names come out alike as environment variables.
        """
        implied = [name for c in connectors for name in (c, c + SANDBOX)]
        names = sorted({*self.connections, *implied})
        _distinct(names)
        return names

    def connection(
        self, name: str, connectors: Iterable[str], *, settings: Mapping[str, Any] | None = None, **words: Any
    ) -> ConnectionConfig:
        """What is configured for that connection; ``connectors`` are the names of those installed.

        :param settings: values that go before all others.
        :param words: such values for `RESERVED`; None says nothing.
        :raises UnknownName: it is neither in the file nor implied by a connector's name, and no connector is given.
        :raises ConfigurationError: what is configured for it cannot be.
        """
        names = self.names(connectors)
        table = self.connections.get(name, {})
        where = f"[connections.{name}] in {self.path}"
        file = {k: Value(v, "file", where) for k, v in table.items()}
        given = {k: Value(v, "argument", f"the argument {k}") for k, v in words.items() if v is not None}
        reserved = file | _from_environment(name, RESERVED, self.environ) | given
        if name not in names and "connector" not in reserved:
            raise self._unknown(name, names)
        connector = _text(reserved, "connector") or name.removesuffix(SANDBOX)
        reserved = self._of_app(reserved, file) | reserved
        arguments = {k: Value(v, "argument", f"the argument {k}") for k, v in (settings or {}).items()}
        return ConnectionConfig(
            name=name, connector=connector, identity=table.get(IDENTITY), app=_text(reserved, "app"),
            owner=_text(reserved, "owner"), managed=_boolean(reserved, "managed", default=name == connector + SANDBOX),
            guard=guard_limits(word.raw, word.origin) if (word := reserved.get("guard")) else GuardLimits(),
            values={k: v for k, v in file.items() if k not in (*RESERVED, IDENTITY)} | arguments,
            words={k: v for k, v in reserved.items() if k in RESERVED},
            environ=self.environ, others=tuple(n for n in names if n != name), file=self.path,
        )  # fmt: skip

    def _of_app(self, reserved: Mapping[str, Value], file: Mapping[str, Value]) -> dict[str, Value]:
        """What the app says for its connections. A caller may name an app that no file describes."""
        app = _text(reserved, "app")
        if app is None or (app not in self.apps and reserved["app"].source == "argument"):
            return {}
        if app not in self.apps:
            raise ConfigurationError(f'{self.path} has no [apps."{app}"], which {reserved["app"].origin} names')
        for word in ("owner", "managed"):
            if word in file:
                raise ConfigurationError(
                    f"{file[word].origin}: {word} is for the app to say", hint=f'move it into [apps."{app}"]'
                )
        return {k: Value(v, "file", f'[apps."{app}"] in {self.path}') for k, v in self.apps[app].items()}

    def _unknown(self, name: str, names: list[str]) -> UnknownName:
        return UnknownName(f"no connection named {name!r}", hint=_near(name, names, "there are"))


def variable(connection: str, setting: str) -> str:
    """The environment variable of a setting: ``CONNECTOR_CORE_WHIMSICAL_TOKEN``."""
    return f"{_PREFIX}{_shout(connection)}_{_shout(setting)}"


def resolve(config: ConnectionConfig, settings: type, *, sandbox_address: str | None = None) -> Any:
    """An instance of the connector's settings class, every value found, converted and checked.

    :param sandbox_address: where the stand-in of a sandbox connection listens; the connection is then reached there,
        with the stand-in's secrets, and what is configured instead is not even looked at.
    :raises ConfigurationError: a setting is missing (naming the places looked at), unknown, or wrong.
    """
    known = {s.name: s for s in declared(settings)}
    for name, value in config.values.items():
        _only_known({name: value}, known, value.origin)
    _no_stray_variables(config, known)
    found = values_in_force(config, known)
    values = {} if sandbox_address is None else _of_sandbox(known.values(), sandbox_address)
    for s in known.values():
        if s.name in found and s.name not in values:
            values[s.name] = _convert(s, found[s.name], config)
        elif s.required and s.name not in values:
            raise _missing(s, config, known)
    _require_enough(config, sufficient_sets(settings), values)
    return _made(settings, values, found, config.name)


def described(config: ConnectionConfig, settings: Iterable[Setting]) -> dict[str, dict[str, str]]:
    """Each setting's ``value`` as text, a secret masked, and its ``origin`` in words; nothing is fetched or checked.

    The reserved words come first.
    """
    every = list(settings)
    found = values_in_force(config, [s.name for s in every])
    facts: dict[str, object] = {
        "connector": config.connector, "app": config.app, "owner": config.owner, "managed": config.managed,
        "guard": config.guard.given() or None,
    }  # fmt: skip
    words = {
        k: {"value": _shown(v), "origin": config.words[k].origin if k in config.words else "default"}
        for k, v in facts.items()
    }
    return words | {s.name: _described(s, found.get(s.name)) for s in every}


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _described(setting: Setting, value: Value | None) -> dict[str, str]:
    if value is None and setting.required:
        return {"value": "", "origin": "missing"}
    raw = setting.default if value is None else value.raw
    if raw is None:
        return {"value": "", "origin": "default" if value is None else value.origin}
    text = addresses.shown(raw) if setting.address and isinstance(raw, str) else _shown(raw)
    return {"value": "***" if setting.secret else text, "origin": "default" if value is None else value.origin}


def values_in_force(config: ConnectionConfig, names: Iterable[str]) -> dict[str, Value]:
    """Return the values in force, by setting."""
    found = _from_environment(config.name, names, config.environ)
    return found | {k: v for k, v in config.values.items() if k not in found or v.source == "argument"}


def from_text(text: str, kind: Any) -> Json:
    """Text, of an environment variable or a command line, as the JSON that a file would have held.

    :raises ValueError: it does not read as such; says what was expected.
    """
    if kind is bool:
        if (truth := _TRUTH.get(text.strip().lower())) is None:
            raise ValueError(f"expected true or false, found {text!r}")
        return truth
    if kind is int or kind is float:
        with suppress(ValueError, OverflowError):  # OverflowError: of hundreds of digits
            number: int | float = kind(text)
            if math.isfinite(number):
                return number
        raise ValueError(f"expected a {'whole ' if kind is int else ''}number, found {text!r}")
    if get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _made(settings: type, values: Mapping[str, Any], found: Mapping[str, Value], connection: str) -> Any:
    try:
        return settings(**values)
    except (ValueError, TypeError) as error:
        text = str(error.args[0] if error.args else error)
        # attrs' validators quote the name of the setting, but do not know where its value came from
        origins = [v.origin for name, v in found.items() if f"'{name}'" in text]
        raise ConfigurationError(f"{connection}: {text}{f' ({origins[0]})' if origins else ''}") from None


def _of_sandbox(settable: Iterable[Setting], address: str) -> dict[str, Any]:
    from connector_core.hookspecs import SANDBOX_SECRET

    return {s.name: Secret(SANDBOX_SECRET) if s.secret else address for s in settable if s.secret or s.address}


def _convert(setting: Setting, value: Value, config: ConnectionConfig) -> Any:
    what = f"{setting.name} ({value.origin})"
    if value.raw is None and setting.default is None:  # an argument that leaves it out
        return None
    if setting.secret:
        places = Places(environ=config.environ, folder=config.file and config.file.parent)
        return fetch(value.raw, what, places, written=value.source == "file")
    from connector_core.convert import from_json

    converted = from_json(_json(value, setting.type, what), setting.type, what=what)
    if setting.address and isinstance(converted, str):
        refuse_credentials(converted, what)
    if setting.name == protection.SETTING and isinstance(converted, tuple):
        _refuse_no_entries(converted, what)
    return converted


def _refuse_no_entries(entries: tuple[str, ...], what: str) -> None:
    try:
        protection.Protection.of(entries)
    except UsageError as error:
        raise ConfigurationError(f"{what}: {error.message}", hint=error.hint) from None


def _json(value: Value, kind: Any, what: str) -> Any:
    if value.source != "environment":
        return value.raw
    try:
        return from_text(str(value.raw), kind)
    except ValueError as error:
        raise ConfigurationError(f"{what}: {error}") from None


def _from_environment(name: str, keys: Iterable[str], environ: Mapping[str, str]) -> dict[str, Value]:
    """What the environment says.

    :raises ConfigurationError: a variable is empty: it would silently leave the default in force.
    """
    found = {key: v for key in keys if (v := variable(name, key)) in environ}
    for v in found.values():
        if not environ[v].strip():
            raise ConfigurationError(
                f"the environment variable {v} is empty", hint="give it a value, or unset it to leave the default"
            )
    return {key: Value(environ[v], "environment", f"${v}") for key, v in found.items()}


def _missing(setting: Setting, config: ConnectionConfig, known: Iterable[str]) -> ConfigurationError:
    form = '{ file = "..." }' if setting.secret else "..."
    mine = variable(config.name, setting.name)
    places = [f"the environment variable {mine}"]
    if config.file is not None:
        places.append(f"{setting.name} under [connections.{config.name}] in {config.file}")
    ours = {variable(config.name, name) for name in (*known, *RESERVED)}
    set_ones = [key for key in config.environ if key.startswith(_PREFIX) and config.environ[key] and key not in ours]
    near = get_close_matches(mine, set_ones, 1, 0.8)
    ask = f"configure {config.name} --secret {setting.name}" if setting.secret else f"configure {config.name}"
    in_file = any(v.source == "file" for v in (*config.values.values(), *config.words.values()))
    first = ask if in_file else f"add {config.connector}"
    hint = (
        f"`connector-core {first}` asks for it; or set the variable, or write `{setting.name} = {form}` into the file; "
        f"`connector-core capabilities {config.connector}` shows all settings"
    )
    return ConfigurationError(
        f"{config.name} has no {setting.name} ({setting.help}); looked at: {'; '.join(places)}",
        hint=f"{near[0]} is set: is that a misspelling?" if near else hint,
    )


def _require_enough(config: ConnectionConfig, sets: tuple[tuple[str, ...], ...], values: Mapping[str, Any]) -> None:
    """Refuse settings of which no set that is enough is whole.

    :raises ConfigurationError: which sets would be, what is there of them, and how to give the rest.
    """
    missing = [[name for name in names if values.get(name) is None] for names in sets]
    if not sets or [] in missing:
        return
    given = sorted({name for names in sets for name in names if values.get(name) is not None})
    raise ConfigurationError(
        f"{config.name} needs {alternatives(sets)}; it has {' and '.join(given) or 'none of them'}",
        hint=f"`connector-core configure {config.name}` (`--secret NAME` for secrets), or the environment, such as "
        f"{variable(config.name, min(missing, key=len)[0])}; "
        f"`connector-core capabilities {config.connector}` shows all settings",
    )


def _only_known(table: Iterable[str], known: Collection[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigurationError(f"{where}: unknown key {key!r}", hint=_near(key, known, "known are"))


def _no_stray_variables(config: ConnectionConfig, names: Iterable[str]) -> None:
    """A misspelt variable would silently leave the default in force, so it is an error."""
    mine = variable(config.name, "")
    known = {variable(config.name, n) for n in (*names, *RESERVED)}
    # Connections whose names begin with this one's; one may consist of variables alone.
    named = [variable(other, "") for other in config.others]
    theirs = tuple({p for p in named if p.startswith(mine)} | _defined_by_variables(config.environ, mine))
    for key in config.environ:
        is_mine, is_theirs = key in known, key.startswith(theirs)
        if is_mine and is_theirs:
            raise ConfigurationError(
                f"the environment variable {key} is one of {config.name} and of another connection, too",
                hint="rename the other connection",
            )
        if key.startswith(mine) and not (is_mine or is_theirs):
            raise ConfigurationError(
                f"the environment variable {key} is no setting of {config.name}", hint=_near(key, known, "known are")
            )


def _defined_by_variables(environ: Iterable[str], mine: str) -> set[str]:
    end = "_CONNECTOR"
    found = {key.removesuffix(end) + "_" for key in environ if key.startswith(mine) and key.endswith(end)}
    return found - {mine}


def _near(name: str, known: Iterable[str], else_: str) -> str:
    """The nearest known name as a question, or all of them after ``else_``."""
    every = sorted(known)
    near = get_close_matches(name, every, 1)
    return f"did you mean {near[0]}?" if near else f"{else_}: {', '.join(every) or 'none'}"


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(read_bytes(path, LARGEST, look=trusted(path, "the configuration")).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:  # its own errors and those of UTF-8 are ValueErrors
        if isinstance(error, FileNotFoundError | NotADirectoryError) and not required:
            return {}
        raise ConfigurationError(f"cannot read the configuration {path}: {what_is_wrong(error)}") from error


def _tables(document: Mapping[str, Any], key: str, path: Path) -> dict[str, dict[str, Any]]:
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


def _text(values: Mapping[str, Value], word: str) -> str | None:
    value = values.get(word)
    if value is None:
        return None
    if isinstance(value.raw, str):
        return value.raw
    raise ConfigurationError(f"{word} ({value.origin}): expected a text")


def _boolean(values: Mapping[str, Value], word: str, *, default: bool) -> bool:
    value = values.get(word)
    if default or value is None:
        return default
    raw = _json(value, bool, f"{word} ({value.origin})")
    if isinstance(raw, bool):
        return raw
    raise ConfigurationError(f"{word} ({value.origin}): expected true or false")
