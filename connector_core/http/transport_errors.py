"""What urllib3 raises, said as what it means for us: was anything sent, and is it worth another try?"""

from __future__ import annotations

import ssl
from typing import Literal, NamedTuple

from attrs import frozen
from urllib3 import exceptions as u

RetryPatience = Literal["none", "short", "long"]


@frozen(kw_only=True)
class TransportError:
    """An attempt without a reply.

    ``sent`` is false only where the request provably never reached the application. ``patience`` says how long trying
    again makes sense: not at all, as for an address that may be wrong, or as for a fault that passes.
    """

    reason: str
    hint: str
    sent: bool
    patience: RetryPatience


class _Row(NamedTuple):
    error: type[Exception]
    reason: str
    hint: str
    sent: bool
    patience: RetryPatience


_CHECK_ADDRESS = "Check the address, and that this machine may connect to it."
_TRY_AGAIN = "Try again later; if it keeps failing, look at the application's status page."

_ROWS = (
    _Row(u.ProxyError, "the proxy cannot be reached", "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY.", False, "short"),
    _Row(u.NameResolutionError, "the host name is not known", _CHECK_ADDRESS, False, "short"),
    _Row(u.NewConnectionError, "no connection comes about", _CHECK_ADDRESS, False, "short"),
    _Row(u.ConnectTimeoutError, "the connection took too long", _CHECK_ADDRESS, False, "short"),
    _Row(u.LocationValueError, "the host name is not a possible one", _CHECK_ADDRESS, False, "none"),
    _Row(u.SSLError, "no secure connection comes about", _CHECK_ADDRESS, True, "short"),
    _Row(u.TimeoutError, "the reply took too long", _TRY_AGAIN, True, "long"),
    _Row(Exception, "the connection broke", _TRY_AGAIN, True, "long"),
)
"""The first row that fits counts."""

_UNKNOWN_CA = (
    "its certificate is signed by an authority that this machine does not trust",
    "If a proxy of your own inspects traffic, set SSL_CERT_FILE to a file with its certificate.",
)
_WRONG_NAME = (
    "its certificate is for another host name",
    "Check the address: it may be misspelt, or another server answers there.",
)
_CERTIFICATES = {
    9: ("its certificate is not valid yet", "Check the clock of this machine."),
    10: ("its certificate has expired", "The application's operator must renew it; check this machine's clock too."),
    18: _UNKNOWN_CA,
    19: _UNKNOWN_CA,
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}
"""OpenSSL's verification codes (X509_V_ERR_...)."""


def transport_error(error: Exception) -> TransportError:
    """What ``error``, raised during an attempt, means."""
    inner = _innermost(error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return _certificate(inner)
    if str(inner).startswith("Tunnel connection failed"):
        return TransportError(
            reason=f"the proxy refused to connect ({_status_of(str(inner))})",
            hint="Check HTTPS_PROXY and the credentials in it.",
            sent=False,
            patience="short",
        )
    row = next(row for row in _ROWS if isinstance(error, row.error))
    detail = inner.strerror if isinstance(inner, OSError) else None
    reason = f"{row.reason} ({detail})" if detail else row.reason
    return TransportError(reason=reason, hint=row.hint, sent=row.sent, patience=row.patience)


def _status_of(message: str) -> str:
    """Return the number alone: the words after it are the proxy's, and could repeat what it was sent."""
    return next((word for word in message.split() if word.isdecimal() and len(word) == 3), "no status")


def _certificate(error: ssl.SSLCertVerificationError) -> TransportError:
    unknown = ("its certificate is not trusted", "The application's operator must look at it.")
    reason, hint = _CERTIFICATES.get(error.verify_code, unknown)
    return TransportError(reason=reason, hint=hint, sent=False, patience="none")


def _innermost(error: BaseException) -> BaseException:
    """urllib3 wraps what happened as an argument or as a cause, some of it twice."""
    wrapped = next((arg for arg in reversed(error.args) if isinstance(arg, BaseException)), error.__cause__)
    return error if wrapped is None else _innermost(wrapped)
