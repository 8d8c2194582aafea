"""`plan` and `apply` as commands: tables, documents, exit codes, questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from kit.plan import csv_of, login, office
from kit.served import TOKEN
from test_cli_change import Bench

from connector_core.cli.plan import _print_plan
from connector_core.model import EntitlementKey
from connector_core.provision.plan import Plan, Step

STAFF = {"ada@example.com": "editor", "bob@example.com": "viewer", "cyd@example.com": "viewer"}
WANTED = {"ada@example.com": "viewer", "bob@example.com": "editor", "eve@example.com": "", "cyd@example.com": ""}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with office(STAFF) as served:
        yield Bench(tmp_path, served)


def plan(bench: Bench, wanted: Any = WANTED, *more: str) -> Any:
    csv_of(bench.folder, wanted)
    return bench("plan", "whimsical", "people.csv", *more)


TABLE = """\
STEP       USER             BEFORE  AFTER         PAID SEATS
downgrade  ada@example.com  editor  viewer                -1
upgrade    bob@example.com  viewer  editor                +1
create     eve@example.com          default role           ?
3 steps, 1 unchanged; 0 removals; +0 paid seats, 1 newly taken
paid seats of 1 step are not known: the application decides the role
"""


def test_a_plan_is_shown_and_written_down(bench: Bench) -> None:
    """Each step with its effect on paid seats, and what to do next; nothing is written to the application."""
    done = plan(bench)
    assert (done.code, done.out) == (0, f"{TABLE}next: connector-core apply people.csv.plan.json\n")
    assert bench.served.writes() == 0
    assert (bench.folder / "people.csv.plan.json").exists()
    assert plan(bench, WANTED, "--out", "other.json", "--exit-code").code == 10
    assert (bench.folder / "other.json").exists()


def test_apply_shows_and_does_and_again_changes_nothing(bench: Bench) -> None:
    """The plan, each step as it is done, and the sum of it."""
    plan(bench)
    done = bench("apply", "people.csv.plan.json", "--yes", "--reason", "TICKET-7")
    assert done.code == 0
    assert done.out.startswith(TABLE)
    assert done.out.splitlines()[-4:-1] == [
        "1/3  changed    downgrade  ada@example.com",
        "2/3  changed    upgrade    bob@example.com",
        "3/3  changed    create     eve@example.com",
    ]
    assert done.out.splitlines()[-1].endswith(": complete; 3 changed")
    repeated = bench("apply", "people.csv.plan.json", "--yes")
    assert (repeated.code, "the plan was carried out in full at 20" in repeated.err) == (8, True), repeated
    again = plan(bench, WANTED, "--exit-code")
    assert (again.code, again.out.splitlines()[-1]) == (0, "nothing to do")
    assert (
        bench("plan", "whimsical", "--undo")
        .out.splitlines()[-1]
        .startswith("next: connector-core apply whimsical.undo")
    )
    assert bench("apply", "whimsical.undo.plan.json", "--yes").code == 0
    assert bench.served.truth == STAFF


def test_documents(bench: Bench) -> None:
    """One document each, with what a script needs to go on."""
    document = plan(bench, WANTED, "--json").document
    assert document["plan"] == "people.csv.plan.json"
    assert (document["seats"], document["unknown_seats"], document["removals"], document["upgrades"]) == (0, 1, 0, 1)
    assert [step["effect"] for step in document["steps"]] == ["downgrade", "upgrade", "create"]
    done = bench("apply", document["plan"], "--yes", "--json")
    assert (done.code, done.document["status"]) == (0, "complete")
    assert done.document["counts"] == {"changed": 3, "unchanged": 0, "failed": 0, "unknown": 0, "differs": 0}
    first = done.document["lines"][0]
    assert (first["ended"], first["operation"]["role"], first["operation"]["apply"]) == (
        "changed",
        "viewer",
        done.document["apply"],
    )


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_without_a_terminal_apply_needs_yes(bench: Bench, more: tuple[str, ...]) -> None:
    """Exit 8, before any request."""
    plan(bench)
    bench.served.asked.clear()
    done = bench("apply", "people.csv.plan.json", *more)
    assert done.code == 8
    assert "--yes" in (done.document["error"]["hint"] if more else done.err)
    assert bench.served.asked == []


def test_on_a_terminal_apply_asks(bench: Bench) -> None:
    """No and Ctrl-C change nothing; yes carries it out."""
    plan(bench)
    for answer, code in ((b"n\n", 8), (b"\x03", 130)):
        assert bench.answering(answer, "apply", "people.csv.plan.json")[0] == code
    assert bench.served.writes() == 0
    code, text = bench.answering(b"y\n", "apply", "people.csv.plan.json")
    assert code == 0, text
    assert "This carries out 3 steps on whimsical." in text
    assert bench.served.truth["bob@example.com"] == "editor"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("plan", "whimsical"), 2, "name a FILE, or --undo"),
        (("plan", "whimsical", "people.csv", "--undo"), 2, "name a FILE, or --undo"),
        (("plan", "whimsical", "--undo", "--prune"), 2, "name a FILE, or --undo"),
        (("plan", "whimsical", "people.csv", "--apply", "1"), 2, "name a FILE, or --undo"),
        (("plan", "whimsical", "--undo"), 2, "no plan that was carried out"),
        (("plan", "whimsical", "no.csv"), 2, "cannot read no.csv"),
        (("plan", "whimsical", "bad.csv"), 2, "line 2: there is no role 'admin'"),
        (("plan", "whimsical", "people.csv", "-o", "no/plan.json"), 2, "cannot write the plan"),
        (("apply", "no.json", "--yes"), 2, "cannot read the plan no.json"),
        (("apply", "bad.csv", "--yes"), 2, "bad.csv is no plan"),
    ],
)
def test_what_cannot_be_understood(bench: Bench, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Exit 2, in words."""
    csv_of(bench.folder, WANTED)
    csv_of(bench.folder, {"ada@example.com": "admin"}, "bad.csv")
    done = bench(*arguments)
    assert (done.code, message in done.err) == (code, True), done


