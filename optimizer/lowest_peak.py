"""What peak a battery could have held in a past it had known: less than on a usual day, a month will not reach. Pure.

A month or a year begins with no peak. A plan sees a day and a half of it, perhaps a holiday, and what nobody forecast
would empty the battery to keep that below what the first workday reaches anyway.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from math import isfinite
from statistics import fmean, median_low
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.billing import COMPLETE
from optimizer.demand import charged, counts, period
from optimizer.record import QUARTER, Record
from optimizer.storage import Storage
from optimizer.tariff import window
from schemas.tariff_demand import Demand

WATTS = 100.0
"""So exactly it is found."""

LATELY = timedelta(days=14)
"""Five workdays and four days of two weekends, with some to spare, show what is usual."""
DAYS = 28
"""Days that the rest of a period is taken to be like."""
HALF = 0.5
"""Of the usable energy: a day begins with so much, and ends with no less."""
KNOWN = 0.75
"""Of the quarters of a day must be known."""
TRIED = 24
"""Caps that are tried at once, twice: so a day's peak is found to 1/500 of the battery's power."""

Vector = NDArray[np.float64]
Means = Sequence[tuple[datetime, float]]
"""Start and mean of windows, oldest first, W: load less PV."""


def expected_peak(  # noqa: PLR0917  # what was, in which windows, of which battery, and when
    quarters: Iterable[tuple[datetime, float]],
    component: Demand | None,
    minutes: int,
    zone: ZoneInfo,
    battery: Storage,
    rated: float,
    now: datetime,
) -> float:
    """W of peak that the next weeks will reach whatever is done: that of a usual day of the last ones. `quarters`:
    start and W of those that are known. In windows that do not count for the component the battery can charge as much
    as it is able to."""
    length, begin, means = timedelta(minutes=minutes), now - LATELY, dict[datetime, list[float]]()
    for at, net in quarters:
        if begin <= at < now:
            means.setdefault(window(at, zone, minutes)[0], []).append(net)
    known = [
        (start, fmean(nets) if component is None or counts(component, start, zone) else -rated)
        for start, nets in sorted(means.items())
        if len(nets) * QUARTER >= COMPLETE * length and begin <= start and start + length <= now
    ]
    return usual_peak(known, length, zone, battery, rated)


def usual_peak(nets: Means, length: timedelta, zone: ZoneInfo, battery: Storage, rated: float) -> float:
    """W: what on every other day the battery could not have held down any further; 0 of an unknown past.

    A median: of one high day nobody knows whether it comes again, but a peak of every other day is as good as made.
    The lower one: of two days that differ nobody knows which is usual.
    """
    days: dict[date, list[tuple[datetime, float]]] = {}
    for at, net in nets:
        days.setdefault(at.astimezone(zone).date(), []).append((at, net))
    return median_low([lowest_peak(day, length, battery, rated) for day in days.values()] or [0.0])


def lowest_peak(nets: Means, length: timedelta, battery: Storage, rated: float) -> float:
    """W: the lowest mean import of a window that this battery could have held through all of them, 0 at least.

    It begins full, and after each gap it is full again: so the true one is never lower, with whatever it begins.
    """
    most = max((net for _, net in nets), default=0.0)
    low, high = max(0.0, most - rated), max(0.0, most)
    while high - low > WATTS:
        middle = (low + high) / 2
        low, high = (low, middle) if _held(middle, nets, length, battery, rated) else (middle, high)
    return low


def _held(peak: float, nets: Means, length: timedelta, battery: Storage, rated: float) -> bool:
    hours, both = length.total_seconds() / 3600, battery.efficiency
    full = stored = battery.energy * (battery.soc_max - battery.soc_min) / 100
    due = None
    for at, net in nets:
        if at != due:
            stored = full
        due, over = at + length, net - peak
        if over <= 0:
            stored = min(full, stored + min(-over, rated) * hours * both)
            continue
        stored -= over * hours / both
        if over > rated or stored < 0:
            return False
    return True


def daily_peaks(  # noqa: PLR0917  # what was, of which battery, for which demand, and when
    record: Record, storage: Storage, rated: float, component: Demand, zone: ZoneInfo, now: datetime
) -> list[float]:
    """W: of each whole day of the last 28 the lowest cap that the battery could have held in the windows that count.

    The battery is greedy: it discharges what lies above the cap and charges all that the cap leaves it. It begins a day
    half full, and must end it so. A day without a window that counts has 0; one that is hardly known is left out.
    """
    nets, held, hours = _by_day(record.until(now).last(timedelta(days=DAYS + 2)), component, zone, now)
    if not len(nets):
        return []
    high = np.max(np.nan_to_num(np.where(held, nets, 0.0)), axis=1, initial=0.0)
    low = np.maximum(high - rated, 0.0)
    for _ in range(2):
        caps = low + (high - low) * np.linspace(0, 1, TRIED)[:, np.newaxis]
        can = _can_hold(caps, nets, held, hours, storage=storage, rated=rated)
        can[-1] = True
        first = np.argmax(can, axis=0)
        days = np.arange(len(high))
        low, high = caps[np.maximum(first - 1, 0), days], caps[first, days]
    return [float(peak) for peak in high]


def _by_day(
    record: Record, component: Demand, zone: ZoneInfo, now: datetime
) -> tuple[Vector, NDArray[np.bool_], float]:
    """Net loads in W by whole local day and window, nan where unknown; which of them count; the hours of a window."""
    length = timedelta(minutes=component.minutes)
    days: dict[date, tuple[list[float], list[bool]]] = {}
    for at, mean in _means(record, length):
        nets, held = days.setdefault(at.astimezone(zone).date(), ([], []))
        nets.append(mean)
        held.append(not component.hours or counts(component, at, zone))
    days.pop(now.astimezone(zone).date(), None)  # not over yet
    whole = [
        (nets, held) for nets, held in days.values()
        if np.isfinite(nets).sum() >= KNOWN * timedelta(days=1) / length
    ][-DAYS:]  # fmt: skip
    width = max((len(nets) for nets, _ in whole), default=0)
    found, of = np.full((len(whole), width), np.nan), np.zeros((len(whole), width), dtype=bool)
    for row, (nets, held) in enumerate(whole):
        found[row, : len(nets)], of[row, : len(nets)] = nets, held
    return found, of, length / timedelta(hours=1)


def _means(record: Record, length: timedelta) -> Iterator[tuple[datetime, float]]:
    """Start and mean of net load in W of each window, nan where unknown."""
    net, each = record.load - record.pv, length // QUARTER
    skipped = -int((record.start.timestamp() // 900) % each) % each if each > 1 else 0
    complete = max(len(net) - skipped, 0) // each
    means = net[skipped : skipped + complete * each].reshape(complete, each).mean(axis=1)
    for number, mean in enumerate(means.tolist()):
        yield record.start + (skipped + number * each) * QUARTER, mean


def _can_hold(
    caps: Vector, nets: Vector, held: NDArray[np.bool_], hours: float, *, storage: Storage, rated: float
) -> NDArray[np.bool_]:
    """By cap (row) and day (column)."""
    both = storage.efficiency
    full = storage.energy * (storage.soc_max - storage.soc_min) / 100
    stored, could = np.full(caps.shape, HALF * full), np.ones(caps.shape, dtype=bool)
    for number in range(nets.shape[1]):
        # what does not count leaves the battery all it can take; in what is unknown it rests
        over = np.nan_to_num(np.where(held[:, number], nets[:, number] - caps, -rated))
        stored = np.minimum(stored + np.clip(-over, 0, rated) * hours * both, full) - np.maximum(over, 0) * hours / both
        could &= (over <= rated) & (stored >= -1e-6)
    return np.asarray(could & (stored >= HALF * full - 1e-6))


class Alone(NamedTuple):
    """What the site would have drawn without a battery: W of its highest windows that count."""

    so_far: float
    """In the period that runs."""
    daily: Sequence[float]
    """On each whole day that is known."""


def alone(record: Record, component: Demand, zone: ZoneInfo, now: datetime) -> Alone | None:
    """None where four weeks are known: these tell what days may bring."""
    seen = record.until(now)
    if np.isfinite(seen.load + seen.pv).sum() * QUARTER >= timedelta(days=DAYS):
        return None
    begin = period(now, zone, charged(component))[0]
    mine = [
        mean for at, mean in _means(seen, timedelta(minutes=component.minutes))
        if at >= begin and isfinite(mean) and counts(component, at, zone)
    ]  # fmt: skip
    nets, held, _ = _by_day(seen.last(timedelta(days=DAYS + 2)), component, zone, now)
    daily = np.max(np.nan_to_num(np.where(held, nets, 0.0)), axis=1, initial=0.0)
    return Alone(max(mine, default=0.0), daily.tolist())
