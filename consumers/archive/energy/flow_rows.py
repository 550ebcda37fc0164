"""Writes from where to where the energy of quarters went, and what the loads used, of the energies that are stored."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.archive.energy.circuits import PV
from consumers.archive.energy.energies import QUARTER
from consumers.archive.energy.flows import flows
from schemas.flows import rest
from schemas.site import Site
from schemas.tables import energy, flow, load_energy

PER_HOUR = 3600 / QUARTER
WEEK = 672
"""Quarters that are asked for at once."""
OTHER = "other load"
"""No device has a name like it: what of the load nobody measures."""

Whole = Mapping[tuple[str, str], tuple[float, float]]
"""Wh out and in of one quarter, by device and point."""


class FlowRows:
    """The flows and the loads of one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.pv = list(dict.fromkeys((device, "p" if point == "p" else PV) for device, point in site.pv_points))
        self.loads = {one.name: one.behind or "" for one in site.loads}
        self.devices = {site.grid.meter, *site.pcs, *self.loads, *(device for device, _ in self.pv)}

    async def make(self, connection: AsyncConnection, quarters: Sequence[datetime]) -> None:
        """Anew for these quarters, in order of time. One is there once the meter and a PCS have it."""
        since = await self._since(connection)
        mine = [at for at in quarters if since and at >= since]
        for place in range(0, len(mine), WEEK):
            await self._some(connection, set(mine[place : place + WEEK]))

    async def _since(self, connection: AsyncConnection) -> datetime | None:
        """From when on the meter and a PCS are known by the names they have now: what flowed before stays as it is."""
        c = energy.c
        first = select(func.min(c.at)).where(c.site == self.site.site, c.point == "p")
        firsts = {
            one: (await connection.execute(first.where(c.device == one))).scalar()
            for one in (self.site.grid.meter, *self.site.pcs)
        }
        meter, *batteries = firsts.values()
        known: list[datetime] = [at for at in batteries if at is not None]
        if meter is None or (self.site.pcs and not known):
            return None
        begins: datetime = max(meter, min(known, default=meter))
        return begins

    async def _some(self, connection: AsyncConnection, wanted: set[datetime]) -> None:
        c = energy.c
        asked = select(c.at, c.device, c.point, c.out_wh, c.in_wh).where(
            c.site == self.site.site, c.device.in_(self.devices), c.at >= min(wanted), c.at <= max(wanted)
        )
        found: dict[datetime, dict[tuple[str, str], tuple[float, float]]] = {at: {} for at in wanted}
        for at, device, point, out, into in await connection.execute(asked):
            if at in wanted:
                found[at][device, point] = out, into
        for table, rows in (
            (flow, [{"at": at} | split for at in sorted(wanted) if (split := self._split(found[at]))]),
            (load_energy, [{"at": at} | used for at in sorted(wanted) for used in self._used(found[at])]),
        ):
            mine = table.c.site == self.site.site, table.c.at.in_(wanted)
            await connection.execute(delete(table).where(*mine))
            if rows:
                await connection.execute(insert(table), [{"site": self.site.site} | row for row in rows])

    def _split(self, whole: Whole) -> dict[str, Any]:
        """A battery that is silent counts as load until its samples come; a PV that sleeps gives nothing."""
        meter, batteries = whole.get((self.site.grid.meter, "p")), self._batteries(whole)
        if meter is None or (self.site.pcs and not batteries):
            return {}
        pcs = sum(out for out, _ in batteries), sum(into for _, into in batteries)
        return flows(self._sun(whole), *meter, *pcs)._asdict()

    def _used(self, whole: Whole) -> Iterator[dict[str, Any]]:
        """Of each load that is known, and of what nobody measures once everything is."""
        used = {name: whole[name, "p"][0] - whole[name, "p"][1] for name in self.loads if (name, "p") in whole}
        for name, wh in used.items():
            yield {"device": name, "behind": self.loads[name], "used": wh}
        meter, batteries = whole.get((self.site.grid.meter, "p")), self._batteries(whole)
        if not self.loads or meter is None or len(batteries) < len(self.site.pcs) or len(used) < len(self.loads):
            return
        apart = [wh for name, wh in used.items() if not self.loads[name]]
        brings = [self._sun(whole), *(out - into for out, into in (meter, *batteries))]
        other = rest([PER_HOUR * each for each in brings], [PER_HOUR * each for each in apart])
        if not other.doubted:  # else, below nothing: a meter is wrong, or the PV's samples are still to come
            yield {"device": OTHER, "behind": "", "used": other.power / PER_HOUR}

    def _batteries(self, whole: Whole) -> list[tuple[float, float]]:
        return [whole[pcs, "p"] for pcs in self.site.pcs if (pcs, "p") in whole]

    def _sun(self, whole: Whole) -> float:
        return sum(max(0.0, whole[one][0] - whole[one][1]) for one in self.pv if one in whole)
