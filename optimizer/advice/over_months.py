"""What some months say of a year, and how sure that is. Pure."""

from collections.abc import Sequence
from math import sqrt
from statistics import mean, stdev
from typing import NamedTuple


class Yearly(NamedTuple):
    """A sum per year, out of some months."""

    amount: float
    error: float | None
    """Twice the standard error, by how much the months differ; None of a single month, which says nothing of that."""
    months: int


def yearly(amounts: Sequence[float]) -> Yearly | None:
    """Of the amounts of whole months; None without any. Seasons that were not seen are not in the error."""
    if not amounts:
        return None
    error = 2 * 12 * stdev(amounts) / sqrt(len(amounts)) if len(amounts) > 1 else None
    return Yearly(12 * mean(amounts), error, len(amounts))
