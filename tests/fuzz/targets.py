"""Each reader with input made from a seed, and what must hold whatever that is.

A target raises `AssertionError` where a promise is broken; any error that the reader is not documented to raise passes
through as it is. Both are findings.
"""

from __future__ import annotations

import atexit
import gzip
import json
import math
import random
import tempfile
import tomllib
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from connector_core.cli.output import clean
from connector_core.config.configuration import Configuration, described, resolve
from connector_core.config.file import ConfigFile
from connector_core.connectors.vault import FileVault
from connector_core.convert import compact, from_json, to_json
from connector_core.errors import (
    ApplicationError,
    ConfigurationError,
    CredentialsRefused,
    ProtocolError,
    StateError,
    UsageError,
)
from connector_core.http import Response, parse_retry_after
from connector_core.http.address import checked, origin
from connector_core.http.body import Unreadable, _unpacked
from connector_core.http.masking import Mask
from connector_core.http.retry import RetryBudget
from connector_core.http.retry_after import asked_wait
from connector_core.http.values import HttpPolicy
from connector_core.model import EntitlementKey, Page, Secret
from connector_core.provision.people_file import read_people
from connector_core.provision.plan import Plan, Step, read_plan, write_plan
from connector_core.scim import clean_token, listing, status
from connector_core.scim.reading import to_text
from connector_core.settings import declared
from connector_core.testing import FakeClock
from connector_core_whimsical import users
from connector_core_whimsical.settings import Settings
from fuzz.mutations import altered_once, text, twisted, value, worse

URN = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"
NOW = 1_800_000_000.0


# -- the SCIM reader -------------------------------------------------------------------------------------------------


