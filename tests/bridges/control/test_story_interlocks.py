"""What an alarm with `effect` does at a battery, in virtual time: each effect in each direction, within a second of the
reading that shows its cause."""

import asyncio
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.interlock import InterlockRule
from schemas.site_alarm import AlarmRule
from schemas.units import Kind
from tests.bridges.control.story import Story, story
from tests.bridges.control.test_story_batteries import TWO, steady, steer
from tests.bridges.control.test_story_racks import RACKS, most
from tests.virtual import loop, virtual

RATED = 100e3
SOON = 1.0
"""Seconds from the reading to the register, beyond the on-delay."""
ALARM: dict[str, Any] = {"name": "mine", "kind": "bms", "point": "cell_t_max", "above": 30, "deadband": 1, "effect": []}


def site(**change: Any) -> dict[str, Any]:
    """With this alarm; what heats up at once is no runaway here."""
    omit = InterlockRule(name="cell_heats_up", kind=Kind.BMS, omit="one module is made hotter at once")
    return {"alarm": [AlarmRule.model_validate(ALARM | change)], "interlock": [omit]}


def shown(it: Story, device: str = "bms") -> float:
    """The temperature as the bridge has read it last."""
    return it.bridge.latest.number(device, "cell_t_max", loop().time(), 60.0) or 0.0


def told(it: Story, device: str = "pcs") -> float:
    """W in the register."""
    return it.simulated.world.plant.bess[device].pcs.p_set


def stands(it: Story, power: float) -> bool:
    return told(it) == pytest.approx(power, abs=100)


CASES: dict[str, tuple[Mapping[str, Any], float, float]] = {
    "charging is blocked": ({"effect": ["block_charge"]}, 0.0, 80e3),
    "discharging is blocked": ({"effect": ["block_discharge"]}, -80e3, 0.0),
    "both are halved": ({"effect": ["derate"], "derate": 50}, -50e3, 50e3),
    "charging is derated": ({"effect": ["derate_charge"], "derate": 20}, -20e3, 80e3),
    "discharging is derated": ({"effect": ["derate_discharge"], "derate": 20}, -80e3, 20e3),
    "zero": ({"effect": ["zero"], "on_delay": 3}, 0.0, 0.0),
    "it is stopped": ({"effect": ["stop"], "latched": True}, 0.0, 0.0),
}
"""What an effect leaves of 80 kW in each direction."""


@pytest.mark.parametrize("case", CASES)
@virtual
async def test_an_effect_acts_within_a_second_of_its_reading(tmp_path: Path, case: str) -> None:
    change, *left = CASES[case]
    wishes = sorted(zip((-80e3, 80e3), left, strict=True), key=lambda one: one[0] == one[1])
    async with story(tmp_path, around=steady(20e3), grid={"export_limit": 200e3}, **site(**change)) as it:
        for number, (wish, allowed) in enumerate(wishes):
            steering = asyncio.create_task(it.steer(wish, 60))
            if number == 0:  # a direction that is limited
                await it.until(functools.partial(stands, it, wish), 8)
                it.simulated.faults.on("bms:hot", 6.0)
                await it.until(lambda: shown(it) > 30, 3)
                took = await it.until(functools.partial(stands, it, allowed), 5)
                assert took <= change.get("on_delay", 0) + SOON
                assert took >= change.get("on_delay", 0) - 0.1
            else:
                await asyncio.sleep(3)
                assert told(it) == pytest.approx(allowed, abs=100)
            steering.cancel()
        said = it.bridge.said["pcs"]
        assert said.interlocks["mine-bms"] == change["effect"]
        assert said.derated == ({"mine-bms": change["derate"]} if "derate" in change else {})


@virtual
async def test_what_was_derated_comes_back_along_the_ramp(tmp_path: Path) -> None:
    slow, ramp = site(effect=["derate"], derate=50), 5e3
    async with story(tmp_path, battery={"ramp": ramp}, around=steady(200e3), **slow) as it:
        steering = asyncio.create_task(it.steer(80e3, 120))
        await it.until(lambda: told(it) == pytest.approx(80e3), 30)
        it.simulated.faults.on("bms:hot", 6.0)
        await it.until(lambda: shown(it) > 30, 3)
        assert await it.until(lambda: told(it) == 50e3, 3) <= SOON, "what protects it waits for no ramp"
        it.simulated.faults.off("bms:hot")
        await it.until(lambda: told(it) > 50e3, 5)
        assert await it.until(lambda: told(it) == pytest.approx(80e3), 30) == pytest.approx(30e3 / ramp, abs=1.5)
        steering.cancel()


@pytest.mark.parametrize("hot", [["bms"], ["bms", "bms2"]])
@virtual
async def test_racks_that_derate_together_take_half_once(tmp_path: Path, hot: list[str]) -> None:
    change = site(effect=["derate"], derate=50)
    async with story(tmp_path, around=steady(400e3), file=RACKS, **change) as it:
        await most(it, 8)
        assert told(it, "pcs") == pytest.approx(100e3, abs=500)
        assert told(it, "pcs2") == pytest.approx(92e3, abs=1e3)
        for one in hot:
            it.simulated.faults.on(f"{one}:hot", 6.0)
        await most(it, 4)
        assert told(it, "pcs") == pytest.approx(50e3, abs=500), "of each PCS half of its own rating"
        assert told(it, "pcs2") == pytest.approx(46e3, abs=1e3)


@virtual
async def test_a_battery_beside_it_goes_on(tmp_path: Path) -> None:
    change = site(effect=["derate"], derate=50)
    async with story(tmp_path, around=steady(400e3), file=TWO, **change) as it:
        it.simulated.faults.on("bms:hot", 6.0)
        await steer(it, 6, pcs=80e3, pcs2=60e3)
        assert told(it, "pcs") == 50e3
        assert told(it, "pcs2") == pytest.approx(60e3, abs=1e3)
        assert "mine-bms" not in it.bridge.said["pcs2"].interlocks
