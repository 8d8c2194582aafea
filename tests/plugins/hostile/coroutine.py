"""A plugin that takes the host for an event loop."""

from __future__ import annotations

from connector_core import Page, hookimpl


@hookimpl
async def sync_page() -> Page:
    return Page()
