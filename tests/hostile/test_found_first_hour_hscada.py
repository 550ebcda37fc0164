"""What a hostile SCADA engineer found: on the wire, in signatures, and in what a broker keeps for who is away."""

import hmac
import json
import re
import struct
from typing import Annotated, Any, get_args, get_origin

import pytest
import yaml

from bridges.fieldbus.modbus.codec import decode
from bridges.telemetry.energy_counter import EnergyCounter
from joulebus.broker import SHIPPED
from joulebus.neighbours import REPOSITORY
from runtime.signature import forgery
from schemas.register import Point
from schemas.topics import GRID_LIMIT, TELEMETRY
from schemas.units import SAID, Reading
from tests.schemas.test_absent import KINDS

KEY, ADDRESS = "0123456789abcdef" * 2, GRID_LIMIT.at(site="plant")


def noisy(annotation: Any, said: bool = False) -> bool:
    """Whether a number in it goes over the wire with all its binary digits."""
    if annotation == Reading:
        return False  # of a register: said with its own digits
    if get_origin(annotation) is Annotated:
        kind, *notes = get_args(annotation)
        return noisy(kind, said or SAID in notes)
    return (annotation is float and not said) or any(noisy(part, said) for part in get_args(annotation))


@pytest.mark.parametrize("name", KINDS)
def test_no_number_of_a_payload_is_said_with_noise(name: str) -> None:
    fields = KINDS[name].model_fields
    assert [key for key, field in fields.items() if noisy(field.annotation, SAID in field.metadata)] == []


@pytest.mark.parametrize("reason", ["Störung", "ßäé", "网络", "\ud800"])
@pytest.mark.parametrize("escaped", [True, False])
def test_a_limit_is_genuine_however_its_letters_are_written(reason: str, escaped: bool) -> None:
    """JSON.stringify and a shell write them as they are, Python escapes them."""
    fields = {"id": "1", "percent": 60, "reason": reason, "source": "scada"}
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=escaped)
    signed = f"{ADDRESS}\n{text}".encode(errors="surrogatepass")
    said = text[:-1] + f',"signature":"{hmac.new(KEY.encode(), signed, "sha256").hexdigest()}"}}'
    if escaped or reason.isprintable():
        assert forgery(said.encode(), ADDRESS, KEY) == ""
    changed = said.replace('"percent":60', '"percent":100')
    assert forgery(changed.encode(errors="surrogatepass"), ADDRESS, KEY).startswith(("forged", "unsigned"))


def test_all_who_may_be_away_at_once_fit_into_the_memory_of_the_broker() -> None:
    """Sessions that fill one after the other share nothing: measured, a full one takes its bytes and a third more."""
    conf = (SHIPPED / "mosquitto-2.1.conf").read_text(encoding="utf-8")
    queued = re.search(r"^max_queued_bytes (\d+)$", conf, re.MULTILINE)
    assert queued is not None
    acl = re.split(r"^user ", (SHIPPED / "acl").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    heard = {f"topic read {TELEMETRY.at(site='+')}", "topic read ems/v1/#"}
    parts = {"alarms", "dispatch", "optimize", "status"}  # they ask for no session
    away = {user.split()[0] for user in acl if heard & set(user.splitlines())} - parts
    assert {"archive", "scada", "scada-3", "admin"} <= away
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8"))
    limit = compose["services"]["mosquitto"]["mem_limit"]
    assert int(limit[:-1]) * {"m": 2**20, "g": 2**30}[limit[-1]] >= len(away) * int(queued[1]) * 4 / 3


@pytest.mark.parametrize("start", [2e7, 2e9, 1.4e11])
@pytest.mark.parametrize("scale", [0.1, 1.0, 1000.0])
@pytest.mark.parametrize("down", [True, False])
def test_a_counter_of_32_bits_is_believed_and_never_falls(start: float, scale: float, down: bool) -> None:
    """Whether its meter rounds or cuts off; it is said shorter than it is stored, which is one rounding more."""
    point = Point(register=0, type="f32", scale=scale)
    counter, true, last = EnergyCounter(point, most=100e3, sign=1), start, 0.0
    for second in range(300):
        true += 99e3 / 3600
        (bits,) = struct.unpack("I", struct.pack("f", true / scale))
        if down and struct.unpack("f", struct.pack("I", bits))[0] > true / scale:
            bits -= 1
        said = decode(point, [bits >> 16, bits & 0xFFFF])
        assert isinstance(said, float)
        counter.passes(99e3, second)
        assert counter.believes(said, second)
        assert last <= said <= true * (1 + 2**-22)
        last = said
