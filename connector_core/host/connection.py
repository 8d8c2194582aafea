"""`Connection`: everything that can be asked of one configured account of an application."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from attrs import evolve

from connector_core.clock import within
from connector_core.connectors.connector import Connector
from connector_core.errors import (
    ApplicationError,
    CredentialsRefused,
    GuardRefused,
    StateError,
    Unreachable,
)
from connector_core.host.record import Record
from connector_core.model import (
    Finding,
    Json,
    NewAccount,
    Operation,
    OperationKind,
    SyncReport,
)
from connector_core.names import checked_address
from connector_core.provision.options import ChangeOptions, require_known

if TYPE_CHECKING:
    from connector_core.connectors.session import BeforeWrite, Session
    from connector_core.http import HttpEvent
    from connector_core.provision.apply import ApplyReport, Line
    from connector_core.provision.engine import Provisioner
    from connector_core.provision.plan import Limits, Plan
    from connector_core.provision.requests import Requests
    from connector_core.sync import Progress

CHECK_SECONDS = 15.0


class Connection(Record):
    """One configured account of an application. Made by `Host.connection`; holds nothing open between calls."""

    # -- asking the application ----------------------------------------------------------------------------

    def check(self, *, seconds: float = CHECK_SECONDS) -> tuple[Finding, ...]:
        """Whether the application can be reached, accepts the credentials and lists users; within so long in all.

        What went wrong in the application is a finding, its code that of the error.

        :raises ConfigurationError: a setting is missing or wrong.
        """
        from connector_core.host import protected_entries

        connector = self._connector()
        connector.require("connector_check")

        def ask() -> tuple[Finding, ...]:
            with self._session(connector, deadline=seconds) as session:
                mask, found = session.http.mask, connector.check(session.client)
                if not any(finding.level == "error" for finding in found):
                    found = (*found, *protected_entries.findings(session, self._reading))
                return tuple(evolve(f, message=mask(f.message), hint=f.hint and mask(f.hint)) for f in found)

        try:
            return within(seconds, ask, self._context.cancel)
        except TimeoutError as error:
            hint = "see whether the application is slow or down"
            return (Finding(level="error", code=Unreachable.code, message=str(error), hint=hint),)
        except (CredentialsRefused, ApplicationError) as error:
            return (Finding(level="error", code=error.code, message=error.message, hint=error.hint),)

    def sync(
        self, *, workers: int | None = None, fresh: bool = False, accept_removals: bool = False,
        on_progress: Callable[[Progress], None] | None = None, on_event: Callable[[HttpEvent], None] | None = None,
    ) -> SyncReport:  # fmt: skip
        """Read everything and publish the result. An interrupted sync is resumed.

        :param workers: pages to ask for at once; at most the connector's own limit.
        :param fresh: begin a new sync even where an interrupted one could be resumed.
        :param accept_removals: accept what the last sync was held for, and nothing else.
        :param on_progress: called from this thread, several times a second.
        :param on_event: called with each step of each request, from the thread that takes it.
        :raises Busy: another process syncs this connection.
        :raises ConnectorCoreError: the sync failed or was interrupted; ``report`` says how far it came.
        """
        from connector_core.host.sync_run import SyncRun

        connector = self._connector()
        with self._writing() as db:
            run = SyncRun(
                db=db, path=self._path, config=self.config, context=self._context, workers=workers, fresh=fresh,
                accept_removals=accept_removals, on_progress=on_progress, on_event=on_event,
            )  # fmt: skip
            with self._session(connector, workers=workers, on_event=run.listen) as session:
                return run(session)

    def require_settings(self) -> None:
        """Find every setting and secret, without asking the application anything.

        :raises ConfigurationError: one is missing or wrong.
        """
        with self._session(self._connector()):
            pass

    # -- changing access -----------------------------------------------------------------------------------

    def create_account(
        self, login: str, *, given_name: str | None = None, family_name: str | None = None, role: str | None = None,
        profile: Mapping[str, Json] | None = None, type: str | None = None, **terms: Unpack[ChangeOptions],
    ) -> Operation:  # fmt: skip
        """Have an account, enabled; one that exists is left as it is, a disabled one is enabled.

        :param login: an e-mail address.
        :param role: as for `grant`; None takes the application's own default.
        :param type: the resource type, where accounts are of several; by default the first that the connector declares.
        :raises UsageError: ``login`` is no address, or no account is of that type.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """
        address = checked_address(login)

        def create(requests: Requests) -> Operation:
            wanted = requests.role(role) if role is not None else None
            account = NewAccount(
                login=address, type=requests.engine.accounts.named_type(type), given_name=given_name,
                family_name=family_name, role=wanted, profile=profile or {},
            )  # fmt: skip
            return requests.create(account)

        return self._operate("create_account", create, terms, user=login, role=role)

    def delete_account(self, user: str, **terms: Unpack[ChangeOptions]) -> Operation:
        """Have no account for ``user`` (login, id, ``type:id`` or e-mail). A removal: needs ``yes`` or ``confirm``.

        :raises UnknownName: no account ever had that name.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """
        return self._operate("delete_account", lambda requests: requests.delete(user), terms, user=user)

    def disable_account(self, user: str, **terms: Unpack[ChangeOptions]) -> Operation:
        """Keep the account of ``user``, without access. A removal: needs ``yes`` or ``confirm``.

        :raises UnknownName: no account ever had that name.
        :raises Unsupported: the connector cannot disable accounts.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """
        return self._operate("disable_account", lambda requests: requests.disable(user), terms, user=user)

    def enable_account(self, user: str, **terms: Unpack[ChangeOptions]) -> Operation:
        """Have the account of ``user`` enabled; what it holds then is what the application gives it.

        :raises UnknownName: no account has that name.
        :raises Unsupported: the connector cannot enable accounts.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """
        return self._operate("enable_account", lambda requests: requests.enable(user), terms, user=user)

    def grant(self, role: str, user: str, **terms: Unpack[ChangeOptions]) -> Operation:
        """Have ``user`` hold ``role`` (``id``, ``type:id`` or ``type:id:slug``); held already is a success.

        ``user`` is an account (login, id, ``type:id`` or e-mail), or a group (name, id or ``type:id``).

        :raises UnknownName, AmbiguousName: the role or the user is not known, or is ambiguous.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """

        def ask(requests: Requests) -> Operation:
            return requests.grant(requests.role(role), user)

        return self._operate("grant", ask, terms, user=user, role=role)

    def revoke(self, role: str, user: str, **terms: Unpack[ChangeOptions]) -> Operation:
        """Have ``user`` no longer hold ``role``; where that removes the person, it needs ``yes`` or ``confirm``.

        :raises UnknownName, AmbiguousName: the role or the user is not known, or is ambiguous.
        :raises GuardRefused: a rule of this host forbids it; nothing was written.
        """

        def ask(requests: Requests) -> Operation:
            return requests.revoke(requests.role(role), user)

        return self._operate("revoke", ask, terms, user=user, role=role)

    def plan(
        self, people: str | os.PathLike[str] | None = None, *, prune: bool = False, exact: bool = False,
        undo: int | None = None, include_protected: bool = False, on_progress: Callable[[Progress], None] | None = None,
    ) -> Plan:  # fmt: skip
        """What has to be done so that each person has what the CSV file ``people`` says; a fresh sync is made first.

        :param prune: remove accounts that the file does not name; else they are left alone.
        :param exact: take from people of the file what they hold directly and it does not name; else it stays.
        :param undo: with no file, take back the plan that this apply carried out; the last one where None.
        :param include_protected: also plan what takes access from protected accounts; else they are kept.
        :raises IncompleteError: the sync was not complete.
        :raises UsageError: the file is wrong; each line is named.
        """
        from connector_core.host.plans import make_plan, require_complete

        require_complete(self.sync(on_progress=on_progress))
        with self._session(self._connector()) as session, self._reading() as reader:
            path = None if people is None else Path(people)
            return make_plan(
                self.config, session, reader, self._context.clock, path=path, prune=prune, exact=exact,
                undo=undo, include_protected=include_protected,
            )  # fmt: skip

    def apply(
        self, plan: Plan, *, limits: Limits | None = None, on_line: Callable[[Line], None] | None = None,
        on_progress: Callable[[Progress], None] | None = None, **terms: Unpack[ChangeOptions],
    ) -> ApplyReport:  # fmt: skip
        """Carry a plan out, once. Interrupted, the same call again finishes the rest and repeats nothing.

        :param limits: how much the plan may do; judged by the accounts that are there now.
        :param on_line: called with each step when it is done.
        :raises GuardRefused: a limit, a protected account, an account that is no longer as planned, another connection,
            a plan that was carried out in full before, one that ``confirm`` was asked about and did not confirm, or one
            that removes accounts without ``yes`` or ``confirm``.
        :raises IncompleteError: the listing could not be read in full.
        """
        from connector_core.host.plans import require_confirmed
        from connector_core.provision.plan import Limits

        with self._keeping_refusals("apply", terms):
            limits = limits or Limits()
            limits.check_numbers(plan)
            require_confirmed(plan, terms)
            return self._apply(plan, limits, on_line, on_progress, terms)

    def _apply(
        self, plan: Plan, limits: Limits, on_line: Callable[[Line], None] | None,
        on_progress: Callable[[Progress], None] | None, terms: ChangeOptions,
    ) -> ApplyReport:  # fmt: skip
        from connector_core.host.plans import (
            applies_of,
            apply_plan,
            require_complete,
            require_not_carried_out,
            require_same_connection,
        )

        confirmed = terms.get("yes", False) or terms.get("confirm") is not None  # which was asked by now
        with self._provisioning(self._connector(), {**terms, "yes": confirmed}) as engine:
            require_same_connection(plan, self.config, engine.session, engine.journal.db)
            require_not_carried_out(plan, applies_of(self.config, engine))
            require_complete(self.sync(on_progress=on_progress))

            def told(line: Line) -> None:
                self._announce(engine)
                if on_line is not None:
                    on_line(line)

            with self._reading(moving=True) as reader:
                return apply_plan(plan, limits, self.config, reader, engine, self._path, told)

    def _operate(
        self, kind: OperationKind, ask: Callable[[Requests], Operation], terms: ChangeOptions, *,
        user: str, role: str | None = None,
    ) -> Operation:  # fmt: skip
        connector = self._connector()
        connector.require(f"provision_{kind}", "find_account", "sync_resource")
        from connector_core.provision.requests import Requests

        with self._keeping_refusals(kind, terms, user, role), self._provisioning(connector, terms) as engine:
            return ask(Requests(engine))

    @contextmanager
    def _keeping_refusals(
        self, kind: OperationKind, terms: ChangeOptions, user: str | None = None, role: str | None = None
    ) -> Iterator[None]:
        """Write what a guard refused into the journal, where the engine did not get so far as to do it."""
        require_known(terms)
        try:
            yield
        except GuardRefused as error:
            if error.report is None and not terms.get("dry_run"):
                from connector_core.host.audit import Audit, RefusedAttempt

                audit = Audit(config=self.config, path=self._path, clock=self._context.clock)
                attempt = RefusedAttempt(kind=kind, error=error, user=user, role=role)
                try:
                    error.report = audit.refusal(attempt, who=terms.get("who"), reason=terms.get("reason"))
                except StateError as unwritable:
                    error.hint = f"this could not be written into the journal: {unwritable.message}"
                else:
                    self._context.plugins.announce("operation_finished", operation=error.report)
            raise

    def _announce(self, engine: Provisioner) -> None:
        """Announce every operation that has ended. What plugins complain of goes into the log, secrets masked."""
        from connector_core.host.provisioning import announce

        announce(engine, self._context.plugins)

    @contextmanager
    def _provisioning(self, connector: Connector, terms: ChangeOptions) -> Iterator[Provisioner]:
        from connector_core.host.provisioning import provisioner
        from connector_core.host.traffic import Traffic
        from connector_core.provision.engine import WriteAhead
        from connector_core.provision.guards import require_managed

        require_managed(self.config)
        ahead, traffic = WriteAhead(), Traffic(detailed=True)
        with (
            self._writing() as db,
            self._session(connector, before_write=ahead, on_event=traffic.listen) as session,
            provisioner(
                db,
                self._path,
                self.config,
                session,
                ahead,
                self._context.clock,
                terms,
                traffic,
                cancel=self._context.cancel,
            ) as engine,
        ):
            try:
                yield engine
            finally:
                self._announce(engine)

    # -- inside --------------------------------------------------------------------------------------------

    def _connector(self) -> Connector:
        return self._context.plugins.connector(self.config.connector)

    def _session(
        self, connector: Connector, *, deadline: float | None = None, workers: int | None = None,
        on_event: Callable[[HttpEvent], None] | None = None, before_write: BeforeWrite | None = None,
    ) -> AbstractContextManager[Session]:  # fmt: skip
        from connector_core.connectors.session import opened
        from connector_core.http import HttpPolicy
        from connector_core.provision.calls import WriteAhead

        policy = evolve(self._context.http_policy or HttpPolicy(), deadline=deadline)
        return opened(
            self.config, connector, state=self._path, clock=self._context.clock, cancel=self._context.cancel,
            policy=policy, environ=self._context.environ, workers=workers, on_event=on_event,
            before_write=before_write or WriteAhead(),
        )  # fmt: skip
