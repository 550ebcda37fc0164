"""An answer that lies never becomes a value, and the next honest one is believed."""

import asyncio
import contextlib
import random
import time

import pytest

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.exchange import DEAD
from tests.bridges.fieldbus.bare import Asked as Question
from tests.bridges.fieldbus.bare import Bare, held
from tests.bridges.liar import EXCEPTIONS, HONEST, REFUSED, RTU_ONLY, TCP_ONLY, TRUE, Asked, Liar, Lie, say
from tests.timed import in_time, timed

TABLE = [
    *((f"{name}, {'RTU' if rtu else 'TCP'}", rtu, lie) for rtu in (False, True) for name, lie in REFUSED.items()),
    *((name, False, lie) for name, lie in TCP_ONLY.items()),
    *((name, True, lie) for name, lie in RTU_ONLY.items()),
]


async def honest_again(line: Connection) -> None:
    """Within three tries, and at another place: a shifted answer would show the old one."""
    for _ in range(3):
        with contextlib.suppress(Unreachable):
            assert await line.read(7, 3, 500, 3) == [500, 501, 502]
            return
    raise AssertionError("the line did not recover")


@pytest.mark.parametrize(("rtu", "lie"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_a_lie_is_no_value(rtu: bool, lie: Lie) -> None:
    async with Liar(rtu, lie) as liar:
        line = Connection(liar.address, timeout=0.1)
        with pytest.raises(Unreachable):
            await line.read(7, 3, 100, 3)
        liar.lie = HONEST
        await honest_again(line)
        line.close()


@pytest.mark.parametrize("rtu", [False, True], ids=["TCP", "RTU"])
@pytest.mark.parametrize("lie", TRUE.values(), ids=TRUE)
async def test_what_is_strange_may_be_true(rtu: bool, lie: Lie) -> None:
    async with Liar(rtu, lie) as liar:
        line = Connection(liar.address, timeout=2.0)
        for start in (100, 200, 300):
            assert await line.read(7, 3, start, 3) == [start, start + 1, start + 2]
            await asyncio.sleep(0.03)
        line.close()


@pytest.mark.parametrize("rtu", [False, True], ids=["TCP", "RTU"])
@pytest.mark.parametrize("code", EXCEPTIONS)
async def test_an_exception_is_said_with_its_number(rtu: bool, code: int) -> None:
    async with Liar(rtu, say(lambda asked: asked.exception(code))) as liar:
        line = Connection(liar.address, timeout=2.0)
        with pytest.raises(Declined, match=rf"exception {code}\)") as no:
            await line.read(7, 3, 100, 3)
        assert no.value.code == code
        assert liar.asked == (2 if code == 6 else 1), "only a busy device is asked again"
        liar.lie = HONEST
        assert await line.read(7, 3, 100, 1) == [100], "an exception is a good answer: the line stays"
        line.close()


async def test_an_answer_that_waited_before_the_question_is_not_its_answer() -> None:
    """A bridge that stood still for a moment finds it together with its own: on RTU nothing else tells them apart."""
    answers: list[bytes] = []

    async def remembered(asked: Asked, out: asyncio.StreamWriter) -> None:
        answers.append(asked.registers())
        out.write(answers[-1])

    async with Liar(True, remembered) as liar:
        line = Connection(liar.address, timeout=2.0)
        assert await line.read(7, 3, 100, 3) == [100, 101, 102]
        liar.newest.write(answers[0])  # sent at once; the loop gets no turn to read it before the next question
        assert await line.read(7, 3, 200, 3) == [200, 201, 202]
        line.close()


async def test_a_gateway_that_gives_a_late_answer_to_the_next_connection() -> None:
    async with Liar(rtu=True) as liar:

        async def to_the_newest(asked: Asked, _out: asyncio.StreamWriter) -> None:
            asyncio.get_running_loop().call_later(0.53, lambda: liar.newest.write(asked.registers()))

        liar.lie = to_the_newest
        line = Connection(liar.address, timeout=0.5)
        with pytest.raises(Unreachable):
            await line.read(7, 3, 100, 3)
        liar.lie = HONEST
        assert await line.read(7, 3, 500, 3) == [500, 501, 502]
        line.close()


@timed
async def test_a_lost_connection_is_noticed_at_once() -> None:
    async with Liar(lie=REFUSED["reset in the middle"]) as liar:
        line = Connection(liar.address, timeout=5)
        began = time.monotonic()
        with pytest.raises(Unreachable, match="lost"):
            await line.read(7, 3, 100, 3)
        in_time(time.monotonic() - began < 1)
        line.close()


async def test_a_unit_that_was_silent_several_times_is_waited_for_shorter() -> None:
    async with Liar(lie=REFUSED["silence"]) as liar:
        line = Connection(liar.address, timeout=0.5)
        took = []
        for _ in range(9):
            began = time.monotonic()
            with pytest.raises(Unreachable, match="no answer"):
                await line.read(7, 3, 100, 3)
            took.append(time.monotonic() - began)
        assert [one > 0.45 for one in took] == [True, True, True, False, True, False, False, False, True], took
        line.close()


@pytest.mark.parametrize("rtu", [False, True], ids=["TCP", "RTU"])
async def test_a_connection_outlives_an_answer_that_did_not_come(rtu: bool) -> None:
    """A dongle that must rest after each new connection would never be heard."""
    turn = iter(range(100))

    def lost(asked: Question) -> bool:
        return len(asked.words) == 3 and next(turn) % 2 == 0

    async with Bare(held(100, range(3)), rtu=rtu, lost=lost) as server:
        line = Connection(server.address, timeout=0.15)
        for _ in range(4):
            with pytest.raises(Unreachable, match=r"no answer$"):
                await line.read(7, 3, 100, 3)
            assert await line.read(7, 3, 100, 3) == [0, 1, 2]
        line.close()
    assert server.connected == 1


async def test_a_connection_on_which_not_a_byte_comes_is_made_anew() -> None:
    """A router may have forgotten it, and says nothing."""
    async with Bare(held(100, [5]), lost=lambda _: server.connected == 1) as server:
        line = Connection(server.address, timeout=0.1)
        for _ in range(DEAD):
            with pytest.raises(Unreachable):
                await line.read(7, 3, 100, 1)
        assert await line.read(7, 3, 100, 1) == [5]
        line.close()


@pytest.mark.parametrize("after", [0.12, 0.17, 0.25], ids=["between two questions", "within the next", "much later"])
async def test_a_late_answer_is_dropped_and_the_line_stays(after: float) -> None:
    """Alone, or while the next question waits."""
    async with Liar() as liar:

        async def later(asked: Asked, out: asyncio.StreamWriter) -> None:
            asyncio.get_running_loop().call_later(after, out.write, asked.registers())

        line = Connection(liar.address, timeout=0.1)
        assert await line.read(7, 3, 1, 1) == [1]
        first = liar.newest
        for start in (100, 200, 300):
            liar.lie = later
            with pytest.raises(Unreachable, match="no answer"):
                await line.read(7, 3, start, 3)
            liar.lie = HONEST
            for turn in range(8):
                assert await line.read(7, 3, start + 500 + turn, 3) == [start + 500 + turn + n for n in range(3)]
                await asyncio.sleep(0.02)
        assert liar.newest is first
        line.close()


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (
            say(lambda asked: asked.registers(transaction=asked.transaction + 1)),
            r"no answer to question \d+ of unit 7, but one to question \d+ of unit 7: it numbers its answers wrongly",
        ),
        (say(lambda asked: asked.registers(transaction=0)), r"belongs to another question \(transaction 0\)"),
        (
            say(lambda asked: asked.registers(unit=9)),
            r"no answer to question (\d+) of unit 7, but one to question \1 of unit 9",
        ),
        (say(lambda asked: asked.registers()[:-3]), "no answer that is whole and ours: 12 bytes came"),
        (say(lambda asked: asked.registers() + b"\0\0\0"), "an answer of 15 bytes was due, 18 came"),
        (REFUSED["silence"], "^no answer$"),
    ],
    ids=["another number", "number 0", "another unit", "half", "zeros behind it", "nothing"],
)
async def test_what_came_instead_of_an_answer_is_said(lie: Lie, says: str) -> None:
    async with Liar(lie=lie) as liar:
        line = Connection(liar.address, timeout=0.1)
        with pytest.raises(Unreachable, match=says):
            await line.read(7, 3, 100, 3)
        line.close()


