"""How long it takes until a battery at power is safe, once something has gone wrong: measured in virtual time."""

import asyncio
import random
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from simulator.plant import Surroundings
from tests.bridges.control.story import Story, story
from tests.scenarios.inputs import RAMP, TICK, Input
from tests.virtual import loop, run

SEEDS = 20
WARM = 12.0
"""Seconds it runs in good order before."""
FINE = 0.02
"""Seconds between two looks."""
STAYS = 10.0
"""Seconds for which it must stay safe: else it was not."""


@dataclass(frozen=True)
class Times:
    """Of one input: seconds until it was safe, one for each seed; infinite for never."""

    about: Input
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.seconds)

    @property
    def longest(self) -> float:
        return max(self.seconds)

    @property
    def kept(self) -> bool:
        return self.longest <= self.about.promise


def measure(about: Input, seeds: int = SEEDS) -> Times:
    """The same each time: a seed is the moment within two commands at which it happens."""
    return Times(about, tuple(_once(about, seed) for seed in range(seeds)))


def _once(about: Input, seed: int) -> float:
    random.seed(seed)
    return run(_told(about, random.uniform(0.0, TICK)))


async def _told(about: Input, phase: float) -> float:
    def around(_: datetime) -> Surroundings:
        return Surroundings(60_000.0, 0.0)

    with tempfile.TemporaryDirectory() as folder:
        only = ("pcs", "bms", "meter")
        async with story(Path(folder), battery={"ramp": RAMP}, around=around, only=only, **about.setting) as it:
            steering = asyncio.create_task(_steer(it, about), name="safety.steer")
            try:
                await asyncio.sleep(WARM + phase)
                if not about.steered:
                    await _end(steering)
                    it.command(values={"p_set": about.power})
                    await asyncio.sleep(0)
                return await _until_safe(it, about)
            finally:
                await _end(steering)


async def _steer(it: Story, about: Input) -> None:
    """Dispatch, each 2 s, before and after it."""
    began = loop().time()
    while True:
        since = loop().time() - began - WARM
        wish = about.power if about.wish is None or since < 0 else about.wish(since)
        it.command(values={"p_set": wish})
        await asyncio.sleep(TICK)


async def _until_safe(it: Story, about: Input) -> float:
    """Seconds until it is safe and stays so."""
    began = loop().time()
    happens = asyncio.ensure_future(_happen(it, about))
    safe: float | None = None
    while loop().time() < began + about.promise + 30.0 + STAYS:
        if about.safe(it):
            safe = loop().time() if safe is None else safe
            if loop().time() - safe >= STAYS:
                break
        else:
            safe = None
        await asyncio.sleep(FINE)
    await happens
    return float("inf") if safe is None else round(safe - began, 2)


async def _happen(it: Story, about: Input) -> None:
    done = about.happens(it)
    if done is not None:
        await done


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
