"""From an operator's request to the PCS: dispatch commands the grid mode, the bridge proves it, both only at rest."""

import asyncio
import contextlib
import math
from pathlib import Path

import pytest

from bridges.service import run as bridge
from consumers.dispatch.service import run as dispatch
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Action, ControlRequest, Mode
from schemas.site_file import load_site
from schemas.topics import COMMAND, CONTROL_REQUEST, OUTCOME, TELEMETRY
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.bridges.conftest import DEMO, NOON
from tests.conftest import Broker
from tests.ear import ear


@pytest.mark.slow
async def test_a_grid_mode_that_an_operator_asks_for(tmp_path: Path, site_name: str, broker: Broker) -> None:
    demo = load_site(DEMO).model_copy(update={"site": site_name})
    async with contextlib.AsyncExitStack() as stack:
        hears = await stack.enter_async_context(ear(broker.url("admin"), f"ems/v1/{site_name}/#"))
        operator = await stack.enter_async_context(ear(broker.url("operator")))
        simulated = await stack.enter_async_context(SimulatedSite(demo, ramp=math.inf, start=NOON, free_ports=True))
        parts = []
        for name, run in (("bridge", bridge), ("dispatch", dispatch)):
            place = parse_broker(broker.url(name), name, None, {})
            parts.append(Part(name, simulated.site, Settings(place, "", state=tmp_path)))
            stack.push_async_callback(_end, asyncio.create_task(run(parts[-1])))
        asks = {"action": Action.GRID_FORMING, "who": "anna", "why": "island test"}

        async def ask(**change: object) -> None:
            wish = ControlRequest.model_validate({"at": utc_now()} | change)
            await operator.bus.say(CONTROL_REQUEST, wish, expiry=5, site=site_name)

        await hears.until(OUTCOME, lambda one: one.state in ("verified", "limited"), device="pcs", seconds=20)
        await ask(**asks)
        await asyncio.sleep(2.5)  # more than one tick of dispatch
        assert parts[1].counts["refused_requests"] == 1
        assert not [one for one in hears.all(COMMAND) if one.action is Action.GRID_FORMING], "it runs"
        await ask(mode=Mode.LOCKOUT, who="anna")
        stopped = await hears.until(TELEMETRY, lambda one: one.values.get("state") == "off", device="pcs", seconds=20)
        await hears.until(TELEMETRY, lambda one: one.seq > stopped.seq + 1, device="pcs")
        await ask(**asks)
        command = await hears.until(COMMAND, lambda one: one.action is Action.GRID_FORMING, seconds=10)
        assert (command.authority.value, command.reason) == ("operator", "grid_forming, asked by anna: island test")
        ends = ("verified", "refused", "failed", "not_obeyed")
        said = await hears.until(OUTCOME, lambda one: one.id == command.id and one.state in ends, seconds=15)
        assert (said.state, said.reason) == ("verified", "islanded")
        assert simulated.world.plant.pcs.forming


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
