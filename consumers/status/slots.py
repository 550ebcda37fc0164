"""The next slots of the plan in words, each with its reason: neighbours that say the same thing are one row. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from schemas.messages import LoadStep, Plan, Step

HOURS = 24.0
"""So far ahead."""
RESTS = 50.0
"""W: with less the planner calls it a rest, too (optimizer/whys.py)."""
FIRST = 3
"""Runs of a load that are told one by one: a compressor has two an hour."""
OF_NOW = re.compile(r"-?\d+\.\d\d (?P<currency>[A-Z]{3})/kWh now\b")
"""The price of its time in a reason: a row has several, and most rows are not now."""

WHEN = re.compile(r" at (?:[A-Z][a-z]{2} )?\d\d:\d\d\b")
"""When a reason has its moment, which is another one in each slot of a row."""
WINDOW = timedelta(hours=1)
"""The longest billing window."""

View = dict[str, Any]


def slots(plan: Plan | None, now: datetime, zone: ZoneInfo, hours: float = HOURS) -> View:
    """What is planned from now on; `fault` says why nothing is, or why it may not hold."""
    if plan is None:
        return {"id": None, "fault": "No plan has been heard.", "rows": [], "loads": []}
    end = now + timedelta(hours=hours)
    steps = [step for step in plan.steps if _end(step) > now and step.at < end]
    said = _Said(plan, now, zone)
    rows = [said.row(list(some)) for _, some in groupby(steps, key=said.same)]
    return {
        "id": plan.id,
        "fault": said.fault(steps),
        "rows": rows,
        "loads": [said.load(name, told, end) for name, told in plan.loads.items()],
    }


class _Said:
    def __init__(self, plan: Plan, now: datetime, zone: ZoneInfo) -> None:
        self.plan, self.now, self.zone = plan, now, zone

    def fault(self, steps: Sequence[Step]) -> str:
        if not steps:
            return f"The last plan was made at {self._clock(self.plan.at)}, and tells nothing of the hours to come."
        if self.plan.until <= self.now:
            return f"The plan was valid until {self._clock(self.plan.until)}: what it says may not come."
        if steps[0].at > self.now:  # as when the clock was set back
            return f"The plan begins at {self._clock(steps[0].at)}, and tells nothing of now."
        return ""

    def same(self, step: Step) -> tuple[object, ...]:
        """Steps that are alike in this are one row."""
        why = next(((one.code, one.of, one.per, _later(step)) for one in step.why), step.reason)
        return (_kind(step), why, self._forecast(step))

    def row(self, steps: Sequence[Step]) -> View:
        first, last = steps[0], steps[-1]
        return {
            "key": f"{first.at.timestamp():.0f}" if first.at > self.now else "now",
            "now": first.at <= self.now,
            "when": self._span(max(first.at, self.now), _end(last)),
            "kind": _kind(first),
            "what": self._what(steps),
            "soc": f"{last.soc:.0f} %",
            "grid": _range([one.grid / 1000 for one in steps], 0, "kW"),
            "price": _range([one.price_import for one in steps], 2),
            "forecast": self._forecast(first),
            "why": self._why(steps),
        }

    def load(self, name: str, told: Sequence[LoadStep], end: datetime) -> View:
        """When a flexible load is meant to run."""
        spans = list[tuple[datetime, datetime]]()
        for one in told:
            until = one.at + timedelta(seconds=one.seconds)
            if one.power <= 0 or until <= self.now or one.at >= end:
                continue
            if spans and spans[-1][1] == one.at:
                spans[-1] = spans[-1][0], until
            else:
                spans.append((max(one.at, self.now), until))
        words = ", ".join(self._span(begin, until) for begin, until in spans[:FIRST])
        if len(spans) > FIRST:
            hours = sum((min(until, end) - begin for begin, until in spans), timedelta()) / timedelta(hours=1)
            more = len(spans) - FIRST
            words += f" and {'once' if more == 1 else f'{more} times'} more, {hours:.1f} h in all"
        return {"load": name, "words": words or "not in these hours"}

    def _what(self, steps: Sequence[Step]) -> str:
        kind = _kind(steps[0])
        return kind if kind == "rest" else f"{kind} {_range([abs(one.power) / 1000 for one in steps], 0, 'kW')}"

    def _why(self, steps: Sequence[Step]) -> str:
        """Of the first, with the prices of all: `now` is right in the slot of now alone."""
        prices = _range([one.price_import for one in steps], 2)
        moments = {one.why[0].at for one in steps if one.why}
        reason = steps[0].reason if len(moments) < 2 else WHEN.sub("", steps[0].reason, count=1)
        return OF_NOW.sub(lambda found: f"{prices} {found['currency']}/kWh", reason)

    def _forecast(self, step: Step) -> bool:
        return self.plan.prices_until is not None and step.at >= self.plan.prices_until

    def _span(self, begin: datetime, end: datetime) -> str:
        """The day that both are on is said once."""
        return f"{self._clock(begin)} to {self._clock(end, begin)}"

    def _clock(self, at: datetime, said: datetime | None = None) -> str:
        """With its weekday on another day than that of now, or of what is `said` before it; and with its zone in an
        hour that comes twice."""
        there, here = at.astimezone(self.zone), (said or self.now).astimezone(self.zone)
        twice = there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset()
        time = f"{there:%H:%M %Z}" if twice else f"{there:%H:%M}"
        return time if there.date() == here.date() else f"{there:%a} {time}"


def _range(values: Sequence[float], digits: int, unit: str = "") -> str:
    """Such as `20 to 80 kW`; a kW that is less than one has a decimal."""
    low, high = (_number(one, digits or int(0.05 <= abs(one) < 0.95)) for one in (min(values), max(values)))
    return f"{low if low == high else f'{low} to {high}'} {unit}".strip()


def _number(value: float, digits: int) -> str:
    rounded = round(value, digits) or 0.0  # and never -0
    return f"{rounded:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _kind(step: Step) -> str:
    if abs(step.power) < RESTS:
        return "rest"
    return "discharge" if step.power > 0 else "charge"


def _later(step: Step) -> datetime | None:
    """The moment that its reason looks forward to; None where that is its own."""
    at = step.why[0].at
    return None if at is None or step.at - WINDOW < at < _end(step) else at


def _end(step: Step) -> datetime:
    return step.at + timedelta(seconds=step.seconds)
