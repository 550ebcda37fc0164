"""Quarter-hour means of the site out of the archive, kept in memory: what forecasts and peaks are told from."""

import asyncio
from array import array
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from math import nan
from typing import TYPE_CHECKING

from consumers.optimize.learning import Learning
from consumers.optimize.situation import named
from optimizer.storage import Storage
from optimizer.tariff import window
from runtime.history import History
from schemas.site import Site
from schemas.site_loads import FlexibleLoad
from schemas.tariff import Demand

if TYPE_CHECKING:
    from optimizer.lowest_peak import Alone
    from optimizer.record import Record

DAYS = timedelta(days=14)
"""Of each device: five workdays and four days of two weekends, with some to spare."""
LEARNED = timedelta(days=410)
"""Of load and PV: 364 days to learn from, and what is read before the first of them."""
NIGHT = 0.02
"""Of the highest PV: below it an inverter may sleep."""
SLICE = timedelta(days=1)
"""Read at once; of what is older than that of each device a week."""
IMPOSSIBLE = 1e10
"""W: what is no number, or more than any site has, is not known."""
SETTLED = timedelta(minutes=30)
"""What is younger may still be filled up by an outbox."""

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

Means = dict[datetime, float]


@dataclass
class Past:
    """Filled from now backwards, a day at a time, so that the first plan needs not wait for all of it."""

    site: Site
    means: dict[str, Means] = field(default_factory=dict)
    """W by the name of the input: of the last 14 days."""
    oldest: datetime | None = None
    newest: datetime | None = None
    learning: Learning = field(init=False)
    _load: dict[date, "array[float]"] = field(default_factory=dict)
    """W by UTC day, 96 quarters each, nan where unknown."""
    _sun: dict[date, "array[float]"] = field(default_factory=dict)
    _daily: dict[str, tuple[tuple[date, int], list[float]]] = field(default_factory=dict)
    """Of each demand, with the day and the days of the past they are of."""

    def __post_init__(self) -> None:
        self.learning = Learning(self.site)

    async def fill(self, history: History, now: datetime, seconds: float) -> bool:
        """Read what is missing, for at most so many seconds; False when some is still to be read."""
        begin, end = now - LEARNED, window(now, self.site.zone, 15)[0]
        if self.oldest is None or self.newest is None or self.newest < end - SLICE:
            self.oldest = self.newest = end
        loop = asyncio.get_running_loop()
        patience = loop.time() + seconds
        await self._read(history, self.newest - SETTLED, end)
        self.newest = end
        while self.oldest > begin:
            start = max(begin, self.oldest - (SLICE if self.oldest > now - DAYS else 7 * SLICE))
            await self._read(history, start, self.oldest)
            self.oldest = start
            if loop.time() > patience:
                break
        self._forget(now - DAYS, begin)
        return self.oldest <= begin

    def still(self) -> "Past":
        """As it is now: a plan is made of it in a thread, while more is read. What was read once is replaced, and
        never changed."""
        found = copy(self)
        found.means, found._load, found._sun = dict(self.means), dict(self._load), dict(self._sun)
        return found

    async def _read(self, history: History, start: datetime, end: datetime) -> None:
        for device, point in self._sources():
            found = await history.means(self.site.site, device, point, start, end, 900)
            name = named(device, point)
            self.means[name] = self.means.get(name, {}) | {at: power for at, power in found if abs(power) < IMPOSSIBLE}
        self._fold(start, end)

    def _sources(self) -> list[tuple[str, str]]:
        powers = [(name, "p") for name in (self.site.grid.meter, *self.site.pcs)]
        return [*powers, *self.site.pv_points, *map(self._shown_by, self._planned)]

    @property
    def _planned(self) -> list[FlexibleLoad]:
        return [one for one in self.site.load if one.planned]

    def _shown_by(self, load: FlexibleLoad) -> tuple[str, str]:
        return load.device, load.shown_by(self.site.profiles[load.device])

    def _drawn(self, at: datetime) -> float:
        """W of the flexible loads together; one that was not read counts as load of the site."""
        drawn = 0.0
        for one in self._planned:
            shown, device = self._of(named(*self._shown_by(one))).get(at), self.site.named(one.device)
            if shown is not None:
                drawn += one.drawn(shown, self.site.profiles[one.device], device.rated_power or 0.0)
        return drawn

    def _fold(self, start: datetime, end: datetime) -> None:
        """Load and PV of what was read; the devices' own means are kept for 14 days only."""
        asleep = self._nights()
        for kept, found in ((self._load, self.load(start, end)), (self._sun, self.pv(start, end))):
            days = dict[date, "array[float]"]()
            for at, power in found:
                if not self._dark_by_day(at, asleep):
                    day = at.astimezone(UTC)
                    if day.date() not in days:
                        days[day.date()] = kept.get(day.date(), array("d", [nan] * 96))[:]
                    days[day.date()][day.hour * 4 + day.minute // 15] = power
            kept.update(days)
        self._forget(max(end, self.newest or end) - DAYS, None)

    def _nights(self) -> dict[str, set[time]]:
        """By PV, the times of the day (UTC) at which it gave nothing worth while in the last 14 days."""
        nights: dict[str, set[time]] = {}
        for name in [named(*source) for source in self.site.pv_points]:
            most: dict[time, float] = {}
            for at, power in self._of(name).items():
                most[at.astimezone(UTC).time()] = max(power, most.get(at.astimezone(UTC).time(), 0.0))
            low = NIGHT * max(most.values(), default=0.0)
            nights[name] = {time(hour, minute) for hour in range(24) for minute in range(0, 60, 15)} - {
                clock for clock, power in most.items() if power > low
            }
        return nights

    def _dark_by_day(self, at: datetime, nights: dict[str, set[time]]) -> bool:
        """A PV is silent while the sun is up: an outage, of which nothing is learned."""
        return any(
            at not in self._of(name) and at.astimezone(UTC).time() not in night for name, night in nights.items()
        )

    def _forget(self, begin: datetime, learned: datetime | None) -> None:
        for name, means in self.means.items():
            self.means[name] = {at: power for at, power in means.items() if at >= begin}
        for kept in (self._load, self._sun):
            for day in [day for day in kept if learned is not None and day < learned.astimezone(UTC).date()]:
                del kept[day]

    def record(self) -> "Record":
        """Load and PV of up to 410 days; nan where the archive has nothing."""
        import numpy as np  # noqa: PLC0415  # loaded in the planning thread, with the solver

        from optimizer.record import Record  # noqa: PLC0415  # as above

        if not self._load or self.newest is None:
            return Record(self.newest or datetime.fromtimestamp(0, UTC), np.empty(0), np.empty(0))
        first, last = min(self._load), max(self._load)
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        load, sun = (
            np.array([value for day in days for value in kept.get(day, [nan] * 96)]) for kept in (self._load, self._sun)
        )
        return Record(datetime.combine(first, time(), UTC), load, sun).until(self.newest)

    def daily_peaks(self, now: datetime, battery: Storage, rated: float, component: Demand) -> list[float]:
        """W: the lowest peaks of the last days that a battery could have held; reckoned once a day."""
        from optimizer.lowest_peak import daily_peaks  # noqa: PLC0415  # as above

        key = now.astimezone(self.site.zone).date(), len(self._load)
        before, found = self._daily.get(component.name, (None, []))
        if before != key:
            found = daily_peaks(self.record(), battery, rated, component, self.site.zone, now)
            self._daily[component.name] = key, found
        return found

    def alone(self, now: datetime, component: Demand) -> "Alone | None":
        """What the site drew of itself; None where four weeks are known."""
        from optimizer.lowest_peak import alone  # noqa: PLC0415  # as above

        return alone(self.record(), component, self.site.zone, now)

    def pv(self, start: datetime = FIRST, end: datetime = LAST) -> list[tuple[datetime, float]]:
        """W of all PV together."""
        suns = self._suns()
        return [(at, _sum(suns, at)) for at in self._seen() if start <= at < end]

    def load(self, start: datetime = FIRST, end: datetime = LAST) -> list[tuple[datetime, float]]:
        """W: grid + battery + PV, less the flexible loads that are planned."""
        grid, suns = self._of(self.site.grid.meter), self._suns()
        others = [*(self._of(pcs) for pcs in self.site.pcs), *suns]
        return [
            (at, max(0.0, grid[at] + _sum(others, at) - self._drawn(at))) for at in self._seen() if start <= at < end
        ]

    def _seen(self) -> list[datetime]:
        """Where the load is known. What one of several batteries did while it was silent, the meter shows as load."""
        grid = self._of(self.site.grid.meter)
        if not self.site.pcs:
            return sorted(grid)
        heard = set[datetime]().union(*(self._of(pcs) for pcs in self.site.pcs))
        return sorted(heard & grid.keys())

    def _of(self, device: str) -> Means:
        return self.means.get(device, {})

    def _suns(self) -> list[Means]:
        """Of each PV."""
        return [self._of(named(*source)) for source in self.site.pv_points]

    def expected(  # what is asked for, of which battery
        self, now: datetime, minutes: int, battery: Storage, rated: float, component: Demand | None = None
    ) -> float:
        """W of peak that the next weeks will reach whatever is done: that of a usual day of the last ones. In windows
        that do not count for the component the battery can charge as much as it is able to."""
        from optimizer.lowest_peak import expected_peak  # noqa: PLC0415  # as above

        grid, batteries = self._of(self.site.grid.meter), [self._of(pcs) for pcs in self.site.pcs]
        nets = ((at, grid[at] + sum(one.get(at, 0.0) for one in batteries)) for at in self._seen())
        return expected_peak(nets, component, minutes, self.site.zone, battery, rated, now)


def _sum(each: Sequence[Means], at: datetime) -> float:
    """W. An inverter that is not there sleeps: many draw their own supply from the panels."""
    return sum(one.get(at, 0.0) for one in each)
