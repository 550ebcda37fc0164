"""What each figure should be, from how much time it is judged, and what it is called. Pure.

The numbers are those of ISA-18.2-2016 (IEC 62682), its table of performance metrics; docs/alarm-figures.md names the
public sources. They hold for one operator position.
"""

from dataclasses import dataclass
from datetime import timedelta

from runtime.alarm_words import lasting
from schemas.alarm_figures import AlarmFigure, Verdict

ISA, BOTH, OURS = "ISA-18.2", "ISA-18.2, EEMUA 191", "joulebus"
HOUR, SHIFT, DAY = timedelta(hours=1), timedelta(hours=6), timedelta(hours=20)
"""An hour; a shift of 8 h and a day of 24 h, each with as much of it unseen as two restarts and an update take."""


@dataclass(frozen=True, slots=True)
class Target:
    """At most `most`, in `unit`; or below it."""

    says: str
    """What the figure is, in words for people."""
    unit: str
    target: str
    most: float
    source: str = ISA
    below: bool = False
    """`most` itself is too much."""
    needs: timedelta = SHIFT
    """So much time must be seen before it is called ok, and before anything is divided by it."""
    adds_up: bool = False
    """It only grows with time: what is beyond already is called so at once."""


TARGETS = {
    "per_day": Target("alarms a day", "1/d", "at most 288, better 144", 288, BOTH, needs=DAY),
    "per_hour": Target("alarms an hour", "1/h", "at most 12, better 6", 12, BOTH),
    "per_10_min": Target("alarms in 10 min", "1/10 min", "at most 2, better 1", 2, BOTH, needs=HOUR),
    "most_in_10_min": Target("most in 10 min", "", "at most 10", 10, BOTH, adds_up=True),
    "slots_above_10": Target("10 min with more than 10", "%", "below 1 %", 1, ISA, below=True),
    "hours_above_30": Target("hours with more than 30", "%", "below 1 %", 1, ISA, below=True, needs=DAY),
    "time_in_flood": Target("time in flood", "%", "below 1 %", 1, ISA, below=True),
    "chattering": Target("alarms that chatter", "", "none", 0, adds_up=True),
    "fleeting": Target("alarms that are fleeting", "", "none", 0, adds_up=True),
    "stale": Target("stale alarms on the worst day", "", "fewer than 5", 5, ISA, below=True, adds_up=True),
    "top_10_share": Target("share of the 10 most frequent", "%", "at most 5 %, better 1 %", 5),
    "priority_low": Target("of priority low", "%", "about 80 %", 20, BOTH),
    "priority_medium": Target("of priority medium", "%", "about 15 %", 15, BOTH),
    "priority_high": Target("of priority high", "%", "about 5 %", 5, BOTH),
    "priority_critical": Target("of priority critical", "%", "below 1 %", 1, ISA, below=True),
    "ack_median": Target("time to acknowledge, half of them", "s", "within their time to respond", 1, OURS),
    "ack_p90": Target("time to acknowledge, 9 of 10", "s", "within their time to respond", 1, OURS),
    "ack_never": Target("never acknowledged", "", "none", 0, OURS, adds_up=True),
    "shelved_longest": Target("longest shelved", "h", "at most 24 h", 24, OURS, adds_up=True),
    "out_without_why": Target("out of service without a reason", "", "none", 0, OURS, adds_up=True),
}
"""By the name of the figure; `most` of the acknowledgements is in parts of the time to respond."""

ABOUT = 1.5
"""A share that is called `about` is beyond when it is more than one and a half times of it."""
FEW = 100
"""Alarms below which one more is more than 1 %: shares of priorities are then not judged."""
FEW_NAMES = 200
"""Below so many the ten most frequent have 5 % however well they are spread."""
FEW_ANSWERS = 10
"""Below so many acknowledgements nine of ten are none."""


def figure(name: str, value: float | None, seen: float, *, measure: float | None = None, few: str = "") -> AlarmFigure:
    """`seen`: seconds of its span. `measure` is what is judged, where that is not the value. `few`: why there is too
    little to judge by."""
    target = TARGETS[name]
    judged = value if measure is None else measure
    verdict, why = Verdict.UNKNOWN, few
    if not seen:
        why = "nothing was seen"
    elif not few:
        beyond = judged is not None and (judged >= target.most if target.below else judged > target.most)
        if judged is not None and seen >= target.needs.total_seconds():
            verdict = Verdict.BEYOND if beyond else Verdict.OK
        elif beyond and target.adds_up:
            verdict = Verdict.BEYOND
        else:
            why = f"{lasting(seen)} of {lasting(target.needs.total_seconds())} seen"
    return AlarmFigure(
        name=name,
        value=None if value is None else round(value, 3),
        unit=target.unit,
        target=target.target,
        verdict=verdict,
        why=why,
        source=target.source,
    )


def per(name: str, amount: float, seen: float) -> AlarmFigure:
    """A figure that is `amount` by the second, times its unit: nothing is divided by a time that is too short."""
    return figure(name, amount / seen if seen >= TARGETS[name].needs.total_seconds() else None, seen)


def about(name: str, value: float | None, seen: float, *, few: str) -> AlarmFigure:
    """A share that should be about its target: more of low is no harm, more of the others is."""
    most = TARGETS[name].most
    other = None if value is None else (100 - value if name == "priority_low" else value)
    measure = None if other is None else (most if other <= most * ABOUT else other)
    return figure(name, value, seen, measure=measure, few=few)
