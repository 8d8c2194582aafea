"""Set-up for the tests of syncs: a workspace served over real sockets that can misbehave, a scripted connector, and
syncs in processes of their own that can be killed at any moment.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from wsgiref.types import WSGIApplication

import attrs
from attrs import frozen

import connector_core_whimsical.plugin as whimsical
from connector_core.clock import Clock
from connector_core.hookspecs import hookimpl
from connector_core.host.connection import Connection
from connector_core.host.host import Host
from connector_core.http import HttpPolicy
from connector_core.model import (
    AccessRow,
    Change,
    Cursor,
    Entitlement,
    EntitlementKey,
    Grant,
    Key,
    Manifest,
    Page,
    Resource,
    ResourceType,
)
from connector_core.settings import setting
from connector_core.sync import SyncPolicy
from connector_core.testing import Switches, Workspace
from kit.served import served

HASTE = HttpPolicy(retry_budget=2.0, read_timeout=5.0)

# -- a workspace that can misbehave ----------------------------------------------------------------------------------


@frozen(kw_only=True)
class Asked:
    """One request: of a listing where ``id`` is None. ``number`` counts listings from 1."""

    number: int
    start: int
    count: int
    cursor: str | None
    id: str | None


@frozen(kw_only=True)
class Reply:
    """A reply in place of the application's own."""

    status: int
    body: str
    content_type: str = "application/scim+json"


Document = dict[str, Any]


class Site:
    """A workspace over a real socket; a context manager.

    ``before``: called before the application answers. ``after``: given its document, may alter it or give a `Reply`.
    ``victim``: a process that is killed when listing number ``kill_at`` is asked for, or ``kill_at`` says so of an id.
    """

    def __init__(self, people: int = 0, *, switches: Switches | None = None, clock: Clock | None = None) -> None:
        self.workspace = Workspace(seed=1)
        self.workspace.populate(people)
        self.before: Callable[[Asked], None] = lambda asked: None
        self.after: Callable[[Asked, Document], Document | Reply] = lambda asked, document: document
        self.asked: list[Asked] = []
        self.switches = switches or Switches()
        self._lock = threading.Lock()
        self._stack = ExitStack()
        here = served(self.workspace, token="sandbox", switches=self.switches, clock=clock, around=self._around)
        self.url = self._stack.enter_context(here).url

    def _around(self, app: WSGIApplication) -> WSGIApplication:
        self._app = app
        return self

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        asked = self._note(environ)
        self.before(asked)
        head: list[Any] = []
        body = b"".join(self._app(environ, lambda *answer: head.append(answer)))  # type: ignore[arg-type]
        status, headers = head[0][:2]
        if status.startswith("200"):
            changed = self.after(asked, json.loads(body))
            if isinstance(changed, Reply):
                status, body = f"{changed.status} As Said", changed.body.encode()
                headers = [("Content-Type", changed.content_type)]
            else:
                body, headers = json.dumps(changed).encode(), [("Content-Type", "application/scim+json")]
            headers.append(("Content-Length", str(len(body))))
        start_response(status, headers)
        return [body]

    def listings(self) -> list[Asked]:
        return [a for a in self.asked if a.id is None]

    def pages(self) -> list[Asked]:
        """The listings that were asked for their rows, and not as the control that follows a 404 (P55)."""
        return [a for a in self.listings() if a.count > 2]

    def lookups(self) -> list[str]:
        return [a.id for a in self.asked if a.id is not None]

    def forget(self) -> None:
        """Forget what was asked, so that the next sync's requests are counted from 1."""
        self.asked.clear()

    def _note(self, environ: Mapping[str, Any]) -> Asked:
        query = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"], keep_blank_values=True).items()}
        id = environ["PATH_INFO"].partition("/Users/")[2] or None
        with self._lock:
            asked = Asked(
                number=len(self.listings()) + 1, start=int(query.get("startIndex", 0)),
                count=int(query.get("count", 0)), cursor=query.get("cursor"), id=id,
            )  # fmt: skip
            self.asked.append(asked)
        return asked

    def users(self) -> set[tuple[str, str | None]]:
        """The truth: logins and roles of those who are there."""
        return {(u.login, role_of(u.role) if u.active else None) for u in self.workspace.users()}


def role_of(flag: bool | None) -> str | None:
    return None if flag is None else "editor" if flag else "viewer"


def connect(db: Path, site: Site | str, *, clock: Clock | None = None, **more: Any) -> Connection:
    """The connection ``whimsical`` to a site, with more settings; its ``host`` comes with it."""
    host = Host(db=db, plugins={"whimsical": whimsical}, installed=False, http_policy=HASTE, clock=clock)
    url = site if isinstance(site, str) else site.url
    connection = host.connection("whimsical", settings={"token": "sandbox", "base_url": url, **more}, managed=True)
    connection.host = host  # type: ignore[attr-defined]
    return connection


# -- results -------------------------------------------------------------------------------------------------


