"""The energies of the site's day so far, of the quarters of an hour that are known: never a 0 for an unknown. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import inf
from typing import Any, NamedTuple

from schemas.energies import Energy
from schemas.site import Site

QUARTER = timedelta(minutes=15)
LATE = timedelta(minutes=15)
"""After a quarter the archive has so long to tell of it before it counts as missing."""

DAY, NIGHT = timedelta(days=1), timedelta(hours=20)
"""Back to where the PV is looked at, and how long it may sleep: a silence of more is none, as in the ledger of gaps."""

FAINT = 0.05
"""Of its rated power: a PV inverter that makes no more may be asleep in the next quarter, as in the ledger of gaps."""

Place = tuple[str, str]
"""Device and point."""
Known = Mapping[Place, Sequence[Energy]]


class Places(NamedTuple):
    """Where the energies of a site stand, as the archive's ledger of money takes them."""

    meter: Place
    batteries: list[Place]
    suns: Mapping[Place, float]
    """With the Wh of a quarter below which it may fall asleep, or wake up."""

    @classmethod
    def of(cls, site: Site) -> "Places":
        """A hybrid has the PV behind it in one point, and its battery in `p`."""
        suns = {
            (device, "p" if point == "p" else "pv_p"): FAINT * (site.named(device).rated_power or inf) / 4
            for device, point in site.pv_points
        }
        return cls((site.grid.meter, "p"), [(pcs, "p") for pcs in site.pcs], suns)

    @property
    def all(self) -> list[Place]:
        return [self.meter, *self.batteries, *self.suns]


def energies(places: Places, known: Known, start: datetime, now: datetime) -> dict[str, Any]:
    """Wh of each flow since `start`, of what is known since the day before.

    Each with when it is known from and until, of how many quarters, and how many of these there were. `wh` is None
    where none is known; a flow the site cannot have is left out.
    """
    by_place = {place: {one.at: one for one in known.get(place, ())} for place in places.all}
    last = max((at + QUARTER for told in by_place.values() for at in told), default=start)
    over = max(last, start + (now - LATE - start) // QUARTER * QUARTER)
    quarters = [start + n * QUARTER for n in range((over - start) // QUARTER)]
    meter = by_place[places.meter]
    flows = {"imported": {at: meter[at].out for at in meter}, "exported": {at: meter[at].into for at in meter}}
    sun, holes = _sun([(by_place[one], faint) for one, faint in places.suns.items()], quarters)
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
    return {
        name: _sum(flow, [at for at in quarters if at in flow or at in holes] if name == "pv" else quarters)
        for name, flow in flows.items()
    }


def _sun(
    suns: Iterable[tuple[Mapping[datetime, Energy], float]], quarters: Sequence[datetime]
) -> tuple[dict[datetime, float], set[datetime]]:
    """Wh of the PV, and its holes: where one was silent that did not sleep."""
    total: dict[datetime, float] = {}
    holes = set[datetime]()
    for told, faint in suns:
        made = {at: max(0.0, one.out - one.into) for at, one in sorted(told.items())}
        first = next((at for at in made if quarters and at >= quarters[0]), None)
        for at in quarters:
            if at in made:
                total[at] = total.get(at, 0.0) + made[at]
            elif not _sleeps(at, made, first, faint):
                holes.add(at)
    return {at: wh for at, wh in total.items() if at not in holes}, holes


def _sleeps(at: datetime, made: Mapping[datetime, float], first: datetime | None, faint: float) -> bool:
    """It was dim in the day's `first` quarter, which is yet to come; or in the last one that it told of, and at this
    time of the day before. Any other silence is not known: one that died in the night made no 0 at noon."""
    if first is not None and at < first:
        return made[first] <= faint
    last = max(made, default=None)
    if last is None or last > at or at - last > NIGHT:
        return False
    return made[last] <= faint and made.get(at - DAY, 0.0) <= faint


def _sum(flow: Mapping[datetime, float], quarters: Sequence[datetime]) -> dict[str, Any]:
    """The quarters are those in which something was to be measured."""
    known = [at for at in quarters if at in flow]
    return {
        "wh": sum(flow[at] for at in known) if known else None,
        "quarters": len(known),
        "of": len(quarters),
        "from": known[0].isoformat() if known else None,
        "until": (known[-1] + QUARTER).isoformat() if known else None,
    }
