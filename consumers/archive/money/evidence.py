"""What else the archive knows of a quarter of an hour: the plan that held, who commanded, and what held the battery."""

from collections import defaultdict
from datetime import datetime, timedelta

from pydantic_core import from_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.archive.money.commanded import MOST, Commanded
from consumers.archive.money.measured import Measured
from optimizer.actual_against_plan import ORDERED, STATUS, Band, Evidence, Held, Planned, Why, limits
from optimizer.money import Prices
from runtime import kept_plans
from schemas.messages import ControlLimits, DeviceState, Plan
from schemas.site import Site
from schemas.tables import control, device_status, plan
from schemas.topics import CONTROL_LIMITS

QUARTER = timedelta(minutes=15)
LIVES = timedelta(minutes=1)
"""A command from before the quarter may hold in it: those of dispatch live 10 s."""
HEARD = timedelta(days=1)
"""Who was commanded within so long before is commanded: a quarter without a command is then a silence."""


class Witness:
    """Asks the archive about quarters of one site, in order."""

    def __init__(self, connection: AsyncConnection, site: Site) -> None:
        self.connection, self.site = connection, site
        self.orders = Commanded(connection, site.site)
        self._plan: tuple[tuple[datetime, str], Plan] | None = None

    async def planned(self, at: datetime) -> Planned | None:
        """What the newest plan from before the quarter meant for all of it; None where none held, or it cannot be
        read."""
        c = plan.c
        newest = select(c.at, c.id).where(c.site == self.site.site, c.at <= at).order_by(c.at.desc()).limit(1)
        key = (await self.connection.execute(newest)).first()
        if key is None:
            return None
        if self._plan is None or self._plan[0] != tuple(key):
            asked = select(c.body, c.packed).where(c.site == self.site.site, c.at == key.at, c.id == key.id)
            body, packed = (await self.connection.execute(asked)).one()
            try:
                self._plan = (key.at, key.id), kept_plans.read(body, packed)
            except ValueError:  # what was paid is worked out all the same
                return None
        held = self._plan[1]
        for step in held.steps if at < held.until else ():
            if step.at == at and step.seconds == QUARTER.total_seconds():
                return Planned(step.grid, step.power, Prices(step.price_import, step.price_export))
        return None

    async def evidence(self, at: datetime, measured: Measured) -> Evidence:
        """Of the quarter that begins at `at`."""
        wanted, behind = await self._commanded(at)
        gave, told = measured.energies(at).battery or 0.0, measured.told(at)
        device = await self._device(at)
        asked = max((abs(one) for one in (wanted, told) if one is not None), default=0.0)
        return Evidence(
            bands=(*await self._grid(at, measured), *self._cells(at, measured)),
            wanted=wanted,
            told=told,
            behind=behind,
            limited=limits(await self._limited(at)),
            # one that is told more than it does could do no more
            device=Why.DERATE if device is Why.UNKNOWN and abs(gave) < asked else device,
            rated=self.site.rated_power,
        )

    async def _grid(self, at: datetime, measured: Measured) -> list[Band]:
        """Wh of the battery with which the connection keeps its limits, the narrowest of the quarter."""
        seen = measured.energies(at)
        if seen.imported is None or seen.exported is None or seen.battery is None:
            return []
        net = seen.imported - seen.exported + seen.battery
        draws, feeds, lowest = self.site.grid.import_limit, self.site.grid.export_limit, -float("inf")
        for said in await self._limits(at):
            draws, feeds = min(draws, said.import_limit), min(feeds, said.export_limit)
            if said.draw_limit is not None:
                lowest = max(lowest, -said.draw_limit / 4 - (seen.pv or 0.0))
        return [Band(max(net - draws / 4, lowest), max(net + feeds / 4, lowest), Why.LIMIT)]

    async def _limits(self, at: datetime) -> list[ControlLimits]:
        c = control.c
        mine = select(c.body).where(c.site == self.site.site, c.topic == CONTROL_LIMITS.name)
        before = mine.where(c.at <= at).order_by(c.at.desc()).limit(1)
        during = mine.where(c.at > at, c.at < at + QUARTER).order_by(c.at).limit(MOST)
        bodies = [body for asked in (before, during) for (body,) in await self.connection.execute(asked)]
        return [ControlLimits.model_validate_json(body) for body in bodies]

    def _cells(self, at: datetime, measured: Measured) -> list[Band]:
        """What the batteries allowed; racks that were silent allow nothing."""
        if not self.site.battery:
            return []
        if all(measured.of(at, rack, "soc") is None for rack in self.site.racks):
            return [Band(0.0, 0.0, Why.LOST)]
        allowed = measured.allowed(at)
        return [] if allowed is None else [Band(-allowed[0] / 4, allowed[1] / 4, Why.DERATE)]

    async def _commanded(self, at: datetime) -> tuple[float | None, dict[Why, Held]]:
        """Wh of all PCS, None where one was commanded nothing, and who stood behind it.

        A silence counts where commands were heard before: the PCS then goes to its fallback.
        """
        total: float | None = 0.0
        found, parts = dict[Why, Held](), list[tuple[Why, float, float]]()
        for one in self.site.units:
            held = await self._held(at, one.pcs)
            if held is None:
                total = None
                continue
            silent = QUARTER.total_seconds() - sum(seconds for _, seconds, _ in held)
            held.append((Why.LOST if silent > LOOSE else Why.UNKNOWN, silent, one.fallback))
            total = None if total is None else total + sum(power * seconds for _, seconds, power in held) / 3600
            parts += held
        for why, seconds, power in parts:  # of several PCS each stands for its part of the time
            before = found.get(why, Held(0.0, 0.0))
            share = seconds / len(self.site.units)
            found[why] = Held(before.seconds + share, before.energy + power * seconds / 3600)
        return (total if found else None), found

    async def _held(self, at: datetime, pcs: str) -> list[tuple[Why, float, float]] | None:
        """Who commanded a PCS, for how many seconds, and how many W; None where nobody has done so lately."""
        end, found = at + QUARTER, list[tuple[Why, float, float]]()
        told = await self.orders.told(pcs, at - LIVES, end)
        for one, following in zip(told, [*(each.at for each in told), end][1:], strict=True):
            seconds = (min(one.until, following, end) - max(one.at, at)).total_seconds()
            if seconds > 0:
                found.append((ORDERED[one.authority], seconds, one.power))
        return found if found or await self.orders.ever(pcs, at - HEARD, end) else None

    async def _limited(self, at: datetime) -> dict[str, float]:
        """W by the name of what limited the power of the PCS."""
        found = defaultdict[str, float](float)
        for one in await self.orders.cuts(self.site.pcs, at, at + QUARTER):
            found[one.source] += one.less
        return found

    async def _device(self, at: datetime) -> Why:
        """By what the bridge said of the PCS and the racks: the first cause that is known to hold a battery."""
        c = device_status.c
        for device in dict.fromkeys((*self.site.pcs, *self.site.racks)):
            mine = select(c.state, c.body).where(c.site == self.site.site, c.device == device)
            during = mine.where(c.at > at, c.at < at + QUARTER).order_by(c.at)
            before = mine.where(c.at <= at).order_by(c.at.desc()).limit(1)
            for state, body in [
                *await self.connection.execute(during.limit(MOST)),
                *await self.connection.execute(before),
            ]:
                if state == DeviceState.OFFLINE.value:
                    return Why.LOST
                for cause in from_json(body).get("causes", ()):
                    if cause in STATUS:
                        return STATUS[cause]
        return Why.UNKNOWN


LOOSE = 5.0
"""Seconds of a quarter without a command that are no silence: a command that comes a little late."""
