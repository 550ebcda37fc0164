"""What the site is billed by the kW: each demand component, from the archive's quarters and from live readings. Pure.

A window counts as the archive has it; as it was seen live as long as the archive has not, or too little of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.billing import Quarter, Seen, Window, is_billed, overlap, peaks_by_period, step_of, windows, within
from optimizer.charge import Made
from optimizer.demand import counts, known_peak, period
from optimizer.running_window import RunningWindow
from optimizer.tariff import window
from schemas.billing import BilledComponent, Billing, MonthPeak
from schemas.tariff import Demand, Tariff

RECENT = timedelta(days=2)
"""Is read again all the time: an outbox fills it up after an outage."""
REACH = timedelta(days=400)
"""Thirteen months: a year's period, and the months a ratchet looks back to."""
VALID = timedelta(seconds=60)
"""So long the word of the window that runs holds."""

Months = Mapping[datetime, Seen]


@dataclass(frozen=True)
class Component:
    """One of the tariff."""

    name: str
    demand: Demand
    running: RunningWindow
    older: Months = field(default_factory=dict)
    """By the beginnings of months: what was over before the recent days."""
    live: tuple[Window, ...] = ()
    """Windows that were seen live, and that the archive has not seen enough of."""

    @property
    def overlap(self) -> timedelta:
        """How far a window reaches beyond the beginning of the next."""
        return timedelta(minutes=self.demand.minutes - step_of(self.demand))

    def fold(self, at: datetime, power: float) -> "Component":
        running = self.running.fold(at, power)
        return replace(self, running=running, live=(*self.live, *running.closed))

    def confirmed(self, found: Mapping[datetime, Window], oldest: datetime) -> "Component":
        """Without what the archive has now, or what is too old for anybody."""
        live = tuple(one for one in self.live if one.start >= oldest and not self._has(found, one))
        return replace(self, live=live) if live != self.live else self

    def seen(self, quarters: Iterable[Quarter]) -> dict[datetime, Window]:
        """The windows of these quarters, and those that are known live alone."""
        found = windows(quarters, self.demand, self.running.zone)
        return found | {one.start: one for one in self.live if not self._has(found, one)}

    def _has(self, found: Mapping[datetime, Window], one: Window) -> bool:
        mine = found.get(one.start)
        return mine is not None and is_billed(mine, self.demand, self.running.poll, self.running.zone)

    def peaks(self, seen: Mapping[datetime, Window], begin: datetime, end: datetime) -> Months:
        """Of each month, from those windows that were over between two instants."""
        start = window(begin, self.running.zone, self.demand.minutes)[0]
        return peaks_by_period(seen, self.demand, self.running.poll, self.running.zone, start, end)


