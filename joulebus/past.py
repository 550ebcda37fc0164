"""A week of the simulated site's own past, so that a fresh demo has something to forecast from and to look at: its last
days as the plan would have had them, with what that saved."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.migrate import migrate
from consumers.archive.rows import Entry, sort_out
from consumers.archive.store import Store
from runtime.database import engine, writing
from runtime.heard import Heard
from runtime.history import History
from runtime.rollups import floor
from schemas.messages import Plan, Telemetry
from schemas.site import Site
from schemas.tables import gap, telemetry
from schemas.topics import PLAN, TELEMETRY
from simulator.past import METERED, Steer, by_rule, past
from simulator.world import World

BATCH = 2000
BEGIN = timedelta(minutes=1)
"""Until all parts of a demo run."""
PLANNED, LEARNED = timedelta(days=3), timedelta(days=1)
"""So much of the past is planned, 2 s a day; before it there is at least so much to learn from."""


@dataclass(frozen=True)
class Wish:
    """Of which site, from when until when."""

    site: Site
    path: Path
    start: datetime
    end: datetime
    env: Mapping[str, str]

    def steer(self, plans: list[Plan]) -> Steer:
        """Who steers its batteries; `plans` takes what was planned in the last hours. Raises Trouble where the tariff
        cannot be read."""
        takes_over = max(self.start + LEARNED, self.end - PLANNED)
        if not self.site.battery or takes_over >= self.end:
            return by_rule
        from joulebus.planned_past import PlannedPast, span_of  # noqa: PLC0415  # loads the solver: 3 s

        span = span_of(self.site, self.path, self.env, self.start, self.end)
        return by_rule if span.terms.battery is None else PlannedPast(span, span.terms.battery, takes_over, plans)


def remember(database: str, wish: Wish, memory: Path) -> None:
    """Bring the tables up to date and, where the archive is empty, store the past; `memory`: from where the simulated
    site is to go on. Raises Trouble."""
    migrate(database)
    asyncio.run(_remember(database, wish, memory))


async def _remember(database: str, wish: Wish, memory: Path) -> None:
    store = engine(database)
    try:
        if await History(store).latest(wish.site.site):
            return
        plans = list[Plan]()
        kept = _Kept(wish.steer(plans))
        rows = _entries(wish, kept)
        archive = Store(store, lambda _: None)
        while batch := list(islice(rows, BATCH)):
            await archive.keep(batch)
        await archive.keep(sort_out([_said(wish.site, one) for one in plans], wish.end)[0])
        await _known_whole(store, wish)
        if kept.world is not None:
            await asyncio.to_thread(memory.write_text, json.dumps(kept.world.plant.remember()), encoding="utf-8")
    finally:
        await store.dispose()


async def _known_whole(store: AsyncEngine, wish: Wish) -> None:
    """The ledger of what is missing begins here. The past holds what it was made with, and no reading more was due."""
    hour, c = floor(wish.end, 3600), telemetry.c
    left = max(0.0, (hour + timedelta(hours=1) - wish.end - BEGIN).total_seconds())
    asked = select(c.device, func.count()).where(c.site == wish.site.site, c.at >= hour).group_by(c.device)
    async with writing(store) as connection:
        found: dict[str, int] = {row[0]: row[1] for row in await connection.execute(asked)}
        for device in wish.site.devices:
            due = max(1, found.get(device.name, 0) + round(left / device.poll))
            row = {"site": wish.site.site, "device": device.name, "at": hour, "cause": "", "closed": wish.end}
            await connection.execute(insert(gap), row | {"expected": due, "stored": due})


class _Kept:
    """A `Steer` that keeps the world it has steered."""

    def __init__(self, steer: Steer) -> None:
        self._steer = steer
        self.world: World | None = None

    def __call__(self, world: World) -> None:
        self.world = world
        self._steer(world)


def _entries(wish: Wish, steer: Steer) -> Iterator[Entry]:
    for device, sample in past(wish.site, wish.start, wish.end, steer=steer, metered=METERED):
        yield from sort_out([_heard(wish.site, device, sample)], sample.at)[0]


def _heard(site: Site, device: str, sample: Telemetry) -> Heard[Telemetry]:
    payload = sample.model_dump_json().encode()
    return Heard(TELEMETRY, {"site": site.site, "device": device}, sample, "", payload, False, 0)


def _said(site: Site, plan: Plan) -> Heard[Plan]:
    return Heard(PLAN, {"site": site.site}, plan, "", b"", True, 0)
