"""F49: whatever breaks, in whatever order, each sample is stored once and no command is obeyed late or too far.

One short story with `make test`; JOULEBUS_CHAOS=full (`make chaos`) tells three long ones and prints their table.
"""

import asyncio
import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from runtime.database import engine
from runtime.history import Counts, History
from schemas.topics import COMMAND_TTL
from simulator.device import Written
from tests.chaos.commander import TOO_MUCH, TTL, Commander
from tests.chaos.plant import NAMES, Plant, plant
from tests.chaos.story import Fault, story

FULL = os.environ.get("JOULEBUS_CHAOS") == "full"
SEEDS, SECONDS = ((1, 2, 3), 40.0) if FULL else ((1,), 12.0)
PATIENCE = 30.0
"""Seconds after the last part is back until everything must be stored (G1)."""
CYCLES = 2 * 0.5 + 0.7
"""Two poll cycles of the pcs, and a loaded machine's delay."""
WATCHDOG = 10.0
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
P_SET, SCALE, RATED = 135, 100.0, 100_000.0

HEAD = """
| seed | faults | samples | lost | twice | stored after, s | commands | bad ones |\
 obeyed late or wrong | over the rating |\
 too long without a command |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


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

        A bridge that is away leaves it to the device's own watchdog; one that starts gives the sender one ttl.
        """
        away = plant.away["bridge"]
        late = []
        for at, power in self.seen:
            valid = max((until for _, until in commander.given if until - TTL <= at), default=0.0)
            gone = max((began + WATCHDOG for began, end in away if began <= at <= end), default=0.0)
            back = max((end + COMMAND_TTL for _, end in away if end <= at), default=0.0)
            if power and at > max(valid, gone, back) + CYCLES:
                late.append(at - max(valid, gone, back))
        return late


def wrong_writes(written: list[Written], commander: Commander) -> tuple[list[float], list[float]]:
    """Setpoints (W) that no command asked for any more when they came (G3), and those above the rating."""
    powers = [(one.at, _signed(one.values[0]) * SCALE) for one in written if one.register == P_SET]
    strange = [
        power
        for at, power in powers
        if power and not any(_asks(wish, power) and at <= until + CYCLES for wish, until in commander.given)
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


async def happen(plant: Plant, commander: Commander, faults: list[Fault]) -> None:
    """All faults of a story, each at its time."""
    began = time.monotonic()

    async def one(fault: Fault) -> None:
        await asyncio.sleep(began + fault.at - time.monotonic())
        if fault.part == "dispatch":
            commander.silent = True
            await asyncio.sleep(fault.lasts)
            commander.silent = False
        else:
            await plant.suffer(fault)

    async with asyncio.TaskGroup() as group:
        for fault in faults:
            group.create_task(one(fault))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_chaos(seed: int, tmp_path: Path, site_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    faults = story(seed, SECONDS)
    async with plant(tmp_path, site_name) as site:
        await site.start(*NAMES)
        commander, watch = Commander(site.broker.url("dispatch"), site_name, Random(seed)), Watch()
        tasks = [asyncio.create_task(work) for work in (commander.work(), watch.work(site))]
        await happen(site, commander, faults)
        back = time.monotonic()
        commander.silent = True
        counts, numbered, lost = await settled(site)
        took = time.monotonic() - back
        await asyncio.sleep(max(0.0, COMMAND_TTL + CYCLES + 0.3 - took))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        strange, above = wrong_writes(list(site.simulated.written), commander)
        unsafe = watch.unsafe(commander, site)
        row = (
            seed, len(faults), numbered, lost, counts.rows - counts.samples, f"{took:.1f}", len(commander.given),
            len(commander.bad), len(strange), len(above), len(unsafe),
        )  # fmt: skip
        with capsys.disabled():
            print(f"{HEAD if seed == SEEDS[0] else ''}\n| {' | '.join(map(str, row))} |", end="")
        assert site.dead() == []
        assert lost == 0
        assert counts.rows == counts.samples == counts.instants
        assert (strange, above, unsafe) == ([], [], []), commander.bad
        assert {power for _, power in watch.seen} > {0.0}, "commands were obeyed at all"
        assert watch.seen[-1][1] == 0.0, "and in the end nobody commands"


@pytest.mark.slow
@pytest.mark.parametrize("late", ["database", "broker", "archive"])
async def test_whatever_starts_last_it_converges(late: str, tmp_path: Path, site_name: str) -> None:
    async with plant(tmp_path, site_name) as site:
        await site.start(*(name for name in NAMES if name != late))
        await asyncio.sleep(1.5)
        assert site.numbered()[1], "the bridge reads and keeps, whoever is missing"
        await site.start(late)
        counts, numbered, lost = await settled(site)
        assert (lost, counts.rows) == (0, counts.samples)
        assert counts.samples >= numbered > 0
        assert site.dead() == []


def _within(ranges: list[tuple[int, int]], seq: int) -> int:
    """How many of the samples up to `seq` are in these ranges."""
    return sum(min(last, seq) - first + 1 for first, last in ranges if first <= seq)


def _asks(wish: float, power: float) -> bool:
    return wish == power or (wish == TOO_MUCH and power > 0)


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word
