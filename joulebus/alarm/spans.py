"""The time that a command about the past is asked of."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from joulebus.export import moment
from schemas.site import Site
from schemas.troubles import Usage

DAY = timedelta(days=1)
MIDNIGHT = (time(),)


def span(site: Site, now: datetime, start: str, end: str, back: timedelta = DAY) -> tuple[datetime, datetime]:
    """From when until when, excluded; `back` from its end where no begin is given. Raises Trouble."""
    until = moment(end, site.zone, "--to") if end else now
    begin = moment(start, site.zone, "--from") if start else until - back
    if begin >= until:
        raise Usage(f"--from {begin:%Y-%m-%dT%H:%MZ} lies not before --to {until:%Y-%m-%dT%H:%MZ}")
    return begin, until


def whole(kind: str, zone: ZoneInfo, shifts: Sequence[time], now: datetime, before: int) -> tuple[datetime, datetime]:
    """The shift, day, week or month on the clock of the site that runs `now`, until now; or the `before`th before it,
    until the next began. A day on which the clock is set has 23 or 25 h, and the shift of that night an hour less or
    more."""
    edge, until = now, now
    starts = _starts(kind, zone, shifts, now)
    for number in range(before + 1):
        until, edge = (edge if number else now), next(starts)
    return edge, until


def _starts(kind: str, zone: ZoneInfo, shifts: Sequence[time], now: datetime) -> Iterator[datetime]:
    """When one began, the latest first."""
    day = now.astimezone(zone).date()
    while True:
        if _begins(kind, day):
            times = shifts if kind == "shift" else MIDNIGHT
            starts = {datetime.combine(day, at, zone).astimezone(UTC) for at in times}
            yield from sorted((start for start in starts if start <= now), reverse=True)
        day -= DAY


def _begins(kind: str, day: date) -> bool:
    return day.weekday() == 0 if kind == "week" else day.day == 1 if kind == "month" else True
