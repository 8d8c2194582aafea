"""A plugin made for a later host."""

from __future__ import annotations

from attrs import frozen

from connector_core import Manifest, hookimpl


@frozen
class Settings:
    pass


@hookimpl
def connector_manifest() -> Manifest:
    return Manifest(
        name="newer_contract", display_name="", summary="", settings=Settings, resource_types=(), contract=3
    )
