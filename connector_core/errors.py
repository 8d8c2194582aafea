"""Every exception of the project: one root, grouped by what the reader must do about it.

Engines catch the groups, never the leaves. ``exit_code`` is the command line's exit code for the group, ``code`` a
word that scripts can compare; both are part of the public contract.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


def whole(text: str) -> str:
    """Text that a file, a store and a terminal can take: half a character becomes ``?``."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class ConnectorCoreError(Exception):
    """The root. ``message`` says what and where, ``hint`` what to do next (or is None)."""

    code: ClassVar[str] = "unexpected"
    exit_code: ClassVar[int] = 1

    # Values of the class, too: a plugin's own subclass may forget to call `__init__`.
    message: str = "no message"
    hint: str | None = None
    report: Any = None  # what had come of it until then, such as the `SyncReport` of a sync that failed

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(whole(message))
        self.message = whole(message)
        self.hint = hint and whole(hint)

    def __str__(self) -> str:
        return self.message

    def conceal(self, mask: Callable[[str], str]) -> None:
        """Take secrets out of everything that this error says. A cause that quotes one is forgotten."""
        self.message = mask(self.message)
        self.hint = self.hint and mask(self.hint)
        self.args = (self.message,)
        from traceback import format_exception

        if mask(text := "".join(format_exception(self))) != text:
            self.__cause__ = self.__context__ = None


# -- say it differently ----------------------------------------------------------------------------------------


class UsageError(ConnectorCoreError):
    """The request itself cannot be understood."""

    code = "usage"
    exit_code = 2


class UnknownName(UsageError):
    """A connector, connection, user, role or event that is not known here."""

    code = "unknown_name"


class AmbiguousName(UsageError):
    """A name that fits more than one thing. ``keys`` are those of the accounts that it may mean, where it is theirs."""

    code = "ambiguous_name"
    keys: tuple[Any, ...] = ()


class Unsupported(UsageError):
    """The connector lacks the hook for this; no request was made."""

    code = "unsupported"


# -- a person must fix the configuration -----------------------------------------------------------------------


class ConfigurationError(ConnectorCoreError):
    """A setting is missing or wrong."""

    code = "configuration"
    exit_code = 3


class ConfigurationChanged(ConfigurationError):
    """The configuration is not the one that was read: nothing was sent, and nothing was changed. Read it and repeat."""

    code = "configuration_changed"


class StateError(ConfigurationError):
    """The state file cannot be used: not ours, newer than this program, unreadable, or its disk is full."""

    code = "state"


# -- a person must renew the credentials -----------------------------------------------------------------------


class CredentialsRefused(ConnectorCoreError):
    """The application refuses the credentials (401, 403). Stops the whole run at once (P72)."""

    code = "credentials_refused"
    exit_code = 4


# -- the application failed: wait and try again, or look at it -------------------------------------------------


class ApplicationError(ConnectorCoreError):
    """The application failed, refused the operation, or could not be reached."""

    code = "application_failed"
    exit_code = 5


class Unreachable(ApplicationError):
    """No connection, or it broke, or it took too long; nothing is known about what the application did."""

    code = "unreachable"


class RateLimited(ApplicationError):
    """The application asks to slow down and the time allowed for waiting is used up.

    ``retry_after`` is in seconds, or None where the application named no time.
    """

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ProtocolError(ApplicationError):
    """The reply is not what the protocol promises: not JSON, too large, a redirect, rows missing."""

    code = "protocol"


class NotFound(ApplicationError):
    """The application says, in its protocol's own words, that there is no such thing (P55)."""

    code = "not_found"


class Conflict(ApplicationError):
    """The application says that such a thing exists already (P45, P46)."""

    code = "conflict"


class OperationRefused(ApplicationError):
    """The application understood and declined: a limit, an owner, a rule (P52, P57)."""

    code = "refused"


class StreamExpired(ApplicationError):
    """The cursors of this stream are no longer good; it must be read from its beginning (P13)."""

    code = "stream_expired"


# -- set this record aside and go on ---------------------------------------------------------------------------


class RowRejected(ConnectorCoreError):
    """One row cannot be read. The page is read without it; the sync cannot be complete."""

    code = "row_rejected"


# -- the answer would not be the whole truth -------------------------------------------------------------------


class IncompleteError(ConnectorCoreError):
    """There is no complete picture to answer from."""

    code = "incomplete"
    exit_code = 6


class NoPicture(IncompleteError):
    """Nothing was ever published for this connection."""

    code = "no_picture"


# -- come back later -------------------------------------------------------------------------------------------


class Busy(ConnectorCoreError):
    """Another process syncs or applies on this connection."""

    code = "busy"
    exit_code = 7


# -- a guard said no -------------------------------------------------------------------------------------------


class GuardRefused(ConnectorCoreError):
    """A safety rule of this host forbids it; the hint says which switch allows it, where one does.

    ``guard`` names the rule, as the journal keeps it; a plugin's own rule is the ``connector``'s.
    """

    code = "guard_refused"
    exit_code = 8
    guard: str = "connector"

    def __init__(self, message: str, *, hint: str | None = None, guard: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.guard = guard or self.guard


# -- stopped, resumable ----------------------------------------------------------------------------------------


class Interrupted(ConnectorCoreError):
    """Stopped on request; the same call again resumes."""

    code = "interrupted"
    exit_code = 130


# -- a plugin is at fault --------------------------------------------------------------------------------------


class PluginError(ConnectorCoreError):
    """A plugin could not be loaded, broke its contract, or failed with an error that is not one of these."""

    code = "plugin_failed"
    trace: tuple[str, ...] = ()
    """The traceback of what the plugin raised, a line each: for the log, at the level ``debug``."""

    def conceal(self, mask: Callable[[str], str]) -> None:
        super().conceal(mask)
        self.trace = tuple(map(mask, self.trace))
