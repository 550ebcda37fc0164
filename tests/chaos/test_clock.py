"""F11 and F26: the wall clock of the broker or of the bridge is set, by somebody or by a time server that errs."""

import asyncio
import json
import re
import time
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from runtime.database import engine
from runtime.history import History
from schemas.tables import outcome, quarantine
from tests.chaos.certificates import date
from tests.chaos.clock import Clock, clocks
from tests.chaos.commander import PERIOD
from tests.chaos.oracles import CYCLES, LOADED, RECOVERED, Watch, moved, rows, steered
from tests.chaos.plant import Plant, plant
from tests.chaos.proxy import GOOD, Line

HOUR = 3600.0
WRONG = (HOUR, -HOUR)
"""Seconds, beyond what a command may be ahead or behind."""
LITTLE = -4.0
"""Within it: commands are obeyed, and live no longer than they were given."""
TTL = 1.0


@pytest.mark.slow
async def test_whatever_the_clocks_do_nothing_is_obeyed_late_or_lost(tmp_path: Path, site_name: str) -> None:
    async with plant(tmp_path, site_name, embedded=True, tls=True, lines=True) as site:
        date(site.broker.secrets.folder / "secrets", "ca", "server", "clients/*", since=1, days=825)
        with clocks(tmp_path, site.parts["broker"], site.parts["bridge"]) as (broker, bridge):
            async with steered(site) as (commander, watch):
                commander.ttl = TTL
                for skew in WRONG:
                    await _set_broker(site, broker, skew, watch)
                broker.set(0)
                before = [site.numbered()]
                for skew in WRONG:
                    before += await _set_bridge(site, bridge, skew, watch)
                bridge.set(LITTLE)
                await asyncio.sleep(PERIOD + LOADED)
                await moved(watch)
                commander.silent = True
                await asyncio.sleep(TTL + CYCLES)
                assert watch.seen[-1][1] == 0.0, "what is valid for a second is not valid for five"
        assert _hours(site) == {-1, 0, 1}, "the broker let parts in whatever its clock said"
        assert await _refused(site) == {"future", "ago"}
        await _whole(site, dict(before))


async def _set_broker(site: Plant, clock: Clock, skew: float, watch: Watch) -> None:
    """What waits for a consumer that is away waits on, certificates are valid, and commands pass as ever."""
    clock.set(skew)
    site.lines["archive"].become(Line(refuse=True))
    site.lines["archive"].cut()
    await site.until("archive", ready=False, seconds=RECOVERED)
    await asyncio.sleep(1.0)
    site.lines["archive"].become(GOOD)
    await site.until("archive", ready=True, seconds=RECOVERED + LOADED)
    await moved(watch)


async def _set_bridge(site: Plant, clock: Clock, skew: float, watch: Watch) -> list[tuple[str, dict[str, int]]]:
    """The battery rests as if nobody commanded, until the clock is right. Gives what was numbered before each step."""
    began = time.monotonic()
    clock.set(skew)
    await asyncio.sleep(TTL + CYCLES + PERIOD)
    assert watch.standing(began + TTL + CYCLES, time.monotonic()) == {0.0}
    wrong = site.numbered()
    clock.set(0)
    await moved(watch)
    return [wrong, site.numbered()]


def _hours(site: Plant) -> set[int]:
    """How many hours ahead the broker's clock was when somebody came in."""
    said = site.broker.log.read_text(encoding="utf-8")
    came = [datetime.fromisoformat(at).astimezone() for at in re.findall(r"^(\S+): New client", said, re.MULTILINE)]
    return {round((at - datetime.now().astimezone()).total_seconds() / HOUR) for at in came}


async def _refused(site: Plant) -> set[str]:
    """In which direction a clock was said to be wrong."""
    bodies = await rows(site, select(outcome.c.body).where(outcome.c.state == "refused"))
    reasons = [reason for (body,) in bodies if (reason := json.loads(body)["reason"]).startswith("clock_skew")]
    return {word for word in ("future", "ago") if any(word in reason for reason in reasons)}


async def _whole(site: Plant, numbered: dict[str, dict[str, int]]) -> None:
    """Of every epoch all is stored without a gap: in the telemetry, or kept aside where the time cannot be."""
    aside = await rows(site, select(quarantine.c.epoch, quarantine.c.device, quarantine.c.seq))
    assert aside, "an hour ahead is the future"
    database = engine(site.database)
    for epoch, last in numbered.items():
        stored = await History(database).sequences(site.name, epoch)
        for device, seq in last.items():
            found = {one for first, end in stored.get(device, []) for one in range(first, end + 1)}
            found |= {one for where, what, one in aside if (where, what) == (epoch, device)}
            assert found == set(range(1, len(found) + 1)), (epoch, device)
            assert len(found) >= seq
    await database.dispose()
