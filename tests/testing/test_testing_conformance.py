"""The stand-in server, judged by scim2-tester, which other people wrote.

In process: for real sockets it would want another HTTP library, and those are covered by the tests beside this one.
"""

from __future__ import annotations

import pytest

from connector_core.testing import ScimApp, Workspace

scim2_tester = pytest.importorskip("scim2_tester")

DECIDED_OTHERWISE = {
    ("search_with_attributes", None),  # POST /.search is not offered
    ("check_remove_attribute", "active"),  # whoever is not said to be inactive is active
    ("check_add_attribute", "emails"),  # the server gives type and primary to the one address it keeps
    ("check_replace_attribute", "emails"),
}


def test_scim2_tester_finds_no_other_fault() -> None:
    """Every check succeeds but four, which concern what this server decides otherwise."""
    from scim2_client.engines.wsgi import WSGISCIMClient

    client = WSGISCIMClient(ScimApp(Workspace()), headers={"Authorization": "Bearer sandbox"})
    results = scim2_tester.check_server(client)
    failed = {
        (result.title, result.data.get("urn") if isinstance(result.data, dict) else None): result.reason
        for result in results
        if result.status is not scim2_tester.Status.SUCCESS
    }
    assert failed.keys() == DECIDED_OTHERWISE, failed
    assert len(results) > 50
