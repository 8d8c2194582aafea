"""One attempt over urllib3: connection pools, TLS, proxies. Nothing here retries, follows or waits."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import urllib3
from urllib3.exceptions import LocationParseError
from urllib3.util import Timeout, Url, make_headers, parse_url

from connector_core.errors import ConfigurationError
from connector_core.http.address import is_loopback_peer, proxy_for

if TYPE_CHECKING:
    from connector_core.http.masking import Mask

_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


class _LoopbackPool(urllib3.HTTPConnectionPool):
    """Plain HTTP, for this machine only: the other end is looked at before anything is sent."""

    def _make_request(self, conn: Any, *args: Any, **kwargs: Any) -> Any:
        if conn.sock is None:
            conn.connect()
        peer = getattr(conn.sock, "getpeername", None)  # what stands for a socket in a recorded test has none
        if peer is not None and not is_loopback_peer(str(peer()[0])):
            conn.close()
            raise ConfigurationError(
                f"http://{conn.host} leads to another machine: anyone on the way could read the token",
                hint="Use https:// instead. Plain http:// is for this machine only.",
            )
        return super()._make_request(conn, *args, **kwargs)


class Transport:
    """The connections of a client, kept open between requests. Safe in threads."""

    def __init__(self, *, environ: Mapping[str, str], pool_size: int, mask: Mask) -> None:
        self._environ = environ
        self._pool_size = pool_size
        self._mask = mask
        self._lock = threading.Lock()
        self._pools: dict[tuple[str | None, str | None], urllib3.PoolManager] = {}
        self._by_place: dict[tuple[str | None, str], urllib3.PoolManager] = {}

    def pool(self, address: Url) -> urllib3.PoolManager:
        """The pool for ``address``. Raises `ConfigurationError` for a proxy or certificates that cannot be used."""
        place = (address.scheme, address.netloc or "")
        known = self._by_place.get(place)
        return known or self._by_place.setdefault(place, self._pool(address))

    def _pool(self, address: Url) -> urllib3.PoolManager:
        key = (address.scheme, proxy_for(address, self._environ))
        with self._lock:
            if key not in self._pools:
                self._pools[key] = self._new_pool(*key)
            return self._pools[key]

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.clear()

    def _new_pool(self, scheme: str | None, proxy: str | None) -> urllib3.PoolManager:
        # The certificates of this machine take 10 to 30 ms to load: not for http:// on loopback.
        context = tls_context(self._environ) if scheme == "https" else None
        if proxy is None:
            manager = urllib3.PoolManager(maxsize=self._pool_size, ssl_context=context)
            manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "http": _LoopbackPool}
            return manager
        try:
            credentials = parse_url(proxy).auth
            headers = make_headers(proxy_basic_auth=unquote(credentials)) if credentials else {}
            self._mask.learn_headers(headers)
            return urllib3.ProxyManager(proxy, proxy_headers=headers, maxsize=self._pool_size, ssl_context=context)
        except (LocationParseError, UnicodeEncodeError):  # their words would quote a password
            raise ConfigurationError(
                "the proxy named by the environment is not understood",
                hint="HTTPS_PROXY and ALL_PROXY take addresses such as http://proxy.example.com:3128.",
            ) from None


def send(
    pool: urllib3.PoolManager,
    method: str,
    address: Url,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: Timeout,
) -> urllib3.BaseHTTPResponse:
    """Send, and return the reply before its body is read or unpacked. Raises what urllib3 raises."""
    return pool.urlopen(
        method,
        address.url,
        headers=headers,
        body=body,
        timeout=timeout,
        retries=False,
        redirect=False,
        preload_content=False,
        decode_content=False,
    )


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Python's default, with the certificates that the environment names instead of the machine's."""
    name, place = next(((name, environ[name]) for name in _CA_VARIABLES if environ.get(name)), ("", ""))
    if not place:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=place)
    except OSError:  # ssl.SSLError among them
        raise ConfigurationError(
            f"{name} names a file that cannot be read as certificates: {place}", hint="It takes a PEM file."
        ) from None
