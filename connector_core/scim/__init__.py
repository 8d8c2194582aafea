"""SCIM 2.0 (RFC 7643, 7644, 9865) for any connector: strict in what it sends, tolerant in what it reads.

A connector makes a `ScimClient`, reads pages with `paging`, rows with `reading`, and writes what `patch` composes.
Numbers such as P35 name the behaviour of real servers that a line answers to; they are listed in the documentation.
"""

from __future__ import annotations

from connector_core.scim.auth import bearer, clean_token
from connector_core.scim.client import ScimClient
from connector_core.scim.filters import find
from connector_core.scim.patch import PatchStyle, replace
from connector_core.scim.presence import existing
from connector_core.scim.reading import Extension, ScimRow, read_rows

__all__ = [
    "Extension",
    "PatchStyle",
    "ScimClient",
    "ScimRow",
    "bearer",
    "clean_token",
    "existing",
    "find",
    "read_rows",
    "replace",
]  # fmt: skip
