"""One message never ends a part, and nothing else is hidden behind that."""

import asyncio
import logging
from collections import Counter
from typing import Any

import aiomqtt
import pytest

from runtime.bus import Refused
from runtime.guarded import FAILED, Guarded
from runtime.heard import Heard, read
from schemas.topics import COMMAND, TELEMETRY, Topic
from schemas.troubles import Trouble

log = logging.getLogger("test")


def heard(topic: Topic[Any] = TELEMETRY, device: str = "pcs") -> Heard[Any]:
    return Heard(topic, {"site": "plant", "device": device}, None, "", b"", False, 1)


def test_each_kind_of_failure_is_said_once_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    counts = Counter[str]()
    guarded = Guarded(log, counts)
    for number in range(100):
        with guarded(heard()):
            raise ZeroDivisionError(f"message {number}\nforged line")
    with guarded(heard(COMMAND)):
        raise ZeroDivisionError
    with guarded(heard()):
        {}["key"]  # that it raises is all it is for
    said = [record.getMessage() for record in caplog.records]
    assert counts[FAILED] == 102
    assert [line.split(" is passed over: ")[1].split(" at ")[0] for line in said] == [
        "ZeroDivisionError", "ZeroDivisionError", "KeyError",
    ]  # fmt: skip
    assert said[0].startswith("a message at ems/v1/plant/device/pcs/telemetry is passed over")
    assert "test_guarded.py:" in said[0]
    assert all("\n" not in line for line in said)


@pytest.mark.parametrize(
    "wrong",
    [
        aiomqtt.MqttError("lost"),
        Refused("access list"),
        Trouble("a person"),
        asyncio.CancelledError(),
        KeyboardInterrupt(),
        ExceptionGroup("group", [ValueError(), aiomqtt.MqttError("lost")]),
        BaseExceptionGroup("group", [ValueError(), asyncio.CancelledError()]),
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_what_is_not_the_messages_doing_goes_through(wrong: BaseException) -> None:
    counts = Counter[str]()
    with pytest.raises(type(wrong)), Guarded(log, counts)(heard()):
        raise wrong
    assert not counts


def test_a_group_of_failures_is_one() -> None:
    counts = Counter[str]()
    with Guarded(log, counts)(heard()):
        raise ExceptionGroup("group", [ValueError("a"), ValueError("b")])
    assert counts[FAILED] == 1


def test_what_is_said_of_a_bad_payload_is_short_and_one_line() -> None:
    for payload in (b'{"' + b"k" * 200_000 + b'": 1}', b'{"line\\nend\\u202e": 1}'):
        _, fault = read(COMMAND, payload)
        assert 0 < len(fault) <= 300
        assert fault.isprintable()
