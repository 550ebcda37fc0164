"""A backtest from its wish to its outcomes. The one call of the command and of the benchmark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from joulebus.backtest.foresight import foresight
from joulebus.backtest.prepare import Prepared
from joulebus.backtest.result import Outcome, outcome
from joulebus.backtest.walk import follow, idle, walk

Told = Callable[[str, int], None]
"""Called with a strategy and the number of a quarter that is over."""


@dataclass(frozen=True)
class Backtest:
    """What came out."""

    none: Outcome
    perfect: Outcome
    played: list[Outcome]


def play(ready: Prepared, strategies: Sequence[str], told: Told = lambda _strategy, _quarter: None) -> Backtest:
    """Every strategy through the span, beside no battery and perfect foresight. Raises Trouble."""
    span = ready.span
    none = outcome(span, idle(len(span.played)))
    best = foresight(span.terms, span.played)
    perfect = outcome(span, follow(span, best, "perfect-foresight", "knows everything"))
    played = [outcome(span, walk(span, one, lambda quarter, name=one: told(name, quarter))) for one in strategies]  # type: ignore[misc]  # mypy does not know defaults of a lambda
    return Backtest(none, _least(perfect, [none, *played]), played)


def _least(perfect: Outcome, others: Sequence[Outcome]) -> Outcome:
    """Where more is paid for what is fed in than drawing costs, the way of each quarter is a whole number, and the
    program of a year only comes near the least. What anybody did could be done."""
    best = min(others, key=lambda one: one.money.total)
    return perfect if perfect.money.total <= best.money.total else best
