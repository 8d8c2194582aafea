"""A SCIM server under test conditions, spoken to with the standard library alone.

None of our own client is used here: what a peer holds is the truth that our reading and writing are compared with.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from attrs import frozen

EXTENSION = "urn:ietf:params:scim:schemas:extension:whimsical:2.0:User"

Document = dict[str, Any]


class PeerReply(NamedTuple):
    """A reply of whatever status. ``headers`` have names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@frozen
class Peer:
    """A running server: its base ``url``, without a slash at the end, and the bearer ``token`` it takes."""

    url: str
    token: str

    def request(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> PeerReply:
        """``body`` is sent as JSON, or as it is where it is bytes. No status is an error here."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token or self.token}", "Accept": "application/scim+json"}
        if data is not None:
            headers["Content-Type"] = "application/scim+json"
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return _answer(reply)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error)

    def page(self, **params: Any) -> Document:
        """One page of users, as the server shows it."""
        page: Document = self._expect(200, self.request("GET", f"/Users?{urlencode(params)}")).json()
        return page

    def users(self) -> list[Document]:
        """All users: by cursor where the server gives one, else by index until nothing new comes."""
        found: dict[str, Document] = {}
        params: dict[str, Any] = {}
        while True:
            page = self.page(**params)
            new = [user for user in page.get("Resources", []) if user["id"] not in found]
            found |= {user["id"]: user for user in new}
            if "nextCursor" in page:
                params = {"cursor": page["nextCursor"]}
            elif new and "cursor" not in params:
                params = {"startIndex": len(found) + 1}
            else:
                return list(found.values())

    def roles(self) -> dict[str, bool | None]:
        """By login: the boolean that the extension holds, None where there is none."""
        return {user["userName"]: user.get(EXTENSION, {}).get("editor") for user in self.users()}

    def add(self, login: str, *, editor: bool | None = None, given: str = "Ada", family: str = "Invented") -> str:
        """Create a user; the new id."""
        user: Document = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", EXTENSION],
            "userName": login,
            "name": {"givenName": given, "familyName": family},
            "emails": [{"value": login, "type": "work", "primary": True}],
            "active": True,
        }
        if editor is not None:
            user[EXTENSION] = {"editor": editor}
        return str(self._expect(201, self.request("POST", "/Users", user)).json()["id"])

    def remove(self, id: str) -> None:
        self._expect(204, self.request("DELETE", f"/Users/{quote(id, safe='')}"))

    def set_role(self, id: str, editor: bool) -> None:
        operation = {"op": "replace", "path": f"{EXTENSION}:editor", "value": editor}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation]}
        self._expect((200, 204), self.request("PATCH", f"/Users/{quote(id, safe='')}", body))

    @staticmethod
    def _expect(status: int | tuple[int, ...], answer: PeerReply) -> PeerReply:
        if answer.status not in (status if isinstance(status, tuple) else (status,)):
            raise AssertionError(f"the peer answered {answer.status}: {answer.body[:300]!r}")
        return answer


def _answer(reply: Any) -> PeerReply:
    return PeerReply(reply.status, {name.lower(): value for name, value in reply.headers.items()}, reply.read())
