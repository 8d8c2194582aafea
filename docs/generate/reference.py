"""What `connector_core` exports, grouped, for Sphinx to fill in from the docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import connector_core
from connector_core import errors, hookspecs, model


def reference() -> str:
    """Return the directives: each name of ``__all__`` once, and the packages that plugins may use besides."""
    groups: dict[str, list[str]] = {}
    for name in connector_core.__all__:
        if name != "__version__":
            groups.setdefault(group(getattr(connector_core, name)), []).append(name)
    parts = [f"## {title}\n\n" + directives(names) for title, names in groups.items()]
    return "\n\n".join([*sorted(parts), "## Hooks\n\n" + hooks()])


def group(offered: object) -> str:
    home = getattr(offered, "__module__", "")
    if home == errors.__name__:
        return "Errors"
    if home == model.__name__:
        return "Values"
    return {"connector_core.host": "Host and connections", "connector_core.http": "HTTP"}.get(
        ".".join(home.split(".")[:2]), "For plugins and programs"
    )


def directives(names: list[str]) -> str:
    lines = []
    for name in sorted(names):
        offered = getattr(connector_core, name)
        kind = "class" if inspect.isclass(offered) else "function" if isinstance(offered, Callable) else "data"
        lines.append(f".. auto{kind}:: connector_core.{name}" + ("\n   :members:" if kind == "class" else ""))
    return "```{eval-rst}\n" + "\n\n".join(lines) + "\n```"


def hooks() -> str:
    names = [name for name, value in vars(hookspecs).items() if hasattr(value, f"{hookspecs.GROUP}_spec")]
    return "```{eval-rst}\n" + "\n\n".join(f".. autofunction:: {hookspecs.__name__}.{name}" for name in names) + "\n```"