def listings(rng: random.Random) -> None:
    """A page of users: read or refused, nothing invented, nobody lost, no role guessed."""
    document = twisted(rng, _listing(rng), rng.choice((0.05, 0.15, 0.4)))
    raw = json.dumps(document, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    if rng.random() < 0.3:
        raw = worse(rng, raw)
    try:
        read = Response(status=200, headers={}, body=raw, url="https://x.example/Users", method="GET").json()
        reply = listing.parse(read) if isinstance(read, dict) else None
    except ProtocolError:
        return
    if reply is None:
        return
    assert reply.total is None or 0 <= reply.total <= 2**53
    page = users.reader(None, 1).page(reply.rows)  # type: ignore[arg-type] # rows alone
    _nothing_invented(page, read)
    _nobody_lost(page, reply.rows)
    _no_role_guessed(page, reply.rows)
    compact(to_json(page)).encode()


def _listing(rng: random.Random) -> Any:
    return {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 3, "startIndex": 1,
        "Resources": [_user(n) for n in range(rng.randrange(4))],
    }  # fmt: skip


def _user(n: int) -> Any:
    return {
        "id": f"id-{n}", "userName": f"p{n}@example.com", "active": True, "displayName": f"Person {n}",
        "name": {"givenName": "Per", "familyName": f"Son{n}"}, "externalId": f"ext-{n}",
        "emails": [{"value": f"p{n}@example.com", "primary": True}], URN: {"editor": bool(n % 2)},
    }  # fmt: skip


def _texts(document: Any) -> Iterator[str]:
    """Every text in a document, and every number as text."""
    if isinstance(document, dict):
        for key, inner in document.items():
            yield to_text(key)
            yield from _texts(inner)
    elif isinstance(document, list):
        for inner in document:
            yield from _texts(inner)
    elif isinstance(document, str):
        yield to_text(document)
    elif document is not None:
        yield str(document)


def _nothing_invented(page: Page, document: Any) -> None:
    known = set(_texts(document))
    for resource in page.resources:
        facts = [resource.id, resource.login, resource.email, *resource.profile.values()]
        assert all(fact is None or fact in known for fact in facts), resource
        assert resource.name is None or resource.name in known or set(resource.name.split(" ")) <= _words(known)


def _words(known: set[str]) -> set[str]:
    return {word for known_text in known for word in known_text.split(" ")}


def _nobody_lost(page: Page, rows: list[Any]) -> None:
    """Every row is a user, or rejected with a reason, or repeats an id."""
    assert len(page.resources) + len(page.rejected) <= len(rows)
    seen = {r.id for r in page.resources} | {row.key.id for row in page.rejected if row.key}
    for row in rows:
        id = row.get("id") if isinstance(row, dict) else None
        if isinstance(id, str) and id.strip() not in ("", ".", "..") and to_text(id) == id:
            assert id in seen, row
    assert len({r.key for r in page.resources}) == len(page.resources)


def _no_role_guessed(page: Page, rows: list[Any]) -> None:
    """A grant is of one who is listed and enabled, each has one at most, and its row says so with a real boolean."""
    by_key = {r.key: r for r in page.resources}
    holders = [grant.principal for grant in page.grants]
    assert len(set(holders)) == len(holders)
    assert set(holders).isdisjoint(page.unknown) and set(holders) | set(page.unknown) <= set(by_key)
    for grant in page.grants:
        assert by_key[grant.principal].status != "disabled"
        wanted = grant.entitlement.id == "editor"
        mine = [row for row in rows if isinstance(row, dict) and str(_any_case(row, "id")) == grant.principal.id]
        assert any(wanted in set(map(_truth, _editors(row))) for row in mine), (grant, mine)


def _any_case(row: dict[str, Any], name: str) -> Any:
    return row.get(name, next((inner for key, inner in row.items() if key.casefold() == name.casefold()), None))


def _editors(row: Any) -> Iterator[Any]:
    """Whatever a row says under a name that ends with editor."""
    if isinstance(row, dict):
        for key, inner in row.items():
            if key.casefold().endswith("editor"):
                yield inner
            yield from _editors(inner)


def _truth(said: Any) -> bool | None:
    if isinstance(said, str):
        return {"true": True, "false": False}.get(said.strip().casefold())
    return bool(said) if said in (0, 1) and isinstance(said, int) else None


def errors(rng: random.Random) -> None:
    """Any reply under any status: a success, or one typed error with a short printable message without the token."""
    token = "s3cr3t-" + "".join(rng.choices("abcXYZ/+=%&", k=20))
    plain = {"schemas": [status.ERROR], "status": "409", "scimType": "uniqueness", "detail": f"no {token}"}
    document = twisted(rng, plain, 0.3)
    raw = worse(rng, json.dumps(document).encode()) if rng.random() < 0.5 else json.dumps(document).encode()
    url = f"https://x.example/Users/{token if rng.random() < 0.2 else 1}"
    code = rng.choice((200, 201, 204, 301, 400, 401, 403, 404, 405, 409, 410, 412, 418, 429, 500, 501, 503, 599))
    method = rng.choice(("GET", "POST", "PATCH", "DELETE"))
    response = Response(status=code, headers={}, body=raw, url=url, method=method)
    try:
        status.check(response, status.readable(response), mask=Mask([token]), hints={})
    except (ApplicationError, CredentialsRefused) as error:
        assert token not in str(error) and len(str(error)) < 400
        assert str(error).isprintable()
    else:
        assert code < 300


def bodies(rng: random.Random) -> None:
    """A packed body: unpacked, or refused; never more than the limit."""
    plain, cap = json.dumps(_listing(rng)).encode() * rng.choice((1, 20, 2000)), rng.choice((10, 1000, 100_000))
    packing = rng.choice(("gzip", "deflate", "", "br", "GZIP ", "identity", "x" * 90))
    packed = {"g": gzip.compress, "d": zlib.compress}.get(packing[:1].lower(), bytes)(plain)
    raw = packed if rng.random() < 0.3 else worse(rng, packed)
    try:
        body = _unpacked(raw, packing, cap)
    except Unreadable as error:
        assert len(str(error)) < 120
        return
    assert len(body) <= cap


# -- headers, addresses, tokens --------------------------------------------------------------------------------------

_WAITS = (
    "120", "0.5", "1800000060", "1800000060000", "Fri, 15 Jan 2027 08:01:00 GMT", "Friday, 15-Jan-27 08:01:00 GMT",
    "Fri Jan 15 08:01:00 2027", "2027-01-15T09:01:00.5+01:00", "2027-W02-5T08", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "1e400", "-inf", "Fri, 99 Jan 99999 08:01:00 +9999",
)  # fmt: skip


def waits(rng: random.Random) -> None:
    """Retry-After: seconds from nought to the longest allowed, or nothing; no error."""
    header = text(rng, _WAITS)
    seconds = parse_retry_after(header, NOW)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0.0), header
    asked = asked_wait(rng.choice((429, 503)), {"Retry-After": header, "RateLimit-Reset": text(rng, _WAITS)}, NOW)
    if asked is not None:
        policy = HttpPolicy()
        patience = RetryBudget(policy, FakeClock(), random.Random(1))
        assert 0.0 <= patience.clamped(asked) <= policy.max_retry_after
        pause = patience.pause(Response(status=429, headers={}, body=b"", url="https://x", method="GET"), asked)
        assert pause is not None and 0.0 <= pause <= policy.max_retry_after


_ADDRESSES = (
    "https://api.example.com/scim-v2", "http://127.0.0.1:8080/x?y#z", "https://me:p4ssw0rd@example.com", "https://[::1]:9/",
    "http://localhost.example.com", "http://127.0.0.1.example.com/", "http://2130706433/", "https://ex\u2024ample.com",
)  # fmt: skip


