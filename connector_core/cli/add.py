"""`add`: a connection set up, tried, and saved; guided on a terminal, by options elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import define, frozen

from connector_core.cli.output import error_member, exit_code_of, note, print_json, say
from connector_core.cli.program import Command, Options
from connector_core.cli.signals import interruptible
from connector_core.errors import ConfigurationError, ConnectorCoreError, UsageError
from connector_core.model import Finding, Json, Secret

if TYPE_CHECKING:
    from connector_core.config.file import ConfigFile
    from connector_core.config.secret_store import SecretStore
    from connector_core.host.host import Capabilities, Host
    from connector_core.settings import Setting


@click.command(cls=Command)
@click.argument("connector")
@click.option("--name", metavar="NAME", help="The connection's name; by default the connector's.")
@click.option("--app", metavar="APP", help="The application entry it belongs to; made where there is none.")
@click.option("--managed/--unmanaged", default=None, help="Whether access may be changed, or only read (the default).")
@click.option("--owner", metavar="WHO", help="Who answers for it.")
@click.option("--set", "pairs", multiple=True, metavar="K=V", help="A setting; may be given again.")
@click.option("--keyring/--no-keyring", default=None, help="Keep the secret in the keyring, or in a file of yours.")
@click.option("--no-check", is_flag=True, help="Save without trying it.")
@click.pass_obj
def add(
    options: Options, /, connector: str, name: str | None, app: str | None, managed: bool | None, owner: str | None,
    pairs: tuple[str, ...], keyring: bool | None, no_check: bool,
) -> int:  # fmt: skip
    """Set up a connection: application, owner, credentials.

    On a terminal it asks for what is missing. Elsewhere the secret is read from standard input. The connection is
    tried before it is saved; the secret goes into the keyring or a file that only you can read.
    """
    with options.host(new=True) as host:
        form = Form(options, host, host.capabilities(connector), name or connector)
        form.refuse_known()
        form.show_guide()
        words = Words(app=app, owner=owner, managed=managed)
        return form.fill_in(words, values_of(pairs, form.capabilities.settings), keyring, checks=not no_check)


@frozen(kw_only=True)
class Words:
    """The reserved words of a connection; an app that is there says the last two itself."""

    app: str | None = None
    owner: str | None = None
    managed: bool | None = None


@define
class Form:
    """One set-up, from the guide to the saved file."""

    options: Options
    host: Host
    capabilities: Capabilities
    name: str

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return not self.options.json and sys.stdin is not None and sys.stdin.isatty()

    @property
    def connector(self) -> str:
        return self.capabilities.manifest.name

    def refuse_known(self) -> None:
        if self.name in self.host.configuration.connections:
            raise UsageError(f"there is a connection {self.name!r} already", hint="name another one with --name")
        self.host.configuration.names([self.connector, self.name])  # names that come out alike as variables

    def show_guide(self) -> None:
        guide = self.capabilities.manifest.guide
        if self.asks and guide.steps:
            say(f"To connect {self.capabilities.manifest.display_name}:")
            for number, step in enumerate(guide.steps, 1):
                say(f"  {number}. {step}")
            if guide.url:
                say(f"  More: {guide.url}")

    def fill_in(self, given: Words, values: dict[str, Any], keyring: bool | None, *, checks: bool) -> int:
        """Ask, try, and save; again as often as a person goes back. Gives the exit code."""
        words, filled = self.words(given), self.with_required(values)
        while True:
            findings = self.tried(filled) if checks else self.well_formed(filled)
            if checks and self.asks:
                show(tuple(f for f in findings if f.level == "error"))
            failed = next((finding for finding in findings if finding.level == "error"), None)
            choice = "save" if failed is None else self.choice()
            if choice == "save":
                return self.report(save(self, words, filled, keyring), findings)
            if choice == "quit":
                assert failed is not None
                return self.unsaved(findings, failed)
            if choice == "back":
                words = self.words(given)
            filled = self.with_required(values)

    def words(self, given: Words) -> Words:
        """App, owner and managed, asked for where they are not given."""
        apps = self.host.configuration.apps
        app = given.app if given.app is not None or not self.asks else self._ask_app(apps)
        if app is not None and app in apps:
            if given.owner is not None or given.managed is not None:
                raise UsageError(
                    f"the app {app!r} is there already, and says itself who owns it",
                    hint="leave --owner, --managed and --unmanaged out; `connector-core configure` changes them",
                )
            return Words(app=app)
        if not self.asks:
            return Words(app=app, owner=given.owner, managed=bool(given.managed))
        owner, managed = given.owner, given.managed
        if owner is None:
            owner = _prompt("Owner, such as it@example.com (empty for none)", default="") or None
        if managed is None:
            managed = click.confirm("Managed: may access be changed from here?", default=False, err=True)
        return Words(app=app, owner=owner, managed=managed)

    def with_required(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The settings given, and those that are required and were found nowhere yet."""
        from connector_core.config.configuration import variable

        filled = dict(values)
        for setting in self.capabilities.settings:
            in_environment = self.host.configuration.environ.get(variable(self.name, setting.name))
            if setting.required and setting.name not in filled and not in_environment:
                filled[setting.name] = self.ask_secret(setting) if setting.secret else self._ask(setting)
        return filled

    def ask_secret(self, setting: Setting) -> Secret:
        """Without echo on a terminal, else all of standard input. Never from the command line."""
        if self.asks:
            text = _prompt(f"{setting.name} ({setting.help}; it is not shown)", hide_input=True)
        else:
            text = sys.stdin.read(_LONGEST_SECRET + 1) if sys.stdin is not None else ""
        if len(text) > _LONGEST_SECRET:
            raise ConfigurationError(f"{setting.name} is longer than {_LONGEST_SECRET:,} characters: no secret is")
        if not text.strip():
            raise ConfigurationError(
                f"{setting.name} is missing ({setting.help})",
                hint=f"pass it on standard input: connector-core add {self.connector} < token.txt",
            )
        return Secret(text.strip())

    def tried(self, values: Mapping[str, Any]) -> tuple[Finding, ...]:
        """What `check` finds, an error of the settings included, so that a person can go back."""
        self.options.remark("checking ...")
        try:
            with interruptible(self.host.cancel):
                return self.host.connection(self.name, connector=self.connector, settings=values).check()
        except ConfigurationError as error:
            return (Finding(level="error", code=error.code, message=error.message, hint=error.hint),)

    def well_formed(self, values: Mapping[str, Any]) -> tuple[Finding, ...]:
        """No request: only what can be said of the settings themselves.

        :raises ConfigurationError: they are wrong.
        """
        from connector_core.config.configuration import resolve

        config = self.host.connection(self.name, connector=self.connector, settings=values).config
        resolve(config, self.capabilities.manifest.settings)
        return ()

    def choice(self) -> str:
        """What to do about a connection that does not work. Without a person it is not saved."""
        if not self.asks:
            return "quit"
        choices = {
            "again": "enter the secret again", "back": "go back to the application", "save": "save it as it is",
            "quit": "quit without saving",
        }  # fmt: skip
        say("; ".join(f"{word}: {meaning}" for word, meaning in choices.items()))
        return str(click.prompt("What now", type=click.Choice(list(choices)), default="again", err=True))

    def report(self, places: Mapping[str, str], findings: tuple[Finding, ...]) -> int:
        path = self.host.configuration.path
        if self.options.json:
            print_json({**self._document(findings), "saved": True, "file": str(path), "secrets": dict(places)})
            return 0
        show(findings)
        note(f"saved {self.name} in {path}")
        for setting, place in places.items():
            note(f"  its {setting} lies in {place}")
        note(f"  next: connector-core run {self.name}")
        return 0

    def unsaved(self, findings: tuple[Finding, ...], failed: Finding) -> int:
        if self.options.json:
            print_json({**self._document(findings), "saved": False, **error_member(failed)})
        else:
            if not self.asks:  # a person has seen them when asked what to do
                show(findings)
            say("nothing was saved" + ("" if self.asks else "; --no-check saves it as it is"))
        return exit_code_of(failed.code)

    def _document(self, findings: tuple[Finding, ...]) -> dict[str, Any]:
        from attrs import asdict

        return {"connection": self.name, "connector": self.connector, "findings": [asdict(f) for f in findings]}

    def _ask_app(self, apps: Mapping[str, Mapping[str, Any]]) -> str | None:
        for app, facts in apps.items():
            kind = "managed" if facts.get("managed") else "unmanaged"
            say(f"  {app} ({kind}, owner {facts.get('owner') or 'nobody'})")
        label = "Application entry: " + ("one of these, or a new name" if apps else "a name")
        return _prompt(label, default=self.capabilities.manifest.display_name) or None

    def _ask(self, setting: Setting) -> str:
        if not self.asks:
            raise ConfigurationError(
                f"{setting.name} is missing ({setting.help})", hint=f"give it with --set {setting.name}=..."
            )
        return _prompt(f"{setting.name} ({setting.help})")


