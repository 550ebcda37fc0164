"""What `joulebus advice` says, for people and for programs. Pure."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from optimizer.advice.base_load import BaseLoad
from optimizer.advice.over_months import Yearly
from optimizer.advice.peak_drivers import Drivers
from optimizer.advice.power_factor import Month
from optimizer.advice.sizing import Kept, Sized
from optimizer.advice.tariffs import Compared, per_year
from schemas.site import Site

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HOURS = 3
FEW = 14
"""Of the most frequent."""


@dataclass(frozen=True)
class Advice:
    """What was found; a part is empty or None where nothing is known of it, and `missing` says why."""

    site: Site
    begin: datetime
    end: datetime
    base: BaseLoad | None = None
    price: float | None = None
    """Mean per drawn kWh, of the quarters that were measured and priced."""
    drivers: list[Drivers] = field(default_factory=list)
    factor: list[Month] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    sized: list[Sized] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    """Of what is the most that a size could have saved."""
    missing: list[str] = field(default_factory=list)


def words(one: Advice) -> list[str]:
    """For people: what costs, how much, and how sure that is."""
    said = [f"{one.site.title or one.site.site}, {_day(one.begin, one.site)} to {_day(one.end, one.site)}"]
    parts = (_base(one), _peaks(one), _factor(one), _tariffs(one), _sizes(one), _missing(one))
    for part in parts:
        lines = [*part]
        said += ["", *lines] if lines else []
    return said


def _base(one: Advice) -> Iterator[str]:
    base = one.base
    if base is None:
        return
    yield f"base load: {_kw(base.power)} ± {_kw(base.error)} day and night, {base.share:.0%} of what the site uses"
    if base.workday is not None and base.weekend is not None:
        yield f"  workdays {_kw(base.workday)}, weekends {_kw(base.weekend)}: look at what runs when nobody works"
    if one.price is not None:
        year = base.power / 1000 * 8760 * one.price
        price = f"  at the mean price of {one.price:.4f} {_currency(one)} a kWh"
        yield f"{price} it costs {year:.0f} {_currency(one)} a year; a tenth less of it saves {year / 10:.0f}"
    few = ", too few to say how much days differ" if base.days < FEW else ""
    yield f"  out of {base.days} days{few}; {base.known:.0%} of the time was measured"


def _peaks(one: Advice) -> Iterator[str]:
    for found in one.drivers:
        yield from _drivers(found, one)


def _drivers(found: Drivers, one: Advice) -> Iterator[str]:
    zone, demand = one.site.zone, found.component
    yield f"{demand.name}: what made the peak of each {demand.per}, at {demand.rate:g} {_currency(one)} a kW"
    for peak in found.peaks:
        highest = peak.days[0]
        lower = ""
        if peak.lower is not None:
            worth = peak.lower / 1000 * demand.rate
            lower = f"; the next day's was {_kw(peak.lower)} lower, worth {worth:.0f} {_currency(one)}"
        near = f"; {peak.near} days within 5 %" if peak.near > 1 else ""
        yield f"  {highest.at.astimezone(zone):%a %Y-%m-%d %H:%M} {_kw(highest.power):>12}{lower}{near}"
    total = sum(number for _, _, number in found.hours)
    named = [f"{DAYS[day]} {hour}-{hour + 1} h ({number} of {total})" for day, hour, number in found.hours[:HOURS]]
    yield f"  days near their peak had it most often on {', '.join(named)}"


def _factor(one: Advice) -> Iterator[str]:
    if not one.factor:
        return
    yield f"power factor: {sum(month.cost for month in one.factor):.2f} {_currency(one)} for reactive energy"
    for month in one.factor:
        yield f"  {month.begin.astimezone(one.site.zone):%Y-%m} {_month(month, _currency(one))}"


def _month(month: Month, currency: str) -> str:
    mean = "no import" if month.power_factor is None else f"mean {month.power_factor:.3f}"
    needs = f", {month.compensation / 1000:.0f} kvar of compensation would have ended it" if month.cost else ""
    seen = "" if month.measured == 1 else f"; {month.measured:.0%} measured"
    return f"{mean}, {month.beyond:.0f} kvarh beyond what is free: {month.cost:.2f} {currency}{needs}{seen}"


def _tariffs(one: Advice) -> Iterator[str]:
    if not one.compared:
        return
    yield f"another tariff, in {_currency(one)}{'now':>20}{'other':>12}{'saved':>12}"
    for month in one.compared:
        short = "" if month.counts else f"  {month.known:.0%} known, makes no year"
        short += f"; not known: {', '.join(month.unknown)}" if month.unknown else ""
        yield f"  {month.month}{month.now:>30.2f}{month.other:>12.2f}{month.saved:>12.2f}{short}"
    yield f"  a year: {_yearly(per_year(one.compared), _currency(one))}"


def _sizes(one: Advice) -> Iterator[str]:
    if not one.sized:
        return
    yield "battery size: the most it could have saved in a year, had each month been known from its beginning"
    for each in one.sized:
        yield f"  {each.energy / 1000:g} kWh, {each.rated / 1000:g} kW: {_size(each, one.kept, _currency(one))}"
    share = f"{one.kept.low:.0%} to {one.kept.high:.0%} of that"
    if one.kept.months:
        months = f"in {one.kept.months} months"
        yield f"  the site's own battery kept {share} {months}, and another size is taken to keep as much"
    else:
        yield f"  a plan that must forecast keeps {share}, as measured at other sites: yours may lie outside"
    yield "  a purchase is not in it, and no season that was not measured"


def _size(each: Sized, kept: Kept, currency: str) -> str:
    found = f"{_yearly(each.saved, currency)}, {each.cycles:.1f} full cycles a day"
    if each.saved is None:
        return found
    low, high = kept.band(each.saved)
    return f"{found}; to be expected are {low:.0f} to {high:.0f} {currency} a year"


def _yearly(found: Yearly | None, currency: str) -> str:
    if found is None:
        return "not known: no whole month is known well enough"
    months = f"of {found.months} month{'s' if found.months > 1 else ''}"
    if found.error is None:
        return f"{found.amount:.0f} {currency} {months}, how much months differ is not known"
    return f"{found.amount:.0f} ± {found.error:.0f} {currency} {months}"


def _missing(one: Advice) -> Iterator[str]:
    for why in one.missing:
        yield f"not known: {why}"


def facts(one: Advice) -> dict[str, Any]:
    """As JSON has it: W, Wh, kvarh, var and the tariff's currency."""
    year = per_year(one.compared)
    return {
        "begin": one.begin.isoformat(),
        "end": one.end.isoformat(),
        "currency": _currency(one),
        "base_load": None if one.base is None else asdict(one.base),
        "price": one.price,
        "peaks": [_drivers_facts(found) for found in one.drivers],
        "power_factor": [asdict(month) | {"begin": month.begin.isoformat()} for month in one.factor],
        "tariffs": [asdict(month) | {"saved": month.saved} for month in one.compared],
        "tariff_per_year": None if year is None else year._asdict(),
        "battery": [
            {name: value for name, value in asdict(each).items() if name != "parts"}
            | {
                "at_most_per_year": each.saved and each.saved._asdict(),
                "expected_per_year": each.saved and one.kept.band(each.saved),
                "reached": (one.kept.low, one.kept.high),
                "reached_in_own_months": one.kept.months,
            }
            for each in one.sized
        ],
        "missing": one.missing,
    }


def _drivers_facts(found: Drivers) -> dict[str, Any]:
    return {
        "demand": found.component.name,
        "price": found.component.rate,
        "peaks": [
            {
                "begin": peak.begin.isoformat(),
                "near": peak.near,
                "lower": peak.lower,
                "days": [{"at": day.at.isoformat(), "power": day.power} for day in peak.days],
            }
            for peak in found.peaks
        ],
        "hours": [{"weekday": DAYS[day], "hour": hour, "days": number} for day, hour, number in found.hours],
    }


def _currency(one: Advice) -> str:
    return "" if one.site.tariff_fault else one.site.prices.currency


def _day(at: datetime, site: Site) -> str:
    return f"{at.astimezone(site.zone):%Y-%m-%d}"


def _kw(watts: float) -> str:
    return f"{watts / 1000:.1f} kW"
