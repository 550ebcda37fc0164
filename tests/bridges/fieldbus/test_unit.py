"""One unit that is several devices: each register is read once a round, and nobody takes what is too old."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridges.fieldbus.contract import Declined, Reading, Unreachable
from bridges.fieldbus.modbus.blocks import Block
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.fieldbus.modbus.shared_blocks import Wish, joined
from bridges.fieldbus.modbus.site_lines import modbus_devices
from bridges.fieldbus.modbus.unit import Unit
from schemas.profile import LineTiming, Profile
from schemas.site_device import Device
from schemas.site_file import load_site
from tests.bridges.conftest import DEMO
from tests.bridges.fieldbus.bare import Asked, Bare, Registers, device, held, made
from tests.bridges.fieldbus.test_reader import story

PCS = made(
    "a = { register = 1, scale_register = 3 }\nb = { register = 2 }\ny = { register = 9 }",
    "[commands]\ny = { register = 9, write = 16, low = 0, high = 99, fallback = 0 }",
)
METER = made("a = { register = 2 }\nc = { register = 4 }\nd = { register = 60, rate = 'slow' }", kind="meter")
BMS = made("r = { register = 5, type = 'u32' }\nc = { register = 4 }", kind="bms")
HELD = held(1, [100, 20, 0, 4, 0, 50, 0, 0, 7]) | held(60, [60])


def hybrid(
    server: Bare, *profiles: Profile, polls: Sequence[float] = (), units: Sequence[int] = ()
) -> list[ModbusDevice]:
    """The devices of one unit, as the bridge makes them."""
    names = [f"d{n}" for n, _ in enumerate(profiles)]
    blocks = [
        Device(
            name=name,
            profile="one",
            address=server.address,
            poll=([*polls] or [1.0] * 9)[n],
            unit=([*units] or [1] * 9)[n],
        )
        for n, name in enumerate(names)
    ]
    site = load_site(DEMO).model_copy(update={"device": blocks})
    site.__dict__["profiles"] = dict(zip(names, profiles, strict=True))
    return modbus_devices(site, shared=True)


async def a_round(devices: Sequence[ModbusDevice]) -> list[Reading]:
    """They are all due at the same moment."""
    return list(await asyncio.gather(*(one.read() for one in devices)))


def asked(server: Bare) -> list[tuple[int, int]]:
    """What was read since this was called last."""
    found = [(one.start, len(one.words)) for one in server.asked if one.function in (3, 4)]
    server.asked.clear()
    return found


# which requests are one -------------------------------------------------------------------------

BLOCKS = st.builds(Block, st.sampled_from([3, 4]), st.integers(0, 300), st.integers(1, 40))
WISHES = st.builds(
    Wish,
    st.sampled_from([1.0, 5.0]),
    st.lists(BLOCKS, max_size=6).map(tuple),
    st.integers(40, 125),
    st.sampled_from([False, False, True]),
)


@given(st.lists(WISHES, max_size=4))
def test_one_request_for_several_devices(wishes: list[Wish]) -> None:
    """Every register of it is somebody's who is read as often, and none is longer than all profiles bear."""
    found = joined(wishes)
    for block, whole in found.items():
        assert whole.holds(block.function, block.start, block.start + block.count)
        assert whole.count <= min(wish.most for wish in wishes)
        asks = [wish for wish in wishes if block in wish.blocks and not wish.apart]
        assert any(
            {at for wish in wishes if wish.poll == poll and not wish.apart for one in wish.blocks
             if one.function == whole.function for at in range(one.start, one.start + one.count)}
            >= set(range(whole.start, whole.start + whole.count))
            for poll in {wish.poll for wish in asks}
        )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "wholes"),
    [
        ({}, {Block(3, 1, 9)}),
        ({"poll": 5.0}, set()),
        ({"apart": True}, set()),
        ({"most": 8}, set()),
        ({"blocks": (Block(4, 6, 4),)}, set()),
        ({"blocks": (Block(3, 7, 3),)}, set()),
    ],
    ids=["adjoin", "another cadence", "one request each point", "too long", "another table", "a gap between them"],
)
def test_what_is_not_put_into_one_request(change: dict[str, object], wholes: set[Block]) -> None:
    one, other = Wish(1.0, (Block(3, 1, 5),), 125, False), Wish(1.0, (Block(3, 6, 4),), 125, False)
    assert set(joined([one, replace(other, **change)]).values()) == wholes  # type: ignore[arg-type]  # by case


# a round ----------------------------------------------------------------------------------------


