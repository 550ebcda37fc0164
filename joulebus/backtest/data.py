"""Quarter-hour means out of a table: other resolutions brought to a quarter, gaps filled with what was known before.

Nothing is filled with what came later, or a decision could see the future through it.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import gcd

import numpy as np
from numpy.typing import NDArray

from joulebus.backtest.lived import Lived
from joulebus.backtest.rows import METERED, NEEDED, Table
from joulebus.backtest.score import HOUR
from optimizer.record import QUARTER, Record, Vector
from schemas.troubles import Trouble

LENGTHS = (1, 2, 3, 5, 10, 15, 20, 30, 60)
"""Minutes that a row may stand for."""
RUN = 8
"""So many rows in a row with another distance are another resolution, fewer are a gap."""
DAY, WEEK = 96, 672
"""Quarters of an hour."""
HELD = 4
"""Quarters for which the last value stands in for what is missing; then the same time a week before does."""
HEAD = 2 * DAY
"""So long PV that begins with nothing but zeros is not night, but missing."""


@dataclass(frozen=True)
class Quarters:
    """W and prices per kWh by quarter of an hour; nan where nothing is known."""

    start: datetime
    load: Vector
    pv: Vector
    buy: Vector | None
    sell: Vector | None
    battery: Vector | None = None
    """What it did."""
    soc: Vector | None = None
    """% at the end of each quarter."""
    imported: Vector | None = None
    """What the meter counted, as a mean."""
    exported: Vector | None = None
    drawn: Vector | None = None
    """By the meter's power."""
    given: Vector | None = None
    """By the battery, without what it took meanwhile."""

    def __len__(self) -> int:
        return len(self.load)

    def at(self, instant: datetime) -> int:
        """The number of the quarter that begins then; negative before the first."""
        return (instant - self.start) // QUARTER

    @property
    def end(self) -> datetime:
        return self.start + len(self) * QUARTER

    def lived(self, energy: float) -> Lived | None:
        """What was measured while the battery worked, whose cells hold `energy` in Wh; None where that is not known."""
        if self.battery is None or self.imported is None or self.exported is None:
            return None
        unknown = np.full(len(self), np.nan)
        soc = unknown if self.soc is None else self.soc
        gained = np.diff(soc, prepend=np.nan) / 100 * energy / HOUR
        drawn, given = (unknown if one is None else one for one in (self.drawn, self.given))
        return Lived(self.battery, self.imported, self.exported, drawn, gained, soc, given)


