"""Credentials that a connector hands to the client: fixed ones, and those of OAuth 2."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest
from kit.tokens import CLIENT, REFRESH, SECRET, TokenApplication
from test_http_kit import reply, serving, using

from connector_core import (
    ApplicationError,
    Auth,
    ConfigurationError,
    ConnectorCoreError,
    CredentialsRefused,
    GuardRefused,
    HttpClient,
    HttpEvent,
    HttpPolicy,
    ProtocolError,
    Secret,
    api_key,
    basic,
    bearer,
    oauth2_client_credentials,
    oauth2_refresh,
)
from connector_core.connectors.vault import FileVault
from connector_core.http.loopback import LoopbackServer
from connector_core.testing.clock import FakeClock


class AuthSetup(NamedTuple):
    """The application, where it listens, a client, its clock, the writes it asked for, and its events."""

    app: TokenApplication
    url: str
    http: HttpClient
    clock: FakeClock
    writes: list[str]
    events: list[HttpEvent]

    def auth(self, secret: str = SECRET, **options: object) -> Auth:
        return oauth2_client_credentials(
            self.http, token_url=f"{self.url}/token", client_id=CLIENT, client_secret=Secret(secret), **options
        )  # type: ignore[arg-type]

    def refreshing(self, vault: FileVault, token: str = REFRESH) -> Auth:
        return oauth2_refresh(
            self.http, vault, token_url=f"{self.url}/token", client_id=CLIENT, client_secret=Secret(SECRET),
            refresh_token=Secret(token),
        )  # fmt: skip

    def get(self, auth: Auth) -> int:
        return self.http.request("GET", f"{self.url}/people", auth=auth).status


def another_client(served: AuthSetup) -> AuthSetup:
    """Another process' client of the same application."""
    return served._replace(http=HttpClient(clock=served.clock, policy=HttpPolicy(retry_budget=5.0)))


@contextmanager
def application(seconds: float = 60, expires_in: object = 60) -> Iterator[AuthSetup]:
    clock, writes, events = FakeClock(), [], []  # type: FakeClock, list[str], list[HttpEvent]
    app = TokenApplication(clock.monotonic, seconds=seconds, expires_in=expires_in)
    with LoopbackServer(app) as server:
        http = HttpClient(
            clock=clock, before_write=lambda method, url, body: writes.append(method), on_event=events.append,
            policy=HttpPolicy(retry_budget=5.0),
        )  # fmt: skip
        yield AuthSetup(app, server.url, http, clock, writes, events)
        http.close()


# -- credentials that do not change ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        (bearer(Secret(" Bearer abc\n")), "authorization", "Bearer abc"),
        (basic("ada", Secret("pass:phrase")), "authorization", "Basic YWRhOnBhc3M6cGhyYXNl"),
        (api_key(Secret("key-1 ")), "x-api-key", "key-1"),
        (api_key(Secret("key-1"), header="Api-Token"), "api-token", "key-1"),
    ],
    ids=["bearer", "basic", "api_key", "api_key with a header of its own"],
)
def test_fixed_credentials_are_sent_as_their_scheme_says(auth: Auth, header: str, value: str) -> None:
    """Each arrives in its header, and is hidden in whatever is printed."""
    with serving(reply()) as server, using() as client:
        client.request("GET", server.url, auth=auth)
        shown = client.mask(f"{header}: {value}")
    assert server.seen[0].headers[header] == value
    assert value not in shown


def test_credentials_that_cannot_be_sent_are_refused_without_quoting_them() -> None:
    """A colon in a user name, an empty key, a key with a line break: an error without the secret."""
    with pytest.raises(ConfigurationError):
        basic("a:b", Secret("password"))
    with pytest.raises(ConfigurationError):
        api_key(Secret(" "))
    with serving(reply()) as server, using() as client, pytest.raises(ConfigurationError) as caught:
        client.request("GET", server.url, auth=api_key(Secret("key-of\nmine")))
    assert "key-of" not in f"{caught.value} {caught.value.hint}"


