"""When market prices are fetched: once after they are out, and with growing pauses while they are not. Pure."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

MARKET = ZoneInfo("Europe/Brussels")
OUT = time(13, 0)
"""The coupled auction is published at about 12:57 of the market's clock, tomorrow with it."""
SPREAD = 600.0
"""Seconds over which sites are spread, so that not all come at once."""
START = 20.0
"""Seconds after a start at most."""
AGAIN, SELDOM = 300.0, 3600.0
"""Seconds after the first failure, and at most."""
HOPELESS = 6 * 3600.0
"""Seconds after a refusal that only a person mends, such as a wrong token; a server may ask for as long."""


def due(now: datetime) -> datetime:
    """Until when prices are out by now: the end of today, or of tomorrow, of the market's day."""
    local = now.astimezone(MARKET)
    day = local.date() + timedelta(days=2 if local.time() >= OUT else 1)
    return datetime(day.year, day.month, day.day, tzinfo=MARKET).astimezone(UTC)


def pause(now: datetime, known: datetime | None, failures: int, chance: float, asked: float = 0.0) -> float:
    """Seconds until the next try. `known`: the end of the last price; `chance`: from 0 to 1; `asked`: seconds for which
    the server wants to be left alone."""
    if known is not None and known >= due(now):
        local = now.astimezone(MARKET)
        day = local.date() + timedelta(days=local.time() >= OUT)
        out = datetime.combine(day, OUT, MARKET).astimezone(UTC)
        return (out - now).total_seconds() + 1 + chance * SPREAD
    if not failures:
        return chance * START
    wait = min(SELDOM, AGAIN * 2.0 ** min(failures - 1, 10)) * (0.75 + 0.5 * chance)
    return max(wait, min(asked, HOPELESS))
