"""Which models of a chain a device reads, where a number stands in it several times."""

import asyncio

import pytest

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.fieldbus.modbus.instance import choose
from bridges.fieldbus.modbus.sunspec import Chain, Model, walk
from bridges.fieldbus.modbus.unit import Unit
from schemas.profiles import load_profile
from schemas.site_device import Device
from tests.bridges.fieldbus.bare import Bare, Registers, held

METER, PV, DER = load_profile("sunspec_meter_203"), load_profile("sunspec_pv"), load_profile("sunspec_storage_701")
SOLAREDGE = (1, 103, 1, 203, 1, 203)


def chain(*numbers: int) -> Chain:
    """Models of 10 registers: the n-th of them stands at 10 n."""
    return Chain(0, [Model(number, 10 * place, 8) for place, number in enumerate(numbers)])


@pytest.mark.parametrize(
    ("numbers", "profile", "instance", "bases"),
    [
        ((1, 203), METER, None, {1: 0, 203: 10}),
        ((1, 203), METER, 1, {1: 0, 203: 10}),
        (SOLAREDGE, METER, 1, {1: 20, 203: 30}),
        (SOLAREDGE, METER, 2, {1: 40, 203: 50}),
        (SOLAREDGE, PV, None, {1: 0, 103: 10}),
        ((1, 103, 203, 203), METER, 2, {1: 0, 203: 30}),
        ((1, 103, 1, 203, 120, 123), PV, None, {1: 0, 103: 10, 120: 40, 123: 50}),
        ((1, 103, 120, 123, 1, 103, 120, 123), PV, 2, {1: 40, 103: 50, 120: 60, 123: 70}),
        ((1, 103, 120, 103, 120, 123), PV, 2, {1: 0, 103: 30, 120: 40, 123: 50}),
        ((1, 203), PV, None, {1: 0}),
        ((1, 701, 702, 701, 702, 704), DER, 1, {1: 0, 701: 10, 702: 20, 704: 50}),
    ],
    ids=[
        "one", "one, and it is said", "SolarEdge's first meter", "its second", "its inverter",
        "two meters of one name", "what stands once is for all", "two inverters", "two in one part",
        "none", "a battery's second inverter",
    ],
)  # fmt: skip
def test_what_a_device_reads(
    numbers: tuple[int, ...], profile: object, instance: int | None, bases: dict[int, int]
) -> None:
    assert choose(chain(*numbers), profile, instance).bases == bases  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("numbers", "instance", "says"),
    [
        (
            SOLAREDGE,
            None,
            "its chain has model 203 2 times, instance 1 at 30, instance 2 at 50: write instance = 1 or instance = 2",
        ),
        (SOLAREDGE, 3, "instance = 3, and its chain has model 203 2 times, instance 1 at 30, instance 2 at 50"),
        ((1, 203), 2, "instance = 2, and its chain has model 203 once, instance 1 at 10"),
    ],
)
def test_which_of_several_is_never_guessed(numbers: tuple[int, ...], instance: int | None, says: str) -> None:
    with pytest.raises(Declined, match=says):
        choose(chain(*numbers), METER, instance)


def test_a_lesser_model_that_may_be_anybodys_is_left_out_and_said() -> None:
    found = choose(chain(1, 103, 120, 120, 123), PV, None)
    assert found.bases == {1: 0, 103: 10, 123: 40}
    assert found.lacking[120] == (
        "its chain has model 120 2 times, instance 1 at 20, instance 2 at 30, and nothing says which is its own"
    )


# as it is ---------------------------------------------------------------------------------------


def image(*models: tuple[int, int], start: int = 40000, end: tuple[int, ...] = (0xFFFF, 0)) -> Registers:
    words = [0x5375, 0x6E53]
    for model, length in models:
        words += [model, length, *[0] * (length if length < 500 else 8)]
    return held(start, [*words, *end])


INVERTER = ((1, 66), (103, 50), (120, 26), (123, 24))
BEHIND = 40002 + 68 + 52 + 28 + 26


