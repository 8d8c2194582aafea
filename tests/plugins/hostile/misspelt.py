"""A plugin with a hook that does not exist; pluggy alone would say nothing."""

from __future__ import annotations

from connector_core import Page, hookimpl


@hookimpl
def sync_pages() -> Page:
    return Page()
