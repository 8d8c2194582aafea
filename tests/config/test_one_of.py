"""Settings that may be left out, and sets of them of which one is enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from plugins.two_ways import Settings

from connector_core import ConfigurationError, Host, Manifest, Secret, address, hookimpl, secret, setting
from connector_core.config.configuration import Configuration, described, resolve
from connector_core.connectors.plugins import Plugins
from connector_core.settings import declared, sufficient_sets
from plugins import two_ways


def resolved(tmp_path: Path, text: str = "", given: dict[str, Any] | None = None, **environ: str) -> Any:
    path = tmp_path / "connector-core.toml"
    path.write_text(f"[connections.two_ways]\n{text}")
    variables = {f"CONNECTOR_CORE_TWO_WAYS_{name.upper()}": value for name, value in environ.items()}
    found = Configuration.load(path, variables)
    return resolve(found.connection("two_ways", ["two_ways"], settings=given or {}), Settings)


@pytest.mark.parametrize(
    ("text", "environ", "given"),
    [
        ("", {"token": "t"}, {}),
        ('client_id = "c"', {"client_secret": "s"}, {}),
        ('client_id = "c"', {"token": "t"}, {}),
        ("", {"client_id": "c", "client_secret": "s"}, {"token": None}),
    ],
)
def test_one_whole_set_is_enough(tmp_path: Path, text: str, environ: dict[str, str], given: dict[str, Any]) -> None:
    """Wherever its values come from; what is left out is None."""
    found = resolved(tmp_path, text, given, **environ)
    assert (found.token and found.token.reveal()) == environ.get("token")
    assert (found.client_secret and found.client_secret.reveal()) == environ.get("client_secret")


@pytest.mark.parametrize(
    ("text", "environ", "has"),
    [
        ("", {}, "none of them"), ('client_id = "c"', {}, "client_id"), ("", {"client_secret": "s"}, "client_secret"),
    ],
)  # fmt: skip
def test_what_is_not_enough_names_every_set(tmp_path: Path, text: str, environ: dict[str, str], has: str) -> None:
    """The message says which sets would be enough, and what there is of them; the hint, how to give the rest."""
    with pytest.raises(ConfigurationError) as raised:
        resolved(tmp_path, text, **environ)
    assert raised.value.message == f"two_ways needs token, or client_id and client_secret; it has {has}"
    assert "--secret NAME" in str(raised.value.hint)
    assert "CONNECTOR_CORE_TWO_WAYS_" in str(raised.value.hint)


def test_an_embedding_program_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """A connection with no whole set is an error of its settings; with one, it opens."""
    with Host(tmp_path / "state.db", plugins={"two_ways": two_ways}) as host:
        with pytest.raises(ConfigurationError, match="it has client_id"):
            host.connection("two_ways", settings={"client_id": "c"}).check()
        (finding,) = host.connection("two_ways", settings={"token": "four", "client_id": None}).check()
        assert finding.message == "with ['token'], secrets of [4] characters"


def test_a_sandbox_needs_none_of_them() -> None:
    """The stand-in's own secret is there for each."""
    config = Configuration().connection("two_ways-sandbox", ["two_ways"])
    found = resolve(config, Settings, sandbox_address="http://127.0.0.1:1")
    assert found.token is not None


def test_what_is_left_out_is_shown_as_nothing(tmp_path: Path) -> None:
    """A secret that is not there is not shown as one."""
    config = Configuration().connection("two_ways", ["two_ways"], settings={"client_secret": "s"})
    found = described(config, declared(Settings))
    assert found["token"] == {"value": "", "origin": "default"}
    assert found["client_secret"]["value"] == "***"


@frozen(kw_only=True)
class AllOptional:
    """Each kind of setting may be left out."""

    base_url: str | None = address(default=None, help="where")
    rows: int | None = setting(default=None, help="how many")


def test_a_setting_that_may_be_left_out_is_read_as_its_type(tmp_path: Path) -> None:
    """A variable of an optional number is a number."""
    environ = {"CONNECTOR_CORE_X_ROWS": "5", "CONNECTOR_CORE_X_BASE_URL": "https://x.example"}
    found = resolve(Configuration(environ=environ).connection("x", ["x"]), AllOptional)
    assert (found.rows, found.base_url) == (5, "https://x.example")
    assert resolve(Configuration().connection("x", ["x"]), AllOptional) == AllOptional()


@frozen(kw_only=True)
class OfRequired:
    token: Secret = secret(help="")  # noqa: RUF009
    one_of = ("token",)


@frozen(kw_only=True)
class OfUnknown:
    token: Secret | None = secret(default=None, help="")  # noqa: RUF009
    one_of = ("token", "tokn")


@frozen(kw_only=True)
class OfText:
    token: Secret | None = secret(default=None, help="")  # noqa: RUF009
    one_of = "token"


@pytest.mark.parametrize(
    ("settings", "says"),
    [(OfRequired, "'token' is no setting with"), (OfUnknown, "'tokn' is no setting with"), (OfText, "must hold names")],
)
def test_sets_that_cannot_be_are_named_when_the_plugin_is_loaded(settings: type, says: str) -> None:
    """With the class and the name, in `plugins`."""

    class OddSets:
        @hookimpl
        def connector_manifest(self) -> Manifest:
            return Manifest(name="p", display_name="", summary="", settings=settings, resource_types=())

    (row,) = Plugins({"p": OddSets()}, entry_point_group=None).rows()
    assert f"{settings.__name__}.one_of" in str(row.error)
    assert says in str(row.error)


def test_a_secret_has_no_default_but_none() -> None:
    """It would stand in the code."""
    with pytest.raises(TypeError, match="default of a secret"):
        secret(help="", default="hunter2")  # type: ignore[arg-type]


def test_a_class_may_have_a_setting_of_that_name() -> None:
    """One of an earlier contract goes on meaning its own."""

    @frozen(kw_only=True)
    class Earlier:
        one_of: str = setting(default="x", help="")

    assert sufficient_sets(Earlier) == ()
