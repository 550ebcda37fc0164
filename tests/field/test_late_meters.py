"""A meter that is late, or shows a mean, and whose owner knows it: no loop overshoots while it measures that itself.

https://github.com/tomquist/AstraMeter/pull/475: a meter whose readings lag makes the loop over it hunt.
"""

from pathlib import Path

import pytest

from consumers.dispatch.desk import Desk
from schemas.site import Site
from schemas.site_file import load_site
from tests.bridges.control.story import DEMO, changed
from tests.field.curtailed import TOLERANCE, curtailed
from tests.virtual import virtual


def meter(**keys: float) -> Site:
    demo = load_site(DEMO)
    return demo.model_copy(update={"device": changed(demo, "meter", **keys)})


SUN = 15e3
"""W of PV where a battery follows the load."""


@virtual
async def test_a_meter_8_s_late_feeds_nothing_in_from_the_start(tmp_path: Path) -> None:
    """Without the key 40 kW were fed in for 14 s: its first readings, before PV was limited, were taken for a load."""
    async with curtailed(tmp_path, device=meter(delay=8.0).device) as it:
        it.it.simulated.faults.on("meter:late", 8.0)
        await it.live(25)
        assert it.longest_beyond() <= 2.0
        assert it.most(20) < TOLERANCE
        assert it.pv() == pytest.approx(it.load, abs=2 * TOLERANCE)
        assert it.it.causes() == it.it.causes("meter") == []


@virtual
async def test_a_meter_that_averages_over_10_s_makes_no_battery_swing(tmp_path: Path) -> None:
    """Without the key the battery went 14 kW beyond the load and came back. How it is with others: see
    `tests.optimizer.test_site_load`."""
    mean = meter(averaging=10.0).device
    async with curtailed(tmp_path, device=mean, soc=60.0, load=60e3, sun=0.1, export_limit=150e3) as it:
        it.it.simulated.faults.on("meter:averaging", 10.0)
        for load in (60e3, 90e3):
            before, it.load, powers = it.it.power, load, list[float]()
            for _ in range(25):
                await it.live(1.0)
                powers.append(it.it.power)
            wanted = load - SUN
            assert before - 1e3 <= min(powers)
            assert max(powers) <= wanted + 1e3
            assert abs(it.it.grid) < 10e3, "and it gets there"
        assert it.it.causes() == it.it.causes("meter") == []


def test_dispatch_and_curtailment_know_it() -> None:
    desk = Desk.of(meter(delay=2.0, averaging=6.0))
    assert desk.fold.load.load.net.meter_delay == desk.pv.load.net.meter_delay == 8.0
    assert desk.pv.load.measured, "a meter that is said to be prompt counts as one"
