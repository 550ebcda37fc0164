"""What each figure should be, and what it is called. Pure.

The numbers are those of ISA-18.2 (IEC 62682), the table of performance metrics; EEMUA 191 has the same for rates and
priorities. They hold for one operator position.
"""

from dataclasses import dataclass

from schemas.alarm_figures import AlarmFigure, Verdict

ISA, BOTH, OURS = "ISA-18.2", "ISA-18.2, EEMUA 191", "joulebus"


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


TARGETS = {
    "per_day": Target("alarms a day", "1/d", "at most 300, better 150", 300, BOTH),
    "per_hour": Target("alarms an hour", "1/h", "at most 12, better 6", 12, BOTH),
    "per_10_min": Target("alarms in 10 min", "1/10 min", "at most 2, better 1", 2, BOTH),
    "most_in_10_min": Target("most in 10 min", "", "at most 10", 10, BOTH),
    "slots_above_10": Target("10 min with more than 10", "%", "below 1 %", 1, ISA, below=True),
    "hours_above_30": Target("hours with more than 30", "%", "below 1 %", 1, ISA, below=True),
    "time_in_flood": Target("time in flood", "%", "below 1 %", 1, ISA, below=True),
    "chattering": Target("alarms that chatter", "", "none", 0),
    "fleeting": Target("alarms that are fleeting", "", "none", 0),
    "stale": Target("alarms that are stale", "", "fewer than 5", 5, ISA, below=True),
    "top_10_share": Target("share of the 10 most frequent", "%", "at most 5 %, better 1 %", 5),
    "priority_low_medium": Target("low and medium", "%", "about 80 %", 20, BOTH),
    "priority_high": Target("high", "%", "about 15 %", 15, BOTH),
    "priority_critical": Target("critical", "%", "about 5 %", 5, BOTH),
    "ack_median": Target("time to acknowledge, half of them", "s", "within their time to respond", 1, OURS),
    "ack_p90": Target("time to acknowledge, 9 of 10", "s", "within their time to respond", 1, OURS),
    "ack_never": Target("never acknowledged", "", "none", 0, OURS),
    "shelved_longest": Target("longest shelved", "h", "at most 24 h", 24, OURS),
    "out_without_why": Target("out of service without a reason", "", "none", 0),
}
"""By the name of the figure; `most` of the acknowledgements is in parts of the time to respond."""

ABOUT = 1.5
"""A share that is called `about` is beyond when it is more than one and a half times of it."""
FEW = 20
"""Alarms below which one more is 5 %: shares of priorities are then not judged."""
FEW_NAMES = 200
"""Below so many the ten most frequent have 5 % however well they are spread."""


def figure(name: str, value: float | None, *, measure: float | None = None, known: bool = True) -> AlarmFigure:
    """`measure` is what is judged, where that is not the value. Not `known`: too little to judge by."""
    target = TARGETS[name]
    judged = value if measure is None else measure
    verdict = Verdict.UNKNOWN
    if judged is not None and known:
        beyond = judged >= target.most if target.below else judged > target.most
        verdict = Verdict.BEYOND if beyond else Verdict.OK
    rounded = None if value is None else round(value, 3)
    return AlarmFigure(
        name=name, value=rounded, unit=target.unit, target=target.target, verdict=verdict, source=target.source
    )


def about(name: str, value: float | None, *, known: bool) -> AlarmFigure:
    """A share that should be about its target: more of low and medium is no harm, more of the others is."""
    most = TARGETS[name].most
    other = None if value is None else (100 - value if name == "priority_low_medium" else value)
    measure = None if other is None else (most if other <= most * ABOUT else other)
    found = figure(name, value, measure=measure, known=known)
    return found if value is not None else found.model_copy(update={"verdict": Verdict.UNKNOWN})