def addresses(rng: random.Random) -> None:
    """An address: refused, or https, or this very machine; never with a password in it."""
    pasted = text(rng, _ADDRESSES)
    assert isinstance(origin(pasted), str)
    try:
        address = checked(pasted, {"filter": text(rng, _ADDRESSES)})
    except ConfigurationError as error:
        assert "p4ssw0rd" not in error.message
        return
    assert address.scheme == "https" or (address.host or "").strip("[]").endswith(("localhost", "::1")) or (
        (address.host or "").startswith("127.")
    ), address  # fmt: skip
    assert address.auth is None and address.fragment is None


def tokens(rng: random.Random) -> None:
    """A pasted token: one word of printable ASCII, or an error that does not quote it."""
    pasted = text(rng, ("Bearer s3cr3t-token-of-somebody", "s3cr3t-token-of-somebody\n", "bearer  s3cr3t-token"))
    try:
        token = clean_token(Secret(pasted)).reveal()
    except ConfigurationError as error:
        assert "s3cr3t" not in f"{error} {error.hint}"
        return
    assert token and token.isascii() and token.isprintable() and " " not in token and token in pasted


def terminals(rng: random.Random) -> None:
    """What is shown: one line, nothing that steers, and the text itself where there was nothing of the kind."""
    foreign = text(rng, ("Ada Lovegrove", "Zoë 夏", "admin\x1b[2J\r\n", "a\u202eb\u2066c"))
    shown = clean(foreign)
    assert all(c.isprintable() or c in "\u00a0\u3000\u2000\u202f\u205f\u1680" or c.isspace() for c in shown)
    assert len(shown.splitlines()) <= 1
    assert shown == foreign or not foreign.isprintable()


# -- files that people write -----------------------------------------------------------------------------------------


def _file(raw: bytes) -> Path:
    path = Path(_folder()) / "named"
    path.write_bytes(raw)
    path.chmod(0o600)
    return path


@cache
def _folder() -> str:
    folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    atexit.register(folder.cleanup)
    return folder.name


EDITOR = EntitlementKey("role", "editor", "assigned")
_PEOPLE = (
    b"email,role,given_name,family_name\nada@example.com,editor,Ada,Lovegrove\n"
    b'bo@example.com,,"Bo, Jr.","O""Neill"\n"cy@example.com",viewer,,\n'
)


def people(rng: random.Random) -> None:
    """A CSV of who should have what: read, or refused with its lines; everybody in it stands in the file."""
    raw = worse(rng, _PEOPLE)

    def role(name: str) -> EntitlementKey:
        if name not in ("editor", "viewer"):
            raise UsageError(f"there is no role {name!r}")
        return EntitlementKey("role", name, "assigned")

    try:
        read = read_people(_file(raw), role)
    except UsageError as error:
        assert len(error.message) < 20_000 and error.exit_code == 2
        return
    written = raw.decode("utf-8-sig").lower()
    assert len({person.login for person in read}) == len(read) <= raw.count(b"\n") + raw.count(b"\r") + 1
    for person in read:
        assert person.login.replace('"', '""') in written or person.login in written
        assert person.login.isprintable() and person.login.count("@") == 1
        assert person.role is None or person.role.id in written


_PLAN = Plan(
    connection="whimsical", connector="whimsical", address="0123456789abcdef", picture=7,
    created="2027-01-15T08:00:00Z", accounts=12, unchanged=3, warnings=("one",),
    steps=(
        Step(kind="grant", user="ada@example.com", user_id="id-1", role=EDITOR, before=(), seats=1, effect="upgrade"),
        Step(kind="delete_account", user="bo@example.com", user_id="id-2", before=(EDITOR,), seats=-1, effect="remove"),
        Step(kind="create_account", user="cy@example.com", given_name="Cy", seats=None, effect="create"),
    ),
).sealed()  # fmt: skip


def plans(rng: random.Random) -> None:
    """A plan that was altered is refused, wherever and however; one that reads the same is the same."""
    path = Path(_folder()) / "plan.json"
    write_plan(_PLAN, path)
    raw, kind = path.read_bytes(), rng.randrange(3)
    if kind == 0:
        raw = altered_once(rng, raw)
    elif kind == 1:
        raw = worse(rng, raw)
    else:
        raw = json.dumps(twisted(rng, json.loads(raw), 0.05)).encode()
    try:
        read = read_plan(_file(raw))
    except UsageError as error:
        assert error.exit_code == 2 and len(error.message) < 1_000 + len(_folder())
        return
    assert read == _PLAN


