"""The energies of the site's day so far, of the quarters of an hour that are known: never a 0 for an unknown. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schemas.energies import Energy
from schemas.site import Site

QUARTER = timedelta(minutes=15)
LATE = timedelta(minutes=15)
"""After a quarter the archive has so long to tell of it before it counts as missing."""

Place = tuple[str, str]
"""Device and point."""
Known = Mapping[Place, Sequence[Energy]]


class Places(NamedTuple):
    """Where the energies of a site stand, as the archive's ledger of money takes them."""

    meter: Place
    batteries: list[Place]
    suns: list[Place]

    @classmethod
    def of(cls, site: Site) -> "Places":
        """A hybrid has the PV behind it in one point, and its battery in `p`."""
        suns = dict.fromkeys((device, "p" if point == "p" else "pv_p") for device, point in site.pv_points)
        return cls((site.grid.meter, "p"), [(pcs, "p") for pcs in site.pcs], [*suns])

    @property
    def all(self) -> list[Place]:
        return [self.meter, *self.batteries, *self.suns]


def energies(places: Places, known: Known, start: datetime, now: datetime) -> dict[str, Any]:
    """Wh of each flow since `start`; each with when it is known from and until, of how many quarters, and how many of
    these there were. `wh` is None where none is known; a flow the site cannot have is left out."""
    by_place = {place: {one.at: one for one in known.get(place, ())} for place in places.all}
    last = max((at + QUARTER for told in by_place.values() for at in told), default=start)
    over = max(last, start + (now - LATE - start) // QUARTER * QUARTER)
    quarters = [start + n * QUARTER for n in range((over - start) // QUARTER)]
    meter = by_place[places.meter]
    flows = {"imported": {at: meter[at].out for at in meter}, "exported": {at: meter[at].into for at in meter}}
    sun, holes = _sun([by_place[one] for one in places.suns], quarters)
    if places.suns:
        flows["pv"] = sun
    batteries = [by_place[one] for one in places.batteries]
    gave = {at: (sum(one[at].out for one in batteries), sum(one[at].into for one in batteries))
            for at in quarters if all(at in one for one in batteries)}  # fmt: skip
    if batteries:
        flows["charged"] = {at: into for at, (_, into) in gave.items()}
        flows["discharged"] = {at: out for at, (out, _) in gave.items()}
    flows["load"] = {
        at: meter[at].out - meter[at].into + sun.get(at, 0.0) + out - into
        for at, (out, into) in gave.items()
        if at in meter and at not in holes
    }
    return {name: _sum(flow, quarters, sleeps=name == "pv") for name, flow in flows.items()}


def _sun(
    suns: Iterable[Mapping[datetime, Energy]], quarters: Sequence[datetime]
) -> tuple[dict[datetime, float], set[datetime]]:
    """Wh of the PV, and its holes: an inverter that is silent before its first quarter or after its last one sleeps,
    between them it is not known."""
    total: dict[datetime, float] = {}
    holes = set[datetime]()
    for told in suns:
        for at in quarters:
            if at in told:
                total[at] = total.get(at, 0.0) + max(0.0, told[at].out - told[at].into)
            elif told and min(told) < at < max(told):
                holes.add(at)
    return {at: wh for at, wh in total.items() if at not in holes}, holes


def _sum(flow: Mapping[datetime, float], quarters: Sequence[datetime], *, sleeps: bool) -> dict[str, Any]:
    """`of`: quarters that were over; of what sleeps those from its first to its last."""
    known = [at for at in quarters if at in flow]
    if not known:
        return {"wh": None, "quarters": 0, "of": 0 if sleeps else len(quarters), "from": None, "until": None}
    until = known[-1] + QUARTER
    return {
        "wh": sum(flow[at] for at in known),
        "quarters": len(known),
        "of": (until - known[0]) // QUARTER if sleeps else len(quarters),
        "from": known[0].isoformat(),
        "until": until.isoformat(),
    }