@dataclass(frozen=True)
class SiteBilling:
    """All of them. `fold` takes live readings, `archived`, `lately` and `begun` what the archive has."""

    zone: ZoneInfo
    poll: float
    """Seconds between two readings of the grid meter."""
    components: tuple[Component, ...] = ()
    currency: str = ""
    fault: str = ""
    """Why the tariff cannot be read: then nothing is counted."""
    quarters: tuple[Quarter, ...] = ()
    """Of the recent days, from `since` on."""
    since: datetime | None = None
    """None while the archive was not read yet."""
    read: datetime | None = None
    """When the archive was read last."""

    def of(self, tariff: Tariff) -> "SiteBilling":
        """By a tariff that can be read now: all begins anew."""
        components = [
            Component(demand.name, demand, RunningWindow(self.zone, demand, self.poll)) for demand in tariff.components
        ]
        return replace(self, components=tuple(components), currency=tariff.currency, fault="", since=None)

    def fold(self, at: datetime, power: float) -> "SiteBilling":
        """The next reading of the grid meter, in W."""
        return replace(self, components=tuple(one.fold(at, power) for one in self.components))

    # what the archive has ------------------------------------------------------------------------

    def oldest(self, now: datetime) -> datetime:
        """Where the quarters begin that are of use."""
        begins = [period(now, self.zone, one.running.how)[0] for one in self.components]
        return min([period(now - REACH, self.zone)[0], *begins])

    def recent(self, now: datetime) -> datetime:
        """Where the recent days begin."""
        return window(now - RECENT, self.zone, 60)[0]

    def before(self, quarters: Sequence[Quarter], since: datetime, now: datetime) -> dict[str, Months]:
        """By the names of the components: the months of the windows that begin before the recent days. `quarters` are
        all from `oldest` to an hour after `since`. It takes a while."""
        found = dict[str, Months]()
        for one in self.components:
            end = since + overlap(one.demand)
            found[one.name] = one.peaks(one.seen(each for each in quarters if each.at < end), self.oldest(now), end)
        return found

    def archived(self, older: Mapping[str, Months], since: datetime) -> "SiteBilling":
        """With what was found `before`."""
        components = tuple(replace(one, older=older.get(one.name, {})) for one in self.components)
        return replace(self, components=components, since=since)

    def lately(self, quarters: Sequence[Quarter], now: datetime) -> "SiteBilling":
        """All quarters since `since`, in order of time."""
        oldest = self.oldest(now)
        components = tuple(one.confirmed(windows(quarters, one.demand, self.zone), oldest) for one in self.components)
        return replace(self, components=components, quarters=tuple(quarters), read=now)

    def begun(self, minutes: Sequence[Quarter]) -> "SiteBilling":
        """What the archive has of the windows that run, in parts of any length: after a restart in the middle."""
        return replace(self, components=tuple(_begun(one, minutes) for one in self.components))

    # what is told --------------------------------------------------------------------------------

    def months(self, one: Component, now: datetime) -> dict[datetime, Seen]:
        """What is known of each month of a component."""
        end = window(now, self.zone, step_of(one.demand))[0]
        first = min((live.start for live in one.live), default=end)
        begin = self.since or max(first, self.oldest(now))
        found = dict(one.older)
        for at, seen in one.peaks(one.seen(self.quarters), begin, end).items():
            found[at] = found[at].plus(seen) if at in found else seen
        return found

    def highest(self, one: Component, now: datetime) -> Window | None:
        """The highest measured window of the period of now."""
        return within(self.months(one, now), *period(now, self.zone, one.running.how)).highest

    def made(self, name: str, now: datetime) -> list[Made]:
        """The highest measured window of each month of a component, as far back as is known."""
        months = [self.months(one, now) for one in self.components if one.name == name]
        found = [seen.highest for each in months for seen in each.values()]
        return [Made(one.start, one.mean) for one in found if one is not None]

    def peak(self, now: datetime) -> float:
        """W: the highest of the period of the first component, measured or known; 0 where nothing is known."""
        if not self.components:
            return 0.0
        one = self.components[0]
        measured = self.highest(one, now)
        return max(measured.mean if measured else 0.0, known_peak(one.demand, now, self.zone))

    def imported(self, now: datetime, name: str) -> float:
        """Wh in the window of `now` of a component; what was not seen is taken to be like what was."""
        return next((one.running.imported(now) for one in self.components if one.name == name), 0.0)

    def said(self, now: datetime) -> Billing:
        """As it is told to everybody."""
        components = [self._said(one, now) for one in self.components]
        return Billing(at=now, until=now + VALID, archived=self.read, components=components, fault=self.fault)

    def _said(self, one: Component, now: datetime) -> BilledComponent:
        start, end = window(now, self.zone, one.demand.minutes)
        begin, over = period(now, self.zone, one.running.how)
        months, running = self.months(one, now), one.running.so_far(now)
        found, known = within(months, begin, over), known_peak(one.demand, now, self.zone)
        measured = found.highest.mean if found.highest else 0.0
        unknown = found.highest is None and not known
        return BilledComponent(
            name=one.name,
            minutes=one.demand.minutes,
            window_start=start,
            window_end=end,
            counts=counts(one.demand, start, self.zone),
            imported=running.imported,
            covered=running.seconds,
            mean=running.mean if running.seconds > 0 else None,
            peak=None if unknown else max(measured, known),
            peak_at=found.highest.start if found.highest and measured >= known else None,
            per=one.demand.per,
            period_start=begin,
            period_end=over,
            seen=None if self.since is None else found.share,
            known=known,
            floor=1000 * one.demand.floor,
            price=one.demand.rate,
            currency=self.currency,
            months=_told(months),
        )


def _told(months: Months) -> list[MonthPeak]:
    """From the archive's first on."""
    first = min((at for at, seen in months.items() if seen.billed), default=None)
    return [
        MonthPeak(start=at, peak=seen.highest.mean if seen.highest else None, seen=seen.share)
        for at, seen in sorted(months.items())
        if first is not None and at >= first
    ]


def _begun(one: Component, minutes: Iterable[Quarter]) -> Component:
    if one.running.at is None:
        return one
    start, end = window(one.running.at, one.running.zone, one.demand.minutes)
    mine = [part for part in minutes if start <= part.at < end]
    filled = one.running.filled(start, sum(part.imported for part in mine), sum(part.seconds for part in mine))
    return replace(one, running=filled)


def told(billing: Billing | None, demand: Demand, now: datetime) -> BilledComponent | None:
    """What was said of a component in the period of now, if it was said of this very one."""
    for one in billing.components if billing is not None else ():
        same = (one.name, one.minutes, one.per) == (demand.name, demand.minutes, demand.per)
        if same and one.period_start <= now < one.period_end:
            return one
    return None


def billed_peak(billing: Billing | None, demand: Demand, now: datetime, zone: ZoneInfo) -> float:
    """W: the peak of the period of now that was said of a component, or that its owner knows; 0 where there is none."""
    one = told(billing, demand, now)
    return max((one.peak if one is not None else None) or 0.0, known_peak(demand, now, zone))
