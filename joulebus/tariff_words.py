"""What is wrong with a tariff whose every key is right, in words: for `joulebus check`."""

from calendar import month_abbr, month_name
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from joulebus.demand_words import odd_demand
from optimizer.tariff import MIDNIGHT
from optimizer.tariff_walk import DAY, Span, walk
from schemas.magnitudes import placed
from schemas.tariff import WEEK, Demand, Hours, Priced, Tariff

SHOWN = 4
"""So many holes are named; the rest are counted."""
CLOSED = 60
"""Seconds: a hole that short is an `end` that was meant to belong to its period."""
SOON = timedelta(days=60)
"""Who writes holidays as dates is told so long before the list ends."""
DAYS = {7: "every day", 5: "Monday to Friday"}

Mistake = tuple[str, str]
"""Where (`import.period.0.end`) and what, with what would be right."""


def holes(tariff: Tariff, today: date) -> Iterator[Mistake]:
    """Hours without a price: a plan takes the outermost price there, which is not what will be billed."""
    for name, side in _sides(tariff):
        found = walk(side, today)
        if not found.holes:
            continue
        spans = sorted(found.holes, key=lambda span: (-len(found.holes[span]), span))
        named = "; ".join(
            f"{_clock(span[0])}-{_clock(span[1])} {_days(found.holes[span], today)}" for span in spans[:SHOWN]
        )
        more = f"; and {len(spans) - SHOWN} others" if len(spans) > SHOWN else ""
        last = f"write a last [[{name}.period]] that holds always, with nothing but a price"
        yield f"{name}.period", f"{found.minutes} min of a year have no price: {named}{more}; {last}"
        yield from _closed(name, side, spans)


def _closed(name: str, side: Priced, spans: Sequence[Span]) -> Iterator[Mistake]:
    """An `end` is the first moment after its period."""
    for begin, end in spans:
        for number, period in enumerate(side.period):
            if end - begin <= CLOSED and period.end and _clock(begin) == f"{period.end:%H:%M}":
                right = _clock(end % DAY)
                yield f"{name}.period.{number}.end", f'the end does not belong to the period: write end = "{right}"'


def tariff_lines(tariff: Tariff, today: date) -> Iterator[tuple[str, str]]:
    """What is billed beside energy, and when work rests: a name and words each."""
    for one in tariff.components:
        yield one.name, _billed(one, tariff.currency)
    monthly = {"fixed": tariff.fixed, "minimum": tariff.minimum}
    yield from ((name, f"{price:g} {tariff.currency} a month") for name, price in monthly.items() if price)
    if (rule := tariff.reactive) is not None:
        yield "reactive", f"{rule.price:g} {tariff.currency} per kvarh and month beyond a cos phi of {rule.cos_phi:g}"
    year = (today + timedelta(days=number) for number in range(366))
    if found := next((day for day in year if day in tariff.days_off), None):
        yield "holidays", f"the next one is {found:%A} {found}"


def _billed(demand: Demand, currency: str) -> str:
    begins = f" from {month_name[demand.year_begins]} on" if demand.per == "year" else ""
    priced = f"{demand.rate:g} {currency} " if demand.rate or demand.contract is None else ""
    words = f"{priced}per kW and {demand.per}{begins}, for windows of {demand.minutes} min"
    return "".join((words, *_rules(demand, currency)))


def _rules(demand: Demand, currency: str) -> Iterator[str]:
    """What else holds for a component, each begins with its comma."""
    if demand.sliding:
        yield f" that begin each {demand.sliding} min"
    if demand.hours:
        yield f", {'; '.join(map(_hours, demand.hours))}"
    if demand.floor:
        yield f", {demand.floor:g} kW at least"
    if demand.ratchet:
        of = f" made in {_months(demand.ratchet.made_in)}" if demand.ratchet.made_in else ""
        yield f", at least {demand.ratchet.share:.0%} of the highest{of} of {demand.ratchet.months} months before"
    if (contract := demand.contract) is not None:
        kept = ", kept as a limit" if contract.limit else ""
        beyond = f", {contract.penalty:g} for each kW beyond it" if contract.penalty else ""
        yield f", {contract.power:g} kW contracted at {contract.price:g} {currency} each{beyond}{kept}"
    if known := ", ".join(f"{one.peak:g} kW on {one.on}" for one in demand.known):
        yield f"; billed already: {known}"


def _hours(hours: Hours) -> str:
    clock = f"{hours.start or MIDNIGHT:%H:%M}-{hours.end or MIDNIGHT:%H:%M}" if hours.start or hours.end else "all day"
    days = f" {', '.join(hours.days)}" if hours.days is not None else ""
    return clock + days + (f" in {_months(hours.months)}" if hours.months else "")


def _months(months: Sequence[int]) -> str:
    return ", ".join(month_abbr[month] for month in months)


def oddities(tariff: Tariff, today: date) -> Iterator[Mistake]:
    """What can be meant, and mostly is not."""
    for name, side in _sides(tariff):
        found = walk(side, today)
        for (one, two), (day, span) in found.overlaps.items():
            both = f"overlaps period {two + 1}, on {day:%A} {_clock(span[0])}-{_clock(span[1])}"
            yield f"{name}.period.{one}", f"{both}: there the first in the file holds, {side.period[one].price:g}"
        for number in found.unused:
            yield (
                f"{name}.period.{number}",
                "never holds: periods before it cover all of its hours; take one of them out",
            )
    for place, demand in placed(tariff):
        yield from ((f"{place}.{key}", words) for key, words in odd_demand(tariff, demand, today))
    if years := tariff.days_off.unwritten(today, today + SOON):
        rules = 'or write what comes each year as "12-25", "easter+1"'
        yield "holidays", f"names no day of {' and '.join(map(str, years))}: add those, {rules}"


def _sides(tariff: Tariff) -> list[tuple[str, Priced]]:
    """All that has periods, by its place in the file."""
    return [
        (f"{name}.{place}".removesuffix("."), layer)
        for name, side in (("import", tariff.import_), ("export", tariff.export))
        for place, layer in side.layers
        if layer.period
    ]


def _days(days: Sequence[date], today: date) -> str:
    """The days of a hole, as short as they can be told."""
    week = sorted({day.weekday() for day in days})
    whole = len(days) >= 52 * len(week)
    names = DAYS.get(len(week), "") if week == [*range(len(week))] else ""
    names = names or ", ".join(f"{today + timedelta(days=(number - today.weekday()) % 7):%A}" for number in week)
    return names if whole and len(week) <= len(WEEK) else f"on {len(days)} days, first on {days[0]:%A} {days[0]}"


def _clock(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours:02}:{rest // 60:02}" + (f":{rest % 60:02}" if rest % 60 else "")