async def test_each_register_is_read_once_a_round() -> None:
    """A PCS, a meter and a BMS: registers 1-3, 2 and 4, 4-6 in one request, where it were five."""
    async with Bare(dict(HELD)) as server:
        devices = hybrid(server, PCS, METER, BMS, PCS)
        for _ in range(3):
            readings = await a_round(devices)
            assert sorted(asked(server)) == [(1, 6), (9, 1), (60, 1)]
            values = [one.values for one in readings]
            assert values[0] == values[3] == {"a": 100.0, "b": 20.0, "y": 7.0}
            assert values[1:3] == [{"a": 20.0, "c": 4.0, "d": 60.0}, {"r": 50.0, "c": 4.0}]
            assert len({one.began for one in readings}) == 1
            await asyncio.sleep(0.01)
        assert len({one.place for one in devices}) == 1
        devices[0].close()


async def test_a_value_is_as_old_as_its_reading() -> None:
    """And nobody takes the same reading twice, or one that is older than half a cycle of the fastest."""
    async with Bare(dict(HELD)) as server:
        first, second = hybrid(server, METER, BMS, polls=[0.4, 0.4])
        taken = await first.read()
        await asyncio.sleep(0.1)
        taken_too = await second.read()
        assert taken.began <= taken_too.began < asyncio.get_running_loop().time() - 0.1
        assert asked(server) == [(2, 1), (4, 3), (60, 1)]
        server.registers[3, 4] = 44
        again = await first.read()
        assert (again.values["c"], again.began > taken.began) == (44.0, True)
        await asyncio.sleep(0.25)
        server.registers[3, 4] = 45
        late = await second.read()
        assert (late.values["c"], late.began > again.began) == (45.0, True)
        first.close()


async def test_what_was_written_is_read_back_anew() -> None:
    """By whichever device, whatever has become of the write, and also while a reading is under way."""
    async with Bare(dict(HELD), refuses={(16, 9): 4}) as server:
        one, other = hybrid(server, PCS, PCS)
        assert (await one.read()).values["y"] == 7.0
        server.registers[3, 9] = 8
        with pytest.raises(Declined):
            await one.write("y", 55)
        server.refuses = {}
        assert (await other.read()).values["y"] == 8.0
        written = await one.write("y", 55)
        reading = await other.read()
        assert (reading.values["y"], reading.began > written.at) == (55.0, True)
        server.delay = 0.02
        under_way = asyncio.create_task(other.read())
        await asyncio.sleep(0.01)
        written = await one.write("y", 66)
        reading = await one.read()
        assert (reading.values["y"], reading.began > written.at) == (66.0, True)
        await under_way
        one.close()


async def test_a_look_is_never_a_kept_reading() -> None:
    async with Bare(dict(HELD)) as server:
        one, other = hybrid(server, PCS, PCS)
        await other.read()
        server.registers[3, 9] = 8
        before = asyncio.get_running_loop().time()
        seen = await one.look("y")
        assert (seen.values, seen.began >= before) == ({"y": 8.0}, True)
        one.close()


async def test_another_unit_and_another_cadence_share_no_request_that_one_of_them_does_not_make() -> None:
    async with Bare(dict(HELD)) as server:
        await a_round(far := hybrid(server, METER, BMS, units=[1, 2]))
        assert sorted(asked(server)) == [(2, 1), (4, 1), (4, 3), (60, 1)]
        await a_round(slow := hybrid(server, METER, BMS, polls=[1.0, 2.0]))
        assert sorted(asked(server)) == [(2, 1), (4, 3), (60, 1)], "the wider one happens to come first"
        far[0].close()
        slow[0].close()


async def test_the_manners_of_each_device_hold() -> None:
    """No request is longer than the most cautious profile bears; one request a point stays one."""
    four = BMS.over(LineTiming(most_registers=4))
    single = METER.over(LineTiming(one_point=True))
    async with Bare(dict(HELD), most=5) as server:
        await a_round(short := hybrid(server, PCS, four))
        assert max(count for _, count in asked(server)) <= 4
        await a_round(each := hybrid(server, PCS, single))
        assert sorted(asked(server)) == [(1, 3), (4, 1), (9, 1), (60, 1)]
        short[0].close()
        each[0].close()


@dataclass
class Counting:
    """A unit whose registers all hold how often it was written. It answers some time after it was asked."""

    times: Iterator[float]
    lost: Iterator[bool]
    writes: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, _unit: int, _function: int, _start: int, count: int) -> list[int]:
        async with self._turn:
            await asyncio.sleep(next(self.times))
            if next(self.lost):
                raise Unreachable("no answer")
            held = [self.writes] * count
            await asyncio.sleep(next(self.times))
            return held

    async def write(self, _unit: int, _function: int, _start: int, _words: Sequence[int]) -> float:
        async with self._turn:
            await asyncio.sleep(next(self.times))
            self.writes += 1
            await asyncio.sleep(next(self.times))
            return asyncio.get_running_loop().time()

    def close(self) -> None:
        """There is nothing to let go of."""


