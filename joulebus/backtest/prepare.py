"""From a file and terms to the span that is played, with every repair counted."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np

from joulebus.backtest.before import before
from joulebus.backtest.data import Quarters, filled, first_known, quarters, without_flat_head
from joulebus.backtest.doubts import doubts
from joulebus.backtest.prices import of as prices_of
from joulebus.backtest.score import Played
from joulebus.backtest.site import Terms
from joulebus.backtest.walk import Span
from joulebus.reach import within_reach
from optimizer.record import QUARTER, Vector
from schemas.troubles import Trouble, Usage

USUAL_DAYS = 364
ENOUGH = 60
"""Days of history that a forecast wants."""


class OfPrices(Protocol):
    """Terms for a CSV that has prices of what is drawn and of what is fed in, or has not."""

    def __call__(self, priced: tuple[bool, bool]) -> Terms: ...


@dataclass(frozen=True)
class Prepared:
    """A span with all that was said of it."""

    span: Span
    repairs: Counter[str]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """What was played as it is written, and can hardly be meant."""
    history: float = 0.0
    """Days before the first quarter in which the load is known."""


def begin_of(given: str, zone: ZoneInfo) -> datetime:
    """The first instant: a local day, or a time, local without an offset. Raises Trouble."""
    try:
        day: date | datetime = date.fromisoformat(given)
        at = datetime(day.year, day.month, day.day, tzinfo=zone)
    except ValueError:
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            raise Usage(f"--from {given}: write a day such as 2019-01-01, it begins on the site's clock") from None
        at = at if at.tzinfo else at.replace(tzinfo=zone)
    within_reach(at, "--from", given)
    stamp = at.timestamp() // 900 * 900
    return datetime.fromtimestamp(stamp, ZoneInfo("UTC"))


def end_of(start: datetime, days: int, zone: ZoneInfo) -> datetime:
    """So many local days on."""
    begin = start.astimezone(zone)
    over = (begin.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=zone)
    return over.astimezone(ZoneInfo("UTC"))


def _size(watts: Vector) -> str:
    """So that kW typed for W, or kWh of a quarter of an hour, is seen at once."""
    return f"{watts.mean() / 1000:.1f} kW in the mean, {watts.max() / 1000:.1f} at most"


def prepare(path: Path, given: str, days: int | None, zone: ZoneInfo, terms_for: OfPrices) -> Prepared:
    """`days`: None where nobody asked for a number of them. Raises Trouble."""
    from joulebus.backtest.table import read  # noqa: PLC0415  # loads pandas, which only a CSV is read with

    table = read(path, zone)
    found = quarters(table)
    terms = terms_for((found.buy is not None, found.sell is not None))
    start, notes, count = begin_of(given, zone), table.notes, table.repairs
    first = _first(path, found, given, start)
    _count_gaps(found, first, count)
    found = without_flat_head(table, found, first)
    moved = first_known(found, first)
    if moved >= len(found):
        raise Trouble(f"{path}: load_kw has no value from {given} on, nor before")
    if moved > first:
        count["quarters_before_the_first_known_load_left_out"] += moved - first
        notes.append(f"the load is not known before {found.start + moved * QUARTER:%Y-%m-%dT%H:%MZ}: it begins there")
        first = moved
    last = min(len(found), _end(found, first, days or USUAL_DAYS, zone))
    if last < first + 1:
        raise Trouble(f"{path}: has no quarter of an hour from {given} on")
    short = _short((last - first) / 96, given, days)
    if short and days is None:
        notes.append(short)
    history = float((~np.isnan(found.load[:first])).sum()) / 96
    if history < ENOUGH:
        notes.append(f"{history:.1f} days of history to learn from; {ENOUGH} make better forecasts")
    terms, prices = prices_of(terms, found, first, last, count)
    skipped = (found.start + first * QUARTER - prices.start) // QUARTER
    scored = slice(skipped, skipped + last - first)
    played = Played(
        found.start + first * QUARTER,
        filled(found.load[:last], first, count, "load_missing_filled")[first:],
        np.nan_to_num(filled(found.pv[:last], first, count, "pv_missing_filled")[first:]),
        prices.buy[scored],
        prices.sell[scored],
    )
    if terms.battery is not None and (lived := found.lived(terms.battery.energy)) is not None:
        played = replace(played, lived=lived.part(first, last))
    notes.append(f"read: load {_size(played.load)}, PV {_size(played.pv)}")
    # what is played the meter sees, also where it stands in for a gap: only the history has gaps
    load, pv = (np.concatenate([getattr(found, name)[:first], getattr(played, name)]) for name in ("load", "pv"))
    seen = Quarters(found.start, load, pv, None, None)
    span = Span(terms, seen, played, prices, before(terms, found, first))
    warnings = [*([short] if short and days else []), *doubts(terms, played)]
    return Prepared(span, +count, [*terms.notes, *notes], warnings, history)


def _count_gaps(found: Quarters, first: int, count: Counter[str]) -> None:
    """Of the history: a gap there is played nowhere, and forecasts are told that it is one."""
    for name in ("load", "pv"):
        count[f"{name}_missing_before_the_begin_left_out"] += int(np.isnan(getattr(found, name)[:first]).sum())


def _short(played: float, given: str, days: int | None) -> str:
    """A file that ends before what was asked for."""
    if played >= (days or USUAL_DAYS) - 0.05:
        return ""
    if days is None:
        return f"the file has {played:.1f} days from the begin on, not {USUAL_DAYS}"
    right = "give a file that goes on" + (f", or --days {int(played)}" if played >= 1 else "")
    return f"--days {days}: the file has {played:.1f} days from {given} on, and only those were played: {right}"


def _first(path: Path, found: Quarters, given: str, start: datetime) -> int:
    first = found.at(start)
    if not 0 <= first < len(found):
        words = f"the file goes from {found.start:%Y-%m-%dT%H:%MZ} to {found.end:%Y-%m-%dT%H:%MZ}"
        raise Usage(f"--from {given} lies outside of {path}: {words}")
    return first


def _end(found: Quarters, first: int, days: int, zone: ZoneInfo) -> int:
    return found.at(end_of(found.start + first * QUARTER, days, zone))
