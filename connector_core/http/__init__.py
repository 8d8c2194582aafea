"""The only way to the network: `HttpClient`, with deadlines, a retry budget, rate limits, size caps and masking.

What each file does, in the order in which a request passes them::

    client.py       one request from beginning to end; the loop of attempts
    call.py         one request as it is sent
    authentication.py  credentials asked for, hidden and renewed
    auth.py         credentials that do not change by themselves
    oauth2.py       OAuth 2: client credentials, refresh tokens
    token_reply.py  what a token endpoint replies
    address.py      which addresses may be asked at all, and through which proxy
    limits.py       who waits for whom after a 429 or 503
    transport.py    one attempt over urllib3; the only file that knows it well
    transport_errors.py  what urllib3 raises, as what it means
    body.py         a capped read, and unpacking
    retry.py        what may be sent again, and when
    retry_after.py  how long the server asks to wait
    remedies.py     status to error class
    masking.py      secrets out of everything printable
    values.py       the policy, and the events
    response.py     what comes back
    loopback.py     a server on this machine, for sandboxes and tests
"""

from connector_core.http.auth import api_key, basic, bearer
from connector_core.http.client import HttpClient
from connector_core.http.oauth2 import oauth2_client_credentials, oauth2_refresh
from connector_core.http.remedies import REMEDIES, Remedy, remedy
from connector_core.http.response import Response
from connector_core.http.retry_after import parse_retry_after
from connector_core.http.values import Auth, HttpEvent, HttpPolicy

__all__ = [
    "REMEDIES",
    "Auth",
    "HttpClient",
    "HttpEvent",
    "HttpPolicy",
    "Remedy",
    "Response",
    "api_key",
    "basic",
    "bearer",
    "oauth2_client_credentials",
    "oauth2_refresh",
    "parse_retry_after",
    "remedy",
]
