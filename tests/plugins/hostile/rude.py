"""A connector that loads without fault, and then does what ``mode`` says, or worse."""

from __future__ import annotations

import sys
import threading
from typing import Any

from attrs import frozen

from connector_core import (
    ConnectorCoreError,
    Cursor,
    Finding,
    Grant,
    Manifest,
    Page,
    Resource,
    ResourceType,
    Secret,
    SyncReport,
    hookimpl,
    secret,
    setting,
)


@frozen(kw_only=True)
class Settings:
    token: Secret = secret(help="told to everybody")  # noqa: RUF009
    mode: str = setting(default="kind", help="what to do")


class Speechless(Exception):
    """An error that cannot even be printed."""

    def __str__(self) -> str:
        raise ValueError


class Careless(ConnectorCoreError):
    """An error of the host's family that was never set up."""

    def __init__(self) -> None:
        pass


class Beyond(BaseException):
    """An error that ``except Exception`` does not see."""


@hookimpl
def connector_manifest() -> Manifest:
    kinds = (ResourceType(type="user", display_name="User", traits=("user",)),)
    return Manifest(name="rude", display_name="Rude", summary="Is rude", settings=Settings, resource_types=kinds)


@hookimpl
def connector_connect(settings: Settings) -> Settings:
    if settings.mode == "tells while connecting":
        raise RuntimeError(f"cannot connect with {settings.token.reveal()}")
    if settings.mode == "hangs while connecting":
        threading.Event().wait()
    return settings


@hookimpl
def connector_check(client: Settings) -> list[Finding]:
    token = client.token.reveal()
    found = [Finding(level="ok", code="token", message=f"{token} works", hint=f"so does {token}")]
    return _rude(client, found)  # type: ignore[no-any-return]


@hookimpl
def sync_page(client: Settings, cursor: Cursor | None) -> Page:
    return _rude(client, Page(resources=(Resource(type="user", id="1"),)))  # type: ignore[no-any-return]


@hookimpl
def sync_finished(report: SyncReport) -> None:
    raise SystemExit(f"sync {report.sync.status}")


def _rude(client: Settings, answer: Any) -> Any:
    match client.mode:
        case "tells":
            raise RuntimeError(f"refused: {client.token.reveal()}")
        case "exits":
            sys.exit(3)
        case "speechless":
            raise Speechless
        case "careless":
            raise Careless
        case "beyond":
            raise Beyond("far out")
        case "hangs":
            threading.Event().wait()
    return _WRONG.get(client.mode, answer)


_WRONG: dict[str, Any] = {
    "none": None,
    "text": "a page",
    "no pages": [Page()],
    "letters": Page(warnings="abc"),  # type: ignore[arg-type]
    "dictionaries": Page(resources=({"id": "1"},)),  # type: ignore[arg-type]
    "numbers": Page(resources=(Resource(type="user", id=1),)),  # type: ignore[arg-type]
    "nameless": Page(resources=(Resource(type="user", id=""),)),
    "sets": Page(resources=(Resource(type="user", id="1", profile={"a": {1}}),)),  # type: ignore[dict-item]
    "nan": Page(resources=(Resource(type="user", id="1", profile={"a": float("nan")}),)),
    "halves": Page(grants=(("user", "1"),)),  # type: ignore[arg-type]
    "grant of nothing": Page(grants=(Grant("editor", "1"),)),  # type: ignore[arg-type]
}
