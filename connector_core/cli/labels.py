"""Roles, groups and projects as people call them: by name where there is one, else by id."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from connector_core.model import EntitlementKey, Key


@frozen
class Labels:
    """``names``: what to print for a resource, by key; the others go by their id."""

    names: Mapping[Key, str]

    def of(self, key: EntitlementKey) -> str:
        """A role by its name alone; anything else held on a resource with what it is, such as ``Sales:member``."""
        name = self.names.get(key.resource, key.id)
        return name if key.slug == "assigned" else f"{name}:{key.slug}"

    def text(self, value: str | None) -> str | None:
        """The same of ``type:id:slug``, as changes have it; other texts as they are."""
        try:
            return value and self.of(EntitlementKey.parse(value))
        except ValueError:
            return value

    def path(self, via: str | None) -> str | None:
        """What something is held through, each step by its name: ``Sales > Everyone``."""
        return via and " > ".join(self._step(step) for step in via.split(" > "))

    def _step(self, step: str) -> str:
        type, _, id = step.partition(":")
        return self.names.get(Key(type, id), step)
