"""Two PCS on two racks in parallel, in virtual time: what the cells allow adds up over what is connected, and each PCS
gets its part of it."""

import asyncio
from pathlib import Path

import pytest

from schemas.messages import Action, Authority, Cause
from simulator.bess import Rack
from simulator.states import Turn
from tests.bridges.control.story import Story, story
from tests.bridges.control.test_story_batteries import EACH, power, steady, steer
from tests.virtual import loop, virtual

RACKS = Path(__file__).parents[3] / "tests" / "racks.toml"
CYCLE = 2.0
"""Seconds: the BMS is read each second, and the guard decides within half a second after it."""


async def most(it: Story, seconds: float) -> None:
    """Both are told all that they can."""
    await steer(it, seconds, pcs=100e3, pcs2=92e3)


async def charge(it: Story, seconds: float) -> None:
    await steer(it, seconds, pcs=-30e3, pcs2=-30e3)


def rack(it: Story, number: int) -> Rack:
    return it.simulated.world.plant.bess["pcs"].racks[number]


def told(it: Story, *pcs: str) -> float:
    """W that stand in their registers together."""
    return sum(it.simulated.world.plant.bess[name].pcs.p_set for name in pcs or EACH)


def allowed(*racks: Rack) -> float:
    """W on the AC side that these racks allow to discharge."""
    return 0.95 * sum(one.battery.dcl * one.battery.voltage for one in racks)


def still(it: Story) -> tuple[Rack, Rack]:
    return rack(it, 0), rack(it, 1)


@virtual
async def test_limits_add_up_over_the_racks_that_are_connected(tmp_path: Path) -> None:
    async with story(tmp_path, around=steady(400e3), file=RACKS) as it:
        first, second = still(it)
        await most(it, 8)
        assert told(it) == pytest.approx(192e3, abs=500), "both racks allow more than both PCS can"
        second.contactor.turn(Turn.OPEN)
        await most(it, CYCLE)
        assert told(it) <= allowed(first) + 500, "one rack is not two"
        await most(it, 4)
        assert told(it) == pytest.approx(allowed(first), rel=0.02), "and the rest goes on"
        parts = told(it, "pcs") / told(it, "pcs2")
        assert parts == pytest.approx(100 / 92, rel=0.02), "each has its part by its rating"
        second.contactor.turn(Turn.CLOSE)
        await most(it, 8)
        assert told(it) == pytest.approx(192e3, abs=500)


@virtual
async def test_a_rack_that_is_silent_is_not_a_rack_that_is_out(tmp_path: Path) -> None:
    async with story(tmp_path, around=steady(400e3), file=RACKS) as it:
        await most(it, 8)
        it.simulated.faults.on("bms2:silent")
        await most(it, 9)
        assert told(it) == 0.0, "what it allows nobody knows"
        assert it.said(device="pcs")[-1].cause == Cause.BMS_MISSING


@virtual
async def test_one_that_was_out_by_its_last_word_stays_out_when_it_falls_silent(tmp_path: Path) -> None:
    async with story(tmp_path, around=steady(400e3), file=RACKS) as it:
        first, second = still(it)
        second.contactor.turn(Turn.OPEN)
        await most(it, 6)
        it.simulated.faults.on("bms2:silent")
        await most(it, 60)
        assert told(it) == pytest.approx(allowed(first), rel=0.02)


@virtual
async def test_cells_of_a_rack_that_is_out_stop_nobody(tmp_path: Path) -> None:
    """A cell that is too high in a connected rack ends the charging of the battery; in one that is out it does not."""
    async with story(tmp_path, around=steady(100e3), file=RACKS) as it:
        rack(it, 1).contactor.turn(Turn.OPEN)
        await charge(it, 6)
        it.simulated.faults.on("bms2:cell_high")
        await charge(it, 20)
        assert told(it) == pytest.approx(-60e3, abs=500)
        rack(it, 1).contactor.turn(Turn.CLOSE)
        await charge(it, 6)
        assert told(it) == 0.0


