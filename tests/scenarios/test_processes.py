"""The same with real processes: broker, bridge and dispatch over sockets, beside a meter that is late."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from simulator.plant import Surroundings
from tests.chaos.plant import Plant, part, plant
from tests.scenarios.cases import RATED
from tests.scenarios.verdict import BAND, SWING
from tests.timed import in_time, timed

LOAD = 60_000.0
SECONDS = 20.0
"""To settle, and again at rest."""


def still(_: datetime) -> Surroundings:
    """A load that does not move."""
    return Surroundings(LOAD, 0.0)


async def seen(site: Plant, seconds: float) -> list[tuple[float, float]]:
    """Setpoint in the register and true power at the grid, five times a second."""
    found = []
    for _ in range(round(seconds * 5)):
        world = site.simulated.world.plant
        found.append((world.pcs.p_set, world.grid))
        await asyncio.sleep(0.2)
    return found


@pytest.mark.slow
@timed
async def test_beside_a_late_meter_nothing_swings(tmp_path: Path, site_name: str) -> None:
    async with plant(tmp_path, site_name, embedded=True) as site:
        site.simulated.world.around = still
        site.simulated.faults.on("meter:late", 2.0)
        site.parts["dispatch"] = part("dispatch", tmp_path, site.broker, site.database)
        await site.start("broker")
        await asyncio.gather(site.start("bridge"), site.start("dispatch"))
        for _ in range(300):
            if site.simulated.world.plant.pcs.p_set > LOAD / 2:
                break
            await asyncio.sleep(0.2)
        in_time(site.simulated.world.plant.pcs.p_set > LOAD / 2, "it was never steered")
        await asyncio.sleep(SECONDS)
        after = await seen(site, SECONDS)
    setpoints = [one for one, _ in after]
    assert max(setpoints) - min(setpoints) <= SWING, setpoints
    assert max(abs(grid) for _, grid in after) <= BAND
    assert RATED > max(setpoints) > 0
