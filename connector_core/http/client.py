"""`HttpClient`: one request from beginning to end."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Literal

import urllib3
from urllib3.util import Timeout

from connector_core.clock import Clock, SystemClock
from connector_core.errors import (
    ApplicationError,
    CredentialsRefused,
    Interrupted,
    ProtocolError,
    RateLimited,
    Unreachable,
)
from connector_core.http.address import Params, checked, origin
from connector_core.http.authentication import Authentication, checked_headers
from connector_core.http.body import ACCEPTED, Unreadable, read_body
from connector_core.http.call import Call, reads_by_method, require_known_verb
from connector_core.http.limits import RateLimits
from connector_core.http.masking import Mask
from connector_core.http.response import Response
from connector_core.http.retry import RetryBudget, asked_by, may_repeat
from connector_core.http.transport import Transport, send
from connector_core.http.transport_errors import TransportError, transport_error
from connector_core.http.values import Auth, HttpEvent, HttpPolicy
from connector_core.model import Secret

BeforeWrite = Callable[[str, str, bytes | None], None]

_JITTER = 0.1  # of a wait that several threads share, so that they do not all come back in one instant


class HttpClient:
    """Sends requests with deadlines, retries, rate limits, size caps and masking. Safe in threads.

    :param cancel: once set, every wait and every further request raises `Interrupted`.
    :param on_event: called with each step, in the thread that takes it.
    :param before_write: called with method, address and body once for each request that may change something, just
        before it first leaves; what it raises is passed on, and nothing leaves.
    :param secrets: never shown; nor is what ``auth`` gives.
    :param environ: where proxies and certificates are named; None looks nowhere.
    :param seed: where chance comes from, for tests.
    :param pool_size: connections kept open to a host; as many as threads use the client.
    """

    def __init__(
        self,
        *,
        policy: HttpPolicy = HttpPolicy(),  # noqa: B008 - immutable
        clock: Clock = SystemClock(),  # noqa: B008 - without state
        cancel: threading.Event | None = None,
        on_event: Callable[[HttpEvent], None] | None = None,
        before_write: BeforeWrite | None = None,
        secrets: Iterable[Secret] = (),
        environ: Mapping[str, str] | None = None,
        seed: random.Random | None = None,
        pool_size: int = 8,
    ) -> None:
        self.requests = 0
        """Sent so far, repetitions included."""
        self.refused = 0
        """Of these, how many were answered 429."""
        self.accepted = 0
        """Writes that were answered 202: the application will carry them out, or already has."""
        self._mask = Mask(secret.reveal() for secret in secrets)
        self._policy = policy
        self._clock = clock
        self._cancel = cancel
        self._on_event = on_event
        self._before_write = before_write
        self._chance = seed or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._transport = Transport(environ=environ or {}, pool_size=pool_size, mask=self._mask)
        self._limits = RateLimits(clock)
        self._counting = threading.Lock()
        self._authentication = Authentication(self._mask)
        self._ends = None if policy.deadline is None else clock.monotonic() + policy.deadline

    def __repr__(self) -> str:
        return f"<HttpClient, {self.requests} requests sent>"

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._transport.close()

    def set_rate(self, per_second: float, *, limit: str = "default") -> None:
        """Send no more requests a second than that on a limit. One that is not set is learned from refusals."""
        self._limits.set(limit, per_second)

    def mask(self, text: str) -> str:
        """``text`` with every secret known so far replaced by ``***``."""
        return self._mask(text)

    def conceal(self, *secrets: Secret) -> None:
        """Hide these from now on, in whatever is printed or logged of this client."""
        self._mask.learn(*(secret.reveal() for secret in secrets))

    @property
    def clock(self) -> Clock:
        """The clock that this client goes by."""
        return self._clock

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Params | None = None,
        body: bytes | None = None,
        auth: Auth | None = None,
        limit: str = "default",
        reads: bool | None = None,
    ) -> Response:
        """Send a request, again where that is safe and may help, and return the reply, whatever its status.

        :param params: added to the query.
        :param auth: ``auth(False)`` gives headers; after a 401, ``auth(True)`` is asked once, by one thread.
        :param limit: requests of one name wait together when the application asks to slow down.
        :param reads: True says that a POST changes nothing (GraphQL, SCIM ``.search``): it is repeated like a GET,
            and allowed wherever a GET is. None goes by the method.

        What ``auth`` requests while it is asked is a token request, a GET or a POST, and no write.

        :raises ValueError: another verb than POST or QUERY with ``reads=True``, or another one within an ``auth``.

        Raises `Unreachable` where no reply came (of a write nothing is known then), `RateLimited` where the last reply
        was a 429, `ProtocolError` for a redirect (never followed, P47) or a reply too large or damaged,
        `ConfigurationError` before anything leaves, `Interrupted`, and what ``before_write`` and ``auth`` raise.
        """
        for_token = self._authentication.is_asking
        require_known_verb(method, reads=reads, for_token=for_token)
        address = checked(url, params)
        call = Call(
            method=method.upper(),
            address=address,
            pool=self._transport.pool(address),
            headers=_defaults() | checked_headers(headers or {}),
            body=body,
            auth=auth,
            limit=limit,
            reads=reads_by_method(method) if reads is None else reads,
            for_token=for_token,
        )
        response = self._concluded(call, self._insist(call))
        with self._counting:
            self.accepted += response.status == 202 and not call.reads and not call.for_token
        return response

    # -- the loop of attempts ----------------------------------------------------------------------------------

    def _insist(self, call: Call) -> Response | TransportError:
        """Try until there is a result that stands."""
        self._await_turn(call)
        patience = RetryBudget(self._policy, self._clock, self._chance)
        while True:
            result = self._authenticated(call)
            asked = asked_by(result, self._clock.now())
            if asked is not None:
                self._limits[call.limit].close_for(patience.clamped(asked))
            pause = patience.pause(result, asked) if may_repeat(call, result, asked) else None
            if pause is None or pause > self._left():
                return result
            self._tell("retry", call, result, pause)
            self._pause(call, result, pause)

    def _pause(self, call: Call, result: Response | TransportError, seconds: float) -> None:
        if isinstance(result, Response) and result.status in (429, 503):
            self._limits[call.limit].close_for(seconds)
        else:
            self._wait(call, seconds)
        self._await_turn(call)

    def _await_turn(self, call: Call) -> None:
        """Wait until the limit lets requests through; another thread may have prolonged it meanwhile."""
        limit = self._limits[call.limit]
        while True:
            while seconds := limit.remaining():
                self._check_patience(call, seconds)
                self._wait(call, seconds * (1 + self._chance.uniform(0.0, _JITTER)))
            seconds = limit.turn()
            self._check_patience(call, seconds)
            if seconds:
                self._clock.sleep(seconds, self._cancel)  # one of many, each short: nothing to tell
            if not limit.remaining():
                return

    def _check_patience(self, call: Call, seconds: float) -> None:
        if seconds > self._left():
            raise RateLimited(
                self.mask(f"{call} must wait for {seconds:.0f} s, longer than there is time"),
                retry_after=seconds,
                hint="The application asked to slow down. Try again later.",
            )

    def _concluded(self, call: Call, result: Response | TransportError) -> Response:
        if isinstance(result, TransportError):
            unknown = "" if call.reads or not result.sent else "; whether it was carried out is not known"
            raise Unreachable(self.mask(f"{call} failed: {result.reason}{unknown}"), hint=result.hint)
        if result.status == 429:
            raise RateLimited(
                self.mask(f"{call} was answered 429: too many requests, also after waiting"),
                retry_after=asked_by(result, self._clock.now()),
                hint="Try again later, or with fewer workers.",
            )
        return result

    # -- one attempt -------------------------------------------------------------------------------------------

    def _authenticated(self, call: Call) -> Response | TransportError:
        """One attempt, or two where credentials were renewed in between. A 401 proves that nothing was done."""
        used = self._authentication.headers(call.auth)
        result = self._attempt(call, used)
        if call.auth is None or call.renewed or isinstance(result, TransportError) or result.status != 401:
            return result
        call.renewed = True
        renewed = self._renewed(call, call.auth, used)
        return result if renewed == used else self._attempt(call, renewed)

    def _renewed(self, call: Call, auth: Auth, refused: Mapping[str, str]) -> Mapping[str, str]:
        """A renewal that fails leaves the request refused, and a write provably not done."""
        try:
            return self._authentication.renewed(auth, refused)
        except ApplicationError as error:
            raise CredentialsRefused(
                self.mask(f"{call} was answered 401, and no new credentials were to be had: {error.message}"),
                hint=error.hint,
            ) from error

    def _attempt(self, call: Call, credentials: Mapping[str, str]) -> Response | TransportError:
        timeout = self._timeout(call)
        self._announce(call)
        with self._counting:
            self.requests += 1
        self._tell("request", call)
        began = self._clock.monotonic()
        try:
            result: Response | TransportError = self._exchange(call, {**call.headers, **credentials}, timeout)
        except urllib3.exceptions.HTTPError as error:
            result = transport_error(error)
        except Unreadable as error:
            raise ProtocolError(self.mask(f"{call} was answered with {error}"), hint=error.hint) from None
        self._tell("response", call, result, self._clock.monotonic() - began)
        self._learn_pace(call, result, began)
        return result

    def _learn_pace(self, call: Call, result: Response | TransportError, began: float) -> None:
        if isinstance(result, Response) and result.status == 429:
            self.refused += 1
            self._limits[call.limit].refused(began)
        else:
            self._limits[call.limit].let_through()

    def _exchange(self, call: Call, headers: Mapping[str, str], timeout: Timeout) -> Response:
        longest = max(self._policy.retry_budget, self._policy.read_timeout)
        latest = self._clock.monotonic() + min(longest, self._left())
        reply = send(call.pool, call.method, call.address, headers, call.body, timeout)
        try:
            if 300 <= reply.status < 400:
                raise self._redirected(call, reply)
            body = read_body(reply, self._policy.max_body, lambda: self._keep_reading(call, latest))
            reply.release_conn()
        except BaseException:
            reply.close()  # what is left unread must not be taken for the next reply
            raise
        return Response(
            status=reply.status, headers=reply.headers, body=body, url=call.address.url, method=call.method,
            reads=call.reads,
        )  # fmt: skip

    def _announce(self, call: Call) -> None:
        if self._before_write is None or not call.must_be_announced:
            return
        self._before_write(call.method, call.address.url, call.body)
        call.announced = True

    def _redirected(self, call: Call, reply: urllib3.BaseHTTPResponse) -> ProtocolError:
        target = origin(reply.headers.get("Location", ""))
        return ProtocolError(
            self.mask(f"{call} was redirected ({reply.status}) to {target}, which was not followed"),
            hint="If the application lives there now, put that into the settings as its address.",
        )

    # -- time --------------------------------------------------------------------------------------------------

    def _left(self) -> float:
        """Seconds until the deadline."""
        return float("inf") if self._ends is None else self._ends - self._clock.monotonic()

    def _timeout(self, call: Call) -> Timeout:
        self._check_cancel()
        left = self._left()
        if left <= 0:
            raise Unreachable(
                self.mask(f"{call} was not sent: the {self._policy.deadline:g} s allowed are over"),
                hint="The application answers slowly. Try again later.",
            )
        return Timeout(connect=min(self._policy.connect_timeout, left), read=min(self._policy.read_timeout, left))

    def _keep_reading(self, call: Call, latest: float) -> None:
        """After a cancel the reply in hand is still taken, if it is here within the read timeout."""
        now = self._clock.monotonic()
        if self._cancel is not None and self._cancel.is_set():
            call.cancel_deadline = min(call.cancel_deadline, now + self._policy.read_timeout)
        if now > call.cancel_deadline:
            raise Interrupted("interrupted")
        if now > latest:
            raise urllib3.exceptions.TimeoutError

    def _check_cancel(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise Interrupted("interrupted")

    def _wait(self, call: Call, seconds: float) -> None:
        self._tell("wait", call, seconds=seconds)
        self._clock.sleep(seconds, self._cancel)

    # -- telling -----------------------------------------------------------------------------------------------

    def _tell(
        self,
        kind: Literal["request", "response", "wait", "retry"],
        call: Call,
        result: Response | TransportError | None = None,
        seconds: float | None = None,
    ) -> None:
        if self._on_event is None:
            return
        self._on_event(
            HttpEvent(
                kind=kind,
                method=call.method,
                url=self.mask(call.path),
                status=result.status if isinstance(result, Response) else None,
                seconds=seconds,
                message=self.mask(result.reason) if isinstance(result, TransportError) else "",
            )
        )


def _defaults() -> dict[str, str]:
    return {"User-Agent": _user_agent(), "Accept-Encoding": ACCEPTED}


@cache
def _user_agent() -> str:
    return f"connector-core/{version('connector-core')}"