def picture(connection: Connection) -> set[tuple[str, str | None]]:
    """Logins and roles, to compare with `Site.users`."""
    return {(str(row.user), row.role) for row in connection.access()}


def rows(connection: Connection, at: str | None = None) -> list[AccessRow]:
    return sorted(connection.access(at=at), key=repr)


def changed(connection: Connection) -> list[tuple[str, str | None, str, str | None, str | None]]:
    """What the last published sync changed."""
    return sorted(_change(c) for c in connection.changes())


def _change(c: Change) -> tuple[str, str | None, str, str | None, str | None]:
    return (c.kind, c.user, c.what, c.before, c.after)


def messages(connection: Connection, sync: int | None = None) -> str:
    return "\n".join(line.message for line in connection.logs(sync))


@contextmanager
def opened(db: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def dump(db: Path, *tables: str) -> list[Any]:
    with opened(db) as connection:
        return [[tuple(row) for row in connection.execute(f"SELECT * FROM {t}")] for t in tables]


# A number given twice, or a note of what is held that is not what the grants say.
_SHORTHANDS_THAT_LIE = """
SELECT r.connection, r.id FROM current_resources r JOIN connections c ON c.id = r.connection
WHERE r.number > c.numbered
OR EXISTS (SELECT 1 FROM current_resources o WHERE o.connection = r.connection AND o.number = r.number
    AND (o.type, o.id) <> (r.type, r.id))
OR r.held <> coalesce((SELECT g.source FROM grants g WHERE g.connection = r.connection AND g.principal_type = r.type
    AND g.principal_id = r.id AND g.inline), rtrim(r.held, '[]')) || (
    SELECT json_group_array(iif(g.confirmed, g.entitlement, 0)) FROM grants g WHERE g.connection = r.connection
    AND g.principal_type = r.type AND g.principal_id = r.id AND g.inline)
OR r.held IS NOT NULL AND 1 < (SELECT count(DISTINCT g.source) FROM grants g WHERE g.connection = r.connection
    AND g.principal_type = r.type AND g.principal_id = r.id AND g.inline)
"""


def assert_sound(db: Path) -> None:
    """The file is whole, nothing is left staged of a sync that ended, and the view and the reader agree."""
    with opened(db) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall()[0][0] == "ok"
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute(_SHORTHANDS_THAT_LIE).fetchall() == []
        for (name,) in connection.execute("SELECT name FROM connections WHERE baseline IS NOT NULL").fetchall():
            host = Host(db=db, plugins={}, installed=False)
            view = [dict(r) for r in connection.execute("SELECT * FROM access WHERE connection = ?", (name,))]
            read = host.connection(name, connector="none").access()
            flags = [{**r, "confirmed": bool(r["confirmed"]), "mfa": r["mfa"] and bool(r["mfa"])} for r in view]
            assert sorted(flags, key=repr) == sorted((attrs.asdict(r) for r in read), key=repr)


# -- a scripted connector --------------------------------------------------------------------------------------------

EDITOR = EntitlementKey("role", "editor", "assigned")
VIEWER = EntitlementKey("role", "viewer", "assigned")
MEMBER = "member"


@frozen(kw_only=True)
class ScriptSettings:
    base_url: str = setting(default="here", help="address")
    width: int = setting(default=1, help="decides what is read", reading=True)


Answer = Page | BaseException | Callable[[Cursor], Page]


class Script:
    """A connector that answers from a table: ``pages`` by stream and position, ``single`` by key.

    A page may be an exception, or a function of the cursor. What is not in ``single`` is gone.
    """

    def __init__(
        self, pages: Mapping[Any, Answer], *, single: Mapping[Key, Page | BaseException] | None = None
    ) -> None:
        self.pages = dict(pages)
        self.single = dict(single or {})
        self.asked: list[Any] = []
        self.types = (
            ResourceType(type="user", display_name="User", traits=("user",)),
            ResourceType(type="role", display_name="Role", traits=("role",)),
            ResourceType(type="group", display_name="Group", traits=("group",)),
        )
        self.entitlements = (
            Entitlement(resource=EDITOR.resource, slug="assigned", name="Editor", exclusive="role"),
            Entitlement(resource=VIEWER.resource, slug="assigned", name="Viewer", exclusive="role"),
        )
        self.workers = 1

    @hookimpl
    def connector_manifest(self, settings: Any) -> Manifest:
        return Manifest(
            name="script", display_name="Script", summary="", settings=ScriptSettings, resource_types=self.types,
            entitlements=self.entitlements, max_workers=self.workers,
        )  # fmt: skip

    @hookimpl
    def connector_connect(self, settings: Any) -> Script:
        return self

    @hookimpl
    def sync_page(self, cursor: Cursor | None) -> Page:
        where = None if cursor is None else (cursor.stream, cursor.position)
        self.asked.append(where)
        answer = self.pages[where]
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Page) else answer(cursor)  # type: ignore[arg-type]

    @hookimpl
    def sync_resource(self, resource: Resource) -> Page | None:
        self.asked.append(resource)
        answer = self.single.get(resource.key)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def connect(
        self, db: Path, *, clock: Clock | None = None, policy: SyncPolicy | None = None, **more: Any
    ) -> Connection:
        host = Host(db=db, plugins={"script": self}, installed=False, clock=clock, sync_policy=policy)
        connection = host.connection("script", settings=more)
        connection.host = host  # type: ignore[attr-defined]
        return connection