_CONFIG = b"""\
# ours
[apps."Whimsical"]
owner = "it@example.com"
managed = true

[connections.whimsical]
app = "Whimsical"   # the app
token = { env = "TOKEN" }
page_size = 50
protected = ["ada@example.com"]

[connections."other one"]
connector = "whimsical"
base_url = "https://api.example.com/scim"
token = { file = "token" }
"""


def configurations(rng: random.Random) -> None:
    """A configuration file: every connection can be told, or the error is one of the configuration."""
    raw = worse(rng, _CONFIG)
    environ = {"TOKEN": "s3cr3t-token", "CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE": text(rng, ("50", "-1", "x"))}
    if "\0" in environ["CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE"]:
        return
    try:
        configuration = Configuration.load(_file(raw), environ, required=True)
        names = configuration.names(["whimsical"])
    except ConfigurationError:
        return
    for name in names:
        try:
            config = configuration.connection(name, ["whimsical"])
            table = described(config, declared(Settings))
            assert "s3cr3t" not in repr(table)
            settings = resolve(config, Settings, sandbox_address="http://127.0.0.1:1" if config.sandbox else None)
        except (ConfigurationError, UsageError) as error:
            assert "s3cr3t" not in f"{error} {error.hint}"
            continue
        assert 1 <= settings.page_size <= 1000 and settings.viewer_revoke in ("deactivate", "refuse")


def edits(rng: random.Random) -> None:
    """Changing a file: what it does not concern stays as it was, and it can be read; or nothing is done."""
    raw = worse(rng, _CONFIG)
    path = _file(raw)
    change = rng.choice((_change, _add, _remove, _rename))
    try:
        touched = change(ConfigFile(path), text(rng, ("whimsical", "other one", "third", 'a.b"c')))
    except (ConfigurationError, UsageError):
        assert path.read_bytes() == raw
        return
    before, after = (tomllib.loads(b.decode("utf-8-sig")) for b in (raw, path.read_bytes()))
    for document in (before, after):
        for name in touched:
            document.get("connections", {}).pop(name, None)
        if not document.get("connections"):
            document.pop("connections", None)
    assert compact(to_json(_plain(before))) == compact(to_json(_plain(after))), (touched, raw, path.read_bytes())


def _plain(document: Any) -> Any:
    if isinstance(document, dict):
        return {key: _plain(inner) for key, inner in document.items()}
    if isinstance(document, list):
        return [_plain(inner) for inner in document]
    return document if isinstance(document, bool | int | str) else repr(document)


def _change(file: ConfigFile, name: str) -> list[str]:
    file.change("whimsical", {"page_size": 7, "protected": [name]})
    return ["whimsical"]


def _add(file: ConfigFile, name: str) -> list[str]:
    file.add_connection(name, {"connector": "whimsical", "token": {"env": "X"}})
    return [name]


def _remove(file: ConfigFile, name: str) -> list[str]:
    file.remove("other one")
    return ["other one"]


def _rename(file: ConfigFile, name: str) -> list[str]:
    file.rename("whimsical", name, "whimsical")
    return ["whimsical", name]


def vaults(rng: random.Random) -> None:
    """A vault that something else wrote into: a text, or nothing, or an error that quotes none of it."""
    raw = worse(rng, json.dumps({"token": "s3cr3t-token", "other": "s3cr3t-other"}).encode())
    if rng.random() < 0.5:
        raw = json.dumps(twisted(rng, {"token": "s3cr3t-token"}, 0.5)).encode()
    vault = FileVault(_file(raw))
    try:
        kept = vault.get("token")
        vault.put("token", "s3cr3t-new")
    except StateError as error:
        assert "s3cr3t" not in f"{error} {error.hint}"
        return
    assert kept is None or isinstance(kept, str)
    assert vault.get("token") == "s3cr3t-new"


def values(rng: random.Random) -> None:
    """JSON for a setting or a step: a value that says the same, or an error of the configuration."""
    kind: Any = rng.choice((int, bool, str, float, tuple[str, ...], Step, EntitlementKey))
    document = twisted(rng, to_json(_PLAN.steps[0]), 0.2) if kind is Step else value(rng)
    try:
        read = from_json(document, kind, what="it")
    except ConfigurationError:
        return
    assert from_json(to_json(read), kind, what="it") == read


Target = Callable[[random.Random], None]
TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        listings, errors, bodies, waits, addresses, tokens, terminals, people, plans, configurations, edits, vaults,
        values,
    )
}  # fmt: skip


def run(name: str, seed: int) -> None:
    """One case. The same name and seed always make the same input."""
    TARGETS[name](random.Random(f"{name} {seed}"))
