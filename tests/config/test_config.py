"""Configuration: where each value comes from, and what is refused rather than guessed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import frozen
from attrs.validators import ge

from connector_core import ConfigurationError, Secret, UnknownName, address, secret, setting
from connector_core.config import addresses
from connector_core.config.configuration import Configuration, ConnectionConfig, described, resolve, variable
from connector_core.settings import declared

CONNECTORS = ("whimsical",)


@frozen(kw_only=True)
class Settings:
    token: Secret = secret(help="the token")  # noqa: RUF009
    base_url: str = address(default="https://api.example.com", help="where it is")
    page_size: int = setting(default=100, help="rows", validator=ge(1))
    patience: float = setting(default=1.5, help="seconds")
    eager: bool = setting(default=False, help="at once")
    style: Literal["path", "flat"] = setting(default="path", help="how")
    protected: tuple[str, ...] = setting(default=(), help="who")


def load(tmp_path: Path, text: str = "", environ: Mapping[str, str] | None = None) -> Configuration:
    path = tmp_path / "connector-core.toml"
    path.write_text(text)
    return Configuration.load(path, environ or {})


def settings(tmp_path: Path, text: str = "", given: Mapping[str, Any] | None = None, **environ: str) -> Settings:
    variables = {variable("whimsical", name): value for name, value in environ.items()}
    config = load(tmp_path, f"[connections.whimsical]\n{text}", variables)
    found = resolve(config.connection("whimsical", CONNECTORS, settings={"token": "t", **(given or {})}), Settings)
    assert isinstance(found, Settings)
    return found


def refused(tmp_path: Path, text: str = "", **environ: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        settings(tmp_path, text, **environ)
    return raised.value


# -- precedence ------------------------------------------------------------------------------------------------


def test_argument_before_environment_before_file_before_default(tmp_path: Path) -> None:
    """Each place yields to the one before it."""
    file = "page_size = 3"
    assert settings(tmp_path).page_size == 100
    assert settings(tmp_path, file).page_size == 3
    assert settings(tmp_path, file, page_size="2").page_size == 2
    assert settings(tmp_path, file, {"page_size": 1}, page_size="2").page_size == 1


@pytest.mark.parametrize("empty", ["", "  "])
@pytest.mark.parametrize("name", ["page_size", "base_url", "token", "managed", "owner"])
def test_an_empty_variable_is_an_error(tmp_path: Path, name: str, empty: str) -> None:
    """It would silently leave the default in force: an empty address led to production."""
    message = refused(tmp_path, "page_size = 3", **{name: empty}).message
    assert f"CONNECTOR_CORE_WHIMSICAL_{name.upper()} is empty" in message


ODD = [
    "{}",
    "//{}",
    "http:/{}",
    "http:{}",
    "http:\\\\{}",
    "http:///{}",
    "http:// {}",
    "HTTPS:{}",
    "http://h\\@{}",
    "https://{}?a=b",
]


@pytest.mark.parametrize(
    "url",
    [
        "https://ada:pqr7@api.example.com/v2",
        "https://ada@api.example.com",
        *(o.format("ada:pqr7@x.example") for o in ODD),
    ],
)
def test_an_address_with_a_user_name_or_password_is_refused(tmp_path: Path, url: str) -> None:
    """Addresses are shown and logged; what was in it is not quoted."""
    error = refused(tmp_path, base_url=url)
    assert "user name or password" in error.message
    assert "ada:" not in error.message and "ada@" not in error.message and "pqr7" not in error.message
    assert "pqr7" not in addresses.shown(url)


@pytest.mark.parametrize(
    "url", ["https://api.example.com/a@b", "https://api.example.com/?a=b@c", "https://[::1]:8443/"]
)
def test_an_at_sign_behind_the_host_is_no_password(url: str) -> None:
    """Tenants are named in paths, too."""
    addresses.refuse_credentials(url, "base_url")


def test_the_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    assert settings(tmp_path).page_size == 100
    path = tmp_path / "bom.toml"
    path.write_bytes(b"\xef\xbb\xbf[connections.acme]\nconnector = 'whimsical'\n")
    assert Configuration.load(path, {}).names(()) == ["acme"]


# -- types -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("page_size", "7", 7),
        ("page_size", " 7 ", 7),
        ("patience", "2", 2.0),
        ("patience", "1e-3", 0.001),
        ("eager", "true", True),
        ("eager", "YES", True),
        ("eager", "0", False),
        ("style", "flat", "flat"),
        ("protected", "a@example.com, b@example.com,", ("a@example.com", "b@example.com")),
        ("base_url", "http://127.0.0.1:1", "http://127.0.0.1:1"),
    ],
)
def test_variables_are_read_as_the_setting_needs_them(tmp_path: Path, name: str, text: str, value: object) -> None:
    """Text becomes what the file would have held."""
    assert getattr(settings(tmp_path, **{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("page_size", "abc", "expected a whole number, found 'abc'"),
        ("page_size", "1.5", "expected a whole number, found '1.5'"),
        ("page_size", "9" * 400, f"expected a whole number, found '{'9' * 400}'"),
        ("patience", "nan", "expected a number, found 'nan'"),
        ("eager", "maybe", "expected true or false, found 'maybe'"),
        ("style", "odd", "expected one of path, flat"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    """With what was expected of it."""
    message = refused(tmp_path, **{name: text}).message
    assert message == f"{name} (${variable('whimsical', name)}): {says}"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("page_size = true", "expected int, found bool"),
        ("page_size = '7'", "expected int, found str"),
        ("eager = 1", "expected bool, found int"),
        ("protected = 'ceo@example.com'", "expected list, found str"),
        ("protected = ['a', 1]", "expected str, found int @ $[1]"),
    ],
)
def test_a_wrong_value_in_the_file_is_named(tmp_path: Path, line: str, says: str) -> None:
    """With its place; a text is never taken for a list of letters."""
    name = line.partition(" ")[0]
    assert (
        refused(tmp_path, line).message == f"{name} ([connections.whimsical] in {tmp_path}/connector-core.toml): {says}"
    )


def test_a_value_that_the_connector_refuses_is_named_with_its_place(tmp_path: Path) -> None:
    """The connector's validator knows the setting, the host where its value came from."""
    message = refused(tmp_path, page_size="0").message
    assert message.startswith("whimsical: 'page_size' must be >= 1")
    assert message.endswith("($CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE)")


