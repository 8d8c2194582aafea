"""A plugin whose author forgot ``@hookimpl``."""

from __future__ import annotations

from connector_core import Page


def sync_page() -> Page:
    return Page()
