"""A backtest from its wish to its outcomes. The one call of the command and of the benchmark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from joulebus.backtest.foresight import best
from joulebus.backtest.prepare import Prepared
from joulebus.backtest.result import Outcome, outcome
from joulebus.backtest.walk import as_it_ran, follow, idle, walk

Told = Callable[[str, int], None]
"""Called with a strategy and the number of a quarter that is over."""


@dataclass(frozen=True)
class Backtest:
    """What came out."""

    none: Outcome
    perfect: Outcome
    played: list[Outcome]
    gap: float = 0.0
    """Money: nobody could have paid less than `perfect` less this."""
    exact: bool = True
    """The gap is none."""
    ran: Outcome | None = None
    """What the battery did, billed as the strategies are; None where the file does not tell it."""


def play(ready: Prepared, strategies: Sequence[str], told: Told = lambda _strategy, _quarter: None) -> Backtest:
    """Every strategy through the span, beside no battery and perfect foresight. Raises Trouble."""
    span = ready.span
    none = outcome(span, idle(len(span.played)))
    found = best(span.terms, span.played, span.before)
    perfect = outcome(span, follow(span, found.power, "perfect-foresight", "knows everything"))
    played = [outcome(span, walk(span, one, lambda quarter, name=one: told(name, quarter))) for one in strategies]  # type: ignore[misc]  # mypy does not know defaults of a lambda
    trace = as_it_ran(span)
    ran = None if trace is None else outcome(span, trace)
    least = _least(perfect, [none, *played, *([ran] if ran else [])])
    gap = found.gap - (perfect.money.total - least.money.total)
    return Backtest(none, least, played, max(0.0, gap), found.exact, ran)


def _least(perfect: Outcome, others: Sequence[Outcome]) -> Outcome:
    """What anybody did could be done: where the whole numbers of a year were not all found in time, a strategy may have
    been cheaper."""
    return min([perfect, *others], key=lambda one: one.money.total)
