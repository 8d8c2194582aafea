"""The people of an invented application: what a stand-in server serves, and the truth that tests compare with."""

from __future__ import annotations

import contextlib
import json
import os
import random
import tempfile
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from attrs import asdict, evolve, frozen
from filelock import FileLock

from connector_core.clock import Clock, SystemClock, rfc3339
from connector_core.errors import StateError
from connector_core.testing.people import invent

FILE = "workspace.json"

Stamp = tuple[int, int, int] | None  # which version of the file: inode, time, size; None where there is no file

_UNREAD = (-1, -1, -1)


@frozen(kw_only=True)
class User:
    """One person.

    ``number`` counts users in the order of their creation. ``role`` is the one boolean in which the application keeps
    its role, None where it was never given. ``pending``: invited, and not seen to log in yet. ``version`` counts this
    user's writes.
    """

    id: str
    number: int
    login: str
    given_name: str | None = None
    family_name: str | None = None
    display_name: str | None = None
    email: str | None = None
    external_id: str | None = None
    active: bool = True
    role: bool | None = None
    pending: bool = False
    created: str = ""
    modified: str = ""
    version: int = 1


class Write(NamedTuple):
    """One request with an unsafe verb that reached the application, and the status it was answered with."""

    method: str
    path: str
    status: int


class Shuffled(NamedTuple):
    """What `Workspace.shuffle` did: logins of joiners, leavers, and people whose role changed."""

    joined: tuple[str, ...]
    left: tuple[str, ...]
    changed: tuple[str, ...]


class LoginTaken(ValueError):
    """Another user has this login already."""


