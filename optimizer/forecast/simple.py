"""Simple forecasts of load and PV from quarter-hour means of the past; a real one must beat these to be let in."""

from collections import defaultdict
from collections.abc import Container, Hashable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Past = Sequence[tuple[datetime, float]]
"""Start and mean of quarter hours, oldest first; gaps are simply not there."""
Vector = NDArray[np.float64]

DAYS = 5
"""So many days of the same kind are averaged."""
HOUR = 3600.0


def load_ahead(
    past: Past, present: float | None, instants: Sequence[datetime], zone: ZoneInfo, holidays: Container[date] = ()
) -> Vector:
    """Load in W: people live by the local clock, workdays and weekends apart; the present fades out over 2 h.

    A holiday is like a weekend, and tells nothing of workdays.
    """
    alike: dict[Hashable, list[float]] = defaultdict(list)
    for at, value in past:
        local = at.astimezone(zone)
        alike[_kind(local, holidays)].append(value)
        alike[_quarter(local)].append(value)
    usual = []
    for instant in instants:
        local = instant.astimezone(zone)
        usual.append(_mean(alike.get(_kind(local, holidays)) or alike.get(_quarter(local))))
    ahead = _blend(usual, present, instants)
    return np.asarray(np.maximum(ahead, 0.0))


def pv_ahead(past: Past, present: float | None, instants: Sequence[datetime], most: float) -> Vector:
    """PV in W: the sun keeps UTC.

    The usual day is scaled by how the last hour was, fading out over 6 h, and the present itself over 1 h.
    """
    now = instants[0]
    fresh = [(at, value) for at, value in past if at > now - timedelta(hours=1)]
    alike: dict[Hashable, list[float]] = defaultdict(list)
    for at, value in past:
        if at <= now - timedelta(hours=1):
            alike[_quarter(at.astimezone(UTC))].append(value)
    usual = [_mean(alike.get(_quarter(instant.astimezone(UTC)))) for instant in instants]
    if present is not None:
        fresh.append((now, present))
    ratio = _ratio(fresh, alike)
    scale = 1 + (ratio - 1) * _fade(instants, 6 * HOUR)
    # A day never seen: what shines now goes on for a while, but not through the night.
    unknown = (present or 0.0) * _fade(instants, 2 * HOUR)
    ahead = np.array([unknown[i] if mean is None else mean * scale[i] for i, mean in enumerate(usual)])
    if present is not None:
        weight = _fade(instants, HOUR)
        ahead = weight * present + (1 - weight) * ahead
    return np.asarray(np.clip(ahead, 0.0, most))


def _ratio(fresh: Past, alike: dict[Hashable, list[float]]) -> float:
    """How the last hour was against the usual; 1 when the sun was too low to tell."""
    pairs = [(value, _mean(alike.get(_quarter(at.astimezone(UTC))))) for at, value in fresh]
    seen = sum(value for value, mean in pairs if mean is not None)
    expected = sum(mean for _, mean in pairs if mean is not None)
    brightest = max((max(values) for values in alike.values()), default=0.0)
    if not pairs or expected <= max(0.0, 0.05 * brightest * len(pairs)):
        return 1.0
    return min(max(seen / expected, 0.0), 2.0)


def _blend(usual: Sequence[float | None], present: float | None, instants: Sequence[datetime]) -> Vector:
    if present is None:
        return np.array([mean or 0.0 for mean in usual])
    weight = _fade(instants, 2 * HOUR)
    means = np.array([present if mean is None else mean for mean in usual])
    return np.asarray(weight * present + (1 - weight) * means)


def _fade(instants: Sequence[datetime], seconds: float) -> Vector:
    """1 now, falling to 0."""
    since = np.array([(instant - instants[0]).total_seconds() for instant in instants])
    return np.asarray(np.clip(1 - since / seconds, 0.0, 1.0))


def _mean(values: list[float] | None) -> float | None:
    return sum(values[-DAYS:]) / len(values[-DAYS:]) if values else None


def _quarter(at: datetime) -> Hashable:
    return at.hour, at.minute // 15


def _kind(local: datetime, holidays: Container[date]) -> Hashable:
    return local.weekday() >= 5 or local.date() in holidays, local.hour, local.minute // 15
