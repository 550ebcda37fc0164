"""What must hold whatever breaks: nothing lost, nothing twice, no command obeyed late, and the battery safe in time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from sqlalchemy import Select

from runtime.database import engine
from runtime.history import History
from runtime.stored_counts import Counts
from schemas.topics import COMMAND_TTL
from simulator.device import Written
from tests.chaos.commander import TOO_MUCH, Commander
from tests.chaos.plant import Plant

PATIENCE = 30.0
"""Seconds after the last part is back until everything must be stored (G1)."""
CYCLES = 2 * 0.5 + 1.5
"""Two poll cycles of the pcs, and a loaded machine's delay."""
NOTICED, RECOVERED = 6.0, 5.0
"""Seconds until a broker that is lost shows, and from its return until it is used again."""
LOADED = 1.0
"""Seconds more for a loaded machine."""
WATCHDOG = 10.0
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
P_SET, SCALE, RATED = 135, 100.0, 100_000.0


@dataclass
class Watch:
    """The setpoint in the device, as it stood in each tenth of a second."""

    seen: list[tuple[float, float]] = field(default_factory=list)

    async def work(self, plant: Plant) -> None:
        while True:
            self.seen.append((time.monotonic(), plant.simulated.world.plant.pcs.p_set))
            await asyncio.sleep(0.1)

    def unsafe(self, commander: Commander, plant: Plant) -> list[float]:
        """When it stood although no command was valid (G2), each as seconds after it should have been safe.

        A bridge that is away leaves it to the device's own watchdog, as one that cannot reach its PCS does; one that
        starts gives the sender one ttl, and a PCS that was silent is asked again within that time.
        """
        away = [*plant.away["bridge"], *plant.untold]
        late = []
        for at, power in self.seen:
            valid = max((one.until for one in commander.given if one.at <= at), default=0.0)
            gone = max((began + WATCHDOG for began, end in away if began <= at <= end), default=0.0)
            back = max((end + COMMAND_TTL for _, end in away if end <= at), default=0.0)
            if power and at > max(valid, gone, back) + CYCLES:
                late.append(at - max(valid, gone, back))
        return late

    def standing(self, begin: float, end: float) -> set[float]:
        """The setpoints that stood between two moments."""
        return {power for at, power in self.seen if begin <= at <= end}


@asynccontextmanager
async def steered(site: Plant, *names: str) -> AsyncIterator[tuple[Commander, Watch]]:
    """The parts of a site run (or these of them), somebody commands its battery, and somebody looks at it.

    In the end it is judged.
    """
    names = names or tuple(site.parts)
    await site.start(*(name for name in names if site.parts[name].process is None))
    commander, watch = Commander(site.broker.url("dispatch"), site.name, Random(1)), Watch()
    tasks = [asyncio.create_task(work) for work in (commander.work(), watch.work(site))]
    try:
        await moved(watch)
        yield commander, watch
        if "archive" in names:
            await stored(site)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert not {*site.dead()} & {*names}
    assert wrong_writes(list(site.simulated.written), commander) == ([], []), commander.bad
    assert watch.unsafe(commander, site) == []


async def moved(watch: Watch, seconds: float = 15.0) -> None:
    """Until a command is obeyed that was not obeyed before. Raises TimeoutError."""
    before = {power for _, power in watch.seen} | {0.0}
    async with asyncio.timeout(seconds):
        while True:
            if watch.seen and watch.seen[-1][1] not in before:
                return
            await asyncio.sleep(0.1)


async def stored(site: Plant) -> None:
    """All that was numbered by now is stored once (G1)."""
    counts, numbered, lost = await settled(site)
    assert (lost, counts.rows) == (0, counts.samples)
    assert counts.samples >= numbered > 0


def wrong_writes(written: list[Written], commander: Commander) -> tuple[list[float], list[float]]:
    """Setpoints (W) that no command asked for any more when they came (G3), and those above the rating."""
    powers = [(one.at, _signed(one.values[0]) * SCALE) for one in written if one.register == P_SET]
    strange = [
        power
        for at, power in powers
        if power and not any(_asks(one.power, power) and at <= one.until + CYCLES for one in commander.given)
    ]
    return strange, [power for _, power in powers if abs(power) > RATED]


async def settled(plant: Plant) -> tuple[Counts, int, int]:
    """Once all that was numbered by now is stored, or when patience is at its end: how much was numbered, and lost."""
    epoch, last = plant.numbered()
    database, end = engine(plant.database), time.monotonic() + PATIENCE
    history = History(database)
    while True:
        stored = await history.sequences(plant.name, epoch)
        lost = sum(seq - _within(stored.get(device, []), seq) for device, seq in last.items())
        if not lost or time.monotonic() > end:
            break
        await asyncio.sleep(0.2)
    counts = await history.counts(plant.name, LONG_AGO)
    await database.dispose()
    return counts, sum(last.values()), lost


async def rows(site: Plant, question: Select[Any]) -> list[Any]:
    """What the archive answers."""
    database = engine(site.database)
    async with database.connect() as connection:
        found = list(await connection.execute(question))
    await database.dispose()
    return found


def _within(ranges: list[tuple[int, int]], seq: int) -> int:
    """How many of the samples up to `seq` are in these ranges."""
    return sum(min(last, seq) - first + 1 for first, last in ranges if first <= seq)


def _asks(wish: float, power: float) -> bool:
    return wish == power or (wish == TOO_MUCH and power > 0)


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word