class Workspace:
    """Users in the order of their creation. Safe in threads, and between processes that share a ``folder``.

    :param folder: where ``workspace.json`` keeps the users (mode 0600, replaced as a whole); None keeps them in memory.
    :param seed: ids follow from it and from the order of creation, so they are the same in every run.
    :param same: two logins are one where it makes the same of both: `str.casefold`; `str` compares letter by letter.

    ``journal`` lists the writes that this process handled.
    """

    def __init__(
        self, folder: Path | None = None, *, seed: int = 0, clock: Clock | None = None,
        same: Callable[[str], str] = str.casefold,
    ) -> None:  # fmt: skip
        self.journal: list[Write] = []
        self._file = folder / FILE if folder else None
        self._seed = seed
        self._clock = clock or SystemClock()
        self._users: dict[str, User] = {}
        self._same = same
        self._ids: dict[str, str] = {}  # by what `same` makes of the login
        self._next = 1
        self._listing: tuple[User, ...] | None = None
        self._on_disk: Stamp = None
        self._in_change = False
        self._lock = threading.RLock()
        self._between_processes: contextlib.AbstractContextManager[Any] = contextlib.nullcontext()
        if folder:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._between_processes = FileLock(folder / f"{FILE}.lock", mode=0o600)

    # -- reading ---------------------------------------------------------------------------------------------------

    def users(self) -> tuple[User, ...]:
        """Return all users, in the order of creation, pending and inactive ones included."""
        with self._lock:
            self._refresh()
            if self._listing is None:
                self._listing = tuple(self._users.values())
            return self._listing

    def get(self, id: str) -> User | None:
        with self._lock:
            self._refresh()
            return self._users.get(id)

    def find(self, login: str) -> User | None:
        """The user with this login."""
        with self._lock:
            self._refresh()
            return self._users.get(self._ids.get(self._same(login), ""))

    def __len__(self) -> int:
        return len(self.users())

    @property
    def begun(self) -> bool:
        """Whether it ever had a user: a workspace that all users left is not filled again."""
        with self._lock:
            self._refresh()
            return self._next > 1

    # -- writing ---------------------------------------------------------------------------------------------------

    def add(self, login: str, *, id: str | None = None, **facts: Any) -> User:
        """Create a user; ``facts`` are fields of `User`. Raises `LoginTaken`."""
        with self.changing():
            self._claim(login, None)
            number, self._next = self._next, self._next + 1
            now = rfc3339(self._clock.now())
            id_ = id or str(uuid.uuid5(uuid.NAMESPACE_URL, f"connector-core/{self._seed}/{number}"))
            user = User(id=id_, number=number, login=login, created=now, modified=now, **facts)
            self._put(user)
            return user

    def replace(self, user: User) -> User:
        """Store another version of a user. Raises `KeyError` where they are gone, `LoginTaken`."""
        with self.changing():
            before = self._users[user.id]
            self._claim(user.login, user.id)
            after = evolve(user, version=before.version + 1, modified=rfc3339(self._clock.now()))
            del self._ids[self._same(before.login)]
            self._put(after)
            return after

    def remove(self, id: str) -> User:
        """Take a user out. Raises `KeyError` where there is none."""
        with self.changing():
            user = self._users.pop(id)
            del self._ids[self._same(user.login)]
            self._listing = None
            return user

    def set_role(self, id: str, role: bool | None) -> User:
        """Change the role as an administrator in the application's own pages would. Raises `KeyError`."""
        with self.changing():
            return self.replace(evolve(self._users[id], role=role))

    def log_in(self, id: str) -> User:
        """A pending user accepts the invitation. Raises `KeyError`."""
        with self.changing():
            return self.replace(evolve(self._users[id], pending=False))

    def populate(self, count: int, *, seed: int = 0) -> None:
        """Add ``count`` invented people, about a third of them with the role."""
        rng = random.Random(seed)  # noqa: S311 - people, not secrets
        with self.changing():
            for _ in range(count):
                given, family, login = invent(rng, self._next)
                role = rng.random() < 1 / 3
                self.add(login, given_name=given, family_name=family, email=login, role=role)

    def shuffle(self, seed: int | None = None, *, joiners: int = 3, leavers: int = 2, changes: int = 3) -> Shuffled:
        """A day in the life: some leave, some change their role, some join. ``seed`` None makes every day differ."""
        rng = random.Random(seed)  # noqa: S311 - people, not secrets
        with self.changing():
            known = list(self._users.values())
            moved = rng.sample(known, min(len(known), leavers + changes))
            left, changed = moved[:leavers], moved[leavers:]
            for user in left:
                self.remove(user.id)
            for user in changed:
                self.set_role(user.id, not user.role)
            before = self._next
            self.populate(joiners, seed=rng.getrandbits(32))
            joined = [user for user in self._users.values() if user.number >= before]
        return Shuffled(*(tuple(user.login for user in group) for group in (joined, left, changed)))

    def writes(self) -> Counter[str]:
        """How many requests of each unsafe verb this process handled, refused ones included."""
        return Counter(write.method for write in self.journal)

    # -- keeping ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Read and write as one: no other thread writes meanwhile, and the file is written once, at the end."""
        with self._lock:
            if self._in_change:
                yield
                return
            with self._between_processes:
                self._refresh()
                self._in_change = True
                try:
                    yield
                    self._save()
                except BaseException:
                    self._on_disk = _UNREAD  # half a change may be in memory; what is on disk is whole
                    raise
                finally:
                    self._in_change = False

    def _refresh(self) -> None:
        """Take over what another process wrote. A look at the file's stamp, where nothing was."""
        if self._file is None or self._in_change:
            return
        stamp = self._stamp(self._file)
        if stamp != self._on_disk:
            self._load(self._file)
            self._on_disk = stamp

    def _load(self, file: Path) -> None:
        try:
            kept: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {"next": 1, "users": []}
            users = [User(**user) for user in kept["users"]]
            self._next = kept["next"]
        except (ValueError, TypeError, KeyError) as error:
            raise StateError(
                f"{file} is not a workspace: {error}", hint="delete it to begin with an empty one"
            ) from error
        self._users = {user.id: user for user in users}
        self._ids = {self._same(user.login): user.id for user in users}
        self._listing = None

    def _save(self) -> None:
        if self._file is None:
            return
        users = [asdict(user) for user in self._users.values()]
        handle, name = tempfile.mkstemp(dir=self._file.parent)  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({"next": self._next, "users": users}, out, ensure_ascii=False, indent=1)
        Path(name).replace(self._file)
        self._on_disk = self._stamp(self._file)

    @staticmethod
    def _stamp(file: Path) -> Stamp:
        try:
            found = file.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _claim(self, login: str, id: str | None) -> None:
        if self._ids.get(self._same(login), id) != id:
            raise LoginTaken(login)

    def _put(self, user: User) -> None:
        self._users[user.id] = user
        self._ids[self._same(user.login)] = user.id
        self._listing = None
