"""What peak a battery could have held in a past it had known: less than on a usual day, a month will not reach. Pure.

A month or a year begins with no peak. A plan sees a day and a half of it, perhaps a holiday, and what nobody forecast
would empty the battery to keep that below what the first workday reaches anyway.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from statistics import median_low
from zoneinfo import ZoneInfo

from optimizer.storage import Storage

WATTS = 100.0
"""So exactly it is found."""

Means = Sequence[tuple[datetime, float]]
"""Start and mean of windows, oldest first, W: load less PV."""


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