def test_values_are_described_with_their_origin(tmp_path: Path) -> None:
    """As text, the secret masked, whether it is right or not."""
    text = "[connections.whimsical]\npage_size = 3\nprotected = ['a']\ntoken = 's3cr3t'"
    config = load(tmp_path, text, {"CONNECTOR_CORE_WHIMSICAL_EAGER": "maybe"}).connection("whimsical", CONNECTORS)
    found = described(config, declared(Settings))
    file = f"[connections.whimsical] in {tmp_path}/connector-core.toml"
    assert found["token"] == {"value": "***", "origin": file}
    assert found["page_size"] == {"value": "3", "origin": file}
    assert found["protected"] == {"value": '["a"]', "origin": file}
    assert found["eager"] == {"value": "maybe", "origin": "$CONNECTOR_CORE_WHIMSICAL_EAGER"}
    assert found["style"] == {"value": "path", "origin": "default"}
    assert described(Configuration().connection("whimsical", CONNECTORS), declared(Settings))["token"] == {
        "value": "", "origin": "missing",
    }  # fmt: skip


# -- what is not known -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("[conections.x]", "conections", "did you mean connections?"),
        ("[apps.A]\nmanged = true", "manged", "did you mean managed?"),
        ("[apps.A]\nzzz = true", "zzz", "known are: managed, owner"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest(tmp_path: Path, text: str, key: str, near: str) -> None:
    """A misspelt key would silently leave the default in force."""
    with pytest.raises(ConfigurationError, match=f"unknown key '{key}'") as raised:
        load(tmp_path, text)
    assert raised.value.hint == near


def test_an_unknown_setting_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    """In the file, among the arguments, and in the environment alike."""
    error = refused(tmp_path, "page_sise = 1")
    assert ("unknown key 'page_sise'" in error.message, error.hint) == (True, "did you mean page_size?")
    with pytest.raises(ConfigurationError, match="the argument page_sise: unknown key"):
        settings(tmp_path, given={"page_sise": 1})
    error = refused(tmp_path, page_sise="1")
    assert error.message == "the environment variable CONNECTOR_CORE_WHIMSICAL_PAGE_SISE is no setting of whimsical"
    assert error.hint == "did you mean CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE?"


def test_variables_of_another_connection_are_not_strays(tmp_path: Path) -> None:
    """Be it in the file, a sandbox, or made of variables alone."""
    others = {"eu_page_size": "1", "sandbox_page_size": "1", "us_connector": "whimsical", "us_page_size": "1"}
    text = "[connections.whimsical-eu]\nconnector = 'whimsical'"
    assert settings(tmp_path, text, **others).page_size == 100


def test_a_variable_that_two_connections_read_is_refused(tmp_path: Path) -> None:
    """CONNECTOR_CORE_A_B_C: setting b_c of a, or setting c of a-b."""

    @frozen
    class Ambiguous:
        eu_size: int = setting(default=1, help="")

    text = "[connections.whimsical]\n[connections.whimsical-eu]\nconnector='whimsical'"
    config = load(tmp_path, text, {"CONNECTOR_CORE_WHIMSICAL_EU_SIZE": "3"})
    with pytest.raises(ConfigurationError, match="and of another connection, too"):
        resolve(config.connection("whimsical", CONNECTORS), Ambiguous)


def test_a_missing_token_names_the_places_looked_at(tmp_path: Path) -> None:
    """And how to give one."""
    config = load(tmp_path).connection("whimsical", CONNECTORS)
    with pytest.raises(ConfigurationError) as raised:
        resolve(config, Settings)
    assert raised.value.message == (
        "whimsical has no token (the token); looked at: the environment variable CONNECTOR_CORE_WHIMSICAL_TOKEN; "
        f"token under [connections.whimsical] in {tmp_path}/connector-core.toml"
    )
    assert '`token = { file = "..." }`' in str(raised.value.hint)


def test_a_misspelt_connection_in_a_variable_is_asked_about(tmp_path: Path) -> None:
    """It can be nobody's stray, so it is named where something is missing."""
    config = load(tmp_path, environ={"CONNECTOR_CORE_WHIMSCAL_TOKEN": "t"}).connection("whimsical", CONNECTORS)
    with pytest.raises(ConfigurationError) as raised:
        resolve(config, Settings)
    assert raised.value.hint == "CONNECTOR_CORE_WHIMSCAL_TOKEN is set: is that a misspelling?"


# -- connections and apps --------------------------------------------------------------------------------------


def test_each_connector_has_a_connection_of_its_name_and_a_sandbox() -> None:
    """With nothing configured at all; the sandbox is managed, the other is not."""
    config = Configuration()
    assert config.names(CONNECTORS) == ["whimsical", "whimsical-sandbox"]
    plain, sandbox = (config.connection(name, CONNECTORS) for name in config.names(CONNECTORS))
    assert (plain.connector, plain.managed, plain.sandbox) == ("whimsical", False, False)
    assert (sandbox.connector, sandbox.managed, sandbox.sandbox) == ("whimsical", True, True)


def test_an_unknown_connection_is_an_error_that_names_the_nearest() -> None:
    """It is neither configured nor implied."""
    with pytest.raises(UnknownName) as raised:
        Configuration().connection("whimsicle", CONNECTORS)
    assert raised.value.hint == "did you mean whimsical?"


def test_an_app_says_who_owns_its_connections_and_whether_they_are_managed(tmp_path: Path) -> None:
    """And an unmanaged one is the default."""
    text = """
        [apps."Whimsical"]
        owner = "it@example.com"
        managed = true
        [connections.whimsical]
        app = "Whimsical"
    """
    found = load(tmp_path, text).connection("whimsical", CONNECTORS)
    assert (found.app, found.owner, found.managed) == ("Whimsical", "it@example.com", True)
    found = load(tmp_path, text, {"CONNECTOR_CORE_WHIMSICAL_MANAGED": "false"}).connection("whimsical", CONNECTORS)
    assert found.managed is False
    assert load(tmp_path, text.replace("managed = true", "")).connection("whimsical", CONNECTORS).managed is False


def test_without_an_app_a_connection_says_it_itself(tmp_path: Path) -> None:
    """In the file or by variable."""
    text = "[connections.whimsical]\nowner = 'it@example.com'\nmanaged = true"
    found = load(tmp_path, text).connection("whimsical", CONNECTORS)
    assert (found.owner, found.managed) == ("it@example.com", True)
    environ = {"CONNECTOR_CORE_WHIMSICAL_MANAGED": "true"}
    assert load(tmp_path, environ=environ).connection("whimsical", CONNECTORS).managed is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[connections.whimsical]\napp = 'Gone'", 'has no [apps."Gone"]'),
        ("[apps.A]\n[connections.whimsical]\napp = 'A'\nmanaged = true", "managed is for the app to say"),
        ("[connections.whimsical]\nmanaged = 'perhaps'", "expected true or false"),
        ("[connections.whimsical]\nowner = 3", "owner ([connections.whimsical]"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """Two places that say whether access may be changed would be one too many."""
    with pytest.raises(ConfigurationError) as raised:
        load(tmp_path, text).connection("whimsical", CONNECTORS)
    assert says in raised.value.message


@pytest.mark.parametrize("text", ["not toml", "connections = 3", "[connections]\nx = 1", "a = '\ud800'"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    """Whatever is wrong with it."""
    (tmp_path / "connector-core.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigurationError, match=r"connector-core\.toml"):
        Configuration.load(tmp_path / "connector-core.toml", {})


def test_a_file_that_somebody_named_must_be_there(tmp_path: Path) -> None:
    """One that nobody named need not."""
    assert Configuration.load(tmp_path / "none.toml", {}).names(()) == []
    with pytest.raises(ConfigurationError, match="cannot read the configuration"):
        Configuration.load(tmp_path / "none.toml", {}, required=True)


# -- names -----------------------------------------------------------------------------------------------------


def test_connections_that_share_their_variables_are_refused(tmp_path: Path) -> None:
    """Also where one of them is implied by a connector."""
    for text in ("[connections.a-b]\n[connections.a_b]", "[connections.Whimsical]\nconnector = 'whimsical'"):
        with pytest.raises(ConfigurationError, match="share their environment variables"):
            load(tmp_path, text).connection("whimsical", CONNECTORS)


@pytest.mark.parametrize(
    "name", ["", "..", ".x", "-x", "a\nb", "a\x1b[1m", "a\u202eb", " a", "a ", "a" * 121, "日" * 14]
)
def test_a_connection_has_a_name_that_can_be_seen_and_written(name: str) -> None:
    """It stands in files' names, variables and on terminals."""
    with pytest.raises(ConfigurationError):
        ConnectionConfig(name=name, connector="whimsical")


@pytest.mark.parametrize("name", ["whimsical", "Acme Inc. (EU)", "acme/eu", "büro", "7"])
def test_names_may_be_what_people_call_things(name: str) -> None:
    """Files are named after them with care."""
    assert ConnectionConfig(name=name, connector="whimsical").name == name


def test_a_setting_of_its_own_is_no_misspelling_of_a_missing_one(tmp_path: Path) -> None:
    """Who set the page size did not mean the token."""
    environ = {"CONNECTOR_CORE_WHIMSICAL_PAGE_SIZE": "50", "CONNECTOR_CORE_WHIMSICAL_MANAGED": "true"}
    with pytest.raises(ConfigurationError) as caught:
        resolve(load(tmp_path, "", environ).connection("whimsical", CONNECTORS), Settings)
    assert "misspelling" not in str(caught.value.hint)


def test_no_other_connection_is_named_like_a_sandbox(tmp_path: Path) -> None:
    """`run x --sandbox` must never reach an application."""
    text = "[connections.whimsical-sandbox]\nconnector = 'other'"
    with pytest.raises(ConfigurationError, match="named like a sandbox"):
        load(tmp_path, text).connection("whimsical-sandbox", CONNECTORS)
    with pytest.raises(ConfigurationError, match="named like a sandbox"):
        Configuration().connection("acme-sandbox", CONNECTORS, connector="whimsical")


def test_a_sandbox_uses_neither_the_real_token_nor_the_real_address(tmp_path: Path) -> None:
    """Whatever is configured for it is not even looked at; other settings count."""
    text = """
        [connections.whimsical-sandbox]
        token = { command = ["false"] }
        base_url = "https://api.example.com"
        page_size = 7
        managed = false
    """
    environ = {"CONNECTOR_CORE_WHIMSICAL_SANDBOX_BASE_URL": "https://api.example.com"}
    config = load(tmp_path, text, environ).connection("whimsical-sandbox", CONNECTORS)
    found = resolve(config, Settings, sandbox_address="http://127.0.0.1:9")
    assert (found.token, found.base_url, found.page_size) == (Secret("sandbox"), "http://127.0.0.1:9", 7)
    assert config.managed is True
