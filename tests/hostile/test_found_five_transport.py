"""What a hostile reader found on the lines to devices, the fifth time: each names what is right."""

import asyncio
import contextlib
import struct

import pytest

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.connections import Connections
from schemas.profile import LineTiming
from tests.bridges.fieldbus.bare import Bare, made
from tests.bridges.fieldbus.test_connections import Gateway, serving
from tests.bridges.fieldbus.test_device import sunspec
from tests.bridges.fieldbus.test_unit import hybrid
from tests.bridges.liar import Asked, parse

SUN = made("p = { model = 103, register = 14, unit = 'W' }", "sunspec = true", kind="pv")
LACKING = made("p = { model = 701, register = 10, unit = 'W' }", "sunspec = true", kind="pv")
GRID = made("p = { model = 203, register = 16, unit = 'W' }", "sunspec = true", kind="meter")


@pytest.mark.parametrize("fails", ["it has no such model", "its model fails"])
async def test_a_device_that_is_never_there_does_not_make_the_others_of_its_unit_begin_anew(fails: str) -> None:
    """A site file names a profile that the inverter does not speak (or its meter is off): with each of its cycles the
    whole chain was walked again for all, so that the grid meter of the same unit was read a few times more slowly."""
    registers, bases = sunspec((1, 66), (103, 50), (120, 26), (121, 30), (122, 44), (123, 24), (203, 105))
    refuses = {(3, bases[203] + 16): 4} if fails == "its model fails" else {}
    async with Bare(registers, refuses=refuses) as server:
        sun, other = hybrid(server, SUN, GRID if refuses else LACKING)
        for cycle in range(6):
            await sun.read()
            with pytest.raises(Declined):
                await other.read()
            if cycle >= 2:  # its reader has it look for its models anew after each
                other.forget()
            if cycle == 2:
                server.asked.clear()
        asked = [(one.start, len(one.words)) for one in server.asked]
        assert len(asked) <= 3 * 5, asked
        assert asked.count((40000, 2)) == 0, "the chain is known"
        sun.close()


class Backlog(Gateway):
    """Takes every connection, as the operating system does, and serves one: what the next one asks is heard, and done,
    when the first is closed."""

    def __init__(self) -> None:
        super().__init__(1)
        self.done: list[tuple[int, tuple[int, ...]]] = []
        """Writes: where, and the words."""
        self.turn = asyncio.Lock()

    async def serve(self, source: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        self.open.append(out)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            async with self.turn:
                while True:
                    head = await source.readexactly(12)
                    asked = parse(head, rtu=False)
                    await asyncio.sleep(0.02)
                    if asked.function == 6:
                        self.done.append((asked.start, (asked.count,)))
                        out.write(head)
                    else:
                        out.write(asked.registers())
        out.close()


async def backlog(line: Connections) -> list[bool]:
    """Rounds of three units, and a write beside them. Which readings came."""
    for unit in (1, 2, 3):
        line.expect(unit, LineTiming(timeout=0.2))
    found = []
    for _ in range(6):
        found += await asyncio.gather(*(line.read(unit, 3, 10 * unit, 2) for unit in (1, 2, 3)), return_exceptions=True)
    return [not isinstance(one, BaseException) for one in found]


async def test_a_device_that_takes_a_second_connection_and_never_answers_on_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`connections = 2` for a dongle that serves one client: the second connection stands in the queue of its operating
    system. Half of all readings were lost, for ever and in turn, so that no device was ever called offline."""
    dongle = Backlog()
    async with serving(dongle) as address:
        line = Connections(address, 2)
        assert all(await backlog(line))
        assert f"{address} bears fewer than 2 connections: one rests for a while" in caplog.messages
        line.close()


async def test_nothing_is_written_over_a_connection_that_has_never_answered() -> None:
    """A write over it had no answer, and was done minutes later, when the first connection was closed: a setpoint of
    then, and nobody wanted it any more."""
    dongle = Backlog()
    async with serving(dongle) as address:
        line = Connections(address, 2)
        for unit in (1, 2):
            line.expect(unit, LineTiming(timeout=0.2))
        await line.read(1, 3, 5, 1)
        lost = 0
        for value in range(6):
            beside = asyncio.create_task(line.read(1, 3, 5, 1))
            await asyncio.sleep(0.005)
            try:
                await line.write(2, 6, 7, [value])
            except Unreachable:
                lost += 1
            await asyncio.gather(beside, return_exceptions=True)
        line.close()
        await asyncio.sleep(0.2)
        assert (lost, dongle.done) == (0, [(7, (value,)) for value in range(6)])


class Terse(Gateway):
    """Closes the connection after each answer."""

    async def _answer(self, asked: Asked, out: asyncio.StreamWriter) -> None:
        self.inside[asked.function] = self.inside.get(asked.function, 0) + 1
        out.write(
            asked.frame(struct.pack(">BHH", 6, asked.start, asked.count)) if asked.function == 6 else asked.registers()
        )
        out.close()


async def test_a_device_that_closes_after_each_answer_is_written_to() -> None:
    terse = Terse(9)
    async with serving(terse) as address:
        line = Connection(address)
        for value in (5, 6):
            await line.write(1, 6, 7, [value])
            await asyncio.sleep(0.01)  # for the next command
        assert terse.inside[6] == 2
        line.close()


class Party(Gateway):
    """A serial line that every client hears, as behind a transparent gateway: RTU frames. The first write is done and
    confirmed late, to all; the second is lost on the line."""

    def __init__(self) -> None:
        super().__init__(9)
        self.writes: list[int] = []
        self.late = b""

    async def serve(self, source: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        self.open.append(out)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                frame = await source.readexactly(8)
                asked = parse(frame, rtu=True)
                if asked.function == 16:
                    words = frame[7:] + await source.readexactly(3)
                    self.writes.append(int.from_bytes(words[:2], "big"))
                    if len(self.writes) == 1:
                        self.late = asked.frame(frame[1:6])
                        continue
                await asyncio.sleep(0.4 if asked.unit == 2 else 0.02)
                for one in self.open if self.late and asked.unit == 1 else ():
                    one.write(self.late)  # in the order in which it was asked
                self.late = b"" if asked.unit == 1 else self.late
                await asyncio.sleep(0.02)
                if asked.function == 3:
                    out.write(asked.registers())
        out.close()


async def test_a_late_confirmation_that_comes_on_another_connection_confirms_no_write() -> None:
    """Two connections to a transparent gateway: the first write is confirmed late, and to everybody; the next one, of
    the same register and over the other connection, was lost, and was taken for done."""
    party = Party()
    async with serving(party) as address:
        line = Connections(f"rtu+{address}", 2)
        line.expect(1, LineTiming(timeout=0.15))
        line.expect(2, LineTiming(timeout=1.0))
        await asyncio.gather(line.read(2, 3, 9, 1), line.read(1, 3, 5, 1))
        with pytest.raises(Unreachable):
            await line.write(1, 16, 7, [50])
        slow = asyncio.create_task(line.read(2, 3, 9, 1))  # holds the connection that was used last
        await asyncio.sleep(0.05)
        with pytest.raises(Unreachable):
            await line.write(1, 16, 7, [0])
        assert party.writes == [50, 0]
        await asyncio.gather(slow, return_exceptions=True)
        line.close()
