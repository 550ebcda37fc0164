"""The energies of quarters of an hour, and what the devices showed meanwhile, out of the rollups."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.archive.energy.circuits import PV
from optimizer.billing import Quarter, believed, quarter
from optimizer.money import Energies
from optimizer.racks import Rack, together
from schemas.rack import RackMap
from schemas.site import Site
from schemas.tables import energy, rollup_15m

QUARTER = timedelta(minutes=15)


class Seen(NamedTuple):
    """What one point did in a quarter: Wh above and below zero of a power, as if all of the quarter had been seen."""

    plus: float
    minus: float
    seconds: float
    mean: float
    last: float
    readings: int

    @property
    def net(self) -> float:
        return self.plus - self.minus


class Went(NamedTuple):
    """Wh through a device in a quarter, by the one rule of energies.py."""

    out: float
    into: float

    @property
    def net(self) -> float:
        return self.out - self.into


@dataclass
class Measured:
    """Some quarters of a site."""

    site: Site
    seen: dict[tuple[datetime, str, str], Seen] = field(default_factory=dict)
    energy: dict[tuple[datetime, str, str], Went] = field(default_factory=dict)

    def of(self, at: datetime, device: str, point: str = "p") -> Seen | None:
        """None where the point was not seen."""
        return self.seen.get((at, device, point))

    def went(self, at: datetime, device: str, point: str = "p") -> Went | None:
        """The energy; None where it is not known."""
        return self.energy.get((at, device, point))

    @property
    def suns(self) -> list[tuple[str, str]]:
        """Where the energies of the PV stand: of a hybrid all its strings together."""
        return list(dict.fromkeys((device, "p" if point == "p" else PV) for device, point in self.site.pv_points))

    def energies(self, at: datetime) -> Energies:
        """Those of the quarter that begins at `at`. A PV inverter that is not there sleeps; a PCS that is not there is
        unknown."""
        meter, power = self.went(at, self.site.grid.meter), self.of(at, self.site.grid.meter)
        gave = {pcs: self.went(at, pcs) for pcs in self.site.pcs}
        known = {pcs: one for pcs, one in gave.items() if one is not None}
        whole = len(known) == len(gave)
        sun = [self.went(at, *place) for place in self.suns]
        wear = sum(one.wear * known[pcs].out / 1000 for one in self.site.battery for pcs in one.pcs if pcs in known)
        before, after = self._stored(at - QUARTER), self._stored(at)
        return Energies(
            imported=None if meter is None else meter.out,
            exported=None if meter is None else meter.into,
            pv=sum(max(0.0, one.net) for one in sun if one is not None),
            battery=sum(one.net for one in known.values()) if whole else None,
            wear=wear if whole else None,
            stored=None if before is None or after is None else after - before,
            drawn=None if power is None else power.plus,
        )

    def _stored(self, at: datetime) -> float | None:
        """Wh in all batteries at the end of a quarter, by the SoC."""
        total = 0.0
        for one in self.site.battery:
            socs = [seen.last for rack in one.racks if (seen := self.of(at, rack, "soc")) is not None]
            if len(socs) < len(one.racks) or not socs:
                return None
            total += one.energy * fmean(socs) / 100
        return total

    def told(self, at: datetime) -> float | None:
        """Wh the PCS were set to, as they show it; None where one does not."""
        found = [self.of(at, pcs, "p_set") for pcs in self.site.pcs if _shows_watts(self.site, pcs)]
        known = [one for one in found if one is not None]
        return sum(one.net for one in known) if known and len(known) == len(self.site.pcs) else None

    def allowed(self, at: datetime) -> tuple[float, float] | None:
        """Mean W that could be charged and discharged, of all batteries; None where one does not tell."""
        charge = discharge = 0.0
        for one in self.site.battery:
            racks = [Rack(self._rack(at, name), None) for name in one.racks]
            cells = together(racks, len(racks), one.charge_limit, one.discharge_limit)
            if cells.charge is None or cells.discharge is None:
                return None
            rated = self.site.rated(one)
            charge, discharge = charge + min(cells.charge, rated), discharge + min(cells.discharge, rated)
        return charge, discharge

    def _rack(self, at: datetime, name: str) -> tuple[float, float] | None:
        def number(point: str) -> float | None:
            return None if (seen := self.of(at, name, point)) is None else seen.mean

        return RackMap.of(self.site.profiles[name]).allowed(number)


def points_of(site: Site) -> dict[str, set[str]]:
    """What is read of each device."""
    found: dict[str, set[str]] = {site.grid.meter: {"p"}}
    for pcs in site.pcs:
        found.setdefault(pcs, set()).update({"p", "p_set"})
    for device, point in site.pv_points:
        found.setdefault(device, set()).add(point)
    for rack in site.racks:
        found.setdefault(rack, set()).update(RackMap.of(site.profiles[rack]).points)
    return found


async def measured(connection: AsyncConnection, site: Site, quarters: Iterable[datetime]) -> Measured:
    """What was seen in some quarters, and in each one before for the stored energy."""
    wanted = points_of(site)
    ats = {at for quarter in quarters for at in (quarter, quarter - QUARTER)}
    c = rollup_15m.c
    asked = select(c.at, c.device, c.point, c.plus, c.minus, c.seconds, c.twa, c.last, c.samples).where(
        c.site == site.site,
        c.device.in_(wanted),
        c.point.in_({point for points in wanted.values() for point in points}),
        c.at.in_(ats),
    )
    found = Measured(site)
    for at, device, point, plus, minus, seconds, twa, last, readings in await connection.execute(asked):
        if seconds > 0 and point in wanted[device]:
            part = QUARTER.total_seconds() / seconds  # what was not seen is taken to be like what was
            found.seen[at, device, point] = Seen(plus * part, minus * part, seconds, twa, last, readings)
    e = energy.c
    through = select(e.at, e.device, e.point, e.out_wh, e.in_wh).where(
        e.site == site.site, e.device.in_(wanted), e.point.in_(("p", PV)), e.at.in_(ats)
    )
    for at, device, point, out, into in await connection.execute(through):
        found.energy[at, device, point] = Went(out, into)
    return found


async def metered_quarters(
    connection: AsyncConnection, site: Site, spans: Iterable[tuple[datetime, datetime]]
) -> dict[datetime, Quarter]:
    """What the grid meter saw in some spans, for a billed peak: by `optimizer.billing`, as the planner reads it."""
    c, meter = rollup_15m.c, site.named(site.grid.meter)
    asked = select(c.at, c.plus, c.seconds, c.samples).where(
        c.site == site.site, c.device == meter.name, c.point == "p"
    )
    found = dict[datetime, Quarter]()
    for begin, end in spans:
        rows = await connection.execute(asked.where(c.at >= begin, c.at < end))
        found |= {one.at: one for one in believed(quarter(*row, meter.poll) for row in rows)}
    return found


def _shows_watts(site: Site, pcs: str) -> bool:
    point = site.profiles[pcs].points.get("p_set")
    return point is not None and point.unit == "W"
