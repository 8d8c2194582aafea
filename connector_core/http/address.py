"""Which addresses may be asked at all, and through which proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import quote, urlencode

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from connector_core.errors import ConfigurationError

Params = Mapping[str, str | int]


def checked(url: str, params: Params | None = None) -> Url:
    """The address to ask. Raises `ConfigurationError` for one that a token must not be sent to (P74)."""
    return _with_params(_checked(url), params)


@lru_cache(maxsize=32)  # of a listing each page has the same, but for the params
def _checked(url: str) -> Url:
    try:
        address = parse_url(url)
    except LocationParseError:
        raise ConfigurationError(
            "an address is not understood", hint="It should look like https://host/path."
        ) from None
    if not address.host or address.scheme not in ("http", "https"):
        raise ConfigurationError("an address is not complete", hint="It should look like https://host/path.")
    if address.auth:
        raise ConfigurationError(
            f"the address of {address.host} holds a user name or password",
            hint="Take what stands before the @ out of the address; addresses are shown and logged.",
        )
    if address.scheme == "http" and not is_loopback(address.host):
        raise ConfigurationError(
            f"http://{address.host} is refused: anyone on the way could read the token",
            hint="Use https:// instead. Plain http:// is for this machine only.",
        )
    return address._replace(fragment=None)


def _with_params(address: Url, params: Params | None) -> Url:
    if not params:
        return address
    # Spaces as %20 and plus signs as %2B: an e-mail with a plus must arrive as one (P68).
    try:
        added = urlencode(params, quote_via=quote, safe="")
    except UnicodeEncodeError:
        raise ConfigurationError("a value holds half a character, which no address can carry") from None
    return address._replace(query=f"{address.query}&{added}" if address.query else added)


def origin(url: str) -> str:
    """``https://host:port`` alone, safe to show; where ``url`` is relative or broken, words that say so."""
    try:
        address = parse_url(url)
    except LocationParseError:
        return "an address that is not understood"
    if not address.host:
        return "another path of the same place"
    return f"{address.scheme or 'https'}://{address.netloc}"


def path_of(url: str) -> str:
    """The path alone, without query: safe to show once masked."""
    try:
        return parse_url(url).path or "/"
    except LocationParseError:
        return "/"


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine: ``localhost`` itself, 127.0.0.0/8 or ::1, without asking the network.

    Where ``localhost`` leads is checked on the connection (`is_loopback_peer`): a resolver may say otherwise.
    """
    name = host.strip("[]").lower()
    return name == "localhost" or ((ip := _ip(name)) is not None and ip.is_loopback and _mapped(ip) is None)


def is_loopback_peer(host: str) -> bool:
    """Whether the other end of a socket is this machine; an IPv4 address may be written as IPv6."""
    ip = _ip(host.partition("%")[0])
    return ip is not None and (_mapped(ip) or ip).is_loopback


def _mapped(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None


def proxy_for(address: Url, environ: Mapping[str, str]) -> str | None:
    """The proxy to go through, or None. Raises `ConfigurationError` for one that cannot be used.

    Only ``https://`` leaves this machine, so HTTP_PROXY is never looked at. Lower-case names win, as with curl.
    """
    host = address.host or ""
    proxy = _lookup(environ, "https_proxy") or _lookup(environ, "all_proxy")
    if not proxy or is_loopback(host) or _excepted(host, address.port or 443, _lookup(environ, "no_proxy")):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not proxy.lower().startswith(("http://", "https://")):
        raise ConfigurationError(
            "the proxy named by the environment is of a kind that is not supported",
            hint="HTTPS_PROXY and ALL_PROXY take http:// and https:// addresses.",
        )
    return proxy


def _lookup(environ: Mapping[str, str], name: str) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _excepted(host: str, port: int, no_proxy: str) -> bool:
    return any(_matches(rule, host.strip("[]").lower(), port) for rule in _rules(no_proxy))


def _rules(no_proxy: str) -> Iterator[str]:
    return (rule for rule in no_proxy.lower().replace(",", " ").split())


def _matches(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    if (ip := _ip(host)) is not None and (network := _network(rule)) is not None:
        return ip in network
    name, _, only_port = rule.rpartition(":") if rule.count(":") == 1 else (rule, "", "")
    domain = name.lstrip(".")
    return only_port in ("", str(port)) and (host == domain or host.endswith(f".{domain}"))


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None