_LONGEST_SECRET = 65_536  # characters; what is longer is some other file


def save(form: Form, words: Words, values: Mapping[str, Any], keyring: bool | None) -> dict[str, str]:
    """Secrets first, then the file that refers to them; where each secret lies, in words."""
    keeper, kept = keeper_of(form.host), {}
    secrets = {key: value for key, value in values.items() if isinstance(value, Secret)}
    try:
        for key, secret in secrets.items():
            kept[key] = keeper.keep(form.name, key, secret, keyring=keyring)
        file_of(form.host).add_connection(form.name, *_tables(form, words, values, kept))
    except ConnectorCoreError:
        for where in kept.values():
            keeper.forget(where.reference)
        raise
    return {key: where.place for key, where in kept.items()}


def _tables(
    form: Form, words: Words, values: Mapping[str, Any], kept: Mapping[str, Any]
) -> tuple[dict[str, Json], str | None, dict[str, Json]]:
    """The connection's table, and the app with what its own table says."""
    own: dict[str, Json] = {"owner": words.owner} if words.owner else {}
    own |= {"managed": words.managed} if words.managed is not None else {}
    table: dict[str, Json] = {} if form.name == form.connector else {"connector": form.connector}
    table |= {"app": words.app} if words.app else own
    plain = {key: value for key, value in values.items() if not isinstance(value, Secret)}
    return table | plain | {key: where.reference for key, where in kept.items()}, words.app, own