# -- client credentials ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["basic", "post"])
def test_a_token_is_asked_for_once_and_kept_until_shortly_before_its_end(how: str) -> None:
    """Three requests need one token; once it is nearly over, the next request gets another one first."""
    with application() as served:
        auth = served.auth(client_authentication=how)
        assert [served.get(auth) for _ in range(3)] == [200, 200, 200]
        served.clock.advance(55.0)
        assert served.get(auth) == 200
    assert served.app.log == ["client_credentials", *["GET /people 200"] * 3, "client_credentials", "GET /people 200"]


@pytest.mark.parametrize("told", [1, "1"])
def test_a_token_of_one_second_serves(told: object) -> None:
    """A token that is over each second is renewed each second, with no request refused in between."""
    with application(1, told) as served:
        auth = served.auth()
        for _ in range(3):
            assert served.get(auth) == 200
            served.clock.advance(1.0)
    assert "GET /people 401" not in served.app.log


def test_a_token_that_is_revoked_early_is_renewed_once() -> None:
    """A 401 before the end of a token brings another one, and the request goes out again; a write, too."""
    with application() as served:
        auth = served.auth()
        served.get(auth)
        served.app.revoke()
        assert served.http.request("POST", f"{served.url}/people", auth=auth).status == 200
    assert served.app.log[-3:] == ["POST /people 401", "client_credentials", "POST /people 200"]


def test_eight_threads_ask_for_one_token() -> None:
    """However many threads need a token at once, one request for it leaves."""
    with application() as served, ThreadPoolExecutor(8) as threads:
        auth = served.auth()
        assert set(threads.map(lambda _: served.get(auth), range(8))) == {200}
    assert served.app.log.count("client_credentials") == 1


def test_a_token_request_is_no_write_of_the_connector() -> None:
    """Neither a read nor a write has its token request announced as a write; the write itself is."""
    with application() as served:
        auth = served.auth()
        served.get(auth)
        served.app.revoke()
        served.http.request("POST", f"{served.url}/people", auth=auth)
    assert served.writes == ["POST"]


def test_a_write_that_may_not_leave_is_stopped_though_its_token_was_asked_for() -> None:
    """What stops a write stops the write alone: the token request before it leaves, the write does not."""

    def stop(method: str, url: str, body: bytes | None) -> None:
        raise GuardRefused("stopped")

    with application() as served:
        http = HttpClient(clock=served.clock, before_write=stop)
        auth = oauth2_client_credentials(
            http, token_url=f"{served.url}/token", client_id=CLIENT, client_secret=Secret(SECRET)
        )
        with pytest.raises(GuardRefused):
            http.request("DELETE", f"{served.url}/people/1", auth=auth)
        http.close()
    assert served.app.log == ["client_credentials"]


def test_p74_nothing_that_is_printed_holds_a_secret_of_oauth() -> None:
    """Client secret, access token and refresh token are hidden in texts, events, errors and representations."""
    with application() as served:
        auth = served.auth()
        served.get(auth)
        token = next(iter(auth(False).values()))
        assert SECRET not in served.http.mask(f"x {SECRET} y")
        assert token not in served.http.mask(f"x {token} y")
        with pytest.raises(CredentialsRefused) as caught:
            served.get(served.auth(secret="another-secret"))
    printed = f"{caught.value!r} {caught.value} {caught.value.hint} {served.events} {auth!r}"
    assert all(secret not in printed for secret in (SECRET, token, "another-secret", "access-token"))


