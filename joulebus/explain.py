"""`joulebus explain`: what the battery did at a time and why, out of the archive."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from joulebus import terminal
from joulebus.archive_read import reading
from joulebus.explain_words import facts, words
from joulebus.export import moment
from joulebus.reach import OutOfReach
from joulebus.told import INSTANT, Ordered, Reading, Told
from runtime import kept_plans
from runtime.history import History
from runtime.orders import orders
from runtime.rollups import floor
from runtime.settings import Settings
from schemas.messages import Command, Outcome, Plan
from schemas.site import Site
from schemas.tables import plan, rollup_15m, telemetry
from schemas.troubles import Trouble, Usage
from schemas.units import utc_now

QUARTER, MINUTE = timedelta(minutes=15), timedelta(minutes=1)


async def explain(settings: Settings, site: Site, given: str, *, as_json: bool) -> int:
    """Print it; 1 when nothing is known of that time. Raises Trouble."""
    now = utc_now()
    at = when(given, site, now)
    async with reading(settings.database, site.site) as database:
        try:
            told = await look(History(database), site, at, now)
        except kept_plans.Unreadable as wrong:
            raise Trouble(f"{wrong}; a newer joulebus may have written it") from wrong
        near = await around(History(database), site, at) if told.nothing else (None, None)
    print(json.dumps(facts(told, site, near)) if as_json else terminal.told(words(told, site, near), 10))
    return int(told.nothing)


def when(given: str, site: Site, now: datetime) -> datetime:
    """`now`, a clock of today such as 17:15, or a time; without an offset it is the site's. Raises Trouble."""
    if given == "now":
        return now
    today = f"{now.astimezone(site.zone):%Y-%m-%d}"
    clock = given if "-" in given or not given[:1].isdigit() or ":" not in given else f"{today}T{given}"
    try:
        at = moment(clock, site.zone, "--at")
    except OutOfReach:
        raise
    except Trouble:
        raise Usage(
            f"--at: {given!r} is no time; write now, 17:15 (today), 2026-06-01T17:15 or 2026-06-01T15:15Z"
        ) from None
    if often := _not_once(datetime.fromisoformat(clock), site.zone):
        raise Usage(f"--at: {given!r} {often}")
    return at


def _not_once(given: datetime, zone: ZoneInfo) -> str:
    """That a local time comes twice, or never, as the clocks are changed on that day; empty for any other."""
    if given.tzinfo is not None:
        return ""
    first, last = (given.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == last:
        return ""
    often = "comes twice" if first < last else "never comes"
    return f"{often}, as the clocks are changed then; write {first:%Y-%m-%dT%H:%MZ} or {last:%Y-%m-%dT%H:%MZ}"


async def look(history: History, site: Site, at: datetime, now: datetime) -> Told:
    """Ask the archive all that it may know."""
    begin = floor(at, 900)
    (forecast, *_), (money, *_) = (
        [*await history.forecasts(site.site, begin, begin + QUARTER), None],
        [*await history.money(site.site, begin, begin + QUARTER), None],
    )
    return Told(
        at=at,
        now=now,
        plan=await _plan(history, site, min(at, now)),
        ordered=await _ordered(history, site, at),
        readings=await _readings(history, site, at),
        forecast=None if forecast is None or begin > now else forecast,
        money=money,
        alarms=await history.alarms(site.site, begin, begin + QUARTER),
    )


async def _plan(history: History, site: Site, at: datetime) -> Plan | None:
    """The newest one from before then, with all its steps: its costs are those of all of them."""
    found = [one.at async for one, _ in history.plans_at(site.site, [at], INSTANT)]
    whole = await history.plans(site.site, found[-1], found[-1] + INSTANT) if found else []
    return whole[0] if whole else None


async def _ordered(history: History, site: Site, at: datetime) -> list[Ordered]:
    """The last command of each device that still held."""
    said = await orders(history.engine, site.site, at - MINUTE, at + MINUTE)
    held = {
        device: one for device, one in said if isinstance(one, Command) and one.at <= at < one.until
    }  # a later one of a device takes the place of those before
    return [
        Ordered(device, one, [out for _, out in said if isinstance(out, Outcome) and out.id == one.id])
        for device, one in sorted(held.items())
    ]


async def _readings(history: History, site: Site, at: datetime) -> list[Reading]:
    asked = [(site.grid.meter, "p")]
    for battery in site.battery:
        asked += [(pcs, "p") for pcs in battery.pcs] + [(rack, "soc") for rack in battery.racks]
    asked += [(device.name, "p") for device in site.pv if (device.name, "p") not in asked]
    found = [await _reading(history, site, device, point, at) for device, point in asked]
    return [one for one in found if one is not None]


async def _reading(history: History, site: Site, device: str, point: str, at: datetime) -> Reading | None:
    """The newest single one, else the mean of its minute or quarter of an hour."""
    place = site.site, device, point
    if raw := await history.numbers(*place, at - MINUTE, at + INSTANT):
        return Reading(device, point, raw[-1][1], 0)
    for fits, seconds in (("1m", 60), ("15m", 900)):
        begin = floor(at, seconds)
        for one in await history.buckets(*place, begin, begin + timedelta(seconds=seconds), fits):
            return Reading(device, point, one.mean, seconds)
    return None


async def around(history: History, site: Site, at: datetime) -> tuple[datetime | None, datetime | None]:
    """The nearest times before and after of which something is known."""
    before, after = list[datetime | None](), list[datetime | None]()
    async with history.engine.connect() as connection:
        for table in (telemetry, rollup_15m, plan):
            c = table.c
            mine = [c.site == site.site, *([c.device == site.grid.meter] if "device" in c else [])]
            mine += [c.point == "p"] if "point" in c else []
            before.append((await connection.execute(select(func.max(c.at)).where(*mine, c.at <= at))).scalar_one())
            after.append((await connection.execute(select(func.min(c.at)).where(*mine, c.at >= at))).scalar_one())
    known = [[one for one in some if one is not None] for some in (before, after)]
    return max(known[0], default=None), min(known[1], default=None)
