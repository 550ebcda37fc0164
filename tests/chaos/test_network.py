"""F12 to F16: what a network does to the lines between the parts and the broker."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bridges.telemetry.outbox import Outbox
from bridges.telemetry.outbox_rows import Row
from runtime.bus import Bus
from runtime.settings import parse_broker
from schemas.messages import Telemetry
from schemas.topics import TELEMETRY
from schemas.units import utc_now
from tests.chaos.commander import TTL
from tests.chaos.oracles import CYCLES, LOADED, NOTICED, RECOVERED, moved, steered
from tests.chaos.plant import Plant, plant
from tests.chaos.proxy import GOOD, Line, Proxy
from tests.timed import FULL

SILENT = 30.0 if FULL else 12.0
"""Seconds; longer than any command lives."""

BOTH_WAYS, ONE_WAY = Line(up=False, down=False), Line(down=False)
PAIRS = [
    pytest.param(BOTH_WAYS, ONE_WAY, id="the bridge's both ways"),
    *([pytest.param(ONE_WAY, BOTH_WAYS, id="the bridge's one way")] if FULL else []),
]
SECONDS, TORN = (20.0, 20) if FULL else (5.0, 4)
SLOW = Line(latency=0.3, rate=20_000)
LATE = 4.0
"""Seconds the newest sample may take on it; behind the 100 kB of the past that used to go first it took 7."""
LIES = Line(corrupt=0.01), Line(corrupt=0.0005)
"""So often that no handshake ends well, and so seldom that a connection is made and breaks later."""


@pytest.mark.slow
@pytest.mark.parametrize(("bridge", "archive"), PAIRS)
async def test_a_silent_line_is_noticed_and_the_battery_rests(
    bridge: Line, archive: Line, tmp_path: Path, site_name: str
) -> None:
    async with plant(tmp_path, site_name, embedded=True, lines=True) as site, steered(site) as (_, watch):
        began = time.monotonic()
        site.lines["bridge"].become(bridge)
        site.lines["archive"].become(archive)
        await site.until("bridge", ready=False, seconds=NOTICED + LOADED)
        await asyncio.sleep(began + SILENT - time.monotonic())
        assert watch.standing(began + TTL + CYCLES, time.monotonic()) == {0.0}
        assert not await site.ready("archive")
        site.become(GOOD)
        for part in ("bridge", "archive"):
            await site.until(part, ready=True, seconds=RECOVERED + LOADED)
        await moved(watch)


@pytest.mark.slow
async def test_a_slow_a_lying_and_a_torn_line_lose_nothing(tmp_path: Path, site_name: str) -> None:
    """With TLS: a packet that was changed on its way may not become another value."""
    kept = _past(tmp_path / f"outbox-{site_name}-bridge.db", 2000)
    async with plant(tmp_path, site_name, embedded=True, tls=True, lines=True) as site:
        site.become(SLOW)
        async with steered(site) as (_, watch), _arrivals(site) as came:
            await asyncio.sleep(SECONDS)
            live = [late for late, sample in came if not sample.historical]
            old = sum(sample.historical for _, sample in came)
            assert len(live) > 3 * SECONDS, "six are read in a second"
            assert max(live) < LATE, "the newest do not wait for the past"
            assert 0 < old < kept, "which goes on beside them"
            for line in LIES:
                site.become(line)
                await asyncio.sleep(SECONDS / 2)
            for one in site.lines.values():
                assert one.spoiled > 0
            site.become(GOOD)
            for part in site.lines:
                await site.until(part, ready=True, seconds=RECOVERED + LOADED)
            again = await asyncio.gather(*(_tear(one) for one in site.lines.values()))
            assert min(again) >= TORN // 4, "each came back and was cut again"
            await moved(watch)


async def _tear(line: Proxy) -> int:
    """A reset each second; gives how many connections were made meanwhile."""
    before = line.made
    for _ in range(TORN):
        line.cut()
        await asyncio.sleep(1.0)
    return line.made - before


def _past(outbox: Path, samples: int) -> int:
    """A bridge has been alone for a while."""
    spool, begin = Outbox(outbox), utc_now() - timedelta(hours=1)
    rows = []
    for number in range(samples):
        at = begin + timedelta(seconds=number)
        sample = Telemetry(
            at=at, epoch=spool.epoch, seq=spool.next("pcs"), values={"p": float(number), "note": "-" * 400}
        )
        rows.append(Row((spool.epoch, "pcs", sample.seq), at.timestamp(), sample.model_dump_json().encode()))
    spool.keep(rows)
    spool.close()
    return samples


@asynccontextmanager
async def _arrivals(site: Plant) -> AsyncIterator[list[tuple[float, Telemetry]]]:
    """What comes to the broker, and how many seconds after it was read."""
    came: list[tuple[float, Telemetry]] = []

    async def hear(bus: Bus) -> None:
        async for batch in bus.listen(TELEMETRY.at(site=site.name)):
            bus.ack(batch)
            came.extend(((utc_now() - one.message.at).total_seconds(), one.message) for one in batch if one.message)

    async with Bus(parse_broker(site.broker.url("admin"), "admin", None, {}), identifier="admin") as bus:
        hearing = asyncio.create_task(hear(bus))
        try:
            yield came
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
