"""The battery's own watchdog: without a request for its time it opens its contactor, and no inverter runs on that."""

import asyncio
import math
from pathlib import Path

from bridges.service import run
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.profiles import load_profile
from schemas.site_file import load_site
from simulator.service import SimulatedSite
from tests.bridges.conftest import DEMO, NOON

SECONDS = 3.0


async def test_a_soltaro_rack_opens_when_its_bridge_dies(tmp_path: Path) -> None:
    shipped, demo = load_profile("soltaro_single_rack_vc"), load_site(DEMO)
    assert shipped.watchdog is not None
    assert (shipped.watchdog.register_, shipped.watchdog.seconds) == (8436, 60), "as shipped"
    rack = shipped.model_copy(update={"watchdog": shipped.watchdog.model_copy(update={"seconds": SECONDS})})
    site = demo.model_copy(update={"site": "rack"})
    site.__dict__["profiles"] = demo.profiles | {"bms": rack}
    async with SimulatedSite(site, ramp=math.inf, start=NOON, free_ports=True) as simulated:
        plant = simulated.world.plant
        settings = Settings(parse_broker("mqtt://127.0.0.1:1", "bridge", None, {}), "", None, tmp_path)
        running = asyncio.create_task(run(Part("bridge", simulated.site, settings)))
        await asyncio.sleep(2 * SECONDS)
        told = [one.values for one in simulated.written if (one.device, one.register) == ("bms", 8436)]
        assert told == [(3,)], "armed once, and fed by every reading"
        assert plant.connected
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.sleep(SECONDS + 1)
        assert not plant.connected
        assert (plant.pcs.state.value, plant.pcs.why) == ("fault", "dc_under_voltage"), "an inverter without DC trips"
