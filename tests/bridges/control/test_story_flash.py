"""Registers that wear out, under limits that move: never beyond a limit, never written without end, never given up, and
no outcome says of a value that it holds while it waits.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bridges.control.limits import BUDGET, WORN
from bridges.control.write_budget import MOST_URGENT
from schemas.messages import Authority, Cause
from schemas.profile import Profile
from schemas.profiles import load_profile
from tests.bridges.control.story import Story, story
from tests.bridges.control.test_story_faults import flash
from tests.timed import FULL, long
from tests.virtual import virtual

SOURCES = {"dispatch": Authority.OPERATOR, "scada": Authority.DSO}
LIMIT = 40_155
"""Register of the PV inverter's limit."""


def allows(it: Story) -> Callable[[float], None]:
    """What the BMS allows, in W: a switch."""
    battery: Any = it.bridge.controls["pcs"].battery
    real, watts = battery.inputs.limit_inputs, [1e9]
    battery.inputs.limit_inputs = lambda now, **more: replace(real(now, **more), discharge=watts[0])
    return lambda power: watts.__setitem__(0, power)


def pv_in_flash() -> dict[str, Profile]:
    shipped = load_profile("sunspec_pv")
    limit = shipped.commands["p_limit_pct"].model_copy(update={"memory": "eeprom"})
    return {"pv": shipped.model_copy(update={"commands": {"p_limit_pct": limit}})}


@virtual
async def test_a_value_that_waits_for_its_budget_is_never_said_to_hold(tmp_path: Path) -> None:
    """One long command: its limit goes, and what it asked may not be written yet."""
    async with story(tmp_path, profiles=flash()) as it:
        allow = allows(it)
        allow(20_000.0)
        one = it.command(values={"p_set": 60_000.0}, until=it.wish().at.replace(second=59))
        await asyncio.sleep(4)
        assert it.states(one)[-1] == "limited"
        allow(1e9)
        await asyncio.sleep(20)
        assert "verified" not in it.states(one), "20 kW stand there, and nothing limits it"
        two = it.command(values={"p_set": 60_000.0})
        await asyncio.sleep(4)
        said = it.said(two)[-1]
        assert (said.state, said.cause) == ("accepted", Cause.WRITE_BUDGET)
        assert [(limit.source, limit.allowed) for limit in said.limited_by][-1][0] == BUDGET
        assert said.applied["p_set"] < 20_000


@long("a budget of writes is waited for")
@virtual
async def test_a_cell_that_is_spared_is_named_in_outcome_and_status_and_used_again(tmp_path: Path) -> None:
    async with story(tmp_path, profiles=flash()) as it:
        allow = allows(it)
        await it.steer(90_000.0, 320)
        for turn in range(MOST_URGENT + 3):
            allow(80_000.0 - 5_000.0 * turn)
            await it.steer(90_000.0, 10)
        assert it.power == pytest.approx(0, abs=1000)
        said = it.said()[-1]
        assert (said.state, said.cause, said.applied) == ("limited", Cause.WORN, {"p_set": 0.0})
        assert WORN in [one.source for one in said.limited_by]
        assert Cause.WORN in it.causes()
        written = len(it.written())
        await it.steer(90_000.0, 320)
        assert it.power > 20_000, "the budget allows a value again after 300 s"
        assert Cause.WORN not in it.causes()
        assert len(it.written()) - written <= 3, "one by the budget; its voltage sags, and narrows a little"


@pytest.mark.skipif(not FULL, reason="as with a command, for an hour: make search")
@virtual
async def test_a_cell_that_is_spared_in_fallback_is_used_again_without_a_command(tmp_path: Path) -> None:
    async with story(tmp_path, profiles=flash(), battery={"fallback": 50_000.0}) as it:
        allow = allows(it)
        await asyncio.sleep(320)
        assert it.power == pytest.approx(50_000, abs=1000)
        for turn in range(MOST_URGENT + 3):
            allow(45_000.0 - 5_000.0 * turn)
            await asyncio.sleep(10)
        assert it.power == pytest.approx(0, abs=1000)
        allow(1e9)
        await asyncio.sleep(400)
        assert it.power == pytest.approx(50_000, abs=1000)


@long("ten minutes")
@virtual
async def test_a_limit_that_changes_all_the_time_ends_where_it_belongs(tmp_path: Path) -> None:
    """Each 20 s a narrower or a wider one: more often than flash may be written."""
    async with story(tmp_path, profiles=pv_in_flash(), command_sources=SOURCES) as it:
        pv = it.simulated.world.plant.pv["pv"]

        async def limit(percent: float) -> Any:
            one = it.command("pv", values={"p_limit_pct": percent}, source="scada", authority=Authority.DSO)
            await asyncio.sleep(5)
            said = it.said(one, "pv")[-1]
            assert pv.limit_pct <= percent + 0.1, "a narrower limit is never held up"
            await asyncio.sleep(15)
            return said

        last = [await limit(percent) for percent in (60.0, 100.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0, 5.0, 100.0)]
        assert (last[0].state, last[0].applied) == ("verified", {"p_limit_pct": 60.0})
        assert (last[-1].cause, last[-1].applied) == (Cause.WORN, {"p_limit_pct": 0.0})
        assert last[-1].state != "verified"
        assert Cause.WORN in it.causes("pv")
        before = len(it.written(LIMIT, "pv"))
        await asyncio.sleep(320)  # nobody says anything more
        assert pv.limit_pct == pytest.approx(100.0)
        assert len(it.written(LIMIT, "pv")) == before + 1
        assert Cause.WORN not in it.causes("pv")


@virtual
async def test_a_limit_that_ran_out_widens_by_its_budget(tmp_path: Path) -> None:
    async with story(tmp_path, profiles=pv_in_flash()) as it:
        pv = it.simulated.world.plant.pv["pv"]
        it.command("pv", values={"p_limit_pct": 60.0})
        await asyncio.sleep(30)
        assert pv.limit_pct == pytest.approx(60.0), "to widen it is not urgent"
        await asyncio.sleep(300)
        assert pv.limit_pct == pytest.approx(100.0), "its fallback"


@virtual
async def test_a_bridge_that_ends_does_not_wait_for_a_budget(tmp_path: Path) -> None:
    async with story(tmp_path, profiles=pv_in_flash()) as it:
        it.command("pv", values={"p_limit_pct": 60.0})
        await asyncio.sleep(5)
        began = asyncio.get_running_loop().time()
        it.serving.cancel()
        await asyncio.gather(it.serving, return_exceptions=True)
        assert asyncio.get_running_loop().time() - began < 1.0
    async with story(tmp_path, profiles=pv_in_flash()) as it:  # the next one knows that it is to be brought back
        await asyncio.sleep(320)
        assert it.simulated.world.plant.pv["pv"].limit_pct == pytest.approx(100.0)
