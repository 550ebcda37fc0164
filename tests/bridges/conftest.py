"""A bridge between a real broker and the Modbus servers of a simulated site."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridges.control.controller import Controller
from bridges.service import run
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Authority, Command, Outcome
from schemas.profile import Profile
from schemas.site import Site
from schemas.site_file import load_site
from schemas.topics import COMMAND, META, OUTCOME, TELEMETRY
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.conftest import Broker
from tests.ear import Ear, ear

DEMO = Path(__file__).parents[2] / "tests" / "one_battery.toml"


NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)
"""The simulated sun shines, whenever the tests run."""


@dataclass
class Bench:
    """Everything a test of the bridge touches."""

    site: Site
    simulated: SimulatedSite
    part: Part
    hears: Ear
    tells: Ear
    running: asyncio.Task[None]

    def wish(self, **change: Any) -> Command:
        """A good command with some changes."""
        now = utc_now()
        wish: dict[str, Any] = {
            "id": f"c{time.monotonic_ns()}",
            "at": now,
            "until": now + timedelta(seconds=10),
            "source": "dispatch",
            "authority": Authority.PLAN,
            "values": {"p_set": 10_000.0},
            "reason": "test",
        }
        return Command(**(wish | change))

    async def command(self, device: str = "pcs", **change: Any) -> Command:
        """Send one, as dispatch does."""
        command = self.wish(**change)
        await self.tells.bus.say(COMMAND, command, expiry=10, site=self.site.site, device=device)
        return command

    async def outcome(self, command: str, *states: str, seconds: float = 10.0) -> Outcome:
        """The first outcome of a command in one of these states."""

        def fits(one: Outcome) -> bool:
            return one.id == command and (not states or one.state.value in states)

        return await self.hears.until(OUTCOME, fits, seconds)

    def kill(self, patch: pytest.MonkeyPatch) -> None:
        """As by kill -9: nobody is left who brings a device to its fallback."""
        patch.setattr(Controller, "_leave", lambda _: asyncio.sleep(0))
        self.running.cancel()

    def writes(self, register: int) -> list[tuple[int, ...]]:
        """What reached a register of the pcs."""
        return [one.values for one in self.simulated.written if one.device == "pcs" and one.register == register]


Start = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def start(broker: Broker, site_name: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Start a simulated site and its bridge; arguments change the site file or its battery."""
    async with contextlib.AsyncExitStack() as stack:

        async def begin(
            battery: dict[str, Any] | None = None,
            soc: float = 50.0,
            *,
            dso_limit: float | None = None,
            command_key: str | None = None,
            faults: Iterable[str] = (),
            profiles: Mapping[str, Profile] | None = None,
            file: Path = DEMO,
            **change: Any,
        ) -> Bench:
            demo = load_site(file)
            calm = {"ramp": 1e9, "ccl_stale_after": 2.0} | (battery or {})
            update = {"site": site_name, "battery": [demo.battery[0].model_copy(update=calm)]} | change
            update["grid"] = demo.grid.model_copy(update={"dso_limit": dso_limit})
            site = demo.model_copy(update=update | change)
            # as if they lay beside the site file
            site.__dict__["profiles"] = demo.profiles | dict(profiles or {})
            simulated = SimulatedSite(site, faults, soc=soc, ramp=math.inf, start=NOON, free_ports=True)
            await stack.enter_async_context(simulated)
            address = f"ems/v1/{site_name}/#"
            hears = await stack.enter_async_context(ear(broker.url("admin"), address))
            tells = await stack.enter_async_context(ear(broker.url("dispatch")))
            settings = Settings(
                parse_broker(broker.url("bridge"), "bridge", None, {}), "", None, tmp_path, command_key=command_key
            )
            part = Part("bridge", simulated.site, settings)
            running = asyncio.create_task(run(part))
            stack.push_async_callback(_end, running)
            for device in simulated.site.device:
                await hears.until(META, device=device.name)
                await hears.until(TELEMETRY, device=device.name)
            return Bench(simulated.site, simulated, part, hears, tells, running)

        yield begin


async def _end(running: asyncio.Task[None]) -> None:
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