def test_an_incomplete_picture_exits_6(bench: Bench) -> None:
    """With the reason, and nothing written down."""
    bench.served.workspace.add("")
    done = plan(bench)
    assert done.code == 6
    assert "the sync is incomplete" in done.err
    assert not (bench.folder / "people.csv.plan.json").exists()


def test_an_account_that_differs_exits_8(bench: Bench) -> None:
    """Named, and nothing written."""
    plan(bench)
    bench.served.workspace.remove(bench.served.id("bob@example.com"))
    done = bench("apply", "people.csv.plan.json", "--yes")
    assert done.code == 8
    assert "bob@example.com is gone" in done.err
    assert bench.served.writes() == 0


def test_a_failed_step_exits_6(bench: Bench) -> None:
    """The others are done; the line says why."""
    plan(bench)
    decline = b'{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"no seat","status":"403"}'
    bench.served.before = lambda method, target: (403, decline) if method == "POST" else None
    done = bench("apply", "people.csv.plan.json", "--yes")
    assert done.code == 6
    assert "3/3  failed     create     eve@example.com: " in done.out
    assert "no seat" in done.out
    assert done.out.splitlines()[-1].endswith(": partial; 2 changed, 1 failed")


def test_p72_refused_credentials_exit_4(bench: Bench) -> None:
    """At the first step, and with a document all the same."""
    plan(bench)
    bench.served.before = lambda method, target: (401, b"{}") if method == "PATCH" else None
    done = bench("apply", "people.csv.plan.json", "--yes", "--json")
    assert (done.code, done.document["status"], done.document["error"]["code"]) == (4, "stopped", "credentials_refused")
    assert len(done.document["lines"]) == 1


def test_limits_and_their_switches(bench: Bench) -> None:
    """Three removals of six are too many at once, until somebody says three."""
    bench.served.add({login(number): "viewer" for number in range(3)})
    plan(bench, STAFF, "--prune")
    done = bench("apply", "people.csv.plan.json", "--yes")
    assert done.code == 8
    assert "--max-removals 3" in done.err
    assert bench.served.writes() == 0
    assert bench("apply", "people.csv.plan.json", "--yes", "--max-removals", "3").code == 0
    assert bench.served.truth == STAFF


def test_downgrades_have_a_switch_and_a_count(bench: Bench) -> None:
    """Eleven are too many at once; the plan's document counts them, and the hint names the switch."""
    people = {login(number): "editor" for number in range(11)}
    bench.served.add(people)
    assert plan(bench, dict.fromkeys(people, "viewer"), "--json").document["downgrades"] == 11
    done = bench("apply", "people.csv.plan.json", "--yes")
    assert (done.code, "--max-downgrades 11 allows it" in done.err) == (8, True)
    assert bench("apply", "people.csv.plan.json", "--yes", "--max-downgrades", "11").code == 0