@virtual
async def test_a_rack_that_says_open_while_current_flows_counts(tmp_path: Path) -> None:
    """Its contactor is welded, or its word is wrong: its cells are loaded all the same."""
    async with story(tmp_path, around=steady(100e3), file=RACKS) as it:
        it.simulated.faults.on("bms2:cell_high")
        await asyncio.sleep(20)
        latest = it.bridge.latest
        latest.put("bms2", {"contactor": "open", "i": 40.0}, loop().time())
        assert it.bridge.controls["pcs"].battery is not None
        assert it.bridge.controls["pcs"].battery.inputs.cells.left_out() == frozenset()
        latest.put("bms2", {"contactor": "open", "i": 0.5}, loop().time())
        assert it.bridge.controls["pcs"].battery.inputs.cells.left_out() == {"bms2"}


GONE = {"trips": "pcs2:trip", "is stopped at its panel": "pcs2:panel_stop"}


@pytest.mark.parametrize("how", GONE)
@virtual
async def test_a_pcs_that_is_out_leaves_its_part_to_the_other(tmp_path: Path, how: str) -> None:
    async with story(tmp_path, around=steady(400e3), file=RACKS) as it:
        first = rack(it, 0)
        rack(it, 1).contactor.turn(Turn.OPEN)
        await most(it, 8)
        assert told(it, "pcs") < 65e3
        it.simulated.faults.on(GONE[how])
        await most(it, CYCLE)
        assert power(it, "pcs2") == 0.0
        assert told(it, "pcs") == pytest.approx(min(100e3, allowed(first)), rel=0.02)


@pytest.mark.parametrize("fault", ["pcs2:silent", "pcs2:local"])
@virtual
async def test_what_a_pcs_gives_that_is_not_steered_stands_before_the_other(tmp_path: Path, fault: str) -> None:
    """A silent one may still run at its last power, one at its panel does what it wants: the sum stays what the cells
    allow."""
    async with story(tmp_path, around=steady(400e3), file=RACKS) as it:
        first = rack(it, 0)
        rack(it, 1).contactor.turn(Turn.OPEN)
        await most(it, 8)
        it.simulated.world.plant.bess["pcs2"].pcs.timeout = 0.0
        runs = power(it, "pcs2")
        assert runs > 50e3
        it.simulated.faults.on(fault)
        for _ in range(40):
            await most(it, 0.5)
            assert told(it, "pcs") + runs <= allowed(first) * 1.02 + 500


@virtual
async def test_the_sum_is_never_more_than_the_cells_allow(tmp_path: Path) -> None:
    """Whatever is asked of each, while racks come and go."""
    async with story(tmp_path, around=steady(400e3), file=RACKS) as it:
        first, second = still(it)
        wishes = [(100e3, 0.0), (0.0, 92e3), (100e3, 92e3), (-100e3, -92e3), (100e3, -92e3), (100e3, 92e3)]
        for turn, (one, other) in enumerate(wishes * 2):
            second.contactor.turn(Turn.OPEN if turn % 3 == 2 else Turn.CLOSE)
            await steer(it, CYCLE, pcs=one, pcs2=other)
            for _ in range(16):
                await steer(it, 0.25, pcs=one, pcs2=other)
                racks = [each for each in (first, second) if each.contactor.closed]
                assert told(it) <= allowed(*racks) * 1.02 + 500


@virtual
async def test_a_contactor_does_not_open_under_the_load_of_another_pcs(tmp_path: Path) -> None:
    async with story(tmp_path, around=steady(400e3), file=RACKS) as it:
        await steer(it, 8, pcs=20e3, pcs2=20e3)
        it.command("pcs2", values={}, action=Action.STOP, authority=Authority.OPERATOR)
        await steer(it, 30, pcs=20e3)
        assert all(one.contactor.closed for one in still(it)), "the other PCS still draws from them"
        assert power(it, "pcs") == pytest.approx(20e3, abs=500)
