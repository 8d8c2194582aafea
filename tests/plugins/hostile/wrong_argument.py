"""A plugin with an argument that no hook has."""

from __future__ import annotations

from connector_core import Page, hookimpl


@hookimpl
def sync_page(klient: object) -> Page:
    return Page()
