"""Setting connections up, for `Host`: nothing is asked, and nothing printed.

A change is made in this order: new secrets are kept under names that nothing else has; the configuration file is
changed in one step, if it is still about the same connection; the change is written into the journal; secrets that
nothing refers to any more are deleted. So a failure or a crash at any moment leaves a connection as it was or as it is
to be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from connector_core.clock import rfc3339
from connector_core.config.configuration import Configuration, ConnectionConfig, resolve
from connector_core.config.file import ConfigFile
from connector_core.config.secret_store import Leftover, SecretStore, StoredSecret
from connector_core.connectors.vault import forget_vault
from connector_core.errors import ConfigurationError, ConnectorCoreError, StateError, UnknownName, UsageError
from connector_core.host.audit import Audit, SetupChange
from connector_core.host.connection import Connection
from connector_core.host.record import Context
from connector_core.host.setup_entry import SetupEntry, differences, differences_by_app
from connector_core.host.setup_words import (
    refuse_sandbox_name,
    said_by_app,
    variables_in_force,
    variables_of_earlier,
)
from connector_core.model import Finding, Json, Secret
from connector_core.settings import RESERVED, Setting, declared
from connector_core.store.audit import note_setup
from connector_core.store.companions import move_state, vault_file
from connector_core.store.connections import (
    ConnectionRef,
    connection_id,
    find_connection,
    identity_of,
    label_after,
    mark_removed,
    new_identity,
    rename_connection,
)
from connector_core.store.database import explained, open_reader, open_writer, transaction
from connector_core.store.journal import Requester
from connector_core.store.lock import exclusive

WORDS = ("app", "owner", "managed")  # what a connection, or its app, says itself


@frozen(kw_only=True)
class SetupResult:
    """What a set-up did. Nothing is saved where a finding is an error, and a check was asked for.

    ``secrets``: where each secret that was given lies, in words. ``changed``: the settings and words that were given.
    ``warnings``: what else needs a person. ``leftovers``: secrets that are still there.
    """

    connection: str
    identity: str
    file: Path
    saved: bool = True
    findings: tuple[Finding, ...] = ()
    secrets: Mapping[str, str] = {}
    changed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()

    @property
    def failure(self) -> Finding | None:
        """The first error among the findings."""
        return next((finding for finding in self.findings if finding.level == "error"), None)


@frozen(kw_only=True)
class Setup:
    """Sets up the connections of one configuration. Made by `Host` for each call; reads the file at its beginning.

    ``state`` gives the state file of a connection by its name.
    """

    configuration: Configuration
    context: Context
    state: Callable[[str], Path]

    @classmethod
    def begin(cls, configuration: Configuration, context: Context, state: Callable[[str], Path]) -> Setup:
        """:raises UsageError: there is no configuration file to write into."""
        if configuration.path is None:
            raise UsageError(
                "this host has no configuration file", hint="make it with Host.from_environment(config=...)"
            )
        read = Configuration.load(configuration.path, configuration.environ)
        return cls(configuration=read, context=context, state=state)

    @property
    def path(self) -> Path:
        assert self.configuration.path is not None  # by `begin`
        return self.configuration.path

    @property
    def file(self) -> ConfigFile:
        return ConfigFile(self.path)

    @property
    def store(self) -> SecretStore:
        return SecretStore(self.path)

    # -- what `Host` offers --------------------------------------------------------------------------------

    def configure(
        self, name: str, changes: Mapping[str, Any], *, keyring: bool | None, check: bool, asked: Requester
    ) -> SetupResult:  # fmt: skip
        """Change settings and words of a connection; its arguments are described at `Host.configure`."""
        config = self.identified(self.configured(name))
        known = self.settings(config.connector)
        _refuse_unknown(changes, known)
        given = {k: Secret(v) if known[k].secret and isinstance(v, str) else v for k, v in _settings(changes).items()}
        secrets = {k: v for k, v in given.items() if isinstance(v, Secret)}
        tried = evolve(self.config(name, settings=given), identity=config.identity, new=config.new)
        findings = self.findings(tried, tries=check and bool(secrets))
        result = SetupResult(
            connection=name, identity=str(config.identity), file=self.path, findings=findings,
            changed=tuple(sorted(changes)),
        )  # fmt: skip
        if result.failure is not None:
            return evolve(result, saved=False)
        kept = self.keep(result.identity, name, secrets, keyring)
        facts = {**changes, **{key: where.reference for key, where in kept.items()}}
        with self.kept_if_saved(kept, name), self.journaled(config, asked) as entry:
            before = self.file.change(name, facts, identity=result.identity, app=_app_elsewhere(config))
            entry.changes += differences(config, before, facts, known)
        warnings = (
            *variables_in_force(name, changes, self.configuration.environ),
            *self._note_by_app(name, changes, asked),
        )
        replaced = [before.get(k) for k, v in facts.items() if k in known and known[k].secret and before.get(k) != v]
        places = {key: where.place for key, where in kept.items()}
        return evolve(result, secrets=places, warnings=warnings, leftovers=self.forget(replaced, name))

    def rename(self, name: str, new: str, *, asked: Requester) -> SetupResult:
        """Give a connection another name; see `Host.rename`."""
        refuse_sandbox_name(new)
        known = self.configuration.connections
        half_done = name not in known and new in known  # the last one died before the history went along
        config = self.config(new) if half_done else self.configured(name)
        self.configuration.names([config.connector, new])
        self.config(new, connector=config.connector)  # a name that can be one
        path, later = self.state(name), self.state(new)
        if path != later and later.exists():
            raise UsageError(f"there is a state of {new!r} already: {later}", hint="choose a name that was never used")
        label = self._label(config, name) if half_done else name
        if label != name and (label != new or path == later):
            self.configured(name)  # raises: there is no such connection
        config = self.identified(config, name)
        if label == name:
            with self._relabelled(evolve(config.ref, name=name), new, asked) as identity:
                if not half_done:
                    self.file.rename(name, new, config.connector, identity=identity)
        else:  # it died before the state was moved
            identity = str(config.identity)
        if path != later:
            move_state(path, later, identity)
        words = (*RESERVED, *self.settings(config.connector))
        warnings = variables_of_earlier(name, new, words, self.configuration.environ)
        return SetupResult(connection=new, identity=identity, file=self.path, warnings=warnings)

    def remove(self, name: str, *, asked: Requester) -> SetupResult:
        """Take a connection out of the configuration, with its secrets; see `Host.remove`."""
        config = self.identified(self.configured(name))
        with self.journaled(config, asked, alone=True) as entry:
            before = self.file.remove(name, identity=config.identity)
            if not self._is_elsewhere(str(config.identity)):
                mark_removed(entry.db, entry.connection, rfc3339(self.context.clock.now()))
            entry.changes.append(SetupChange(setting="connection", before=name))
        identity = str(config.identity)
        leftovers = self.forget([*before.values()], name) + self._forget_vault(name, identity)
        return SetupResult(connection=name, identity=identity, file=self.path, leftovers=leftovers)

    # -- for a new connection, too -------------------------------------------------------------------------

    def config(self, name: str, **more: Any) -> ConnectionConfig:
        """What is configured for that connection, as `Configuration.connection`."""
        return self.configuration.connection(name, self.context.plugins.names(), **more)

    def configured(self, name: str) -> ConnectionConfig:
        """:raises UnknownName: the file has no such connection."""
        config = self.config(name)
        if name not in self.configuration.connections:
            raise UnknownName(
                f"{self.path} has no connection {name!r}", hint=f"connector-core add {config.connector} sets one up"
            )
        return config

    def identified(self, config: ConnectionConfig, name: str | None = None) -> ConnectionConfig:
        """The connection with its identity: the file's, else the state's, else a new one.

        The state's is not taken where another configuration of the folder has it: both would be one connection.

        :param name: by which the state knows it, where that is another one.
        """
        if config.identity is not None:
            return config
        path = self.state(name or config.name)
        with explained(path), closing(open_writer(path)) as db:
            row = find_connection(db, evolve(config.ref, name=name or config.name))
        if row is not None and not self.store.is_referred_to(row["identity"]):
            return evolve(config, identity=row["identity"])
        return evolve(config, identity=new_identity(), new=True)

    def settings(self, connector: str) -> dict[str, Setting]:
        """The settings of a connector, by name."""
        return {s.name: s for s in declared(self.context.plugins.connector(connector).manifest().settings)}

    def findings(self, config: ConnectionConfig, *, tries: bool) -> tuple[Finding, ...]:
        """What `check` finds, an error of the settings included; without it, no request is made.

        :raises ConfigurationError: without a check: a setting is missing or wrong.
        """
        if not tries:
            resolve(config, self.context.plugins.connector(config.connector).manifest().settings)
            return ()
        try:
            return Connection(config, self.state(config.name), self.context).check()
        except ConfigurationError as error:
            return (Finding(level="error", code=error.code, message=error.message, hint=error.hint),)

    def keep(
        self, identity: str, name: str, secrets: Mapping[str, Secret], keyring: bool | None
    ) -> dict[str, StoredSecret]:
        """Keep secrets, all or none; by setting, where each lies."""
        kept: dict[str, StoredSecret] = {}
        with self.kept_if_saved(kept, name):
            for key, secret in secrets.items():
                kept[key] = self.store.keep(identity, key, secret, keyring=keyring)
        return kept

    @contextmanager
    def kept_if_saved(self, kept: Mapping[str, StoredSecret], name: str) -> Iterator[None]:
        """Delete secrets that were just kept where what refers to them is not saved."""
        try:
            yield
        except BaseException:
            self.forget([where.reference for where in kept.values()], name)
            raise

    def forget(self, references: Iterable[Json], name: str) -> tuple[Leftover, ...]:
        """Delete secrets that nothing refers to any more; what is left."""
        left = (self.store.forget(reference, name) for reference in references)
        return tuple(leftover for leftover in left if leftover is not None)

    def label_of_earlier(self, name: str) -> str | None:
        """What the history of an earlier connection of that name is called once a new one has it."""
        path = self.state(name)
        with explained(path):
            db = open_reader(path)
            if db is None:
                return None
            with closing(db):
                return label_after(db, name)

    @contextmanager
    def entered(self, config: ConnectionConfig, *, alone: bool = False) -> Iterator[SetupEntry]:
        """Open the state and have a row for a connection in it, if what is done inside succeeds.

        :param alone: not while it is synced or changed by another process.
        :raises Busy: it is.
        """
        path = self.state(config.name)
        with explained(path), closing(open_writer(path)) as db, ExitStack() as held:
            if alone:
                held.enter_context(exclusive(path, db, config.ref, self.context.clock))
            held.enter_context(transaction(db))
            yield SetupEntry(db=db, connection=connection_id(db, config.ref))

    @contextmanager
    def journaled(self, config: ConnectionConfig, asked: Requester, *, alone: bool = False) -> Iterator[SetupEntry]:
        """The same; ``changes`` of what it gives are written into the journal."""
        with self.entered(config, alone=alone) as entry:
            yield entry
            for change in entry.changes:
                note_setup(entry.db, entry.connection, change, asked, self.context.clock)

    # -- inside --------------------------------------------------------------------------------------------

    def _label(self, config: ConnectionConfig, name: str) -> str | None:
        """What the state of that name calls a connection of the file, where it knows it."""
        path = self.state(name)
        if not path.exists():
            return None
        with explained(path), closing(open_writer(path)) as db:
            row = find_connection(db, evolve(config.ref, name=name))
        return None if row is None else str(row["name"])

    @contextmanager
    def _relabelled(self, ref: ConnectionRef, new: str, asked: Requester) -> Iterator[str]:
        """Give a connection another label in the state, if what is done inside succeeds. Gives its identity."""
        path, clock = self.state(ref.name), self.context.clock
        with (
            explained(path), closing(open_writer(path)) as db, exclusive(path, db, ref, clock), transaction(db),
        ):  # fmt: skip
            identity, connection = identity_of(db, ref), connection_id(db, ref)
            rename_connection(db, ref, new)
            yield identity
            note_setup(db, connection, SetupChange(setting="name", before=ref.name, after=new), asked, clock)

    def _note_by_app(self, name: str, changes: Mapping[str, Any], asked: Requester) -> Iterator[str]:
        """What an app says changes for all its connections: each journal has it. Yields what needs a person.

        The file is changed already: one that is broken hinders no other.
        """
        now = Configuration.load(self.path, self.configuration.environ)
        for other, words in said_by_app(now, name, changes):
            try:
                later = now.connection(other, self.context.plugins.names())
                found = differences_by_app(self.config(other), later, words)
                journal = Audit(config=later, path=self.state(other), clock=self.context.clock)
                journal.setup(found, who=asked.who, reason=asked.reason)
            except ConnectorCoreError as error:
                yield f"the journal of {other} does not have what {name} changed for its app: {error.message}"
            else:
                yield from (f"{c.setting} of {other} is {c.after} by its app, and was {c.before}" for c in found)

    def _is_elsewhere(self, identity: str) -> bool:
        """Whether a copy of the configuration has the connection, or may have it."""
        return self.store.is_referred_to(identity) or self.store.doubt() is not None

    def _forget_vault(self, name: str, identity: str) -> tuple[Leftover, ...]:
        if self.store.is_referred_to(identity):  # by a copy of the configuration
            return ()
        if (doubt := self.store.doubt()) is not None and vault_file(self.state(name), identity).exists():
            return (Leftover(place=f"the vault of {name}", reason=doubt, failed=False),)
        try:
            forget_vault(self.state(name), identity)
        except StateError as error:
            return (Leftover(place=f"the vault of {name}", reason=error.message, failed=True),)
        return ()


def _settings(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if key not in WORDS and value is not None}


def _refuse_unknown(changes: Mapping[str, Any], known: Mapping[str, Setting]) -> None:
    for key in changes:
        if key not in known and key not in WORDS:
            raise UsageError(f"{key!r} cannot be set", hint=f"one of {', '.join((*WORDS, *known))} can")


def _app_elsewhere(config: ConnectionConfig) -> str | None:
    """The app that a variable names, and not the file."""
    value = config.words.get("app")
    return config.app if value is not None and value.source == "environment" else None