def user(id: str, **facts: Any) -> Resource:
    return Resource(**{"type": "user", "id": id, "login": f"{id}@example.com", "status": "enabled", **facts})


ROLES = tuple(Resource(type="role", id=id, name=id.title(), status="enabled") for id in ("editor", "viewer"))


def group(name: str) -> Resource:
    return Resource(type="group", id=name, name=name.title(), status="enabled")


def membership(name: str) -> Entitlement:
    return Entitlement(resource=Key("group", name), slug=MEMBER, name=f"Member of {name}", expands=True)


def member(name: str, of: str, type: str = "user") -> Grant:
    return Grant(EntitlementKey("group", of, MEMBER), Key(type, name))


def editor(name: str, type: str = "user") -> Grant:
    return Grant(EDITOR, Key(type, name))


def viewer(name: str, type: str = "user") -> Grant:
    return Grant(VIEWER, Key(type, name))


def first(*streams: str, **more: Any) -> Page:
    """The page that a sync begins with: the roles, and the streams at their position 0."""
    return Page(resources=ROLES, next=tuple(Cursor(s, 0) for s in streams), **more)


def users(*names: str, **more: Any) -> Page:
    """A page of editors."""
    people = tuple(user(n) for n in names)
    return Page(**{"resources": people, "grants": tuple(editor(n) for n in names), **more})


# -- syncs in processes of their own ---------------------------------------------------------------------------------


class Forks:
    """Runs syncs in processes forked from one that has everything imported already; a context manager.

    ``script``: a module that calls `serve_forks`.
    """

    def __init__(self, script: str = __name__) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[1],
        )  # fmt: skip

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        with self._process:
            try:
                self._process.stdin.close()  # its sign to end
                self._process.wait(10)
            finally:
                self._process.kill()

    def begin(self, db: Path, site: Site, *, die: str = "", run: Mapping[str, Any] | None = None, **more: Any) -> int:
        """Make a process that will sync, and wait for `go`; its number.

        :param die: ``before``, ``within`` or ``after`` publishing it kills itself.
        """
        return self.prepare({"db": str(db), "url": site.url, "die": die, "settings": more, "run": dict(run or {})})

    def prepare(self, job: Mapping[str, Any]) -> int:
        """Make a process for that job, and wait for `go`; its number."""
        self._send(job)
        return int(self._receive()["pid"])

    def go(self) -> dict[str, Any]:
        """Let it sync; ``status`` is how it ended (-9: killed), ``said`` its report."""
        self._send({})
        return self._receive()

    def sync(self, db: Path, site: Site, **more: Any) -> dict[str, Any]:
        self.begin(db, site, **more)
        return self.go()

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def serve_forks(child: Callable[[Any, int], None]) -> None:
    """Fork for each job that comes in, and tell how it ended. ``child``: given the job and a pipe to report to."""
    import sqlite_utils  # noqa: F401 - what children would import, each for itself

    for line in sys.stdin:
        go, report = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.read(go[0], 1)
            child(json.loads(line), report[1])
        os.close(go[0])
        os.close(report[1])
        print(json.dumps({"pid": pid}), flush=True)
        sys.stdin.readline()
        os.write(go[1], b"x")
        os.close(go[1])
        with os.fdopen(report[0]) as pipe:
            said = pipe.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"status": status, "said": json.loads(said) if said else None}), flush=True)


def _child(job: Mapping[str, Any], report: int) -> None:
    code = 1
    try:
        _die_when(job["die"])
        result = connect(Path(job["db"]), job["url"], **job["settings"]).sync(**job["run"])
        os.write(report, json.dumps({"status": result.sync.status, "id": result.sync.id}).encode())
        code = 0
    except Exception as error:
        os.write(report, json.dumps({"error": type(error).__name__, "message": str(error)}).encode())
    finally:
        os._exit(code)


def _die_when(moment: str) -> None:
    from connector_core.host.sync_run import SyncRun
    from connector_core.store.publish import Publisher

    publish = Publisher.publish

    def die(*_: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == "before":
        Publisher.publish = die  # type: ignore[method-assign]
    elif moment == "within":
        Publisher.publish = lambda self, clock: (publish(self, clock), die())  # type: ignore[method-assign,assign,return-value]
    elif moment == "after":
        SyncRun._report = die  # type: ignore[method-assign]


if __name__ == "__main__":
    serve_forks(_child)
