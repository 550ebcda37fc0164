"""`joulebus money`: what was paid each day, with the battery and without it, and why not as planned."""

import csv
import json
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import reduce
from typing import Any

from runtime.database import check_schema, engine
from runtime.history import History
from runtime.money_rows import MoneyDay
from schemas.flows import autarky
from schemas.site import Site
from schemas.tables import CAUSES
from schemas.units import utc_now

COLUMNS = ("day", "with", "energy", "demand", "wear", "without", "saved", "autarky", "CO2 saved")
WIDE = 120
"""Characters of a line."""


async def money(url: str, site: Site, days: int, form: str) -> int:
    """Print the last days and their sum; 1 when nothing is known of them. `form`: text, json or csv."""
    today = utc_now().astimezone(site.zone).date()
    first = today - timedelta(days=days - 1)
    start = datetime(first.year, first.month, first.day, tzinfo=site.zone)
    database = engine(url, patience=60)
    try:
        await check_schema(database)
        found = await History(database).money_days(site.site, start, utc_now())
        known, of = await History(database).peaks_made(site.site, start, utc_now())
    finally:
        await database.dispose()
    FORMS[form](found)
    if form == "text" and site.prices.components and known < of:
        print(
            f"demand: of {known} of {of} quarters of an hour; the others were hardly seen, and the peak of their month "
            "may be higher, with the battery and without it"
        )
    return int(not found)


def paid(one: MoneyDay) -> float:
    """The bill with what the battery has worn."""
    return one.energy + one.demand + (one.wear or 0.0)


def total(days: Sequence[MoneyDay]) -> MoneyDay:
    """Of several days as if they were one: what is unknown in one of them adds nothing, but leaves no load."""
    return reduce(_add, days)._replace(day="sum")


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
    print("".join(f"{name:>11}" for name in COLUMNS))
    whole = total(days)
    for one in [*days, whole]:
        print(_line(one))
    if whole.compared < whole.quarters:
        print(f"saved: of {whole.compared} of {whole.quarters} quarters of an hour; a battery was silent in the others")
    if whole.stored is not None:
        print(f"beside it: the energy in the battery is worth {whole.stored:+.2f} {whole.currency} more than before")
    for line in _why(whole):
        print(line)


def _line(one: MoneyDay) -> str:
    without = None if one.saved is None else paid(one) + one.saved
    cells = [
        f"{one.day:>11}",
        *(_cell(value) for value in (paid(one), one.energy, one.demand, one.wear, without, one.saved)),
    ]
    share = autarky(one.imported, one.load)
    carbon = None if one.carbon is None or one.carbon_without is None else (one.carbon_without - one.carbon) / 1000
    return "".join([*cells, f"{'-' if share is None else format(share, '.0%'):>11}", _cell(carbon, ".1f")])


def _cell(value: float | None, how: str = ".2f") -> str:
    return f"{'-' if value is None else format(value, how):>11}"


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
