"""A plugin whose settings the host cannot know anything about."""

from __future__ import annotations

from attrs import frozen

from connector_core import Manifest, hookimpl


@frozen
class Settings:
    token: str


@hookimpl
def connector_manifest() -> Manifest:
    return Manifest(name="odd_settings", display_name="", summary="", settings=Settings, resource_types=())
