"""F48: every part that is told to stop while it is busy ends in good order, and soon.

With JOULEBUS_CHAOS=full (`make faults`) also the one that loads a solver.
"""

import asyncio
import signal
from pathlib import Path

import pytest

from joulebus.server import Server, free_port
from schemas.topics import COMMAND, PLAN, SERVICE_STATUS, TELEMETRY
from tests.chaos.plant import Plant, part, plant
from tests.ear import ear
from tests.timed import FULL

PARTS = ("bridge", "alarms", "dispatch", "status", *(["optimize"] if FULL else []))
"""The archive's stop under load is a test of its own."""
SECONDS = 5.0


@pytest.mark.slow
async def test_every_part_that_is_told_to_stop_under_load_ends_in_good_order(tmp_path: Path, site_name: str) -> None:
    async with plant(tmp_path, site_name) as site:
        file = tmp_path / "site.toml"
        file.write_text(file.read_text(encoding="utf-8").replace("poll = 0.5", "poll = 0.1"), encoding="utf-8")
        await site.start("database", "broker")
        for name in PARTS[1:]:
            site.parts[name] = part(name, tmp_path, site.broker, site.database)
        site.parts["status"].command += ["--page", f"127.0.0.1:{free_port()}"]
        async with ear(site.broker.url("admin"), f"ems/v1/{site_name}/#") as hears:
            await asyncio.gather(*(site.start(name) for name in PARTS))
            for name in PARTS:  # who is stopped while it connects has said nothing yet
                await hears.until(SERVICE_STATUS, lambda one: one.state == "online", seconds=60, service=name)
            await hears.until(COMMAND, seconds=60)
            await hears.until(TELEMETRY, lambda one: one.seq > 15, seconds=60, device=site.simulated.site.grid.meter)
            if FULL:
                await hears.until(PLAN, seconds=60)
            ended = await asyncio.gather(*(_stopped(site, name) for name in PARTS))
            said = {name: hears.all(SERVICE_STATUS, service=name)[-1].detail for name in PARTS}
        assert dict(ended) == dict.fromkeys(PARTS, 0)
        assert said == dict.fromkeys(PARTS, "stopped")
        assert not [name for name in PARTS if "Traceback" in _log(site.parts[name])]


async def _stopped(site: Plant, name: str) -> tuple[str, int]:
    """Told to stop: its exit code. Raises TimeoutExpired when it takes too long."""
    part = site.parts[name]
    assert part.process is not None
    part.send(signal.SIGTERM)
    return name, await asyncio.to_thread(part.process.wait, SECONDS)


def _log(part: Server) -> str:
    return part.log.read_text(encoding="utf-8")
