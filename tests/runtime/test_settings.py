"""Settings that are mistyped are said in words, and no word of a password is."""

import dataclasses
import re
import string
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.database import describe, engine
from runtime.settings import Broker, Settings, parse_broker, read_env_file, read_settings
from schemas.troubles import Trouble

SECRETS = st.text(alphabet=string.ascii_letters + string.digits + "@:/?#%&=+!$;, []ä€", min_size=4, max_size=30).map(
    lambda text: f"xq{text}zj"
)
"""Each begins and ends with what stands in no message: a part of it would show, too."""
MARKS = ("xq", "zj")

PLACES = {"JOULEBUS_BROKER": "host:1883", "JOULEBUS_DATABASE": "host:3306/name"}
MISTYPED: dict[str, Callable[[str, str, str], str]] = {
    "as it should be, not escaped": lambda scheme, secret, place: f"{scheme}://user:{secret}@{place}",
    "one slash": lambda scheme, secret, place: f"{scheme}:/user:{secret}@{place}",
    "no colon": lambda scheme, secret, place: f"{scheme}//user:{secret}@{place}",
    "no scheme": lambda _, secret, place: f"user:{secret}@{place}",
    "another scheme": lambda _, secret, place: f"htp://user:{secret}@{place}",
    "a port that is none": lambda scheme, secret, place: f"{scheme}://user:{secret}@{place.replace('3', 'x')}",
    "a port too large": lambda scheme, secret, place: f"{scheme}://user:{secret}@{place.replace('3', '99999')}",
    "no host": lambda scheme, secret, _: f"{scheme}://user:{secret}@",
    # with an @ of its own such a password makes an address that is right
    "no at": lambda scheme, secret, _: f"{scheme}://user:{secret.replace('@', '')}",
    "a dot for the at": lambda scheme, secret, place: f"{scheme}://user:{secret.replace('@', '')}.{place}",
    "user and password the wrong way round": lambda scheme, secret, place: f"{scheme}://:{secret}@{place}",
    "quoted": lambda scheme, secret, place: f'"{scheme}://user:{secret}@{place}"',
    "the password alone": lambda _scheme, secret, _place: secret,
    "blanks": lambda scheme, secret, place: f" {scheme} :// user : {secret} @ {place} ",
}
LINES: dict[str, Callable[[str], str]] = {
    "a colon": lambda secret: f"JOULEBUS_BROKER_PASSWORD: {secret}",
    "a blank": lambda secret: f"JOULEBUS_BROKER_PASSWORD {secret}",
    "another name": lambda secret: f"BROKER_PASSWORD={secret}",
    "export": lambda secret: f"export JOULEBUS_BROKER_PASSWORD={secret}",
    "the password alone": lambda secret: secret,
    "on two lines": lambda secret: f"JOULEBUS_BROKER_PASSWORD=\n{secret}",
}


def told(what: Callable[[], object]) -> str:
    """All that a person would read of it, also in a traceback."""
    try:
        return repr(what())
    except Trouble as wrong:
        return "".join(traceback.format_exception(wrong))


def clean(words: str) -> bool:
    return not any(mark in words for mark in MARKS)


@pytest.mark.parametrize("variable", PLACES)
@pytest.mark.parametrize("mistake", MISTYPED)
@given(secret=SECRETS)
def test_a_mistyped_address_shows_no_password(variable: str, mistake: str, secret: str) -> None:
    scheme = {"JOULEBUS_BROKER": "mqtt", "JOULEBUS_DATABASE": "mariadb+asyncmy"}[variable]
    address = MISTYPED[mistake](scheme, secret, PLACES[variable])

    def use() -> tuple[object, ...]:
        settings = read_settings("bridge", {variable: address})
        return settings, str(settings.broker), describe(settings.database), engine(settings.database)

    assert clean(told(use)), told(use)


