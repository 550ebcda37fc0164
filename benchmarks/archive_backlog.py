"""What an archive that was away finds at the broker: a backlog of telemetry, as devices at 1 Hz would have sent it."""

import asyncio
import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from runtime.bus import Bus
from runtime.settings import parse_broker
from schemas.messages import Telemetry, Value
from schemas.topics import TELEMETRY
from schemas.units import utc_now

EPOCH = "00112233aabbccdd"
POINTS = 50
"""Of a message."""
DEVICES = ("pcs", "bms", "meter", "pv")


def samples(count: int, end: datetime) -> Iterator[tuple[str, Telemetry]]:
    """What devices at 1 Hz said until `end`: powers and currents that move, temperatures and states that hardly do."""
    seconds = count // len(DEVICES)
    for second in range(seconds):
        values: dict[str, Value] = {
            f"p_{n}": round(5000 * math.sin(second / (90 + n)) + n, 1) if n % 3 == 0 else float(20 + n + second // 300)
            for n in range(POINTS)
        }
        at = end - timedelta(seconds=seconds - second)
        for device in DEVICES:
            yield device, Telemetry(at=at, epoch=EPOCH, seq=second + 1, historical=True, values=values)


async def publish(url: str, site: str, messages: int) -> None:
    """All of it, and wait until the broker has it."""
    async with Bus(parse_broker(url, "bridge", None, {}), identifier="bridge") as bus:
        waiting: list[asyncio.Future[int]] = []
        for device, sample in samples(messages, utc_now()):
            address = TELEMETRY.at(site=site, device=device)
            waiting.append(bus.post(address, sample.model_dump_json().encode()))
            if len(waiting) == 500:
                await asyncio.gather(*waiting)
                waiting.clear()
        await asyncio.gather(*waiting)
