"""What a hostile reader found the fourth time in lines, values, enables, prices and profiles: each name says what is
right."""

import asyncio
import struct

import pytest

from bridges.fieldbus.contract import Unreachable
from bridges.fieldbus.modbus.connection import DEAD, Connection
from tests.bridges.liar import HONEST, Asked, Liar

# The line ---------------------------------------------------------------------------------------------


def confirm(asked: Asked) -> bytes:
    """The answer to a write by function 16: where, and how many; not what."""
    return asked.frame(struct.pack(">BHH", 16, asked.start, asked.count))


@pytest.mark.parametrize("anew", ["dead", "closed", "another connection"])
async def test_a_late_answer_that_a_dongle_gives_to_the_next_connection_is_no_value(anew: str) -> None:
    """A dongle has one queue: what it comes to say late goes to whoever is connected then. Numbers that begin at 1 with
    each connection meet again there: registers of 100 were published as those of 200, good."""
    late: list[Asked] = []

    async def asleep(asked: Asked, _out: asyncio.StreamWriter) -> None:
        late.append(asked)

    async def awake(_asked: Asked, out: asyncio.StreamWriter) -> None:
        out.write(late.pop(0).registers())

    async with Liar(lie=asleep) as dongle:
        line = Connection(dongle.address, timeout=0.05)
        for _ in range(DEAD if anew == "dead" else 1):
            with pytest.raises(Unreachable):
                await line.read(7, 3, 100, 3)
        if anew != "dead":
            line.close()
        if anew == "another connection":  # the bridge was begun anew
            line = Connection(dongle.address, timeout=0.05)
        dongle.lie = awake
        with pytest.raises(Unreachable):
            await line.read(7, 3, 200, 3)
        dongle.lie = HONEST
        assert await _soon(line) == [500, 501, 502]
        line.close()


async def _soon(line: Connection) -> list[int]:
    for _ in range(3):
        try:
            return await line.read(7, 3, 500, 3)
        except Unreachable:
            continue
    raise AssertionError("the line did not recover")


async def test_a_late_confirmation_does_not_confirm_the_write_of_a_later_connection() -> None:
    """Function 16 confirms where and how many, not what: 0 W counted as written by the word about 5000 W."""
    asked: list[Asked] = []

    async def asleep(one: Asked, _out: asyncio.StreamWriter) -> None:
        asked.append(one)

    async def awake(one: Asked, out: asyncio.StreamWriter) -> None:
        asked.append(one)
        out.write(confirm(asked[0]))

    async with Writes(lie=asleep) as dongle:
        line = Connection(dongle.address, timeout=0.05)
        with pytest.raises(Unreachable):
            await line.write(7, 16, 100, [5000])
        line.close()
        dongle.lie = awake
        with pytest.raises(Unreachable):
            await line.write(7, 16, 100, [0])
        line.close()


class Writes(Liar):
    """Takes writes of one register by function 16."""

    async def _serve(self, source: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        self.newest = out
        try:
            while True:
                frame = await source.readexactly(15)
                transaction, _, _, unit, function, start, count = struct.unpack_from(">HHHBBHH", frame)
                await self.lie(Asked(transaction, unit, function, start, count, rtu=False), out)
        except (asyncio.IncompleteReadError, ConnectionError):
            out.close()
