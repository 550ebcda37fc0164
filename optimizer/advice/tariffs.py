"""The same measured energy under another tariff, month by month. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.advice.over_months import Yearly, yearly
from optimizer.invoice import Line, total

WHOLE = 0.95
"""Of its quarters that both bills know: a month with fewer is shown, but makes no year."""


@dataclass(frozen=True)
class Billed:
    """A month by one tariff."""

    month: str
    """2026-06"""
    lines: Sequence[Line]
    quarters: int
    """That are over, of which the bill knows `billed`."""
    billed: int
    whole: bool
    """The month is over."""


@dataclass(frozen=True)
class Compared:
    """A month by both."""

    month: str
    now: float
    other: float
    known: float
    """The share of the quarters that both know; where they know different ones, the fewer."""
    counts: bool
    """It is over and known well enough for a year."""
    unknown: tuple[str, ...]
    """Lines that one of both bills cannot tell: they are in no total."""

    @property
    def saved(self) -> float:
        return self.now - self.other


def compare(now: Sequence[Billed], other: Sequence[Billed]) -> list[Compared]:
    """Both in the same order of months. Raises ValueError where they are of different months."""
    found = list[Compared]()
    for one, two in zip(now, other, strict=True):
        if one.month != two.month:
            raise ValueError(f"{one.month} cannot be compared with {two.month}: give both tariffs the same months")
        known = min(one.billed, two.billed) / one.quarters if one.quarters else 0.0
        unknown = tuple(sorted({line.name for line in (*one.lines, *two.lines) if line.amount is None}))
        fair = one.billed == two.billed and known >= WHOLE and one.whole and not unknown
        found.append(Compared(one.month, total(one.lines), total(two.lines), known, fair, unknown))
    return found


def per_year(compared: Sequence[Compared]) -> Yearly | None:
    """What the other tariff saves; None without a month that counts."""
    return yearly([one.saved for one in compared if one.counts])
