"""`add`: a connection set up, tried, and saved; guided on a terminal, by options elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict, define, evolve

from connector_core.cli.output import error_member, exit_code_of, note, print_json, say
from connector_core.cli.piped_secrets import PipedSecrets, checked
from connector_core.cli.program import Command, Options
from connector_core.cli.signals import interruptible
from connector_core.errors import ConfigurationError, UsageError
from connector_core.model import Finding, Secret
from connector_core.settings import sufficient_sets

if TYPE_CHECKING:
    from connector_core.host.draft import Draft, Words
    from connector_core.host.host import Capabilities, Host
    from connector_core.host.setup import SetupResult
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

    On a terminal it asks for what is missing. Elsewhere the secret is read from standard input, several of them as JSON
    or as lines NAME=VALUE. The connection is tried before it is saved; secrets go into the keyring or a file that only
    you can read.
    """
    from connector_core.host.draft import Words

    with options.host(new=True) as host:
        form = Form(options, host, host.capabilities(connector), name or connector)
        draft = host.draft(connector, name=name)
        form.show_guide()
        words = Words(app=app, owner=owner, managed=managed)
        saved = False
        try:
            result = form.fill_in(draft, words, values_of(pairs, form.capabilities.settings), keyring, not no_check)
            saved = result.saved
        finally:
            if not saved:
                draft.discard()
        return form.report(result) if saved else form.unsaved(result)


