"""Plain HTTP is for this machine alone: by the name that is asked, and by where the connection leads."""

from __future__ import annotations

import pytest
from test_http_kit import reply, serving, using

from connector_core.errors import ConfigurationError
from connector_core.http import transport
from connector_core.http.address import is_loopback_peer

ELSEWHERE = [
    "example.com", "x.localhost", "localhost.", "localhost.example.com", "127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0",
    "[::ffff:127.0.0.1]", "[::]", "10.0.0.1", "127.0.0.1.example.com",
]  # fmt: skip


@pytest.mark.parametrize("host", ELSEWHERE)
def test_plain_http_to_any_other_name_is_refused(host: str) -> None:
    """Loopback is 127.0.0.0/8, ::1 and localhost itself: what else a resolver may take for it is not asked."""
    with using() as client, pytest.raises(ConfigurationError):
        client.request("GET", f"http://{host}:1/")


def test_where_the_connection_leads_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver may lead localhost to another machine: nothing is sent there."""
    monkeypatch.setattr(transport, "is_loopback_peer", lambda host: False)
    with serving(reply(200)) as server, using() as client:
        with pytest.raises(ConfigurationError, match="leads to another machine"):
            client.request("GET", server.url.replace("127.0.0.1", "localhost"), headers={"Authorization": "Bearer t"})
        assert server.seen == []


@pytest.mark.parametrize(
    ("peer", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1%eth0", False),
    ],
)
def test_which_peers_are_this_machine(peer: str, is_ours: bool) -> None:
    """An IPv4 peer of an IPv6 socket is written as IPv6."""
    assert is_loopback_peer(peer) is is_ours