@pytest.mark.parametrize(
    ("status", "document", "error"),
    [
        ("401 Unauthorized", {"error": "invalid_client"}, CredentialsRefused),
        ("400 Bad Request", {"error": "invalid_scope"}, ApplicationError),
        ("400 Bad Request", {"error": "<b>\x1b[31m", "error_description": "s" * 999}, ApplicationError),
        ("200 OK", {"error": "invalid_grant"}, CredentialsRefused),
        ("404 Not Found", "no", ApplicationError),
        ("200 OK", {"access_token": ""}, ProtocolError),
        ("200 OK", {"access_token": "two words"}, ProtocolError),
        ("200 OK", {"access_token": "a\nb"}, ProtocolError),
        ("200 OK", {"access_token": "abc", "token_type": "mac"}, ProtocolError),
        ("200 OK", ["access_token"], ProtocolError),
    ],
)
def test_what_a_token_endpoint_says_instead_of_a_token(
    status: str, document: object, error: type[ConnectorCoreError]
) -> None:
    """Each is one clear error of one line that quotes nothing of the reply but the error code of RFC 6749."""
    with application() as served:
        served.app.refusals.append((status, document))
        with pytest.raises(ConnectorCoreError) as caught:
            served.get(served.auth())
    assert type(caught.value) is error
    assert "token endpoint /token" in caught.value.message
    assert caught.value.message.isprintable()
    assert "two words" not in caught.value.message and "sss" not in caught.value.message


@pytest.mark.parametrize("told", [None, "soon", -5, True, "1e999"])
def test_a_lifetime_that_says_nothing_lets_a_token_live_until_it_is_refused(told: object) -> None:
    """Without a lifetime that can be read, a token is kept until the application answers 401."""
    with application(1e9, told) as served:
        auth = served.auth()
        served.get(auth)
        served.clock.advance(1e6)
        assert served.get(auth) == 200
    assert served.app.log.count("client_credentials") == 1


def test_a_write_whose_renewal_fails_is_known_not_to_be_done() -> None:
    """A write answered 401 is refused by its credentials, whatever becomes of the renewal: nothing is unknown."""
    with application() as served:
        auth = served.auth()
        served.get(auth)
        served.app.revoke()
        served.app.refusals += [("503 Service Unavailable", {})] * 99
        with pytest.raises(CredentialsRefused, match="no new credentials"):
            served.http.request("POST", f"{served.url}/people", auth=auth)
    assert served.app.log.count("POST /people 401") == 1


# -- refresh tokens --------------------------------------------------------------------------------------------


def test_a_rotated_refresh_token_is_kept_for_the_next_process(tmp_path: Path) -> None:
    """Each renewal uses the refresh token of the last one; a new process begins with what the vault keeps."""
    with application() as served:
        for _ in range(3):
            auth = served.refreshing(FileVault(tmp_path / "vault"))
            assert served.get(auth) == 200
            served.clock.advance(60.0)
            assert served.get(auth) == 200
    assert served.app.log.count("refresh_token") == 6
    assert served.app.refresh_token not in served.http.mask(f"x {served.app.refresh_token} y")


def test_another_refresh_token_in_the_settings_takes_the_place_of_what_is_kept(tmp_path: Path) -> None:
    """A refresh token that was configured later is used, and not one that descends from the earlier one."""
    vault = FileVault(tmp_path / "vault")
    with application() as served:
        served.get(served.refreshing(vault))
        served.app.refresh_token = "pasted-later"
        assert served.get(served.refreshing(vault, "pasted-later")) == 200
        with pytest.raises(CredentialsRefused):
            served.get(served.refreshing(vault, "pasted-wrongly"))


def test_a_try_with_another_refresh_token_leaves_what_the_first_has_become(tmp_path: Path) -> None:
    """Both rotate: after the other was tried, the configured one goes on with what the vault keeps for it."""
    vault = FileVault(tmp_path / "vault")
    with application() as served:
        served.get(served.refreshing(vault))
        rotated, served.app.refresh_token = served.app.refresh_token, "tried"
        served.get(served.refreshing(vault, "tried"))
        served.app.refresh_token = rotated
        assert served.get(served.refreshing(vault)) == 200


