"""A serial line: a pseudo terminal stands in for the cable, everything else is real."""

import asyncio
import os
import tty
from collections.abc import AsyncIterator

import pytest
from pydantic import TypeAdapter, ValidationError

from bridges.fieldbus.contract import Unreachable
from bridges.fieldbus.modbus.connection import Connection
from schemas.site_device import Device
from tests.bridges.liar import parse


class Unit:
    """Unit 7 at the far end of the cable. Hears what is sent and answers when it is meant."""

    def __init__(self) -> None:
        self.end, cable = os.openpty()
        tty.setraw(cable)
        self.path = os.ttyname(cable)
        self._cable, self._heard = cable, b""
        asyncio.get_running_loop().add_reader(self.end, self._hear)

    def _hear(self) -> None:
        self._heard += os.read(self.end, 256)
        while len(self._heard) >= 8:
            asked = parse(self._heard[:8], rtu=True)
            self._heard = self._heard[8:]
            if asked.unit == 7:
                os.write(self.end, asked.registers())

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.end)
        os.close(self.end)
        os.close(self._cable)


@pytest.fixture
async def unit() -> AsyncIterator[Unit]:
    unit = Unit()
    yield unit
    unit.close()


async def test_registers_come_over_a_serial_line(unit: Unit) -> None:
    line = Connection(f"rtu://{unit.path}?baud=19200&parity=N&stop=1", timeout=0.5)
    assert await line.read(7, 3, 100, 3) == [100, 101, 102]
    with pytest.raises(Unreachable, match="no answer"):
        await line.read(8, 3, 100, 3)
    assert await line.read(7, 4, 65_000, 125) == [*range(65_000, 65_125)]
    line.close()


async def test_a_line_that_is_not_there_is_said_in_words() -> None:
    line = Connection("rtu:///dev/does-not-exist", timeout=0.2)
    with pytest.raises(Unreachable, match="no connection to rtu:///dev/does-not-exist"):
        await line.read(7, 3, 100, 3)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("rtu:///dev/ttyUSB0", True),
        ("rtu:///dev/ttyUSB0?baud=9600&parity=N", True),
        ("rtu:///dev/serial/by-id/usb-FTDI?parity=E&stop=2&baud=115200", True),
        ("rtu+tcp://gateway:4001", True),
        ("tcp://10.0.0.2:502", True),
        ("rtu://dev/ttyUSB0", False),
        ("rtu:///dev/ttyUSB0?parity=X", False),
        ("rtu:///dev/ttyUSB0?speed=9600", False),
        ("tcp://10.0.0.2", False),
        ("udp://10.0.0.2:502", False),
    ],
)
def test_addresses(address: str, good: bool) -> None:
    device = {"name": "meter", "profile": "sdm630", "address": address}
    if good:
        assert TypeAdapter(Device).validate_python(device).endpoint[0] in address
    else:
        with pytest.raises(ValidationError, match="address"):
            TypeAdapter(Device).validate_python(device)