@pytest.mark.parametrize("code", [1, 2, 3])
@pytest.mark.parametrize(
    ("registers", "numbers", "odd"),
    [
        (image(*INVERTER), [1, 103, 120, 123], []),
        (image(*INVERTER, start=0), [1, 103, 120, 123], []),
        (image(*INVERTER, start=50000), [1, 103, 120, 123], []),
        (
            image(*INVERTER, start=40001),
            [1, 103, 120, 123],
            ["it begins at 40001, one behind the 40000 of SunSpec"],
        ),
        (
            image(*INVERTER, end=()),
            [1, 103, 120, 123],
            [f"it has no end model: behind model 123 at {BEHIND - 26} comes exception CODE"],
        ),
        (
            image(*INVERTER, end=(0,)),
            [1, 103, 120, 123],
            [f"it has no end model: behind model 123 at {BEHIND - 26} comes exception CODE"],
        ),
        (
            image(*INVERTER, end=(0, 0)),
            [1, 103, 120, 123],
            [f"a 0 stands at {BEHIND} in place of a model: it ends there, without an end model"],
        ),
        (
            image(*INVERTER, end=(0, 7, *[0] * 9)),
            [1, 103, 120, 123],
            [f"a 0 stands at {BEHIND} in place of a model: it ends there, without an end model"],
        ),
        (image(*INVERTER, end=(0xFFFF, 0xFFFF)), [1, 103, 120, 123], []),
        (
            image((1, 66), (103, 50), (120, 0xFFFF)),
            [1, 103],
            ["model 120 at 40122 says that it has 65535 registers: it ends there, without an end model"],
        ),
        (
            image((1, 66), (103, 50), (120, 0)),
            [1, 103],
            ["model 120 at 40122 says that it has 0 registers: it ends there, without an end model"],
        ),
    ],
)
async def test_a_chain_as_it_is(registers: Registers, numbers: list[int], odd: list[str], code: int) -> None:
    async with Bare(registers, lacks=code) as server:
        line = Connection(server.address)
        found = await walk(line, 1)
        line.close()
    assert [one.number for one in found.models] == numbers
    assert found.odd == [one.replace("CODE", str(code)) for one in odd]


async def test_a_unit_that_is_silent_behind_its_last_model() -> None:
    """https://github.com/WillCodeForCats/solaredge-modbus-multi/pull/398; one lost answer does not shorten a chain."""
    server = Bare(image(*INVERTER, end=()), lost=lambda asked: asked.start == BEHIND)
    async with server:
        line = Connection(server.address, timeout=0.15)
        found = await walk(line, 1)
        assert [one.number for one in found.models] == [1, 103, 120, 123]
        assert found.odd == [f"it has no end model: behind model 123 at {BEHIND - 26} comes no answer"]
        gone = iter([True])
        server.lost = lambda asked: asked.start == BEHIND - 26 and next(gone, False)
        with pytest.raises(Unreachable):
            await walk(line, 1)
        line.close()


async def test_what_a_broken_chain_hides_is_said_at_each_point() -> None:
    async with Bare(image((1, 66), (103, 50), (120, 0xFFFF), (123, 24))) as server:
        line = Connection(server.address)
        one = ModbusDevice(Device(name="pv", profile="sunspec_pv", address=server.address), PV, line)
        seen = await one.read()
        one.close()
    assert seen.declined["p_limit_pct"] == (
        "the device has no model 123; of its chain: model 120 at 40122 says that it has 65535 registers: it ends "
        "there, without an end model"
    )


# several devices --------------------------------------------------------------------------------


async def test_the_chain_of_a_unit_is_walked_once_for_all_its_devices() -> None:
    registers = image((1, 65), (103, 50), (1, 65), (203, 105), (1, 65), (203, 105))
    meters = 40002 + 67 + 52 + 67, 40002 + 67 + 52 + 67 + 107 + 67
    registers |= held(meters[0] + 18, [8000]) | held(meters[1] + 18, [-3000])
    async with Bare(registers) as server:
        line = Connection(server.address)
        unit = Unit(1, line)

        def made(name: str, profile: str, instance: int | None = None) -> ModbusDevice:
            block = Device(name=name, profile=profile, address=server.address, instance=instance)
            return ModbusDevice(block, load_profile(profile), line, unit=unit)

        pv = made("pv", "sunspec_pv")
        first, second = (made(f"m{n}", "sunspec_meter_203", n) for n in (1, 2))
        readings = await asyncio.gather(pv.read(), first.read(), second.read())
        assert [one.values["p"] for one in readings] == [0.0, 8000.0, -3000.0]
        heads = [asked.start for asked in server.asked if len(asked.words) == 2]
        assert heads.count(40000) == 1, "the marker is looked for once"
        assert server.connected == 1
        first.forget()
        server.registers.clear()
        server.registers.update(image((1, 65), (103, 50), (1, 65), (203, 105), (203, 105)))
        server.registers.update(held(meters[0] + 107 + 18, [-4000]))
        await first.read()
        assert (await second.read()).values["p"] == -4000.0, "what one has lost is not where the others think it is"
        line.close()
