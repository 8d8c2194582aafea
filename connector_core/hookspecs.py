"""The whole plugin contract.

Questions are answered by the one connector addressed. Announcements go to every plugin; one that fails is logged.
All arguments are passed by name, and a hook implementation takes only those it wants. Implement what the application
can do: capabilities are computed from the hooks that are there.

Errors a hook raises are those of `connector_core`; anything else is reported as a `PluginError` naming the plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path
    from wsgiref.types import WSGIApplication

    import click

    from connector_core.http import HttpClient
    from connector_core.model import (
        Cursor,
        Finding,
        Grant,
        Manifest,
        NewAccount,
        Operation,
        Outcome,
        Page,
        Resource,
        SyncReport,
    )

GROUP = "connector_core"
SANDBOX_SECRET = "sandbox"  # what every secret setting holds on a sandbox connection

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Vault(Protocol):
    """Keeps what an application rotates, such as a rotated token."""

    def get(self, name: str) -> str | None:
        """What was kept under that name, or None."""

    def put(self, name: str, value: str) -> None:
        """Keep it, readable by this connection only."""

    def exclusive(self) -> AbstractContextManager[None]:
        """While it is held, no other process of this connection holds it: for a token that is good for one use."""


# == setting up ================================================================================================


@hookspec(firstresult=True)
def connector_manifest(settings: Any | None) -> Manifest | None:
    """Say what this connector is.

    :param settings: an instance of the manifest's settings class, or None where nothing is configured yet.

    Asked once for a listing and once for each connection opened. Makes no request.
    """


@hookspec(firstresult=True)
def connector_connect(settings: Any, http: HttpClient, vault: Vault) -> Any | None:
    """Make the client that the other hooks are given, opaque to the host.

    :param http: sends requests with the host's deadlines, retries and masking; the only way to the network.
    :param vault: keeps credentials that the application rotates.

    Asked once for each connection opened. Makes no request.
    """


@hookspec(firstresult=True)
def connector_check(client: Any) -> list[Finding] | None:
    """Find out whether the application can be reached, accepts the credentials and lists users; 15 seconds in all.

    Asked by `check`.
    """


# == reading ===================================================================================================


@hookspec(firstresult=True)
def sync_page(client: Any, cursor: Cursor | None) -> Page | None:
    """Read one page.

    :param cursor: where to go on; None at the beginning, to be answered with the cursors to begin with.

    Asked by the sync engine, from several threads, possibly twice for the same cursor: repeatable.
    """


@hookspec(firstresult=True)
def sync_resource(client: Any, resource: Resource) -> Page | None:
    """Read one resource as it is now; None only where the application proves it gone (P55).

    Where its type says ``grants="with_resource"``, the page holds all grants that the resource holds.

    :param resource: as it was last seen; its `key` says which.

    Asked before a resource that was not listed is ended, and before and after each operation.
    """


@hookspec(firstresult=True)
def find_account(client: Any, login: str) -> Page | None:
    """Look accounts up by their login, in any spelling (`names`); an empty page where there is none.

    Asked by operations that name a person by e-mail.
    """


@hookspec(firstresult=True)
def check_grant(client: Any, grant: Grant) -> bool | None:
    """Say whether the grant is held now, also by what few requests show; None where the application does not say.

    Asked before and after a grant or a revoke, in place of reading all that its principal holds. It proves one grant,
    and nothing of others.
    """


# == writing: hooks only write; reading, guarding, journal and verification are the host's ======================


@hookspec(firstresult=True)
def provision_create_account(client: Any, account: NewAccount) -> Outcome | None:
    """Create the account with one request. Asked by `create-user` and `apply`, never for a login that exists."""


@hookspec(firstresult=True)
def provision_delete_account(client: Any, resource: Resource) -> Outcome | None:
    """Delete the account with one request. Asked by `delete-user` and `apply`."""


@hookspec(firstresult=True)
def provision_enable_account(client: Any, resource: Resource) -> Outcome | None:
    """Enable a disabled account with one request. Asked by `enable-user`, and before a create or a grant for one."""


@hookspec(firstresult=True)
def provision_disable_account(client: Any, resource: Resource) -> Outcome | None:
    """Take all access from the account, and keep it, with one request. Asked by `disable-user`."""


@hookspec(firstresult=True)
def provision_grant(client: Any, grant: Grant) -> Outcome | None:
    """Give the entitlement to the principal with one request. Asked by `grant` and `apply`, only if not yet held."""


@hookspec(firstresult=True)
def provision_revoke(client: Any, grant: Grant) -> Outcome | None:
    """Take the entitlement from the principal with one request. Asked by `revoke` and `apply`, only if held."""


# == trying out ================================================================================================


@hookspec(firstresult=True)
def sandbox_app(folder: Path) -> WSGIApplication | None:
    """A WSGI application that stands in for the real one; every secret it checks is ``SANDBOX_SECRET``.

    :param folder: where it keeps its data, so that ids stay the same from command to command.

    Asked by `sandbox` and by every command on a sandbox connection.
    """


# == announcements and additions ===============================================================================


@hookspec
def sync_finished(report: SyncReport) -> None:
    """A sync ended, well or not. Announced to every plugin when its report is written."""


@hookspec
def operation_finished(operation: Operation) -> None:
    """An operation ended, well or not. Announced to every plugin when the journal has it."""


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands to the command line.

    :param cli: the group that they are added to. ``@cli.command()`` gives one the options of every command, and
        `pass_host` the host.

    Announced to every plugin once, when a command is looked for that is not one of ours.
    """


@hookspec
def register_exporters(register: Callable[[str, Any], None]) -> None:
    """Add export formats.

    :param register: ``register(name, exporter)``.

    Announced to every plugin once, before the first export; no command exports yet.
    """
