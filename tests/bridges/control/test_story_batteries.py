"""Two batteries of different make behind one meter, in virtual time: each is guarded by its own BMS and its own
interlocks, and the limits at the grid connection hold for their sum."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from schemas.messages import Action, Authority, Cause
from simulator.plant import Surroundings
from simulator.world import Around
from tests.bridges.control.story import Story, story
from tests.timed import few
from tests.virtual import loop, virtual

TWO = Path(__file__).parents[2] / "two_batteries.toml"
EACH = ("pcs", "pcs2")
SLACK = 2_000.0
"""W: noise of the meters, and the steps of a register of 1 %."""


def steady(load: float) -> Around:
    """A load that stands still, at night."""
    return lambda _: Surroundings(load, 0.0)


def power(it: Story, pcs: str) -> float:
    """W that really flow."""
    return it.simulated.world.plant.bess[pcs].pcs.p


def total(it: Story) -> float:
    return sum(power(it, pcs) for pcs in EACH)


async def steer(
    it: Story, seconds: float, authority: Authority = Authority.PLAN, **powers: float | Callable[[float], float]
) -> None:
    """As dispatch does: a command to each, each 2 s."""
    ends = loop().time() + seconds
    while loop().time() < ends - 1e-6:
        for pcs, wanted in powers.items():
            power = wanted(loop().time()) if callable(wanted) else wanted
            it.command(pcs, values={"p_set": power}, authority=authority)
        await asyncio.sleep(min(2.0, ends - loop().time()))


@virtual
async def test_an_export_limit_holds_for_the_sum(tmp_path: Path) -> None:
    """Each for itself would feed 60 kW into a load of 60 kW, and half of it would leave the site."""
    async with story(tmp_path, grid={"export_limit": 0.0}, around=steady(60e3), file=TWO) as it:
        await steer(it, 30, pcs=60e3, pcs2=60e3)
        flowed = []
        for _ in range(100):
            await steer(it, 0.5, pcs=60e3, pcs2=60e3)
            flowed.append(it.grid)
        assert min(flowed) >= -SLACK
        assert total(it) == pytest.approx(60e3, abs=3e3), "and what the site can use, they give"
        sources = {limit.source for pcs in EACH for said in it.said(device=pcs) for limit in said.limited_by}
        assert "site:grid" in sources


@virtual
async def test_two_never_both_take_the_whole_of_a_correction(tmp_path: Path) -> None:
    """The import limit asks for 60 kW of both together: nobody answers it twice."""
    async with story(tmp_path, grid={"import_limit": 100e3}, around=steady(160e3), file=TWO) as it:
        given = []
        began = loop().time()
        while loop().time() - began < 40:
            await steer(it, 0.5, pcs=0.0, pcs2=0.0)
            given.append(total(it))
        assert max(given) <= 60e3 + SLACK
        assert given[-1] == pytest.approx(60e3, abs=SLACK)


@virtual
async def test_one_takes_over_what_the_other_gave_and_the_limit_holds(tmp_path: Path) -> None:
    """One goes from 50 kW to 0 and the other from 0 to 50 kW at the same moment, behind a closed export."""
    async with story(tmp_path, grid={"export_limit": 0.0}, around=steady(50e3), file=TWO) as it:
        began = loop().time()
        worst: list[float] = []

        def first(now: float) -> float:
            return 50e3 if int((now - began) // 20) % 2 == 0 else 0.0

        task = asyncio.create_task(steer(it, 160, Authority.OPERATOR, pcs=first, pcs2=lambda now: 50e3 - first(now)))
        await asyncio.sleep(30)
        while not task.done():
            worst.append(-it.grid)
            await asyncio.sleep(0.1)
        beyond = sum(0.1 for one in worst if one > SLACK)
        assert max(worst) <= 50e3
        assert beyond <= 10.0, "of more than two minutes"
        assert not it.causes("pcs"), "and nobody takes it for a swing"


@pytest.mark.parametrize("fault", few(["pcs2:silent", "pcs2:trip", "bms2:silent", "bms2:trips"], one_in=2))
@virtual
async def test_whatever_happens_to_one_the_other_goes_on_within_the_limit(tmp_path: Path, fault: str) -> None:
    async with story(tmp_path, grid={"export_limit": 0.0}, around=steady(80e3), file=TWO) as it:
        await steer(it, 20, pcs=40e3, pcs2=40e3)
        assert total(it) == pytest.approx(80e3, abs=3e3)
        it.simulated.faults.on(fault)
        exported = []
        for _ in range(120):
            await steer(it, 0.5, pcs=80e3, pcs2=40e3)
            exported.append(-it.grid)
        assert sum(0.5 for one in exported if one > SLACK) <= 10.0
        assert power(it, "pcs2") == pytest.approx(0, abs=1e3), "by its watchdog, its trip or its limits"
        assert power(it, "pcs") == pytest.approx(80e3, abs=3e3), "what it gave no more, the other gives"
        assert not it.bridge.said["pcs"].causes
        said = [it.bridge.said[device].causes for device in ("pcs2", "bms2")]
        assert any(said) or it.said(device="pcs2")[-1].cause is not None, "and it is said what is wrong"


@virtual
async def test_a_second_pcs_has_limits_of_its_own_bms_and_a_fallback(tmp_path: Path) -> None:
    """Fault 10: a second PCS had neither."""
    async with story(tmp_path, file=TWO, around=steady(200e3)) as it:
        it.simulated.faults.on("bms2:silent")
        await asyncio.sleep(8)
        await steer(it, 6, pcs=30e3, pcs2=30e3)
        assert [power(it, pcs) for pcs in EACH] == [pytest.approx(30e3, abs=500), pytest.approx(0, abs=500)]
        assert it.said(device="pcs2")[-1].cause == Cause.BMS_MISSING


@virtual
async def test_without_commands_each_goes_to_its_own_fallback(tmp_path: Path) -> None:
    """Fault 10, too."""
    async with story(tmp_path, file=TWO, around=steady(200e3), battery={"fallback": -5e3}) as it:
        await steer(it, 10, pcs=30e3, pcs2=30e3)
        assert total(it) == pytest.approx(60e3, abs=SLACK)
        await asyncio.sleep(25)
        assert [power(it, pcs) for pcs in EACH] == [pytest.approx(-5e3, abs=1e3)] * 2


@virtual
async def test_one_that_runs_the_other_way_rests_alone(tmp_path: Path) -> None:
    async with story(tmp_path, "pcs2:reversed", around=steady(200e3), file=TWO) as it:
        await steer(it, 60, pcs=40e3, pcs2=40e3)
        assert Cause.REVERSED in it.bridge.said["pcs2"].causes
        assert not it.bridge.said["pcs"].causes
        assert [power(it, pcs) for pcs in EACH] == [pytest.approx(40e3, abs=500), pytest.approx(0, abs=500)]
        it.simulated.faults.off("pcs2:reversed")
        it.command("pcs2", values={}, action=Action.RESET, authority=Authority.OPERATOR, source="dispatch")
        await steer(it, 30, pcs=40e3, pcs2=40e3)
        assert power(it, "pcs2") == pytest.approx(40e3, abs=1e3)


@virtual
async def test_a_meter_the_wrong_way_round_stops_both(tmp_path: Path) -> None:
    async with story(tmp_path, "meter:inverted", around=steady(100e3), file=TWO) as it:
        began = loop().time()

        def steps(now: float) -> float:
            return 40e3 if int((now - began) // 4) % 2 == 0 else 0.0

        await steer(it, 120, pcs=steps, pcs2=10e3)
        assert Cause.METER_POLARITY in it.bridge.said["meter"].causes
        assert total(it) == pytest.approx(0, abs=1e3)
        for pcs in EACH:
            assert it.said(device=pcs)[-1].cause == Cause.METER_POLARITY


@virtual
async def test_a_load_that_steps_is_answered_once(tmp_path: Path) -> None:
    """Behind a closed export the load falls from 120 to 40 kW, and rises again."""
    began = [0.0]

    def around(at: datetime) -> Surroundings:
        return Surroundings(120e3 if int((at.timestamp() - began[0]) // 30) % 2 == 0 else 40e3, 0.0)

    async with story(tmp_path, grid={"export_limit": 0.0}, around=around, file=TWO) as it:
        began[0] = it.simulated.now().timestamp()
        await steer(it, 25, pcs=70e3, pcs2=50e3)
        late = []
        for turn in range(8):
            exported = []
            for _ in range(60):
                await steer(it, 0.5, pcs=70e3, pcs2=50e3)
                exported.append(-it.grid)
            late.append(sum(0.5 for one in exported if one > SLACK))
            assert not it.causes("pcs"), turn
        assert max(late) <= 5.0


@virtual
async def test_what_holds_because_a_pcs_was_silent_is_not_blamed_on_its_door(tmp_path: Path) -> None:
    """The outcome named `interlock:door-pcs2` and no reason, while nobody had opened a door."""
    async with story(tmp_path, around=steady(80e3), file=TWO) as it:
        await steer(it, 20, pcs=40e3, pcs2=40e3)
        it.simulated.faults.on("pcs2:silent")
        await steer(it, 48, pcs=40e3, pcs2=40e3)
        it.simulated.faults.off("pcs2:silent")
        await steer(it, 30, pcs=40e3, pcs2=40e3)
        held = [one for one in it.said(device="pcs2") if one.state == "limited" and one.cause == Cause.INTERLOCK]
        door = [one for one in held if one.limited_by[0].source == "interlock:door-pcs2"]
        assert door, "it is the first of those that hold, and keeps its name for programs"
        assert all("door: pcs2 is known again, it ends within 10 s" in one.reason for one in door)
        assert all(one.reason for one in held), "whichever holds it, people read why"
