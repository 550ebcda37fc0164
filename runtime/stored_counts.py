"""How much of the telemetry is stored, and what is missing: the questions for it in SQL, and their sums."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from runtime import rollups
from schemas.tables import telemetry

_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Counts:
    """How much telemetry is stored. All three are equal when nothing is there twice."""

    rows: int
    samples: int
    """Different (device, epoch, seq): what a bridge calls one sample."""
    instants: int
    """Different (device, at)."""


@dataclass(frozen=True, slots=True)
class Gap:
    """An hour of a device of which less is stored than expected."""

    device: str
    at: datetime
    expected: int
    stored: int
    cause: str
    closed: datetime | None
    """When back-fill completed it."""


def counted(site: str, since: datetime) -> Select[Any]:
    """The numbers of `Counts`, of what was measured since then."""
    asked = telemetry.c.site == site, telemetry.c.at >= since
    samples = select(telemetry.c.device, telemetry.c.epoch, telemetry.c.seq).where(*asked).distinct().subquery()
    instants = select(telemetry.c.device, telemetry.c.at).where(*asked).distinct().subquery()
    return select(
        select(func.count()).select_from(telemetry).where(*asked).scalar_subquery(),
        select(func.count()).select_from(samples).scalar_subquery(),
        select(func.count()).select_from(instants).scalar_subquery(),
    )


def ranges(site: str, epoch: str) -> Select[Any]:
    """Of each device the stretches of seq without a hole, first and last included, that are stored of an outbox."""
    island = telemetry.c.seq - func.dense_rank().over(partition_by=telemetry.c.device, order_by=telemetry.c.seq).label(
        "rank"
    )
    asked = telemetry.c.site == site, telemetry.c.epoch == epoch
    found = select(telemetry.c.device, telemetry.c.seq, island.label("island")).where(*asked).subquery()
    first = func.min(found.c.seq)
    return (
        select(found.c.device, first, func.max(found.c.seq))
        .group_by(found.c.device, found.c.island)
        .order_by(found.c.device, first)
    )


def completeness(
    first: Mapping[str, datetime], gaps: Iterable[Gap], start: datetime, end: datetime
) -> dict[str, float | None]:
    """Of each device the part that is stored, from 0 to 1: since `start`, or since its `first` sample; None where no
    hour was whole since then, as gaps are counted by the hour."""
    missing = dict.fromkeys(first, 0.0)
    for one in gaps:
        if one.device in missing and one.expected:
            missing[one.device] += max(0, one.expected - one.stored) / one.expected
    hours = {device: (end - max(start, rollups.floor(at, 3600))) / _HOUR for device, at in first.items()}
    judged = {device: _whole(max(start, at), end) for device, at in first.items()}
    return {
        device: max(0.0, 1 - missing[device] / max(hours[device], 1.0)) if judged[device] else None
        for device in sorted(first)
    }


def _whole(begin: datetime, end: datetime) -> bool:
    """Whether an hour of the clock lies in between."""
    full = rollups.floor(begin, 3600)
    return (full if full == begin else full + _HOUR) + _HOUR <= end
