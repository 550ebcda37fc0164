"""F12 to F16: what a network does to the lines between the parts and the broker."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.chaos.commander import TTL
from tests.chaos.oracles import CYCLES, FULL, moved, steered
from tests.chaos.plant import plant
from tests.chaos.proxy import GOOD, Line

SILENT = 30.0 if FULL else 12.0
"""Seconds; longer than any command lives."""
NOTICED, RECOVERED = 6.0, 5.0
LOADED = 1.0
"""Seconds more for a loaded machine."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", [pytest.param(Line(up=False, down=False), id="both ways"), pytest.param(Line(down=False), id="one way")]
)
async def test_a_silent_line_is_noticed_and_the_battery_rests(line: Line, tmp_path: Path, site_name: str) -> None:
    async with plant(tmp_path, site_name, embedded=True, lines=True) as site, steered(site) as (_, watch):
        began = time.monotonic()
        site.become(line)
        await site.until("bridge", ready=False, seconds=NOTICED + LOADED)
        await asyncio.sleep(began + SILENT - time.monotonic())
        assert watch.standing(began + TTL + CYCLES, time.monotonic()) == {0.0}
        assert not await site.ready("archive")
        site.become(GOOD)
        for part in ("bridge", "archive"):
            await site.until(part, ready=True, seconds=RECOVERED + LOADED)
        await moved(watch)
