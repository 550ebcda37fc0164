"""The least that a year can cost, with every load, sun and price known: a linear program, then whole numbers where it
would go both ways at once."""

from dataclasses import dataclass
from time import monotonic

import numpy as np

from joulebus.backtest.before import Before
from joulebus.backtest.foresight_peaks import peaks_of
from joulebus.backtest.foresight_program import NEARLY, Program
from joulebus.backtest.foresight_rows import TINY, prices
from joulebus.backtest.foresight_ways import Torn
from joulebus.backtest.score import Played
from joulebus.backtest.site import Terms
from optimizer.record import Vector

BRANCHING = 20.0
"""Seconds for all whole-number programs together."""
HALF_FULL = Before()
CENT = 0.01


@dataclass(frozen=True)
class Best:
    """The cheapest schedule that was found."""

    power: Vector
    """W of the battery by quarter, positive discharging."""
    gap: float = 0.0
    """Money: nobody could have paid less than its cost less this."""
    rounds: int = 0
    """Of whole-number programs."""

    near: float = CENT
    """Money: a gap so small is none."""

    @property
    def exact(self) -> bool:
        """There is nothing cheaper, but for NEARLY of the cost."""
        return self.gap <= self.near


def foresight(terms: Terms, played: Played, before: Before = HALF_FULL) -> Vector:
    """W of the battery by quarter, positive discharging. Raises Trouble where the solver finds no answer."""
    return best(terms, played, before).power


def best(terms: Terms, played: Played, before: Before = HALF_FULL, seconds: float = BRANCHING) -> Best:
    """The least cost. Where the linear program tears quarters, these alone become whole numbers, until none is torn, or
    `seconds` are over: then they are settled one way or the other, and the gap says what that may cost."""
    if terms.battery is None:
        return Best(np.zeros(len(played)))
    one = Program(terms, terms.battery, played, peaks_of(terms, played, before.made), before.soc)
    none = np.array([], dtype=np.int64)
    torn, rounds, ends = Torn(one.net, played.sell > played.buy, none, none), 0, monotonic() + seconds
    x, low = one.solve(one.free())
    while (found := torn.more(x)) is not None:
        torn, rounds = found, rounds + 1
        whole, least = one.branch(torn, max(1.0, ends - monotonic()))
        low = max(low, least)
        if whole is None or monotonic() > ends:
            return _settled(one, torn, x if whole is None else whole, low, rounds)
        x = whole
    return _best(one, x, low, rounds)


def _best(one: Program, x: Vector, low: float, rounds: int) -> Best:
    cost = float(prices(one.battery, one.played, one.peaks) @ x)
    return Best(_power(x, one.n), max(0.0, cost - low), rounds, max(CENT, 2 * NEARLY * abs(cost)))


def _settled(one: Program, torn: Torn, x: Vector, low: float, rounds: int) -> Best:
    """A schedule for what is still torn."""
    ways = one.free()
    more: Torn | None = torn
    while more is not None:
        ways.settle(more, x)
        x = one.solve(ways)[0]
        more = more.more(x)
    return _best(one, x, low, rounds)


def _power(x: Vector, n: int) -> Vector:
    charge, discharge = x[:n], x[n : 2 * n]
    return 1000 * np.where(charge > discharge, -charge, discharge) * (np.abs(charge - discharge) > TINY)
