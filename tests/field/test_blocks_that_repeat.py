"""Inverters whose SunSpec models hold parts that repeat, and a battery that is steered by two limits.

https://github.com/evcc-io/evcc/blob/master/templates/definition/meter/fronius-gen24.yaml : of the inputs of 160 the
last two are the battery's charge and discharge, and model 124 has limits in percent of what it says itself.
https://github.com/evcc-io/evcc/issues/16008 : 35 % of something else than was meant.
"""

import asyncio

import pytest

from bridges.fieldbus.contract import Declined
from schemas.profiles import load_profile
from tests.bridges.fieldbus.bare import Bare, Registers, device, held
from tests.field.test_lines import chain

FIXED, EACH = 8, 20
"""Registers of model 160 behind its length, before the first input and of each."""
RATED = 10_240.0


def gen24(inputs: int) -> tuple[Registers, list[int]]:
    """Inputs of 1000, 2000... W; the battery is charged with the third and discharged with the fourth. Powers in 10 W,
    limits in hundredths of a percent, and neither is on."""
    registers, at = chain((1, 66), (103, 50), (160, FIXED + EACH * inputs), (124, 24))
    registers |= held(at[2] + 4, [1]) | held(at[3] + 2, [10_240]) | held(at[3] + 12, [10_000, 10_000])
    registers |= held(at[3] + 25, [-2])
    for place in range(inputs):
        registers |= held(at[2] + 21 + EACH * place, [100 * (place + 1)])
    return registers, at


@pytest.mark.parametrize("inputs", [1, 2, 4])
def test_as_many_inputs_as_the_inverter_has_and_no_register_behind_them(inputs: int) -> None:
    async def read() -> None:
        async with Bare(gen24(inputs)[0]) as server:
            one = device(load_profile("sunspec_mppt_160"), server.address, writable=False)
            reading = await one.read()
            powers = {name: value for name, value in reading.values.items() if name.startswith("input_p")}
            assert powers == {f"input_p_{place}": 1000.0 * place for place in range(1, inputs + 1)}
            assert reading.declined == {}
            assert {name for name in one.meta().points if name.startswith("input_p")} == powers.keys()
            one.close()

    asyncio.run(read())


def test_a_battery_is_its_discharge_less_its_charge() -> None:
    async def read() -> None:
        registers, at = gen24(4)
        async with Bare(registers) as server:
            one = device(load_profile("fronius_gen24"), server.address, rated=RATED)
            assert (await one.read()).values["p"] == 1000.0
            registers |= held(at[2] + 61, [500]) | held(at[2] + 81, [0])
            assert (await one.read()).values["p"] == -5000.0
            registers |= held(at[2] + 81, [0xFFFF])
            assert "p" not in (await one.read()).values, "half of it is not known"
            one.close()

    asyncio.run(read())


def test_two_inputs_and_no_battery_are_said_and_not_read_from_the_next_model() -> None:
    async def read() -> None:
        async with Bare(gen24(2)[0]) as server:
            one = device(load_profile("fronius_gen24"), server.address, rated=RATED)
            reading = await one.read()
            assert "p" not in reading.values
            assert reading.declined["p"] == "its model 160 has no register 81"
            assert [reading.values[f"pv_p_{place}"] for place in (1, 2)] == [1000.0, 2000.0]
            one.close()

    asyncio.run(read())


def test_its_two_limits_meet_and_count_only_then() -> None:
    async def write() -> None:
        registers, at = gen24(4)
        async with Bare(registers) as server:
            one = device(load_profile("fronius_gen24"), server.address, rated=RATED)
            await one.read()
            await one.write("p_set", 0.3 * RATED)
            most, charges, mode = at[3] + 12, at[3] + 13, at[3] + 5
            assert server.written == [(charges, (65536 - 3000,)), (most, (3000,)), (mode, (3,))]
            seen = (await one.read()).values
            assert seen["p_set"] == seen["p_set_least"] == pytest.approx(0.3 * RATED)
            assert one.held("p_set", 0.3 * RATED, seen) == pytest.approx(0.3 * RATED)
            registers |= held(charges, [10_000])  # somebody lets it charge
            seen = (await one.read()).values
            assert one.held("p_set", 0.3 * RATED, seen) == pytest.approx(-RATED)
            one.close()

    asyncio.run(write())


@pytest.mark.parametrize("says", [12_800, 0xFFFF])
def test_a_percent_of_another_power_is_not_written(says: int) -> None:
    async def write() -> None:
        registers, at = gen24(4)
        registers |= held(at[3] + 2, [says])
        async with Bare(registers) as server:
            one = device(load_profile("fronius_gen24"), server.address, rated=RATED)
            await one.read()
            words = "give rated_power = 12800" if says == 12_800 else "it does not say what that is"
            with pytest.raises(Declined, match=words):
                await one.write("p_set", 1000.0)
            assert server.written == []
            one.close()

    asyncio.run(write())
