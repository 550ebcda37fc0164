"""A person's command over a broken connection: while it is valid it is asserted again, and never played back."""

import asyncio
import contextlib
import math
from datetime import timedelta
from pathlib import Path

import pytest

from bridges.service import run as bridge
from consumers.dispatch.service import run as dispatch
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import ControlRequest, Mode
from schemas.site_file import load_site
from schemas.topics import COMMAND, CONTROL_REQUEST, OUTCOME, TELEMETRY
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.bridges.conftest import DEMO, NOON
from tests.conftest import Broker
from tests.ear import ear

KEY = "a key of the site that is long"


@pytest.mark.slow
async def test_a_manual_command_survives_the_broker_only_while_it_is_valid(tmp_path: Path, site_name: str) -> None:
    broker = Broker(tmp_path / "broker")
    broker.start()
    demo = load_site(DEMO).model_copy(update={"site": site_name})
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(broker.stop)
        simulated = await stack.enter_async_context(SimulatedSite(demo, ramp=math.inf, start=NOON, free_ports=True))
        tasks = []
        for name, run in (("bridge", bridge), ("dispatch", dispatch)):
            place = parse_broker(broker.url(name), name, None, {})
            part = Part(name, simulated.site, Settings(place, "", state=tmp_path, command_key=KEY))
            tasks.append(asyncio.create_task(run(part)))
        stack.push_async_callback(_end, tasks)
        lease = utc_now() + timedelta(seconds=9)
        async with ear(broker.url("admin"), f"ems/v1/{site_name}/#") as hears:
            await hears.until(TELEMETRY, lambda one: one.seq > 4, device="pcs")
            async with ear(broker.url("operator")) as operator:
                wish = ControlRequest(at=utc_now(), mode=Mode.MANUAL, who="ada", power=30_000.0, until=lease)
                await operator.bus.say(CONTROL_REQUEST, wish, expiry=5, site=site_name)
            await hears.until(OUTCOME, lambda one: one.state == "verified" and one.requested == {"p_set": 30_000.0})
            before = {one.id for one in hears.all(COMMAND)}
        broker.stop()
        await asyncio.sleep(1.0)
        assert simulated.world.plant.pcs.p_set == 30_000, "the bridge goes on with what is valid"
        broker.start()
        async with ear(broker.url("admin"), f"ems/v1/{site_name}/#") as hears:
            again = await hears.until(COMMAND, lambda one: one.authority == "operator", seconds=8)
            assert again.id not in before, "asserted again, not played back"
            proven = await hears.until(OUTCOME, lambda one: one.id == again.id and one.state == "verified")
            assert proven.applied == {"p_set": 30_000.0}
            ended = await hears.until(COMMAND, lambda one: one.authority != "operator", seconds=12)
            assert ended.at >= lease - timedelta(seconds=0.1), "the lease ends when it was to end"
            assert not [one for one in hears.all(OUTCOME) if one.state == "refused"]


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
