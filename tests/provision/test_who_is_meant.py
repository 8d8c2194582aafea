"""Names that lie: whatever people, ids and twins there are, no account is written to but the one that the rules name.

Which account that is, the test says by a table of its own: all spellings of a name stand in one line of `NAMES`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, field, frozen
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kit.provision import Scene, scene

from connector_core import names
from connector_core.errors import ConnectorCoreError
from connector_core.model import Operation
from connector_core.provision import desired_state, matching
from connector_core.provision.plan import Limits
from connector_core.store import naming
from connector_core.store.database import open_writer
from connector_core.testing.workspace import User

NAMES = {
    "ann": ("ann@x.example", "Ann@X.example", " ann@x.example", "ann@x.example\u00a0"),
    "weiss": ("weiss@x.example", "WEISS@x.example"),
    "sharp s": ("wei\u00df@x.example",),
    "mike": ("mike@x.example", "Mike@x.example"),
    "kelvin": ("mi\u212ae@x.example",),
    "jos\u00e9": ("jos\u00e9@x.example", "jose\u0301@x.example", "JOS\u00c9@x.example"),
    "jose": ("jose@x.example",),
    "b\u00fccher": ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example", "Ann@B\u00fccher.example"),
}
NAME_OF = {spelling: name for name, spellings in NAMES.items() for spelling in spellings}
IDS = [*map(str, range(1, 6)), *(s for s in NAME_OF if s.isascii() and s == s.strip())]
LIMITS = Limits(max_removals=99, max_upgrades=99, max_downgrades=99)

spellings = st.sampled_from(sorted(NAME_OF))
roles = st.sampled_from(["editor", "viewer"])


@frozen
class Truth:
    """The accounts of the application before a command, and what the rules say of them."""

    accounts: tuple[User, ...]
    known: dict[str, str]
    """The logins that the last sync saw, by id."""

    def changeable(self, ids: set[str]) -> set[str]:
        """The one of these ids; of several spellings of one login, any, where no sync has seen all of them yet.

        That a look-up shows only one spelling of several is not promised to be noticed.
        """
        logins = {NAME_OF[account.login] for account in self.accounts if account.id in ids}
        same = [account for account in self.accounts if NAME_OF[account.login] in logins]
        if len(logins) == 1 and any(self.known.get(account.id) != account.login for account in same):
            return {account.id for account in same}
        return ids if len(ids) == 1 else set()

    def bearers(self, name: str | None) -> list[User]:
        """The accounts whose login that name is: the enabled one, where only one is."""
        same = [account for account in self.accounts if name is not None and NAME_OF.get(account.login) == name]
        enabled = [account for account in same if account.active]
        return enabled if len(enabled) == 1 else same

    def meant(self, text: str) -> set[str]:
        """The ids that a text names."""
        if text.startswith("user:"):
            return {account.id for account in self.accounts if account.id == text.removeprefix("user:")}
        found = {account.id for account in self.bearers(NAME_OF.get(text))}
        found |= {account.id for account in self.accounts if account.id in (text, text.strip())}
        return found or {a.id for a in self.accounts if a.email and NAME_OF[a.email] == NAME_OF.get(text)}


@frozen
class Attempt:
    """A command: its ``kind``, the texts that name accounts, and for each the role."""

    kind: str
    texts: tuple[tuple[str, str], ...] = ()
    prune: bool = False

    @property
    def labels(self) -> set[str | None]:
        return {NAME_OF.get(text) for text, _ in self.texts}

    def may_change(self, truth: Truth) -> set[str]:
        """The ids that it may write to."""
        if self.kind in ("sync", "rename"):
            return set()
        if self.kind not in ("create", "plan"):
            ((text, _),) = self.texts
            return truth.changeable(truth.meant(text))
        named = [{account.id for account in truth.bearers(NAME_OF[text])} for text, _ in self.texts]
        allowed = set().union(*map(truth.changeable, named))
        if self.prune:
            allowed |= {a.id for a in truth.accounts if a.active and NAME_OF[a.login] not in self.labels}
        return allowed

    def may_create(self, truth: Truth) -> set[str | None]:
        """The names for which it may make an account: those that no account has."""
        return {name for name in self.labels if not truth.bearers(name)} if self.kind in ("create", "plan") else set()

    def must_grant(self, truth: Truth) -> str | None:
        """The id that holds the role afterwards, whatever else is."""
        if self.kind != "grant" or len(fits := truth.meant(self.texts[0][0])) != 1 or truth.changeable(fits) != fits:
            return None
        (account,) = (account for account in truth.accounts if account.id in fits)
        bears = NAME_OF[account.login] == NAME_OF.get(self.texts[0][0])
        return account.id if bears and account.active else None


single = st.builds(
    lambda kind, text, role: Attempt(kind, ((text, role),)),
    st.sampled_from(["grant", "revoke", "delete"]),
    st.one_of(spellings, st.sampled_from(IDS), st.sampled_from(IDS).map("user:{}".format)),
    roles,
)
attempts_made = st.one_of(
    single,
    single,
    st.builds(lambda text, role: Attempt("create", ((text, role),)), spellings, roles),
    st.builds(
        lambda rows, prune: Attempt("plan", tuple(rows.items()), prune),
        st.dictionaries(spellings, roles, min_size=1, max_size=4),
        st.booleans(),
    ),
    st.builds(lambda old, new: Attempt("rename", ((old, "viewer"), (new, "viewer"))), spellings, spellings),
    st.just(Attempt("sync")),
)


@frozen
class Person:
    login: str
    id: str
    email: str | None = None
    active: bool = True
    role: bool = False


people = st.lists(
    st.builds(
        Person, spellings, st.sampled_from(IDS), st.one_of(st.none(), spellings),
        st.sampled_from([True, True, True, False]), st.booleans(),
    ),
    min_size=1, max_size=6, unique_by=(lambda p: p.login, lambda p: p.id),
)  # fmt: skip


@frozen
class Trial:
    """Carries attempts out and compares each with what the rules allow."""

    here: Scene
    known: dict[str, str] = field(factory=dict)

    def __call__(self, attempt: Attempt) -> None:
        truth = Truth(self.here.workspace.users(), dict(self.known))
        self.here.faults.requests.clear()
        operation = self._carried_out(attempt)
        writes = [path for method, path in self.here.faults.requests if method != "GET"]
        written = {path.strip("?").partition("/Users/")[2] for path in writes}
        what = f"{attempt} among {[(a.id, a.login, a.email, a.active) for a in truth.accounts]}"
        assert written - {""} <= attempt.may_change(truth), f"{what} wrote to {written}"
        before = {account.id for account in truth.accounts}
        made = [NAME_OF.get(a.login, a.login) for a in self.here.workspace.users() if a.id not in before]
        assert set(made) <= attempt.may_create(truth), f"{what} created {made}"
        assert len(made) == len(set(made)), f"{what} created twice"
        if (id := attempt.must_grant(truth)) is not None and attempt.kind == "grant":
            account = self.here.workspace.get(id)
            assert account is not None and account.role == (attempt.texts[0][1] == "editor"), f"{what} did {operation}"

    def _carried_out(self, attempt: Attempt) -> Operation | ConnectorCoreError | None:
        connection = self.here.connection
        calls: dict[str, Callable[..., Any]] = {
            "grant": lambda row: connection.grant(row[1], row[0]),
            "revoke": lambda row: connection.revoke(row[1], row[0], yes=True),
            "delete": lambda row: connection.delete_account(row[0], yes=True),
            "create": lambda row: connection.create_account(row[0], role=row[1]),
            "sync": self._sync,
            "rename": self._rename,
            "plan": lambda *rows: self._plan(rows, attempt.prune),
        }
        try:
            return calls[attempt.kind](*attempt.texts)  # type: ignore[no-any-return]
        except ConnectorCoreError as error:
            return error

    def _sync(self) -> None:
        self.here.connection.sync()
        self.known.clear()
        self.known.update({account.id: account.login for account in self.here.workspace.users()})

    def _rename(self, old: tuple[str, str], new: tuple[str, str]) -> None:
        user = self.here.workspace.find(old[0])
        if user is not None and self.here.workspace.find(new[0]) is None:
            self.here.workspace.replace(evolve(user, login=new[0]))

    def _plan(self, rows: tuple[tuple[str, str], ...], prune: bool) -> None:
        file = self.here.folder / "people.csv"
        file.write_text("email,role\n" + "".join(f"{text},{role}\n" for text, role in rows), "utf-8")
        self.here.connection.apply(self.here.connection.plan(file, prune=prune), limits=LIMITS, yes=True)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state file to begin with: making one takes longer than all the rest."""
    path = tmp_path_factory.mktemp("empty") / "state.db"
    with closing(open_writer(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    yield path


def check(empty: Path, examples: int, *phases: Phase) -> None:
    """Try so many worlds, each with some commands."""

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None, report_multiple_bugs=False,
        phases=phases or (Phase.explicit, Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(people, st.lists(attempts_made, min_size=1, max_size=5), st.booleans())
    def world(people: list[Person], attempts: list[Attempt], synced: bool) -> None:
        with tempfile.TemporaryDirectory() as folder, scene(Path(folder), {}, same=str) as here:
            shutil.copyfile(empty, here.state)
            here.state.chmod(0o600)
            for person in people:
                here.workspace.add(
                    person.login, id=person.id, email=person.email, active=person.active, role=person.role
                )
            run = Trial(here)
            for attempt in [*([Attempt("sync")] if synced else []), *attempts]:
                run(attempt)

    world()


def test_no_account_is_written_to_but_the_one_that_is_meant(empty: Path) -> None:
    """By single commands and by plans, before and after a sync and a rename; nobody is made a second time."""
    check(empty, 150)


@pytest.mark.slow
def test_no_account_is_written_to_but_the_one_that_is_meant_at_length(empty: Path) -> None:
    """The same with many more people."""
    check(empty, 600)


def folded(name: str) -> str:
    return name.casefold()


def as_written(name: str) -> str:
    return name.lower()


def first_of_all(text: str, accounts: Any, is_enabled: Any) -> list[Any]:
    rows = list(accounts)
    return ([row for row in rows if row.id == text] or [row for row in rows if names.is_same(row.login, text)])[:1]


@pytest.mark.parametrize("planted", ["names are case-folded", "spellings are other names", "an id goes before a login"])
def test_a_rule_that_is_broken_is_noticed(empty: Path, monkeypatch: pytest.MonkeyPatch, planted: str) -> None:
    """The test above finds what it is there to find."""
    if planted == "an id goes before a login":
        for module in (desired_state, matching, naming):
            monkeypatch.setattr(module, "fitting", first_of_all)
    elif planted == "names are case-folded":
        monkeypatch.setattr(names, "lowered", folded)
    else:
        monkeypatch.setattr(names, "lowered", as_written)
        monkeypatch.setattr(names, "_in_ascii", lambda domain: domain)
    names.normalized.cache_clear()
    try:
        with pytest.raises(AssertionError, match=r"wrote to|created"):
            check(empty, 500, Phase.generate)
    finally:
        names.normalized.cache_clear()
