"""What is odd with a demand whose every key is right, in words: for `joulebus check`."""

from calendar import month_name
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from optimizer.tariff import holds
from optimizer.tariff_walk import YEAR
from schemas.tariff import Demand, Tariff

Mistake = tuple[str, str]
"""Where below the demand (`hours.0`) and what."""

RECENT = timedelta(days=31)
LIKELY_MONTHS = range(6, 13)
FINEST = 5
"""Minutes between windows that slide: no tariff's hours begin in between."""


def odd_demand(tariff: Tariff, demand: Demand, today: date) -> Iterator[Mistake]:
    """What can be meant, and mostly is not."""
    for number, known in enumerate(demand.known):
        if known.on > today:
            yield f"known.{number}.on", f"{known.on} is still to come: a peak counts from the day it was made"
    yield from _odd_hours(demand, today)
    yield from _odd_ratchet(demand, today)
    yield from _odd_contract(demand)
    others = [one for one in tariff.components if one.name.casefold() == demand.name.casefold()]
    if len(others) > 1 and others[0] is not demand:
        yield "name", f'"{demand.name}" and "{others[0].name}" are two: on a bill nobody tells them apart'


def _odd_hours(demand: Demand, today: date) -> Iterator[Mistake]:
    if not demand.hours:
        return
    starts, seen = _starts(demand, today), set[datetime]()
    for number, hours in enumerate(demand.hours):
        covered = {at for at in starts if holds(demand, hours, at)}
        if not covered:
            yield f"hours.{number}", f"never hold: no window of {demand.minutes} min of a year begins in them"
        elif covered <= seen:
            yield f"hours.{number}", "say nothing new: those before cover all of them; take one of them out"
        seen |= covered
    if not seen:
        yield "hours", "no window of a year counts: this demand costs nothing"
    elif len(seen) == len(starts):
        yield "hours", "hold always: leave them out, without them every window counts"


def _starts(demand: Demand, today: date) -> list[datetime]:
    """Where windows begin, on the local clock: on one of all days of a year that are alike."""
    alike = dict[object, date]()
    for day in (today + timedelta(days=number) for number in range(YEAR)):
        before = day - timedelta(days=1)  # hours may cross midnight
        alike.setdefault((day.month, demand.days_of(day), before.month, demand.days_of(before)), day)
    apart = max(FINEST, demand.sliding or demand.minutes)
    midnights = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in alike.values()]  # no zone takes part
    return [at + timedelta(minutes=minute) for at in midnights for minute in range(0, 24 * 60, apart)]


def _odd_ratchet(demand: Demand, today: date) -> Iterator[Mistake]:
    ratchet = demand.ratchet
    if ratchet is None:
        return
    if not demand.rate:
        yield "ratchet", "costs nothing: price is what each kW of it would cost"
    if ratchet.months not in LIKELY_MONTHS:
        yield "ratchet.months", f"{ratchet.months}: most bills look back at 11 or 12 months"
    counted = {month for one in demand.hours for month in one.months or range(1, 13)} or {*range(1, 13)}
    if ratchet.made_in and not counted & {*ratchet.made_in}:
        named = ", ".join(month_name[month] for month in ratchet.made_in)
        yield "ratchet.made_in", f"no window of {named} counts: this ratchet never holds"
    if not demand.known:
        yield (
            "known",
            (
                "names no peak: what earlier months ratchet is known only from when it is measured here; write "
                f'known = [{{ peak = 120, on = "{today - RECENT}" }}] with the highest of the months before'
            ),
        )


def _odd_contract(demand: Demand) -> Iterator[Mistake]:
    contract = demand.contract
    if contract is None:
        return
    if demand.floor > contract.power:
        yield "floor", f"{demand.floor:g} kW is above the contract of {contract.power:g} kW: its penalty has no room"
    if not contract.penalty and not contract.limit:
        yield "contract", "nothing keeps the site below it: give it a penalty, or limit = true"