@define
class Form:
    """One set-up, from the guide to the saved file; ``changes``: of a connection that is there."""

    options: Options
    host: Host
    capabilities: Capabilities
    name: str
    changes: bool = False

    @property
    def asks(self) -> bool:
        """Whether there is a person to ask."""
        return not self.options.json and sys.stdin is not None and sys.stdin.isatty()

    @property
    def connector(self) -> str:
        return self.capabilities.manifest.name

    def show_guide(self) -> None:
        guide = self.capabilities.manifest.guide
        if self.asks and guide.steps:
            say(f"To connect {self.capabilities.manifest.display_name}:")
            for number, step in enumerate(guide.steps, 1):
                say(f"  {number}. {step}")
            if guide.url:
                say(f"  More: {guide.url}")

    def fill_in(
        self, draft: Draft, given: Words, values: dict[str, Any], keyring: bool | None, checks: bool
    ) -> SetupResult:
        """Ask, try, and save; again as often as a person goes back."""
        words, filled = self.words(given), self.with_required(values)
        while True:
            findings = self.tried(draft, filled) if checks else draft.check(filled, tries=False)
            if checks and self.asks:
                show(tuple(f for f in findings if f.level == "error"))
            choice = "save" if all(f.level != "error" for f in findings) else self.choice()
            if choice == "save":
                return evolve(draft.save(filled, keyring=keyring, **asdict(words)), findings=findings)
            if choice == "quit":
                return draft.unsaved(findings)
            if choice == "back":
                words = self.words(given)
            filled = self.with_required(values)

    def words(self, given: Words) -> Words:
        """App, owner and managed, asked for where they are not given."""
        from connector_core.host.draft import Words

        apps = self.host.configuration.apps
        app = given.app if given.app is not None or not self.asks else self._ask_app(apps)
        if app is not None and app in apps:
            given.refuse_twice(apps)
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
        """The settings given, and those that are required, or one set that is enough, and were found nowhere yet."""
        filled = dict(values)
        missing = [s for s in self.capabilities.settings if s.required and not self._has(s.name, filled)]
        if self.asks:
            chosen = self._of_a_set(filled)
            missing += [s for s in self.capabilities.settings if s.name in chosen]
        elif wanted := [*(s.name for s in missing if s.secret), *self._secrets_of_sets(filled)]:
            filled |= self.piped(wanted)
        for setting in missing:
            if filled.get(setting.name) is None:
                filled[setting.name] = self.ask_secret(setting) if setting.secret else self._ask(setting)
        return filled

    def ask_secret(self, setting: Setting) -> Secret:
        """Ask without echo, on a terminal. Never from the command line."""
        text = _prompt(f"{setting.name} ({setting.help}; it is not shown)", hide_input=True) if self.asks else ""
        return self._checked(setting, text)

    def piped(self, wanted: Collection[str]) -> dict[str, Secret]:
        """The secrets on standard input, by name; without names, the one that is wanted.

        :raises UsageError, ConfigurationError: it does not say which one it is, or holds what is no secret.
        """
        known = {s.name: s for s in self.capabilities.settings if s.secret}
        found = PipedSecrets.read(known).of(wanted)
        return {name: self._checked(known[name], text) for name, text in found.items()}

    def tried(self, draft: Draft, values: Mapping[str, Any]) -> tuple[Finding, ...]:
        """What `check` finds, an error of the settings included, so that a person can go back."""
        self.options.remark("checking ...")
        with interruptible(self.host.cancel):
            return draft.check(values)

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

    def report(self, result: SetupResult) -> int:
        if self.options.json:
            document = {
                "saved": True,
                "file": str(result.file),
                "secrets": dict(result.secrets),
                "warnings": [*result.warnings],
            }
            print_json({**self._document(result.findings), **document})
            return 0
        show(result.findings)
        note(f"saved {self.name} in {result.file}")
        for setting, place in result.secrets.items():
            note(f"  its {setting} lies in {place}")
        for warning in result.warnings:
            say(f"  {warning}")
        note(f"  next: connector-core run {self.name}")
        return 0

    def unsaved(self, result: SetupResult) -> int:
        assert result.failure is not None
        if self.options.json:
            print_json({**self._document(result.findings), "saved": False, **error_member(result.failure)})
        else:
            if not self.asks:  # a person has seen them when asked what to do
                show(result.findings)
            say("nothing was saved" + ("" if self.asks else "; --no-check saves it as it is"))
        return exit_code_of(result.failure.code)

    def _document(self, findings: tuple[Finding, ...]) -> dict[str, Any]:
        return {"connection": self.name, "connector": self.connector, "findings": [asdict(f) for f in findings]}

    def _checked(self, setting: Setting, text: str) -> Secret:
        command = f"configure {self.name} --secret {setting.name}" if self.changes else f"add {self.connector}"
        hint = f"pass it on standard input: connector-core {command} < token.txt"
        return checked(setting.name, text, hint, setting.help)

    def _has(self, name: str, values: Mapping[str, Any]) -> bool:
        from connector_core.config.configuration import variable

        return values.get(name) is not None or bool(self.host.configuration.environ.get(variable(self.name, name)))

    def _rests(self, values: Mapping[str, Any]) -> list[list[str]]:
        """What is missing of each set of settings that is enough; none where one is whole."""
        sets = sufficient_sets(self.capabilities.manifest.settings)
        rests = [[name for name in names if not self._has(name, values)] for names in sets]
        return [] if [] in rests else rests

    def _secrets_of_sets(self, values: Mapping[str, Any]) -> list[str]:
        """The secrets that may come on standard input to make a set whole: the one that alone does, else all."""
        secrets = {s.name for s in self.capabilities.settings if s.secret}
        rests = self._rests(values)
        alone = [rest[0] for rest in rests if len(rest) == 1 and rest[0] in secrets]
        every = dict.fromkeys(name for rest in rests for name in rest if name in secrets)
        return alone if len(alone) == 1 else [*every]

    def _of_a_set(self, values: Mapping[str, Any]) -> list[str]:
        """What a person is asked for to make one set whole; which one, where there are several."""
        rests = self._rests(values)
        if len(rests) < 2:
            return [name for rest in rests for name in rest]
        for number, rest in enumerate(rests, 1):
            say(f"  {number}. {' and '.join(rest)}")
        number = click.prompt("Which of these do you have", type=click.IntRange(1, len(rests)), default=1, err=True)
        return rests[number - 1]

    def _ask_app(self, apps: Mapping[str, Mapping[str, Any]]) -> str | None:
        for app, facts in apps.items():
            kind = "managed" if facts.get("managed") else "unmanaged"
            say(f"  {app} ({kind}, owner {facts.get('owner') or 'none'})")
        label = "Application entry: " + ("one of these, or a new name" if apps else "a name")
        return _prompt(label, default=self.capabilities.manifest.display_name) or None

    def _ask(self, setting: Setting) -> str:
        if not self.asks:
            raise ConfigurationError(
                f"{setting.name} is missing ({setting.help})", hint=f"give it with --set {setting.name}=..."
            )
        return _prompt(f"{setting.name} ({setting.help})")


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
        if any(s.secret and s.name == key and (text or s.required) for s in settings):
            raise UsageError(f"{key} is a secret: others could read it on a command line", hint="see --help")
        if not equals or key not in kinds:
            raise UsageError(f"{key!r} cannot be set", hint=f"write K=V with one of {', '.join(kinds)}")
        if key in values:
            raise ConfigurationError(f"{key} is set twice", hint="several values of one setting: commas between them")
        try:
            values[key] = from_text(text, kinds[key]) if text else None
        except ValueError as error:
            raise UsageError(f"{key}: {error}") from None
    return values


def _prompt(label: str, **how: Any) -> str:
    return str(click.prompt(label, err=True, show_default=bool(how.get("default")), **how)).strip()
