"""What the plan keeps, in words, and what is odd of it: for `joulebus check`."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from optimizer.reserve_now import offered
from schemas.magnitudes import LEAST
from schemas.site import Site
from schemas.site_reserves import Reserve, energy

WEEK = timedelta(days=7)
QUARTER = timedelta(minutes=15)
SHORT = 5.0
"""Minutes of a backup: less was meant in hours."""
CLEANEST = 2.0
"""g per kWh: less was meant in kg. Water power has 4 to 24 (IPCC, 2014)."""


def reserve_lines(site: Site) -> Iterator[tuple[str, str]]:
    """A line each: name and words."""
    if site.battery:
        yield "plan", f"{site.plan.hours:g} h ahead, in steps of {site.plan.step_minutes} min"
    if site.plan.backup_minutes:
        yield "backup", f"{site.plan.backup_minutes:g} min of the load that is forecast stay in the batteries"
    for one in site.reserve:
        both = [f"{power / 1000:g} kW {way}" for way, power in (("up", one.up), ("down", one.down)) if power]
        days = [f"{word} {day}" for word, day in (("from", one.first), ("to", one.last)) if day]
        when = ", ".join(["in its hours" if one.hours else "always", *days])
        yield "reserve", f"{one.name}: {' and '.join(both)} for {one.minutes:g} min, {when}"


def reserve_oddities(site: Site, now: datetime) -> Iterator[tuple[str, str]]:
    """What can hardly be meant, with its place in the file."""
    minutes = site.plan.backup_minutes
    if 0 < minutes < SHORT:
        yield "plan.backup_minutes", f"{minutes:g} is in minutes: for {minutes:g} h write {60 * minutes:g}"
    if site.carbon and site.carbon.intensity and site.carbon.intensity < CLEANEST:
        grams = site.carbon.intensity
        yield "carbon.intensity", f"{grams:g} is in g per kWh: of {grams:g} kg write {1000 * grams:g}"
    for number, one in enumerate(site.reserve):
        for key, power in (("up", one.up), ("down", one.down)):
            if 0 < power < LEAST:
                words = f"{power:g} is in W: for {power:g} kW write {1000 * power:g}"
                yield f"reserve.{number}.{key}", f"reserve {one.name}: {words}"
        if one.last and one.last < now.astimezone(site.zone).date():
            yield f"reserve.{number}.last", f"reserve {one.name}: {one.last} is over, it is offered no more"
        elif not any(offered(one, at, site.zone) for at in _quarters(one, site, now)):
            yield f"reserve.{number}.hours", f"reserve {one.name} is offered in no hour of a week"
    yield from _together(site, now)


def _quarters(one: Reserve, site: Site, now: datetime) -> Iterator[datetime]:
    """A week from now on, or from its first day."""
    first = datetime.combine(one.first, datetime.min.time(), site.zone).astimezone(UTC) if one.first else now
    begin = max(first, now.astimezone(UTC))
    yield from (begin + QUARTER * number for number in range(round(WEEK / QUARTER)))


def _together(site: Site, now: datetime) -> Iterator[tuple[str, str]]:
    """Those of one hour that are more than the batteries have, each of them being possible."""
    usable = sum(one.energy * (one.soc_max - one.soc_min) / 100 for one in site.battery)
    for number, last in enumerate(site.reserve):
        for at in _quarters(last, site, now):
            every = [one for one in site.reserve[: number + 1] if offered(one, at, site.zone)]
            if last in every and len(every) > 1 and (words := _beyond(site, every, usable)):
                names = " and ".join(one.name for one in every)
                clock = f"{at.astimezone(site.zone):%A %H:%M}"
                yield f"reserve.{number}.name", f"{names} together, such as on {clock}: {words}"
                break


def _beyond(site: Site, every: Sequence[Reserve], usable: float) -> str:
    for way in ("up", "down"):
        power = sum(getattr(one, way) for one in every)
        if power > site.rated_power:
            return f"{power / 1000:g} kW {way} are more than the {site.rated_power / 1000:g} kW of all PCS"
    whole = sum(one.energy for one in site.battery) or 1.0
    both = sum(one.energy * one.efficiency for one in site.battery) / whole
    needs = sum(energy(one, both) for one in every)
    if needs > usable:
        return f"they need {needs / 1000:.1f} kWh, and the batteries have {usable / 1000:.1f} kWh"
    return ""
