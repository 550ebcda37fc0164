"""The functions of the language: what they are given, and what a person reads of them."""

from typing import NamedTuple


class Function(NamedTuple):
    form: str
    """How it is written."""
    least: int
    most: int
    """Arguments it takes."""
    words: str


MANY = 50
FUNCTIONS: dict[str, Function] = {
    "abs": Function("abs(x)", 1, 1, "the amount of a number, without its sign"),
    "min": Function("min(x, y, ...)", 2, MANY, "the least of numbers"),
    "max": Function("max(x, y, ...)", 2, MANY, "the greatest of numbers"),
    "deviation": Function("deviation(x, y)", 2, 2, "how far two numbers are apart; of temperatures in K"),
    "rate": Function(
        "rate(x, span)",
        2,
        2,
        "how fast a number rose over the span, per second; falling is negative; as far as its last two readings agree, "
        "and beyond where it was in the span before: a spike, or a sensor that said 0 for a while, is no rise",
    ),
    "stuck": Function("stuck(x, span)", 2, 2, "whether a number or a state has not moved for the span"),
    "count": Function(
        "count(condition, span)",
        2,
        2,
        "how often a condition came true within the span; of `outcome` and `action` how many messages fit it, also one "
        "after the other; one that is said again of the same command is none",
    ),
    "given": Function(
        "given(x, condition)",
        2,
        2,
        "a number where the condition holds; elsewhere it is unknown: nothing comes or goes",
    ),
    "no_data": Function("no_data(polls)", 1, 1, "whether the device said nothing for so many of its polls"),
    "silent": Function("silent(span)", 1, 1, "the same in seconds"),
    "has": Function(
        "has(flags, 'name')", 1, 2, "whether a list of flags holds a name; without one, whether it holds any"
    ),
    "spread": Function("spread(kind.x)", 1, MANY, "the highest less the lowest over all devices of the kind"),
    "highest": Function("highest(kind.x)", 1, MANY, "the highest over all devices of the kind"),
    "lowest": Function("lowest(kind.x)", 1, MANY, "the lowest over all devices of the kind"),
    "sum": Function("sum(kind.x)", 1, MANY, "the sum over all devices of the kind"),
    "projected": Function(
        "projected(x, window)",
        2,
        2,
        "the mean that the running window of the clock (5, 10, 15, 20, 30 or 60 min) will have: its mean so far for "
        "the part that is over, the present value for the rest (of the last two readings the one nearer to that "
        "mean); unknown until 60 s of it, and nine tenths of what is over, were seen; of `max(p, 0 W)` of the meter "
        "that is billed as optimize has seen it, where that is enough and what was seen here is not (after a restart)",
    ),
}
OVER_KINDS = ("spread", "highest", "lowest", "sum")
LONGEST_SPAN = 86400.0
"""Seconds a function may look back."""
WINDOWS = (300.0, 600.0, 900.0, 1200.0, 1800.0, 3600.0)
"""Seconds of the windows of the clock that are followed."""
