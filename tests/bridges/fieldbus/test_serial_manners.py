"""An RTU line on which answers come late, garbled, twice, or not at all: its port stays open, and no answer is taken
for another question's. A pseudo terminal stands in for the cable; a unit answers in the order in which it is asked."""

import asyncio
import os
import random
import struct
import tty
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.owed import LATEST, Owed
from bridges.fieldbus.modbus.question import Asked as Question
from schemas.profile import LineTiming
from tests.bridges.liar import Asked, parse
from tests.timed import in_time, timed

Says = Callable[[Asked], tuple[float, bytes]]
"""After how many seconds a unit is through with a question, and its bytes."""


def honest(asked: Asked) -> tuple[float, bytes]:
    return 0.0, asked.registers() if asked.function in (3, 4) else confirmed(asked)


def confirmed(asked: Asked) -> bytes:
    return asked.frame(struct.pack(">BHH", asked.function, asked.start, asked.count))


class Bus:
    """A two-wire line: whoever speaks on it is heard by all, and a unit hears nothing while it is at work."""

    def __init__(self) -> None:
        self.end, cable = os.openpty()
        tty.setraw(cable)
        self._cable, self.path = cable, os.ttyname(cable)
        self.says: Says = honest
        self.asked: list[Asked] = []
        self.deaf = False
        """While a unit works it does not hear; otherwise it answers one after the other."""
        self._free: dict[int, float] = {}
        self._heard = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.end, self._hear)

    def _hear(self) -> None:
        self._heard += os.read(self.end, 256)
        while len(self._heard) >= 8:
            size = 8 if self._heard[1] != 16 else 9 + self._heard[6]
            if len(self._heard) < size:
                return
            asked, self._heard = parse(self._heard[:8], rtu=True), self._heard[size:]
            self.asked.append(asked)
            now = self._loop.time()
            if self.deaf and self._free.get(asked.unit, 0.0) > now:
                continue
            seconds, frame = self.says(asked)
            at = self._free[asked.unit] = max(now, self._free.get(asked.unit, 0.0)) + seconds
            self._loop.call_later(at - now, self.say, frame)

    def say(self, frame: bytes) -> None:
        if frame and self.end >= 0:
            os.write(self.end, frame)

    def close(self) -> None:
        self._loop.remove_reader(self.end)
        os.close(self.end)
        os.close(self._cable)
        self.end = -1


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    bus = Bus()
    yield bus
    bus.close()


def line_to(bus: Bus, timeout: float = 0.1) -> Connection:
    return Connection(f"rtu://{bus.path}?baud=115200", timeout=timeout)


def once(says: Says) -> Says:
    """One answer is like this, the others are honest."""
    turns = iter([says])
    return lambda asked: next(turns, honest)(asked)  # noqa: PLW0108  # each time the next one


