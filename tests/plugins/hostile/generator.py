"""A plugin that yields its pages."""

from __future__ import annotations

from collections.abc import Iterator

from connector_core import Page, hookimpl


@hookimpl
def sync_page() -> Iterator[Page]:
    yield Page()
