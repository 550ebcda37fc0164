"""A loop over the meter that stands at its end: its battery makes steps of its own, and only as many as it takes."""

from pathlib import Path
from typing import Any

import pytest

from schemas.messages import Authority, Cause
from simulator.plant import Surroundings
from tests.bridges.control.story import Story, story
from tests.bridges.control.test_story_batteries import TWO, steady, steer
from tests.bridges.control.test_story_faults import flash
from tests.timed import few, long
from tests.virtual import virtual

ROUND = "meter:inverted"
EXPORT, IMPORT = {"export_limit": 0.0, "import_limit": 150e3}, {"export_limit": 480e3, "import_limit": 50e3}
PV = -150e3
"""W: more of it than the battery can take."""


def trials(it: Story) -> set[str]:
    """What was ever limited by a trial."""
    return {one.source for said in it.said() for one in said.limited_by} & {"meter:trial"}


@pytest.mark.parametrize(("grid", "load"), [(EXPORT, 100e3), (IMPORT, -100e3)], ids=["export", "import"])
@pytest.mark.parametrize("late", few([0.0, 2.0, 5.0], one_in=3))
def test_a_wrong_one_is_named_where_its_loop_stands_at_its_end(
    grid: dict[str, float], load: float, late: float, tmp_path: Path
) -> None:
    @virtual
    async def told(folder: Path) -> None:
        async with story(folder, ROUND, grid=grid, around=steady(load)) as it:
            it.simulated.faults.on("meter:late", late)
            await it.steer(0.0, 70)
            assert Cause.METER_POLARITY in it.causes("meter")

    told(tmp_path)


@virtual
async def test_two_batteries_make_the_step_together(tmp_path: Path) -> None:
    async with story(tmp_path, ROUND, grid=EXPORT, around=steady(100e3), file=TWO) as it:
        await steer(it, 60, pcs=0.0, pcs2=0.0)
        assert Cause.METER_POLARITY in it.causes("meter")


@virtual
async def test_one_that_is_turned_round_in_service_is_named(tmp_path: Path) -> None:
    """It stands at its end with one step, after many that were shown as they should be."""
    async with story(tmp_path, grid=EXPORT, around=steady(100e3)) as it:
        await it.steer(lambda now: 40e3 if now // 20 % 2 else 20e3, 200, authority=Authority.OPERATOR)
        it.simulated.faults.on(ROUND)
        await it.steer(0.0, 70)
        assert Cause.METER_POLARITY in it.causes("meter")


@pytest.mark.parametrize("by", [Authority.SELF_CONSUMPTION, Authority.PLAN])
@pytest.mark.parametrize("faults", [(ROUND,), ()], ids=["wrong", "right"])
def test_a_loop_that_no_limit_ends_is_tried_at_the_end_of_its_battery(
    by: Authority, faults: tuple[str, ...], tmp_path: Path
) -> None:
    """What covers the load charges at its rating: 100 kW of load look like PV, or there is more PV than that."""

    @virtual
    async def told(folder: Path) -> None:
        wide = {"export_limit": 480e3, "import_limit": 480e3}
        async with story(folder, *faults, grid=wide, around=steady(100e3 if faults else PV)) as it:
            await it.steer(-100e3, 90, authority=by)
            assert (Cause.METER_POLARITY in it.causes("meter")) == bool(faults)

    told(tmp_path)


@long("ten minutes")
@virtual
async def test_a_right_one_costs_a_fifth_for_a_few_seconds(tmp_path: Path) -> None:
    """Export 0, and more PV than the battery takes: one trial, and then peace."""
    async with story(tmp_path, grid=EXPORT, around=steady(PV)) as it:
        await it.steer(0.0, 8)
        lost = 0.0
        for _ in range(290):
            await it.steer(0.0, 2)
            lost += max(0.0, 100e3 + it.power) * 2 / 3600
        assert 1.0 < lost < 60.0, f"{lost:.0f} Wh in ten minutes"
        assert it.causes("meter") == []


@pytest.mark.parametrize("change", [{"profiles": flash()}, {"by": Authority.OPERATOR}], ids=["flash", "by hand"])
def test_who_is_not_tried(change: dict[str, Any], tmp_path: Path) -> None:
    """A register in flash; and a person's power that no limit of the site moves."""

    @virtual
    async def told(folder: Path) -> None:
        by = change.get("by", Authority.PLAN)
        async with story(folder, profiles=change.get("profiles"), around=lambda _: Surroundings(60e3, 0.0)) as it:
            await it.steer(40e3, 60, authority=by)
            assert not trials(it)
            assert len(it.written()) == 1

    told(tmp_path)