def show(findings: tuple[Finding, ...]) -> None:
    """Findings as lines; what is wrong goes to standard error."""
    for finding in findings:
        write = say if finding.level == "error" else note
        write(f"{finding.level:7} {finding.message}")
        if finding.hint:
            write(f"        {finding.hint}")


def values_of(pairs: tuple[str, ...], settings: tuple[Setting, ...], words: tuple[str, ...] = ()) -> dict[str, Any]:
    """``K=V`` as values of their settings' types, None where V is empty.

    :param words: the reserved words that may be set, too.
    :raises UsageError: a name that is not known, a value that cannot be, or a secret, which others could read there.
    """
    from connector_core.config.configuration import from_text

    kinds = {word: bool if word == "managed" else str for word in words} | {s.name: s.type for s in settings}
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if any(s.secret and s.name == key for s in settings):
            raise UsageError(f"{key} is a secret: others could read it on a command line", hint="see --help")
        if not equals or key not in kinds:
            raise UsageError(f"{key!r} cannot be set", hint=f"write K=V with one of {', '.join(kinds)}")
        try:
            values[key] = from_text(text, kinds[key]) if text else None
        except ValueError as error:
            raise UsageError(f"{key}: {error}") from None
    return values


def file_of(host: Host) -> ConfigFile:
    from connector_core.config.file import ConfigFile

    return ConfigFile(_path_of(host))


def keeper_of(host: Host) -> SecretStore:
    """Secrets' files lie in a folder beside the configuration."""
    from connector_core.config.secret_store import SecretStore

    return SecretStore(_path_of(host).absolute().parent / "secrets")


def _path_of(host: Host) -> Path:
    assert host.configuration.path is not None  # hosts of the command line have one
    return host.configuration.path


def _prompt(label: str, **how: Any) -> str:
    return str(click.prompt(label, err=True, show_default=bool(how.get("default")), **how)).strip()
