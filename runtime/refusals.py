"""What the broker refuses, and how it is said."""

from collections.abc import Iterable
from typing import Any

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode

_NOT_LET_IN = {0x84, 0x85, 0x86, 0x87, 0x8A}


ASK = "; is it running? JOULEBUS_BROKER says where"
"""Behind why a broker cannot be reached."""


class Refused(Exception):
    """The broker said no: the access list forbids it."""


def refusal(address: str) -> str:
    """In words, the same wherever it is noticed."""
    return f"{address}: the broker refuses it, see the access list"


def not_let_in(wrong: BaseException) -> bool:
    """Whether the broker does not want us: trying again will not help."""
    if not isinstance(wrong, aiomqtt.MqttCodeError):
        return False
    return (wrong.rc.value if isinstance(wrong.rc, ReasonCode) else int(wrong.rc or 0)) in _NOT_LET_IN


def granted(addresses: tuple[str, ...], codes: Iterable[Any]) -> None:
    """Raises Refused for the first of some subscriptions that was not granted."""
    for address, code in zip(addresses, codes, strict=True):
        value = int(getattr(code, "value", code))
        if value >= 0x80:
            raise Refused(refusal(address))