async def test_a_device_that_answers_too_late_is_said_to_need_a_longer_timeout() -> None:
    async with Bare(held(1, [5]), delay=0.15) as server:
        line = Connection(server.address, timeout=0.1)
        said = ""
        for _ in range(3):
            with pytest.raises(Unreachable) as no:
                await line.read(1, 3, 1, 1)
            said = str(no.value)
        line.close()
    assert said == "no answer within 0.1 s, and earlier ones came later: its line needs a longer timeout"


@pytest.mark.parametrize("rtu", [False, True], ids=["TCP", "RTU"])
@timed
async def test_a_value_encodes_its_address(rtu: bool) -> None:
    """10 000 readings of changing places, 5 % of the answers late: what comes is right or nothing."""
    dice = random.Random(7)
    came = {"right": 0, "none": 0}

    def choose(_asked: Asked) -> Lie:
        return slightly_late if dice.random() < 0.05 else HONEST

    async def slightly_late(asked: Asked, out: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.012)
        out.write(asked.registers())

    async def poll(liar: Liar, turns: int) -> None:
        line = Connection(liar.address, timeout=0.008)
        for turn in range(turns):
            start, count = (turn * 37) % 60_000, 1 + turn % 3
            try:
                words = await line.read(1 + turn % 2, 3 + turn % 2, start, count)
            except Unreachable:
                came["none"] += 1
                continue
            assert words == [start + place for place in range(count)]
            came["right"] += 1
        line.close()

    async with Liar(rtu, choose=choose) as liar, asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(poll(liar, 500))
    assert sum(came.values()) == 10_000
    in_time(came["right"] > 1_000, came)  # 20 at a time: of a machine that is busy most come late
    assert came["none"] >= 200
