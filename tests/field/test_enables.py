"""What enables a setpoint is owned like the setpoint. On the simulator's SunSpec inverter, in virtual time, with the
constants of the field.

Case 17: https://github.com/evcc-io/evcc/issues/33037 , https://github.com/sunspec/models/issues/215: the inverter takes
its setting back after its reversion timer, and the controller believed that it held.
"""

import asyncio
from pathlib import Path

import pytest

from schemas.messages import Authority, Cause
from schemas.profile import Profile
from schemas.profiles import load_profile
from schemas.register import Reverts
from schemas.site_file import load_site
from tests.bridges.control.story import DEMO, Story, changed, story
from tests.virtual import loop, virtual

SOURCES = {"dispatch": Authority.OPERATOR, "scada": Authority.DSO}
LIMIT = 10.0
"""% of 150 kW."""


def pv(it: Story) -> float:
    return it.simulated.world.plant.pv["pv"].p


async def limited(it: Story, seconds: float, percent: float = LIMIT) -> list[float]:
    """The operator says it each 2 s; when the inverter gave more than that."""
    over, ends = [], loop().time() + seconds
    while loop().time() < ends:
        it.command("pv", values={"p_limit_pct": percent}, source="scada", authority=Authority.DSO)
        for _ in range(10):
            await asyncio.sleep(0.2)
            if pv(it) > 1.1 * percent * 1500:
                over.append(loop().time())
    return over


def profile(**change: object) -> dict[str, Profile]:
    shipped = load_profile("sunspec_pv")
    limit = shipped.commands["p_limit_pct"].model_copy(update=change)
    return {"pv": shipped.model_copy(update={"commands": {"p_limit_pct": limit}})}


@virtual
async def test_a_limit_is_renewed_before_the_devices_own_timer_ends(tmp_path: Path) -> None:
    async with story(tmp_path, command_sources=SOURCES, only=["pv"]) as it:
        it.simulated.faults.on("pv:reverts", 8.0)
        await limited(it, 4)
        assert await limited(it, 40) == []
        assert it.bridge.part.counts["renewed_pv_p_limit_pct"] in range(12, 20), "each third of its time"


@virtual
async def test_a_timer_that_nobody_tells_is_mended_within_a_cycle_and_learned(tmp_path: Path) -> None:
    async with story(tmp_path, command_sources=SOURCES, only=["pv"]) as it:
        it.simulated.faults.on("pv:reverts_untold", 8.0)
        await limited(it, 4)
        over = await limited(it, 40)
        assert len(over) <= 7, "fifths of a second, once: until the next reading"
        assert await limited(it, 30) == []
        assert it.causes("pv") == []


@virtual
async def test_a_timer_shorter_than_two_polls_is_learned_too(tmp_path: Path) -> None:
    site = changed(load_site(DEMO), "pv", poll=10.0)
    async with story(tmp_path, command_sources=SOURCES, only=["pv"], device=site) as it:
        await limited(it, 4)
        it.simulated.faults.on("pv:reverts_untold", 12.0)
        await limited(it, 40)
        assert await limited(it, 60) == []


@virtual
async def test_a_time_that_the_profile_tells_is_kept(tmp_path: Path) -> None:
    reverts = Reverts(seconds=8.0)
    async with story(tmp_path, command_sources=SOURCES, only=["pv"], profiles=profile(reverts=reverts)) as it:
        it.simulated.faults.on("pv:reverts_untold", 8.0)
        await limited(it, 4)
        assert await limited(it, 30) == []


@virtual
async def test_a_setpoint_of_a_battery_is_renewed_while_its_command_stands(tmp_path: Path) -> None:
    """REFUstore: its p_set is model 123's WMaxLimPct; a person holds 20 kW by commands of the same value."""
    refu = {"pcs": load_profile("refustore_88k").rated(100_000)}
    async with story(tmp_path, profiles=refu) as it:
        it.simulated.faults.on("pcs:reverts", 8.0)
        await it.steer(20_000.0, 10)
        least = 1e9
        for _ in range(12):
            await it.steer(20_000.0, 2)
            least = min(least, it.power)
        assert least == pytest.approx(20_000, rel=0.02)


@virtual
async def test_what_a_budget_cannot_hold_is_told_and_no_cell_is_worn(tmp_path: Path) -> None:
    """In flash, 50 writes a day: a timer of an hour cannot be met with half of them, one of two hours can."""
    flash = profile(memory="eeprom")
    async with story(tmp_path, command_sources=SOURCES, only=["pv"], profiles=flash) as it:
        it.simulated.faults.on("pv:reverts", 3600.0)
        await limited(it, 90)
        assert it.causes("pv") == [Cause.NOT_HELD]
        assert "taken back by the device after 3600 s" in it.bridge.said["pv"].reason
        assert "50 times a day" in it.bridge.said["pv"].reason
        assert it.bridge.part.counts["renewed_pv_p_limit_pct"] == 0
    async with story(tmp_path / "two", command_sources=SOURCES, only=["pv"], profiles=flash) as it:
        it.simulated.faults.on("pv:reverts", 7200.0)
        await limited(it, 90)
        assert it.causes("pv") == []


@virtual
async def test_a_foreign_hand_that_disables_it_is_named(tmp_path: Path) -> None:
    """Its timer says an hour, and the enable falls after seconds: somebody did that. It is enabled again."""
    async with story(tmp_path, command_sources=SOURCES, only=["pv"]) as it:
        it.simulated.faults.on("pv:reverts", 3600.0)
        await limited(it, 10)
        it.simulated.faults.on("pv:clears_enable")
        over = await limited(it, 6)
        assert len(over) <= 8
        assert Cause.FOREIGN_WRITE in it.causes("pv")
        assert "foreign_change" in it.states(device="pv")


@virtual
async def test_a_new_value_that_needs_a_fresh_enable_gets_one(tmp_path: Path) -> None:
    for each, obeyed in ((True, 30_000), (False, 15_000)):
        folder = tmp_path / str(each)
        change = profile(enable_each=each)
        async with story(folder, "pv:wants_enable", command_sources=SOURCES, only=["pv"], profiles=change) as it:
            await limited(it, 6)
            await limited(it, 6, percent=20.0)
            assert pv(it) == pytest.approx(obeyed, rel=0.02)


@virtual
async def test_what_cannot_be_read_back_is_written_again_in_time(tmp_path: Path) -> None:
    """SMA lists 40149 and 40151 as write only (https://github.com/littleyoda/ha-pysmaplus/issues/86), and goes back to
    its own control when nobody writes them: evcc's template sma-si-modbus takes 60 s."""
    shipped = load_profile("sma_sunny_island")
    dc_u = shipped.points["dc_u"].model_copy(update={"high": None})  # the demo's battery has more volts
    sunny = {"pcs": shipped.model_copy(update={"points": shipped.points | {"dc_u": dc_u}})}
    async with story(tmp_path, profiles=sunny) as it:
        await it.steer(20_000.0, 20)
        before = it.written(40151)
        await it.steer(20_000.0, 100)
        assert it.power == pytest.approx(20_000, rel=0.02)
        again = it.written(40151)[len(before) :]
        assert len(again) in range(4, 8), "each 20 s"
        assert {words for _, words in again} == {(0, 802)}
        assert it.causes("pcs") == []
