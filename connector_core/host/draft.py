"""A connection that is being set up: tried as often as wanted, then saved, or discarded with all that it left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from connector_core.config.configuration import ConnectionConfig
from connector_core.config.file import said_already
from connector_core.config.secret_store import StoredSecret
from connector_core.connectors.vault import forget_vault
from connector_core.errors import UsageError
from connector_core.host.setup import Setup, SetupResult
from connector_core.host.setup_words import refuse_sandbox_name
from connector_core.model import Finding, Json, Secret
from connector_core.store.connections import new_identity


@frozen(kw_only=True)
class Words:
    """The reserved words of a new connection; an app that is there says the last two itself."""

    app: str | None = None
    owner: str | None = None
    managed: bool | None = None

    def refuse_twice(self, apps: Mapping[str, object]) -> None:
        """Refuse owner and managed for an app that says them itself.

        :raises UsageError: they are given.
        """
        if self.app is not None and self.app in apps and (self.owner is not None or self.managed is not None):
            raise said_already(self.app)


@frozen(kw_only=True)
class Draft:
    """A new connection. Made by `Host.draft`; nothing is written before `save`."""

    setup: Setup
    connector: str
    name: str
    identity: str

    @classmethod
    def begin(cls, setup: Setup, connector: str, name: str | None) -> Draft:
        """:raises UsageError: there is a connection of that name, or it is kept for a sandbox."""
        setup.settings(connector)
        name = name or connector
        refuse_sandbox_name(name)
        if name in setup.configuration.connections:
            raise UsageError(f"there is a connection {name!r} already", hint="name another one with --name")
        setup.configuration.names([connector, name])  # names that come out alike as variables
        return cls(setup=setup, connector=connector, name=name, identity=new_identity())

    def check(self, settings: Mapping[str, Any], *, tries: bool = True) -> tuple[Finding, ...]:
        """What `Connection.check` finds with these settings, an error of the settings included.

        :param tries: False makes no request, and looks at the settings alone.
        :raises ConfigurationError: without a request: a setting is missing or wrong.
        """
        return self.setup.findings(self._config(settings), tries=tries)

    def save(
        self, settings: Mapping[str, Any], *, app: str | None = None, owner: str | None = None,
        managed: bool | None = None, keyring: bool | None = None,
    ) -> SetupResult:  # fmt: skip
        """Keep the secrets, then write the connection into the configuration file.

        The arguments are those of `Host.add`.

        :raises UsageError: there is a connection of that name by now, or the app says owner and managed itself.
        :raises ConfigurationError: a secret cannot be kept, or the file cannot be written; then nothing is.
        """
        setup, words = self.setup, Words(app=app, owner=owner, managed=managed)
        words.refuse_twice(setup.configuration.apps)
        known = setup.settings(self.connector)
        given = {k: v for k, v in settings.items() if v is not None}
        values = {k: Secret(v) if known[k].secret and isinstance(v, str) else v for k, v in given.items()}
        secrets = {k: v for k, v in values.items() if isinstance(v, Secret)}
        earlier = setup.label_of_earlier(self.name)
        warning = f"the state keeps the history of an earlier {self.name} as {earlier}"
        kept = setup.keep(self.identity, self.name, secrets, keyring)
        with setup.kept_if_saved(kept, self.name), setup.entered(self._config({})):
            setup.file.add_connection(self.name, *self._tables(words, values, kept))
        return SetupResult(
            connection=self.name, identity=self.identity, file=setup.path, changed=tuple(sorted(given)),
            secrets={key: where.place for key, where in kept.items()},
            warnings=() if earlier is None else (warning,),
        )  # fmt: skip

    def unsaved(self, findings: tuple[Finding, ...]) -> SetupResult:
        """The result where nothing was saved."""
        return SetupResult(
            connection=self.name, identity=self.identity, file=self.setup.path, saved=False, findings=findings
        )

    def discard(self) -> None:
        """Delete what trying it left: credentials that the application rotated meanwhile.

        :raises StateError: they cannot be deleted.
        """
        forget_vault(self.setup.state(self.name), self.identity)

    def _config(self, settings: Mapping[str, Any]) -> ConnectionConfig:
        config = self.setup.config(self.name, connector=self.connector, settings=settings)
        return evolve(config, identity=self.identity, new=True)

    def _tables(
        self, words: Words, values: Mapping[str, Any], kept: Mapping[str, StoredSecret]
    ) -> tuple[dict[str, Json], str | None, dict[str, Json]]:
        """The connection's table, and the app with what its own table says."""
        own: dict[str, Json] = {"owner": words.owner} if words.owner else {}
        own |= {"managed": words.managed} if words.managed is not None else {}
        table: dict[str, Json] = {"identity": self.identity}
        table |= {} if self.name == self.connector else {"connector": self.connector}
        table |= {"app": words.app} if words.app else own
        plain = {key: value for key, value in values.items() if not isinstance(value, Secret)}
        return table | plain | {key: where.reference for key, where in kept.items()}, words.app, own
