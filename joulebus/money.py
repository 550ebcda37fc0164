"""`joulebus money`: what was paid each day, with the battery and without it, and why not as planned."""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Any, NamedTuple

from joulebus.archive_read import reading
from joulebus.bill import bills, facts, lately, month_of, words
from joulebus.difference import more
from runtime.history import History
from runtime.money_rows import MoneyDay
from runtime.settings import Settings
from schemas.flows import autarky
from schemas.site import Site
from schemas.tables import CAUSES
from schemas.units import utc_now

COLUMNS = ("day", "with", "energy", "demand", "wear", "without", "saved", "autarky", "CO2 saved")
WITHOUT = ("energy_without", "demand_without", "carbon_without")
WIDE = 120
"""Characters of a line."""


class Wanted(NamedTuple):
    """What is printed."""

    days: int
    """Back, with today."""
    month: str = ""
    """Whose bill alone is wanted; this and the last one after the days, when it is left out."""
    form: str = "text"
    """text, json or csv; a CSV has the days alone."""


async def money(settings: Settings, site: Site, wanted: Wanted) -> int:
    """Print the last days and their sum, and the bills; 1 when nothing is known of them. Raises Trouble."""
    now = utc_now()
    first = now.astimezone(site.zone).date() - timedelta(days=wanted.days - 1)
    start = datetime(first.year, first.month, first.day, tzinfo=site.zone)
    begins = [month_of(wanted.month, site)] if wanted.month else lately(now, site)
    async with reading(settings.database, site.site) as database:
        history = History(database)
        found = [] if wanted.month else await history.money_days(site.site, start, now)
        if wanted.month:
            (one,) = await bills(history, settings, site, begins, now)
            print(json.dumps(facts(one)) if wanted.form == "json" else "\n".join(words(one)))
            return int(not one.billed)
        FORMS[wanted.form](found)
        for one in await bills(history, settings, site, begins, now) if found and wanted.form == "text" else ():
            print("", *words(one), sep="\n")
    return int(not found)


def total(days: Sequence[MoneyDay]) -> MoneyDay:
    """Of several days as if they were one: what is unknown in one of them adds nothing, but leaves no load. A day that
    cannot be compared is the same with the battery and without."""
    whole = reduce(_add, map(_alike, days))._replace(day="sum")
    nothing: dict[str, Any] = {name: None for name in WITHOUT if all(getattr(one, name) is None for one in days)}
    return whole._replace(**nothing)


def _alike(one: MoneyDay) -> MoneyDay:
    known = {name: getattr(one, name) for name in WITHOUT}
    same = {name: getattr(one, name.removesuffix("_without")) for name, found in known.items() if found is None}
    return one._replace(**same)


def _add(one: MoneyDay, other: MoneyDay) -> MoneyDay:
    sums: dict[str, Any] = {
        name: _sum(getattr(one, name), getattr(other, name), whole=name in ("pv", "load"))
        for name in MoneyDay._fields
        if name not in ("at", "day", "currency")
    }
    return one._replace(**sums)


def _sum(one: float | None, other: float | None, *, whole: bool) -> float | None:
    if one is None or other is None:
        return None if whole else one if other is None else other
    return one + other


def _facts(one: MoneyDay) -> dict[str, Any]:
    """As JSON and CSV have them: every column, and what is made of them."""
    facts = one._asdict() | {"autarky": one.autarky, "self_consumption": one.self_consumption}
    del facts["at"]
    return facts


def _json(days: Sequence[MoneyDay]) -> None:
    print(json.dumps({"days": [_facts(one) for one in days], "sum": _facts(total(days)) if days else None}))


def _csv(days: Sequence[MoneyDay]) -> None:
    table = csv.writer(sys.stdout, lineterminator="\n")
    if days:
        table.writerow(_facts(days[0]))
    table.writerows(_facts(one).values() for one in days)


def _text(days: Sequence[MoneyDay]) -> None:
    if not days:
        print("nothing is priced yet: the archive does it minutes after a quarter of an hour, once its price is known")
        return
    print(f"in {days[0].currency}; kg of CO2")
    whole = total(days)
    table = [COLUMNS, *map(_cells, [*days, whole])]
    wide = [max(map(len, column)) for column in zip(*table, strict=True)]  # 80 columns hold the days of most sites
    for cells in table:
        print("  ".join(f"{cell:>{width}}" for cell, width in zip(cells, wide, strict=True)))
    if whole.compared < whole.quarters:
        print(f"saved: of {whole.compared} of {whole.quarters} quarters of an hour; a battery was silent in the others")
    if whole.stored is not None:
        print(f"beside it: the energy in the battery is worth {more(whole.stored, whole.currency)} than before")
    for line in _why(whole):
        print(line)


def _cells(one: MoneyDay) -> tuple[str, ...]:
    without = None if one.saved is None else one.paid + one.saved
    amounts = (one.paid, one.energy, one.demand, one.wear, without, one.saved)
    carbon = None if one.carbon is None or one.carbon_without is None else (one.carbon_without - one.carbon) / 1000
    return one.day, *map(_cell, amounts), _cell(autarky(one.imported, one.load), ".0%"), _cell(carbon, ".1f")


def _cell(value: float | None, how: str = ".2f") -> str:
    return "-" if value is None else format(value, how)


def _why(whole: MoneyDay) -> list[str]:
    """The difference to the plan, largest cause first."""
    if whole.planned is None:
        return []
    parts = {cause: getattr(whole, cause) or 0.0 for cause in CAUSES}
    dearer = sum(parts.values())
    count = f"{whole.planned_quarters} quarter{'s' if whole.planned_quarters != 1 else ''} of an hour"
    of = f"planned: {count}, for {whole.planned:.2f}, which came {dearer:+.2f}"
    named = sorted(parts.items(), key=lambda one: -abs(one[1]))
    return [f"{of}:", *(f"  {value:+10.2f}  {WORDS[cause]}" for cause, value in named if abs(value) >= 0.005)]


WORDS = {
    "forecast": "load, PV or prices came otherwise",
    "derate": "the battery could do less: its BMS, its PCS, an interlock",
    "grid_limit": "less could be drawn or fed in",
    "lost": "a device, the plan or the broker was silent",
    "clamp": "its own rules: SoC, ramp, peak",
    "operator": "a person or a market wanted something else",
    "unknown": "unknown",
}
"""Of the causes, for people."""

FORMS: dict[str, Callable[[Sequence[MoneyDay]], None]] = {"text": _text, "json": _json, "csv": _csv}