def quarters(table: Table) -> Quarters:
    """Means of the quarters of an hour. Raises Trouble where rows are further apart than an hour."""
    minutes, lengths = table.minutes, _lengths(table)
    lattice = gcd(15, *np.unique(lengths).tolist())
    moved = minutes % lattice != 0
    if moved.any():
        table.repairs["times_moved_to_the_begin_of_their_interval"] += int(moved.sum())
        minutes = minutes - minutes % lattice
    begin = minutes[0] // 15 * 15
    cells = int(-(-(minutes[-1] + lengths[-1] - begin) // 15) * 15 // lattice)
    start = datetime.fromtimestamp(int(begin) * 60, UTC)

    def means(name: str, factor: float) -> Vector:
        spread = _spread(table.columns[name], (minutes - begin) // lattice, lengths // lattice, cells)
        return factor * _mean(spread.reshape(-1, 15 // lattice))

    load = means(NEEDED, 1000.0)
    if "pv_kw" in table.columns:
        pv = means("pv_kw", 1000.0)
    else:
        table.notes.append("there is no column pv_kw: the site is taken to have no PV")
        pv = np.zeros_like(load)
    buy, sell, *measured = (
        means(name, 1000.0 if name.endswith("_kw") else 1.0)
        if name in table.columns and not np.isnan(table.columns[name]).all()
        else None
        for name in ("import_price_eur_per_kwh", "export_price_eur_per_kwh", *METERED)
    )
    return Quarters(start, load, pv, buy, sell, *measured)


def _lengths(table: Table) -> NDArray[np.int64]:
    """Minutes that each row stands for: to the next one, where enough of its neighbours do the same."""
    apart = np.diff(table.minutes)
    if len(apart) == 0:
        raise Trouble(f"{table.path}: there is one row only: nothing can be played with it")
    found, counts = np.unique(apart, return_counts=True)
    usual = int(found[np.argmax(counts)])
    if usual not in LENGTHS:
        right = f"{', '.join(map(str, LENGTHS))} minutes are read"
        raise Trouble(f"{table.path}: its rows are {usual} minutes apart: {right}")
    if usual != 15:
        table.notes.append(
            f"rows are {usual} min apart and brought to 15: "
            + ("each is the mean of several" if usual < 15 else "each stands for several, the true peaks are higher")
        )
    lengths = np.full(len(table.minutes), usual, dtype=np.int64)
    for other in (int(one) for one in found if one != usual and int(one) in LENGTHS):
        first = None
        for number in [*np.flatnonzero(apart == other).tolist(), -2]:
            if first is None:
                first = last = number
            elif number != last + 1:
                if last - first + 1 >= RUN:
                    lengths[first : last + 2] = other
                first = number
            last = number
    if (odd := int((lengths != usual).sum())) > 0:
        table.repairs["rows_of_another_resolution_brought_to_15_min"] += odd
    return lengths


def _spread(values: Vector, at: NDArray[np.int64], count: NDArray[np.int64], cells: int) -> Vector:
    """Each value in as many cells as it stands for."""
    found = np.full(cells, np.nan)
    for offset in range(int(count.max())):
        mine = (count > offset) & (at + offset < cells)
        found[at[mine] + offset] = values[mine]
    return found


def _mean(cells: Vector) -> Vector:
    """Of the known cells of each quarter, where they are half of it."""
    known = ~np.isnan(cells)
    total = np.where(known, cells, 0.0).sum(axis=1)
    enough = known.sum(axis=1) * 2 >= cells.shape[1]
    return np.where(enough, total / np.maximum(known.sum(axis=1), 1), np.nan)


def without_flat_head(table: Table, found: Quarters, first: int) -> Quarters:
    """A history that begins with nothing but zeros was not measured then. `first`: the number of the first quarter
    that is played: what comes after says nothing about it."""
    columns = {}
    for name, least in (("load", 1), ("pv", HEAD)):
        values = getattr(found, name).copy()
        alive = np.flatnonzero(np.nan_to_num(values[:first]) > 0)
        head = int(alive[0]) if len(alive) else (first if name == "load" else 0)
        zeros = values[:head] == 0
        if zeros.sum() >= least:
            values[:head][zeros] = np.nan
            table.repairs[f"{name}_kw_flat_head_of_zeros_taken_for_missing"] += int(zeros.sum())
        columns[name] = values
    return replace(found, load=columns["load"], pv=columns["pv"])


def filled(values: Vector, first: int, count: Counter[str], name: str) -> Vector:
    """Without gaps from the first known value on: an hour long the last value, then what was, or stood in, a week
    before, a day before, or last. A gap is filled from its begin, also where that lies before `first`: else a span that
    begins in it would be played with one value for weeks. What is filled from `first` on is counted."""
    whole, unknown, places = values.copy(), np.isnan(values), np.arange(len(values))
    known = np.maximum.accumulate(np.where(unknown, -1, places))
    for i in np.flatnonzero(unknown & (known >= 0)).tolist():
        earlier = [whole[i - back] for back in (WEEK, DAY) if i >= back and not np.isnan(whole[i - back])]
        whole[i] = earlier[0] if earlier and i - known[i] > HELD else whole[known[i]]
    count[name] += int(unknown[first:].sum())
    return whole


def first_known(found: Quarters, first: int) -> int:
    """The first quarter from there on at which something is known of the load, then or before."""
    known = np.flatnonzero(~np.isnan(found.load))
    return max(first, int(known[0])) if len(known) else len(found)


def record_of(found: Quarters) -> Record:
    """What forecasts learn from: gaps are gaps there."""
    return Record(found.start, found.load, found.pv)
