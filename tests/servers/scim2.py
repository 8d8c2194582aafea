"""scim2-server, as its authors ship it: their WSGI application, storage and HTTP server, in a thread."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from wsgiref.simple_server import WSGIRequestHandler, make_server

from scim2_models import Context, ResourceType, Schema, ScimProvider, ServiceProviderConfig
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BEARER_TOKEN_SCHEME, BearerTokenApplication
from scim2_server.testserver.cli import ThreadingWSGIServer
from scim2_server.utils import load_default_schemas, load_default_service_provider_config

from servers.peer import EXTENSION, Peer

TOKEN = "scim2-token"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@contextmanager
def scim2_server(
    *, users: int = 0, page_cap: int | None = None, cursor: Literal["off", "offered", "only"] = "off"
) -> Iterator[Peer]:
    """Serve ``users`` people, see `_person` for who is what.

    ``page_cap``: most rows of a page. ``cursor``: whether it pages by RFC 9865 too, or in no other way.
    """
    provider = _provider(page_cap, cursor)
    storage = InMemoryStorage()
    _fill(storage, provider, users)
    service = ScimService(provider, secret="a secret for cursors in tests")
    app = BearerTokenApplication(storage, provider, service=service, bearer_tokens=[TOKEN])
    app.log = logging.getLogger("tests.scim2")
    app.log.setLevel(logging.CRITICAL)
    with make_server("127.0.0.1", 0, app, ThreadingWSGIServer, _Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield Peer(f"http://127.0.0.1:{server.server_port}/v2", TOKEN)
        finally:
            server.shutdown()
            thread.join()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def _provider(page_cap: int | None, cursor: str) -> ScimProvider:
    """Users with Whimsical's extension, and groups as the RFC has them."""
    extension = json.loads(Path(__file__).with_name("whimsical_extension.json").read_text())
    known = load_default_schemas()
    schemas = [known[USER], known[GROUP], Schema.model_validate(extension)]
    users = {
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "schema": USER,
        "schemaExtensions": [{"schema": EXTENSION, "required": False}],
    }
    groups = {"id": "Group", "name": "Group", "endpoint": "/Groups", "schema": GROUP}
    types = [ResourceType.model_validate(each) for each in (users, groups)]
    return ScimProvider.from_discovery(schemas, types, config=_config(page_cap, cursor))


def _config(page_cap: int | None, cursor: str) -> ServiceProviderConfig:
    config = load_default_service_provider_config().model_dump()
    config["pagination"] = {"cursor": cursor != "off", "index": cursor != "only", "defaultPageSize": 100}
    if page_cap is not None:
        config["pagination"]["maxPageSize"] = page_cap
    served = ServiceProviderConfig.model_validate(config)
    served.authentication_schemes = [BEARER_TOKEN_SCHEME]
    return served


def _fill(storage: InMemoryStorage, provider: ScimProvider, users: int) -> None:
    """Straight into the storage: a POST each would take seconds for thousands."""
    kind = provider.resource_types[0]
    model: Any = provider.model_for(kind)
    for number in range(1, users + 1):
        storage.create(kind, model.model_validate(_person(number), scim_ctx=Context.RESOURCE_CREATION_REQUEST))


def _person(number: int) -> dict[str, Any]:
    login = f"person{number}@example.com"
    role = {} if number % 9 == 0 else {EXTENSION: {"editor": number % 3 == 0}}
    return {
        "schemas": [USER, EXTENSION],
        "userName": login,
        "name": {"givenName": f"Person {number}", "familyName": "Invented"},
        "emails": [{"value": login, "type": "work", "primary": True}],
        "active": True,
        **role,
    }
