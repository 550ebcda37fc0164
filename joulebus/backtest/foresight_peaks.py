"""What is paid by the kW over a whole year, as columns and rows of the linear program of perfect foresight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from scipy import sparse

from joulebus.backtest.score import NO_WINDOWS, Played
from joulebus.backtest.site import Terms
from optimizer.billing import around
from optimizer.charge import Made, bills, highest, least
from optimizer.demand import charged, counts, later, period
from optimizer.record import Vector
from schemas.tariff_demand import Demand

FEW = 4
"""Blocks of columns that make the import: charge, discharge, export, PV that gives way."""


@dataclass
class Peaks:
    """Columns beyond those of the quarters, in kW: by demand and period the peak, what is billed of it where a ratchet
    makes that more, and what lies beyond a contract. Each row is `entries . x <= most`."""

    quarters: int
    price: list[float] = field(default_factory=list)
    """Per kW."""
    low: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    _entries: list[tuple[int, int, float]] = field(default_factory=list)
    """Row, column (those of the quarters first), value."""

    def column(self, price: float, low: float) -> int:
        self.price.append(price)
        self.low.append(low)
        return FEW * self.quarters + self.quarters + len(self.price) - 1

    def row(self, entries: list[tuple[int, float]], most: float) -> None:
        self._entries += [(len(self.most), column, value) for column, value in entries]
        self.most.append(most)

    def rows(self, width: int) -> sparse.csr_array:
        if not self._entries:
            return sparse.csr_array((0, width))
        rows, columns, values = (np.array(one) for one in zip(*self._entries, strict=True))
        return sparse.csr_array((values, (rows, columns)), shape=(len(self.most), width))


def peaks_of(terms: Terms, played: Played, before: Mapping[str, Sequence[Made]] = NO_WINDOWS) -> Peaks:
    """Of all demands of the tariff. `before`: windows by the name of a demand."""
    found = Peaks(len(played))
    for component in terms.charged:
        _one(found, component, terms, played, before.get(component.name, ()))
    return found


def _one(found: Peaks, component: Demand, terms: Terms, played: Played, before: Sequence[Made]) -> None:
    windows = _windows(component, terms, played)
    rated, net = terms.rated / 1000, played.net / 1000
    lowest, how = dict[datetime, float](), charged(component)
    in_period = dict[datetime, datetime]()
    begin, end = datetime.max.replace(tzinfo=played.start.tzinfo), played.start
    for at, quarters in windows.items():
        if not begin <= at < end:
            begin, end = period(at, terms.zone, how)
        in_period[at] = begin
        held = float(np.maximum(net[quarters] - rated, 0.0).mean())
        lowest[begin] = max(lowest.get(begin, 0.0), held)
    known = highest(component, before, played.end, terms.zone)
    columns = {
        at: _columns(found, component, terms.zone, (at, max(low, known.get(at, 0.0) / 1000)), known)
        for at, low in lowest.items()
    }
    _ratchet(found, component, terms, columns)
    for at, quarters in windows.items():
        if float((np.maximum(net[quarters], 0.0) + rated).mean()) > lowest[in_period[at]]:
            _window(found, quarters, net, columns[in_period[at]][0])


def _windows(component: Demand, terms: Terms, played: Played) -> dict[datetime, list[int]]:
    """The quarters of each whole window that counts, by its begin."""
    found = dict[datetime, list[int]]()
    for number, at in enumerate(played.instants):
        for begin in around(at, component, terms.zone):
            found.setdefault(begin, []).append(number)
    whole = component.minutes // 15
    return {
        at: mine
        for at, mine in found.items()
        if len(mine) == whole and (not component.hours or counts(component, at, terms.zone))
    }


def _columns(
    found: Peaks, component: Demand, zone: ZoneInfo, lowest: tuple[datetime, float], known: dict[datetime, float]
) -> tuple[int, int]:
    """The peak of a period and what is billed of it, the same column without ratchet and contract. `lowest`: the begin
    of the period, and the kW it is not below."""
    begin, low = lowest
    rate = component.rate if bills(component, begin, zone) else 0.0
    floor = least(component, known, begin, zone) / 1000
    if component.ratchet or component.contract:
        peak, billed = found.column(0.0, low), found.column(rate, max(low, floor))
        found.row([(peak, 1.0), (billed, -1.0)], 0.0)
    else:
        peak = billed = found.column(rate, max(low, floor))
    if component.contract and component.contract.penalty:
        beyond = found.column(component.contract.penalty, 0.0)
        found.row([(peak, 1.0), (beyond, -1.0)], component.contract.power)
    return peak, billed


def _ratchet(found: Peaks, component: Demand, terms: Terms, columns: dict[datetime, tuple[int, int]]) -> None:
    ratchet = component.ratchet
    if ratchet is None:
        return
    for begin, (peak, _) in columns.items():
        first = begin.astimezone(terms.zone)
        if ratchet.made_in is not None and first.month not in ratchet.made_in:
            continue
        for ahead in range(1, ratchet.months + 1):
            after = columns.get(later(first, ahead).astimezone(begin.tzinfo))
            if after is not None:
                found.row([(peak, ratchet.share), (after[1], -1.0)], 0.0)


def _window(found: Peaks, quarters: list[int], net: Vector, peak: int) -> None:
    """The mean import is at most the peak. Of a single quarter the export is no part of it: below 0 is below a peak."""
    n, share = found.quarters, 1.0 / len(quarters)
    blocks = [(0, share), (1, -share)] if len(quarters) == 1 else [(0, share), (1, -share), (2, share), (3, share)]
    entries = [(block * n + number, sign) for number in quarters for block, sign in blocks]
    found.row([*entries, (peak, -1.0)], -float(net[quarters].mean()))
