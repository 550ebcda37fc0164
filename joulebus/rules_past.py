"""What the rules are judged by, out of the archive: minutes where it has them, else quarters of an hour."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from optimizer.rules.facts import QUARTER, Facts, Quarters, day_of, quarter_of
from optimizer.rules.replay import Past
from optimizer.storage import soc
from optimizer.tariff import Series, quotes
from runtime.history import History
from schemas.interlock import states
from schemas.messages import Value
from schemas.site import Site
from schemas.site_rules import Quantity, SiteRule
from schemas.troubles import Trouble

MINUTE, QUARTERS = 60, 900
"""Seconds of an interval."""
MINUTES_FOR = timedelta(days=32)
"""A longer time is replayed by the quarter of an hour."""
SEEN = 0.5
"""Of the minutes of a time, that the meter must have at least."""
Place = tuple[str, str]
Curve = Sequence[tuple[datetime, Value]]


@dataclass
class Archive:
    """Curves of one time; each value stands at the end of its interval, when it was known."""

    site: Site
    seconds: int
    curves: dict[Place, Curve] = field(default_factory=dict)
    quarters: Quarters = field(default_factory=Quarters)
    unpriced: str = ""
    """Why prices are not known."""

    def at(self, place: Place, moment: datetime) -> Value | None:
        """The last value that was known then and is fresh."""
        curve = self.curves.get(place, ())
        index = bisect_right(curve, moment, key=lambda one: one[0]) - 1
        fresh = self.site.named(place[0]).stale_after(float(self.seconds))
        if index < 0 or (moment - curve[index][0]).total_seconds() >= fresh:
            return None
        return curve[index][1]

    def number(self, place: Place, moment: datetime) -> float | None:
        """The same where it is a number."""
        value = self.at(place, moment)
        return value if isinstance(value, float) else None


def places(site: Site, rules: Sequence[SiteRule]) -> set[Place]:
    """All points that are needed."""
    looks = {(one.device, str(one.point)) for rule in rules for one in rule.when if one.device}
    racks = {(name, "soc") for name in site.racks}
    return looks | racks | {(site.grid.meter, "p")} | {(name, "p") for name in site.pcs}


async def read(
    history: History,
    site: Site,
    rules: Sequence[SiteRule],
    span: tuple[datetime, datetime],
    series: Mapping[str, Series] | str,
) -> Archive:
    """`series`: of the market, or why there is none."""
    start, end = span
    wanted = sorted(places(site, rules))
    seconds = MINUTE if end - start <= MINUTES_FOR else QUARTERS
    curves = await _curves(history, site, wanted, span, seconds)
    if seconds == MINUTE and len(curves[site.grid.meter, "p"]) < SEEN * (end - start) / timedelta(seconds=MINUTE):
        seconds = QUARTERS
        curves = await _curves(history, site, wanted, span, seconds)
    found = Archive(site, seconds, curves)
    pv = dict[datetime, float]()
    if any(one.quantity == "pv_today" for rule in rules for one in rule.when):
        days = day_of(start, site.zone)[0], day_of(end, site.zone)[-1] + QUARTER
        pv = {one.at: one.pv for one in await history.forecasts(site.site, *days)}
    try:
        found.quarters = _prices(site, span, series, pv)
    except Trouble as wrong:
        found.quarters, found.unpriced = Quarters(pv=pv), str(wrong)
    return found


async def _curves(
    history: History, site: Site, wanted: Sequence[Place], span: tuple[datetime, datetime], seconds: int
) -> dict[Place, Curve]:
    start, end = span[0] - timedelta(seconds=seconds), span[1]
    found = dict[Place, Curve]()
    for device, point in wanted:
        told = site.profiles[device].points.get(point)
        if told is not None and (states(told) is not None or told.flags is not None):
            found[device, point] = await history.values(site.site, device, point, start, end)
            continue
        means = await history.means(site.site, device, point, start, end, seconds)
        found[device, point] = [(at + timedelta(seconds=seconds), mean) for at, mean in means]
    return found


def _prices(
    site: Site, span: tuple[datetime, datetime], series: Mapping[str, Series] | str, pv: Mapping[datetime, float]
) -> Quarters:
    """Of every local day that is touched. Raises Trouble where there are none."""
    if isinstance(series, str):
        raise Trouble(series)
    at, last = day_of(span[0], site.zone)[0], day_of(span[1], site.zone)[-1]
    each = [at + n * QUARTER for n in range((last - at) // QUARTER + 1)]
    buy = quotes(site.prices.import_, each, site.zone, series.get("import"), every=series)
    sell = quotes(site.prices.export, each, site.zone, series.get("export"), way="export", every=series)
    drawn, fed = ({at: one.price for at, one in zip(each, side, strict=True)} for side in (buy, sell))
    return Quarters(drawn, fed, pv)


def moments(found: Archive, rules: Sequence[SiteRule], span: tuple[datetime, datetime]) -> Iterator[Past]:
    """Each interval: what was known at its begin, and the powers it then had."""
    site, step = found.site, timedelta(seconds=found.seconds)
    days_off, mine = site.prices.days_off, {(one.device, str(one.point)) for r in rules for one in r.when if one.device}
    at = datetime.fromtimestamp(quarter_of(span[0]).timestamp(), UTC)
    while at < span[1]:
        seen = {place: value for place in mine if (value := found.at(place, at)) is not None}
        numbers = dict[Quantity, float]()
        if (grid := found.number((site.grid.meter, "p"), at)) is not None:
            numbers |= {"import": max(grid, 0.0), "export": max(-grid, 0.0)}
        if (charged := _soc(found, at)) is not None:
            numbers["soc"] = charged
        facts = Facts(site.zone, seen, numbers, found.quarters, holidays=days_off)
        powers = [found.number((name, "p"), at + step) for name in site.pcs]
        battery = None if any(one is None for one in powers) else sum(one or 0.0 for one in powers)
        held = _soc(found, at + step) if charged is None else charged  # of the first interval
        yield Past(at, facts, found.number((site.grid.meter, "p"), at + step), battery, held)
        at += step


def _soc(found: Archive, at: datetime) -> float | None:
    """% of all batteries together; of several racks of one the mean."""
    each = list[float]()
    for one in found.site.battery:
        racks = [found.number((name, "soc"), at) for name in one.racks]
        if not racks or any(rack is None for rack in racks):
            return None
        each.append(sum(rack or 0.0 for rack in racks) / len(racks))
    return soc(found.site.battery, each) if each else None