def test_a_plan_is_for_one_connection_whatever_it_is_called(bench: Bench) -> None:
    """Once renamed, it still is; a new connection of the old name, at the same address, is refused (exit 8)."""
    config = bench.folder / "c.toml"

    def configure(*connections: tuple[str, str]) -> None:
        config.write_text(
            "".join(
                f'[connections.{name}]\nconnector = "whimsical"\nidentity = "{identity * 32}"\nmanaged = true\n'
                f'base_url = "{bench.served.url}"\ntoken = {{ env = "PLANS_TOKEN" }}\n'
                for name, identity in connections
            )
        )
        config.chmod(0o600)

    bench.environ = {k: v for k, v in bench.environ.items() if not k.startswith("CONNECTOR_CORE_WHIMSICAL")}
    bench.environ |= {"CONNECTOR_CORE_CONFIG": str(config), "PLANS_TOKEN": TOKEN}
    configure(("first", "a"))
    csv_of(bench.folder, WANTED)
    assert bench("plan", "first", "people.csv").code == 0
    configure(("first", "b"))
    done = bench("apply", "people.csv.plan.json", "--yes")
    assert (done.code, "the plan was made for first" in done.err, bench.served.writes()) == (8, True, 0), done
    configure(("first", "b"), ("second", "a"))
    assert bench("apply", "people.csv.plan.json", "--yes").code == 0
    journal = bench("operations", "second", "--json").document["operations"]
    assert [row["apply"] is not None for row in journal] == [True] * 3


def test_protected_accounts_are_shown_as_kept(bench: Bench) -> None:
    """With a warning; planned and carried out where somebody insists."""
    protected = {"CONNECTOR_CORE_WHIMSICAL_PROTECTED": "ada@example.com"}
    csv_of(bench.folder, {"ada@example.com": "viewer"})
    done = bench("plan", "whimsical", "people.csv", "--exit-code", **protected)
    assert done.code == 0
    assert "keep  ada@example.com  editor  viewer" in done.out
    assert "warning: 1 protected account kept as before (--include-protected)" in done.err
    assert bench("plan", "whimsical", "people.csv", "--include-protected", "--exit-code", **protected).code == 10
    assert bench("apply", "people.csv.plan.json", "--yes", **protected).code == 8
    assert bench("apply", "people.csv.plan.json", "--yes", "--include-protected", **protected).code == 0


@pytest.mark.parametrize("width", [80, 120])
def test_a_plan_fits_the_terminal(bench: Bench, width: int) -> None:
    """No line of the table is longer than the terminal is wide."""
    long = "a.person.with.quite.a.long.address.indeed@a-subsidiary-of-a-subsidiary.example.com"
    csv_of(bench.folder, {long: "editor", "bob@example.com": "editor"})
    code, text = bench.on_terminal("plan", "whimsical", "people.csv", width=width)
    assert code == 0
    assert all(len(line.rpartition("\x1b[K")[2]) <= width for line in text.splitlines())


def test_seats_are_shown_where_there_are_some(capsys: pytest.CaptureFixture[str]) -> None:
    """An application that sells none has no column for them."""
    group = EntitlementKey("group", "red", "member")
    steps = (Step(kind="grant", user=login(1), user_id="1", role=group, before=(), effect="upgrade"),)
    plan = Plan(connection="c", connector="x", address="a", picture=1, created="", accounts=1, steps=steps)
    _print_plan(plan)
    shown = capsys.readouterr().out
    assert "seats" not in shown.lower()
    assert shown.splitlines()[-1] == "1 step, 0 unchanged; 0 removals"
    _print_plan(evolve(plan, steps=(evolve(steps[0], seats=1),)))
    assert "+1 paid seats" in capsys.readouterr().out


def test_exact_goes_with_a_file_alone(bench: Bench) -> None:
    """What is taken back names no people."""
    assert bench("plan", "whimsical", "--undo", "--exact").code == 2
    document = plan(bench, {"ada@example.com": "viewer"}, "--exact", "--json").document
    assert [step["effect"] for step in document["steps"]] == ["downgrade"]
