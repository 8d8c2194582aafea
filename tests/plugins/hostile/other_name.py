"""A plugin that calls itself like somebody else."""

from __future__ import annotations

from attrs import frozen

from connector_core import Manifest, hookimpl


@frozen
class Settings:
    pass


@hookimpl
def connector_manifest() -> Manifest:
    return Manifest(name="whimsical", display_name="", summary="", settings=Settings, resource_types=())