GARBLED: dict[str, Callable[[Asked], bytes]] = {
    "a wrong checksum": lambda asked: asked.registers(checksum=0x0101),
    "half of it": lambda asked: asked.registers()[:-3],
    "noise": lambda _: b"\x00\xff\xa5\x5a" * 5,
    "our own question": lambda asked: asked.frame(struct.pack(">BHH", asked.function, asked.start, asked.count)),
    "of another unit": lambda asked: asked.registers(unit=asked.unit + 1),
    "to another function": lambda asked: asked.registers(function=7 - asked.function),
    "too short": lambda asked: asked.registers(asked.count - 1),
    "twice": lambda asked: asked.registers() * 2,
    "zeros behind it": lambda asked: asked.registers() + b"\0\0\0",
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("frame", GARBLED.values(), ids=GARBLED)
async def test_what_is_no_answer_costs_one_reading_and_the_port_stays(
    bus: Bus, frame: Callable[[Asked], bytes]
) -> None:
    line = line_to(bus)
    assert await line.read(7, 3, 5, 1) == [5]
    port = line._exchange.client.ctx.transport
    bus.says = once(lambda asked: (0.0, frame(asked)))
    with pytest.raises(Unreachable):
        await line.read(7, 3, 100, 3)
    for start in (200, 300):
        assert await line.read(7, 3, start, 3) == [start, start + 1, start + 2]
    assert line._exchange.client.ctx.transport is port
    line.close()


@pytest.mark.parametrize("deaf", [False, True], ids=["answers both", "hears nothing meanwhile"])
@pytest.mark.parametrize("late", [0.12, 0.19, 0.3], ids=["soon", "in the next question", "much later"])
async def test_a_late_answer_is_nobodys(bus: Bus, late: float, deaf: bool) -> None:
    """It has the unit, the function and the length of the next one's. A unit that hears nothing while it is at work
    never answers that one."""
    bus.deaf = deaf
    line = line_to(bus)
    for start in (100, 200):
        bus.says = once(lambda asked: (late, asked.registers()))
        with pytest.raises(Unreachable):
            await line.read(7, 3, start, 3)
        came = 0
        for turn in range(9):
            where = start + 1000 + 10 * turn
            try:
                assert await line.read(7, 3, where, 3) == [where, where + 1, where + 2]
                came += 1
            except Unreachable:
                await asyncio.sleep(0.02)
        assert came >= 4
    line.close()


@pytest.mark.parametrize("function", [6, 16])
async def test_a_write_is_not_confirmed_by_the_late_answer_to_the_one_before(bus: Bus, function: int) -> None:
    bus.deaf = True
    line, value = line_to(bus), 41
    bus.says = once(lambda asked: (0.25, confirmed(asked)))
    with pytest.raises(Unreachable):
        await line.write(7, function, 100, [value])
    writes = [one for one in bus.asked if one.function == function]
    with pytest.raises(Unreachable):
        await line.write(7, function, 100, [value + 1])
    writes = [one for one in bus.asked if one.function == function]
    assert len(writes) == 2, "it is made all the same: the device may hear it"
    await asyncio.sleep(0.2)
    assert await line.write(7, function, 100, [value + 2]) > 0
    line.close()


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_comes_late_what_is_read_is_true(bus: Bus, seed: int) -> None:
    """Two units, changing places and lengths, a fifth of the answers late by up to three timeouts or not at all."""
    dice = random.Random(seed)

    def says(asked: Asked) -> tuple[float, bytes]:
        chance = dice.random()
        if chance < 0.1:
            return dice.uniform(0.02, 0.06), asked.registers()
        return 0.0, b"" if chance < 0.15 else asked.registers()

    bus.says, bus.deaf = says, bool(seed % 2)
    line, came = line_to(bus, timeout=0.02), 0
    for turn in range(110):
        start, count = turn * 37, 1 + turn % 3
        try:
            words = await line.read(7 + turn % 2, 3, start, count)
        except Unreachable:
            continue
        assert words == [start + place for place in range(count)]
        came += 1
    assert came > 40
    line.close()


async def test_a_unit_that_declines_is_not_mistaken(bus: Bus) -> None:
    """What is asked to tell answers apart may be declined: it is answered all the same."""
    line = line_to(bus)
    bus.says = once(lambda _: (0.0, b""))
    with pytest.raises(Unreachable):
        await line.read(7, 3, 100, 3)
    bus.says = once(lambda asked: (0.0, asked.exception(2)))
    assert await line.read(7, 3, 200, 3) == [200, 201, 202]
    bus.says = once(lambda asked: (0.0, asked.exception(2)))
    with pytest.raises(Declined):
        await line.read(7, 3, 200, 3)
    assert await line.read(7, 3, 200, 3) == [200, 201, 202]
    line.close()


async def test_an_adapter_that_echoes_is_named(bus: Bus) -> None:
    line = line_to(bus)
    bus.says = lambda asked: (0.0, asked.frame(struct.pack(">BHH", asked.function, asked.start, asked.count)))
    with pytest.raises(Unreachable, match="the line echoes, so turn the echo of its adapter off"):
        await line.read(7, 3, 100, 3)
    line.close()


@timed
async def test_a_dead_unit_costs_the_others_on_its_line_no_more_than_its_timeout(bus: Bus) -> None:
    """The port is not opened again for it."""
    line = Connection(f"rtu://{bus.path}?baud=115200")
    for unit in (7, 8):
        line.expect(unit, LineTiming(timeout=0.3))
    bus.says = lambda asked: (0.0, b"" if asked.unit == 8 else asked.registers())
    loop, longest = asyncio.get_running_loop(), 0.0
    for turn in range(5):
        dead = asyncio.create_task(line.read(8, 3, 1, 2))
        await asyncio.sleep(0)
        began = loop.time()
        assert await line.read(7, 3, turn, 2) == [turn, turn + 1]
        longest = max(longest, loop.time() - began)
        with pytest.raises(Unreachable, match="no answer"):
            await dead
    in_time(longest < 0.3 + 0.15, longest)
    line.close()


# what is owed, and what tells it apart ----------------------------------------------------------

QUESTIONS = st.builds(Question, st.integers(1, 3), st.sampled_from([3, 4, 6]), st.integers(0, 65_530), st.just(1)) | (
    st.builds(Question, st.integers(1, 3), st.sampled_from([3, 4, 16]), st.integers(0, 65_400), st.integers(1, 120))
)


@given(st.lists(QUESTIONS, max_size=12), QUESTIONS)
def test_the_answer_to_a_probe_cannot_be_one_that_is_owed(lost: list[Question], asked: Question) -> None:
    owed = Owed()
    for one in lost:
        owed.lost(one, 0.0, 1.0)
    probe = owed.probe(asked, 1.0)
    assert (probe is None) == all(one.unit != asked.unit for one in lost)
    if probe is not None:
        assert probe.shape not in {one.shape for one in lost} | {asked.shape}
        assert probe.function in (3, 4)
        assert probe.start + probe.count <= 0x10000
        owed.answered(asked.unit)
    assert owed.probe(asked, 1.0) is None


def test_what_never_comes_is_not_waited_for() -> None:
    owed, asked = Owed(), Question(1, 3, 100, 2)
    owed.lost(asked, 0.0, 1.0)
    assert owed.probe(asked, LATEST - 1) is not None
    assert owed.probe(asked, LATEST + 1) is None
    owed.lost(asked, 0.0, 30.0)
    assert owed.probe(asked, 59.0) is not None, "as long as its timeout asks for"