DOES = st.sampled_from([0, 1, 2, 3])
"""A reading of one of three devices, or a write."""


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 30), DOES), min_size=4, max_size=15),
    st.lists(st.sampled_from([0.0, 0.01, 0.07, 0.2]), min_size=1, max_size=5),
    st.lists(st.sampled_from([False, False, True]), min_size=1, max_size=5),
)
def test_no_reading_is_from_before_a_write_or_too_old(
    plan: list[tuple[int, int]], times: list[float], lost: list[bool]
) -> None:
    """Whenever they ask, and whatever is lost: what is read shows every write that was over when it was asked for."""
    story(_any_order(plan, Counting(itertools.cycle(times), itertools.cycle([*lost, False]))))


async def _any_order(plan: list[tuple[int, int]], line: Counting) -> None:
    unit, loop = Unit(1, line), asyncio.get_running_loop()
    blocks = (Block(3, 1, 3), Block(3, 3, 4), Block(3, 5, 2))
    for number, block in enumerate(blocks):
        unit.wish(number, Wish(1.0, (block,), 125, apart=False))

    async def read(number: int) -> None:
        asked, over = loop.time(), line.writes
        at, words = await unit.together(blocks[number], asked - unit.round)
        assert asked - unit.round <= at <= loop.time()
        assert len(words) == blocks[number].count
        assert set(words) <= set(range(over, line.writes + 1))

    async def after(seconds: float, does: int) -> None:
        await asyncio.sleep(seconds)
        if does == 3:
            await unit.write(1, 6, 1, [1])
            return
        with contextlib.suppress(Unreachable):
            await read(does)

    await asyncio.gather(*(after(tick / 20, does) for tick, does in plan))


# what fails -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [2, 4])
async def test_a_device_whose_block_fails_fails_alone(code: int) -> None:
    """The BMS is not connected: its registers are declined, and with them the request for all."""
    async with Bare(dict(HELD), refuses={(3, 5): code}) as server:
        pcs, meter, bms = hybrid(server, PCS, METER, BMS)
        for _ in range(2):
            readings = await asyncio.gather(pcs.read(), meter.read(), bms.read(), return_exceptions=True)
            assert [one.values.get("a") for one in readings if isinstance(one, Reading)][:2] == [100.0, 20.0]
            assert not isinstance(readings[2], Reading) or "r" not in readings[2].values
        assert (1, 6) in asked(server)
        await asyncio.gather(pcs.read(), meter.read(), bms.read(), return_exceptions=True)
        assert (1, 6) not in asked(server), "it is not asked for each time"
        pcs.close()


async def test_a_unit_that_is_silent_about_the_whole_alone() -> None:
    """Some do not decline what is too long for them."""

    def lost(one: Asked) -> bool:
        return len(one.words) > 3

    async with Bare(dict(HELD), lost=lost) as server:
        quick = LineTiming(timeout=0.1)
        devices = hybrid(server, *(one.over(quick) for one in (PCS, METER, BMS)))
        for _ in range(3):
            readings = await a_round(devices)
            assert [len(one.values) for one in readings] == [3, 3, 2]
        assert asked(server).count((1, 6)) == 1
        devices[0].close()


async def test_a_device_that_falls_silent_takes_no_other_with_it() -> None:
    """The BMS behind a hybrid is switched off, and requests that touch its registers get no answer from then on: one
    reading of the others is lost, so none is offline."""
    async with Bare(dict(HELD)) as server:
        pcs, meter, bms = hybrid(server, *(one.over(LineTiming(timeout=0.1)) for one in (PCS, METER, BMS)))
        await a_round([pcs, meter, bms])
        server.lost = lambda one: one.start + len(one.words) > 5 and one.start < 7
        came = []
        for _ in range(4):
            found = await asyncio.gather(pcs.read(), meter.read(), bms.read(), return_exceptions=True)
            came.append([isinstance(one, Reading) for one in found])
        assert came[1:] == [[True, True, False]] * 3
        pcs.close()


async def test_a_dead_unit_is_waited_for_once_a_round() -> None:
    async with Bare(dict(HELD), most=125) as server:
        devices = hybrid(server, *(one.over(LineTiming(timeout=0.1)) for one in (PCS, METER, BMS)))
        await a_round(devices)
        server.lost = lambda _: True
        asked(server)
        found = await asyncio.gather(*(one.read() for one in devices), return_exceptions=True)
        assert all(isinstance(one, Unreachable) for one in found)
        assert asked(server) == [(1, 6)]
        server.lost = lambda _: False
        assert [len(one.values) for one in await a_round(devices)] == [3, 3, 2]
        devices[0].close()


async def test_a_lone_device_asks_as_ever() -> None:
    registers: Registers = dict(HELD)
    async with Bare(registers) as server:
        one = device(METER, server.address)
        for word in (4, 5):
            registers[3, 4] = server.registers[3, 4] = word
            assert (await one.read()).values["c"] == word
        one.close()
