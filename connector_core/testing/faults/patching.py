"""Faults of PATCH: which shapes are understood, what is answered, and what is done (P20 to P24, P38 to P44, P70)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector_core.testing.faults.catalogue import Act, always, listed, put, remembering
from connector_core.testing.faults.exchange import Answer, Exchange, Proceed, page, refused, reply

_ONE = frozenset({"one"})
_PATCH = frozenset({"patch"})


def _operations(exchange: Exchange) -> list[dict[str, Any]]:
    document = exchange.document
    operations = document.get("Operations") if isinstance(document, dict) else None
    return operations if isinstance(operations, list) else []


# -- shapes --------------------------------------------------------------------------------------------------------


def _refusing(name: str, summary: str, shape: Callable[[dict[str, Any]], bool], detail: str, **more: Any) -> None:
    """A fault that refuses an operation of that shape."""

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        return refused(400, detail, "invalidPath") if any(map(shape, _operations(exchange))) else None

    put(name, summary, lambda: act, _PATCH, **more)


def _named(operation: dict[str, Any]) -> dict[str, Any]:
    value = operation.get("value")
    return value if isinstance(value, dict) else {}


def _values(operation: dict[str, Any]) -> list[Any]:
    return list(_named(operation).values()) or [operation.get("value")]


_refusing("p20_path_refused", "A path is refused.", lambda o: "path" in o, "path is not supported")
_refusing(
    "p20_nested_refused", "An extension as an object is refused.",
    lambda o: any(isinstance(value, dict) for value in _values(o)), "the value must be flat",
)  # fmt: skip
_refusing(
    "p20_flat_refused", "An extension's attribute in one word with its URN is refused.",
    lambda o: any(":" in name and not isinstance(value, dict) for name, value in _named(o).items()),
    "unknown attribute",
)  # fmt: skip
_refusing(
    "p22_urn_split_at_its_dot", "A URN is split at the dot in its version.", lambda o: "2.0" in str(o.get("path")),
    "no such attribute: urn:ietf:params:scim:schemas:extension:whimsical:2",
)  # fmt: skip
_refusing(
    "p23_op_in_capitals_wanted", "Only ``Replace`` is understood.", lambda o: o.get("op") != "Replace", "op is unknown"
)
_refusing(
    "p24_booleans_as_text_refused", "Booleans must be booleans.",
    lambda o: any(isinstance(value, str) and value.lower() in ("true", "false") for value in _values(o)),
    "expected boolean but found string", provoked=True,
)  # fmt: skip
_refusing(
    "p41_remove_refused", "``remove`` is not supported.", lambda o: str(o.get("op")).lower() == "remove",
    "remove is not supported", provoked=True,
)  # fmt: skip


@listed(_PATCH)
def p38_patched_without_a_body(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A change is answered 204."""
    return _quiet(exchange, proceed, 204)


@listed(_PATCH)
def p38_patched_with_202(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A change is answered 202, without a body."""
    return _quiet(exchange, proceed, 202)


@listed(_PATCH)
def p38_patched_with_an_empty_200(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A change is answered 200, without a body."""
    return _quiet(exchange, proceed, 200)


def _quiet(exchange: Exchange, proceed: Proceed, status: int) -> Answer | None:
    return reply(status) if proceed(exchange).status < 300 else None


@remembering(_PATCH, provoked=True)
def p39_patch_of_nothing_refused() -> Act:
    """A change that changes nothing is refused with a 400."""

    def act(exchange: Exchange, proceed: Proceed) -> Answer | None:
        before = _now(exchange, proceed)
        after = proceed(exchange)
        same = before is not None and after.document == before
        return refused(400, "No valid fields to update") if same else None

    return act


def _now(exchange: Exchange, proceed: Proceed) -> Any:
    return proceed(exchange.sending(None, method="GET")).document


@listed(_PATCH)
def p40_patch_passed_over(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A change is answered 204 and not made."""
    return reply(204)


@listed(_PATCH)
def p40_patch_passed_over_with_a_body(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """A change is answered 200 with the user as before."""
    before = _now(exchange, proceed)
    return reply(200, before) if before is not None else None


@listed(frozenset({"put"}), provoked=True)
def p42_put_is_not_routed(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """PUT is answered with a web page that says 404."""
    return page("404 Not Found", 404)


always("p43_patch_fails", "A change is answered 500 and not made.", lambda: refused(500, "regression"), _PATCH)


@listed(_PATCH, provoked=True)
def p44_one_operation_wanted(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """Several operations at once are refused."""
    return refused(400, "one operation at a time") if len(_operations(exchange)) > 1 else None


always(
    "p70_412_once", "A change is refused once with a 412.", lambda: refused(412, "the resource has changed"), _PATCH,
    times=1,
)  # fmt: skip


@listed(_ONE | {"create", "patch"})
def p70_etag_makes_no_sense(exchange: Exchange, proceed: Proceed) -> Answer | None:
    """An ETag that is another each time, and no tag."""
    answer = proceed(exchange)
    return answer.holding(answer.body, Etag=f"{exchange.clock.monotonic()}*") if answer.body else None
