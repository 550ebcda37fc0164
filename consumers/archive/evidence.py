"""What else the archive knows of a quarter of an hour: the plan that held, who commanded, and what held the battery."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import from_json
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.archive.measured import Measured
from optimizer.actual_against_plan import ORDERED, STATUS, Band, Evidence, Held, Planned, Why, limits
from optimizer.money import Prices
from runtime import kept_plans
from runtime.segments import unpack
from schemas.messages import Authority, Command, ControlLimits, DeviceState, Plan
from schemas.site import Site
from schemas.tables import command, control, device_status, outcome, plan, run, segment
from schemas.topics import CONTROL_LIMITS

QUARTER = timedelta(minutes=15)
LIVES = timedelta(minutes=1)
"""A command from before the quarter may hold in it: those of dispatch live 10 s."""
HEARD = timedelta(days=1)
"""Who was commanded within so long before is commanded: a quarter without a command is then a silence."""
MOST = 2000
"""Outcomes of a quarter that are looked at."""


class Witness:
    """Asks the archive about quarters of one site, in order."""

    def __init__(self, connection: AsyncConnection, site: Site) -> None:
        self.connection, self.site = connection, site
        self._plan: tuple[tuple[datetime, str], Plan] | None = None
        self._closed: dict[tuple[datetime, datetime], list[tuple[str, dict[str, Any]]]] = {}

    async def planned(self, at: datetime) -> Planned | None:
        """What the newest plan from before the quarter meant for all of it; None where none held."""
        c = plan.c
        newest = select(c.at, c.id).where(c.site == self.site.site, c.at <= at).order_by(c.at.desc()).limit(1)
        key = (await self.connection.execute(newest)).first()
        if key is None:
            return None
        if self._plan is None or self._plan[0] != tuple(key):
            asked = select(c.body, c.packed).where(c.site == self.site.site, c.at == key.at, c.id == key.id)
            body, packed = (await self.connection.execute(asked)).one()
            self._plan = (key.at, key.id), kept_plans.read(body, packed)
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
        c, end, found = command.c, at + QUARTER, list[tuple[Why, float, float]]()
        mine = c.site == self.site.site, c.device == pcs
        asked = select(c.at, c.until, c.authority, c.body).where(*mine, c.at >= at - LIVES, c.at < end)
        rows = [*await self.connection.execute(asked)]
        for kind, row in await self._sealed(at - LIVES, end):
            if kind == "command" and row["device"] == pcs:
                said = Command.model_validate_json(row["body"])
                rows.append((said.at, said.until, said.authority, row["body"]))
        rows.sort(key=lambda row: row[0])
        for (since, until, authority, body), following in zip(rows, [*(row[0] for row in rows), end][1:], strict=True):
            seconds = (min(until, following, end) - max(since, at)).total_seconds()
            if seconds > 0:
                power = from_json(body).get("values", {}).get("p_set", 0.0)
                found.append((ORDERED[Authority(authority)], seconds, power))
        if found:
            return found
        ever = select(c.at).where(*mine, c.at >= at - HEARD, c.at < end).limit(1)
        since = at - HEARD
        closed = select(run.c.at).where(
            run.c.site == self.site.site, run.c.device == pcs, run.c.day >= f"{since:%Y-%m-%d}", run.c.at >= since,
            run.c.at < end,
        )  # fmt: skip
        heard = (await self.connection.execute(ever)).first() or (
            await self.connection.execute(closed.limit(1))
        ).first()
        return found if heard else None

    async def _sealed(self, start: datetime, end: datetime) -> list[tuple[str, dict[str, Any]]]:
        """Commands and outcomes of a span that stand in closed segments: half an hour later all of them do."""
        c = segment.c
        reaching = c.site == self.site.site, c.last_at >= start, c.first_at < end, c.packed.is_not(None)
        keys = [tuple(row) for row in await self.connection.execute(select(c.first_at, c.last_at).where(*reaching))]
        if any(key not in self._closed for key in keys):  # of quarters in order the next ones ask for the same
            packed = await self.connection.execute(select(c.first_at, c.last_at, c.packed).where(*reaching))
            self._closed = {(first, last): unpack(self.site.site, rows) for first, last, rows in packed}
        return [one for key in keys for one in self._closed[key[0], key[1]] if start <= one[1]["at"] < end]

    async def _limited(self, at: datetime) -> dict[str, float]:
        """W by the name of what limited the power of the PCS."""
        c, found = outcome.c, defaultdict[str, float](float)
        mine = c.site == self.site.site, c.device.in_(self.site.pcs), c.state == "limited"
        asked = select(c.body).where(*mine, c.at >= at, c.at < at + QUARTER).limit(MOST)
        bodies = [body for (body,) in await self.connection.execute(asked)]
        for kind, row in await self._sealed(at, at + QUARTER):
            if kind == "outcome" and row["device"] in self.site.pcs and row["state"] == "limited":
                bodies.append(row["body"])
        for body in bodies:
            said: dict[str, Any] = from_json(body)
            for one in said.get("limited_by", ()):
                if one["point"] == "p_set":
                    found[one["source"]] += abs(one["wanted"] - one["allowed"])
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
