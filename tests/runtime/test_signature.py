"""A command counts only as its sender signed it, at the device it was meant for."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.settings import read_settings
from runtime.signature import forgery, signed
from schemas.messages import Authority, Command
from schemas.troubles import Trouble

KEY, PLACE = "a key that is long enough", "ems/v1/plant/device/pcs/command"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def command(power: float = 5000.0, reason: str = "test") -> Command:
    until = NOON + timedelta(seconds=10)
    wish: dict[str, Any] = {"id": "c1", "at": NOON, "until": until, "source": "dispatch", "reason": reason}
    return Command(authority=Authority.PLAN, values={"p_set": power}, **wish)


@given(st.floats(-1e7, 1e7), st.text(max_size=50))
def test_what_was_signed_is_genuine_however_it_is_written(power: float, reason: str) -> None:
    fields = json.loads(signed(command(power, reason), PLACE, KEY).model_dump_json())
    for payload in (json.dumps(fields), json.dumps(fields, indent=2, ensure_ascii=False, sort_keys=True)):
        assert forgery(payload.encode(), PLACE, KEY) == ""


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"values": {"p_set": 5001.0}}, "forged"),
        ({"until": "2026-06-01T13:00:00Z"}, "forged"),
        ({"extra": 1}, "forged"),
        ({"signature": "0" * 64}, "forged"),
        ({"signature": "ä"}, "unsigned"),
        ({"signature": None}, "unsigned"),
    ],
)
def test_any_change_is_seen(change: dict[str, Any], says: str) -> None:
    fields = json.loads(signed(command(), PLACE, KEY).model_dump_json()) | change
    assert forgery(json.dumps(fields).encode(), PLACE, KEY).startswith(says)


def test_another_key_and_another_device_do_not_count() -> None:
    payload = signed(command(), PLACE, KEY).model_dump_json().encode()
    assert forgery(payload, PLACE, KEY + "x").startswith("forged")
    assert forgery(payload, PLACE.replace("pcs", "pcs2"), KEY).startswith("forged")
    assert forgery(command().model_dump_json().encode(), PLACE, KEY).startswith("unsigned")
    for broken in (b"", b"[]", b"\xff", b"[" * 100_000):
        assert forgery(broken, PLACE, KEY).startswith("unsigned")


def test_a_key_comes_from_a_file_and_must_be_long() -> None:
    assert read_settings("bridge", {"JOULEBUS_COMMAND_KEY": KEY}).command_key == KEY
    assert read_settings("bridge", {}).command_key is None
    with pytest.raises(Trouble, match="openssl rand"):
        read_settings("bridge", {"JOULEBUS_COMMAND_KEY": "short"})


def test_keys_of_limits_are_known_to_dispatch_alone() -> None:
    env = {"JOULEBUS_COMMAND_KEY": KEY, "JOULEBUS_LIMIT_KEYS": f"# who\n\ndso = {KEY}1\nscada={KEY}2\n"}
    found = read_settings("dispatch", env)
    assert [found.keys_of(one) for one in ("dso", "operator")] == [[f"{KEY}1", KEY], [KEY]]
    assert read_settings("bridge", env).limit_keys is None
    assert read_settings("bridge", env | {"JOULEBUS_LIMIT_KEYS": "broken"}).limit_keys is None
    assert f"{KEY}1" not in repr(found)
    assert not read_settings("dispatch", {}).limits_signed
    assert read_settings("dispatch", {"JOULEBUS_LIMIT_KEYS": f"dso={KEY}"}).keys_of("scada") == []


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (f"dso={KEY}x\n{KEY}y", "line 2 is not SOURCE=KEY"),
        (f"dso={KEY}x\nscada={KEY}x", "line 2 gives scada the key of another one"),
        (f"dso={KEY}x\ndso={KEY}y", "line 2 gives dso a second key"),
        (f"dso={KEY}", "line 1 gives dso the command key"),
        ("dso=short", "line 1 has 5 characters"),
        ("dso", "line 1 has 0 characters"),
    ],
)
def test_a_wrong_line_is_named_and_not_shown(lines: str, says: str) -> None:
    with pytest.raises(Trouble, match=says) as wrong:
        read_settings("dispatch", {"JOULEBUS_COMMAND_KEY": KEY, "JOULEBUS_LIMIT_KEYS": lines})
    assert KEY not in str(wrong.value)