@pytest.mark.parametrize("mistake", LINES)
@given(secret=SECRETS)
def test_a_mistyped_line_shows_no_password(tmp_path_factory: pytest.TempPathFactory, mistake: str, secret: str) -> None:
    file = tmp_path_factory.mktemp("env") / "env"
    file.write_text(LINES[mistake](secret), encoding="utf-8")
    said = told(lambda: list(read_env_file(file)))
    assert clean(said), said


@given(secret=SECRETS)
def test_a_password_that_is_escaped_arrives_and_is_not_shown(secret: str) -> None:
    safe = quote(secret, safe="")
    env = {"JOULEBUS_BROKER": f"mqtt://user:{safe}@host", "JOULEBUS_DATABASE": f"mariadb+asyncmy://user:{safe}@host/x"}
    settings = read_settings("bridge", env)
    assert settings.broker.password == secret
    made = engine(settings.database)
    assert made.url.password == secret
    assert clean(repr((settings, settings.broker, made)) + str(settings.broker) + describe(settings.database))
    given = dataclasses.replace(settings, page_token=secret, command_key=secret)
    assert clean(repr(given))


@given(secret=SECRETS)
def test_a_password_of_its_own_arrives_and_is_not_shown(secret: str) -> None:
    env = {
        "JOULEBUS_BROKER": "mqtt://user@host",
        "JOULEBUS_BROKER_PASSWORD": secret,
        "JOULEBUS_DATABASE": "mariadb+asyncmy://user@host/x",
        "JOULEBUS_DATABASE_PASSWORD": secret,
    }
    settings = read_settings("bridge", env)
    assert settings.broker.password == secret
    assert engine(settings.database).url.password == secret
    assert clean(repr(settings))


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://host", "JOULEBUS_BROKER is not mqtt://user@host:port"),
        ("mqtt://host:99999", "the port is not a number from 1 to 65535"),
        ("mqtt://user:a/b@host", "the port is not a number"),
        ("mqtt://user:1/b@host", "goes on behind the port"),
        ("mqtt://user:1#b@host", "JOULEBUS_BROKER_PASSWORD_FILE"),
    ],
)
def test_what_would_be_right_is_said(address: str, says: str) -> None:
    with pytest.raises(Trouble, match=says):
        parse_broker(address, "bridge", None, {})


def test_files_that_are_no_text_are_said(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00xq")
    with pytest.raises(Trouble, match="is not UTF-8"):
        read_env_file(tmp_path / "binary")
    with pytest.raises(Trouble, match=r"JOULEBUS_BROKER_PASSWORD_FILE: .* is not UTF-8"):
        read_settings("bridge", {"JOULEBUS_BROKER_PASSWORD_FILE": str(tmp_path / "binary")})


def test_secrets_are_read_again_and_what_was_known_stays_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("old\n", encoding="utf-8")
    settings = read_settings("bridge", {"JOULEBUS_BROKER_PASSWORD_FILE": str(file)})
    file.write_text("new\n", encoding="utf-8")
    assert (settings.broker.password, settings.fresh().broker.password) == ("old", "new")
    assert settings.fresh().fresh() == settings.fresh()
    file.unlink()
    with pytest.raises(Trouble, match="cannot be read"):
        settings.fresh()
    made_by_hand = Settings(Broker("host", 1883), "")
    assert made_by_hand.fresh() is made_by_hand


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, None),
        ("", {}),
        ("broker=/mosquitto/data", {"broker": Path("/mosquitto/data")}),
        (" a = /x ,, b=/y=z", {"a": Path("/x"), "b": Path("/y=z")}),
        ("/mosquitto/data", "'/mosquitto/data' is not NAME=PATH"),
        ("a=/x,a=/y", "'a=/y' is not NAME=PATH with a name of its own"),
        ("a=", "'a=' is not"),
    ],
)
def test_what_is_watched_has_names(text: str | None, found: dict[str, Path] | str | None) -> None:
    env = {} if text is None else {"JOULEBUS_WATCH_DISKS": text}
    if isinstance(found, str):
        with pytest.raises(Trouble, match=re.escape(f"JOULEBUS_WATCH_DISKS: {found}")):
            read_settings("alarms", env)
    else:
        assert read_settings("alarms", env).watch_disks == found