def test_a_refresh_token_that_an_earlier_version_kept_goes_on(tmp_path: Path) -> None:
    """It had one place for whatever was configured; it is read as long as it descends from what is configured."""
    vault = FileVault(tmp_path / "vault")
    with application() as served:
        served.app.refresh_token = "kept-earlier"
        origin = sha256(REFRESH.encode()).hexdigest()
        vault.put("oauth2_refresh", json.dumps({"origin": origin, "token": "kept-earlier"}))
        assert served.get(served.refreshing(vault)) == 200
        assert served.get(served.refreshing(vault)) == 200


def test_a_refresh_token_that_another_host_used_first_is_no_failure(tmp_path: Path) -> None:
    """Where a host that does not see this one's locks renews at the same time, the token that it kept is taken."""

    class Racing(FileVault):
        raced = False

        def get(self, name: str) -> str | None:
            kept = super().get(name)
            if not self.raced:  # between reading and using it, the other host renews
                self.raced = True
                served.get(served.refreshing(Unlocked(tmp_path / "vault")))
            return kept

    class Unlocked(FileVault):
        def exclusive(self) -> AbstractContextManager[None]:
            return nullcontext()

    with application() as served:
        assert served.get(served.refreshing(Racing(tmp_path / "vault"))) == 200


def test_two_processes_never_use_one_refresh_token(tmp_path: Path) -> None:
    """One renews at a time: an application that takes a second use for theft sees none."""
    with application() as served, ThreadPoolExecutor(6) as pool:
        clients = [another_client(served) for _ in range(6)]
        auths = [client.refreshing(FileVault(tmp_path / "vault")) for client in clients]
        assert list(pool.map(AuthSetup.get, clients, auths)) == [200] * 6
        for client in clients:
            client.http.close()
    assert served.app.log.count("refresh_token") == 6


def test_a_vault_that_holds_something_else_is_no_failure(tmp_path: Path) -> None:
    """What cannot be read as a kept refresh token is passed over for the configured one."""
    place = f"oauth2_refresh/{sha256(REFRESH.encode()).hexdigest()[:16]}"
    for number, kept in enumerate(("nonsense", "[1]", '{"origin": 1}', '{"origin": null, "token": "x"}')):
        vault = FileVault(tmp_path / f"vault-{number}")
        for name in ("oauth2_refresh", place):
            vault.put(name, kept)
        with application() as served:
            assert served.get(served.refreshing(vault)) == 200


# -- a POST that reads -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "delete"])
def test_no_verb_that_changes_something_passes_for_a_read(method: str) -> None:
    """Neither with ``reads=True`` nor within an ``auth``: a ValueError says what is allowed, and nothing leaves."""
    with serving(reply()) as server, using() as client:

        def auth(renew: bool) -> dict[str, str]:
            client.request(method, server.url)
            return {}

        with pytest.raises(ValueError, match="only a POST or a QUERY"):
            client.request(method, server.url, reads=True)
        with pytest.raises(ValueError, match="only a GET or a POST is a token request"):
            client.request("GET", server.url, auth=auth)
        assert client.requests == 0


def test_a_post_that_reads_is_repeated_and_never_announced() -> None:
    """``reads=True`` makes a POST what a GET is: repeated after a passing fault, and no write."""
    writes: list[str] = []
    with serving(reply(503), reply(502), reply()) as server:
        client = HttpClient(clock=FakeClock(), before_write=lambda method, url, body: writes.append(method))
        assert client.request("POST", server.url, body=b"{}", reads=True).status == 200
        client.close()
    assert (len(server.seen), writes) == (3, [])


def test_a_get_that_writes_can_be_marked() -> None:
    """``reads=False`` makes a GET a write: announced, and not repeated where it may have been carried out."""
    writes: list[str] = []
    with serving(reply(500), reply()) as server:
        client = HttpClient(clock=FakeClock(), before_write=lambda method, url, body: writes.append(method))
        assert client.request("GET", f"{server.url}/deactivate", reads=False).status == 500
        client.close()
    assert (len(server.seen), writes) == (1, ["GET"])
