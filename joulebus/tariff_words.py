"""What is wrong with a tariff whose every key is right, in words: for `joulebus check`."""

from calendar import month_name
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from optimizer.tariff_walk import DAY, Span, walk
from schemas.tariff import WEEK, Demand, Side, Tariff

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


def _closed(name: str, side: Side, spans: Sequence[Span]) -> Iterator[Mistake]:
    """An `end` is the first moment after its period."""
    for begin, end in spans:
        for number, period in enumerate(side.period):
            if end - begin <= CLOSED and period.end and _clock(begin) == f"{period.end:%H:%M}":
                right = _clock(end % DAY)
                yield f"{name}.period.{number}.end", f'the end does not belong to the period: write end = "{right}"'


def tariff_lines(tariff: Tariff, today: date) -> Iterator[tuple[str, str]]:
    """What is billed beside energy, and when work rests: a name and words each."""
    if tariff.demand:
        yield "demand", _billed(tariff.demand, tariff.currency)
    year = (today + timedelta(days=number) for number in range(366))
    if found := next((day for day in year if day in tariff.days_off), None):
        yield "holidays", f"the next one is {found:%A} {found}"


def _billed(demand: Demand, currency: str) -> str:
    begins = f" from {month_name[demand.year_begins]} on" if demand.per == "year" else ""
    words = f"{demand.price:g} {currency} per kW and {demand.per}{begins}, for windows of {demand.minutes} min"
    floor = f", {demand.floor:g} kW at least" if demand.floor else ""
    known = ", ".join(f"{one.peak:g} kW on {one.on}" for one in demand.known)
    return f"{words}{floor}{known and f'; billed already: {known}'}"


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
    for number, known in enumerate(tariff.demand.known if tariff.demand else ()):
        if known.on > today:
            yield f"demand.known.{number}.on", f"{known.on} is still to come: a peak counts from the day it was made"
    if years := tariff.days_off.unwritten(today, today + SOON):
        rules = 'or write what comes each year as "12-25", "easter+1"'
        yield "holidays", f"names no day of {' and '.join(map(str, years))}: add those, {rules}"


def _sides(tariff: Tariff) -> list[tuple[str, Side]]:
    return [(name, side) for name, side in (("import", tariff.import_), ("export", tariff.export)) if side.period]


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
