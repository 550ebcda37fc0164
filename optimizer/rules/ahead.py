"""What the rules will wish in the steps of a plan, by the kind of what they look at. Pure.

A measured value is not foreseen: a rule that looks at one and holds now is taken to hold until its own end, or for a
while, in steps in which whatever else it looks at is so. Targets are foreseen and no plan is bound by them: the next
one, a minute later, begins with the SoC they have left.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.rules.conditions import is_so, value_of
from optimizer.rules.facts import QUARTER, Facts, Now, Quarters, quarter_of
from optimizer.rules.judge import Memory, Proposal, State, judge
from optimizer.rules.wishes import Wishes, combine, least_soc
from optimizer.storage import Storage
from schemas.holidays import Holidays
from schemas.messages import Authority, Direction, HeldLimit, Mode
from schemas.site_rules import Condition, SiteRule

Vector = NDArray[np.float64]
PAST = timedelta(days=1)
"""So long before the first step the rules are followed: what began there may last into it."""
DIRECTIONS: dict[str, Direction] = {"import_limit": "consumption", "export_limit": "feed_in"}


LASTS = timedelta(minutes=30)
"""So long a rule without an end of its own is taken to hold on that looks at a measured value: two steps. Longer is a
guess, and the next plan sees what is so then."""


class Kind(StrEnum):
    """How a condition is foreseen."""

    AHEAD = "ahead"  # known for each step: the clock, the calendar, prices, the forecast of the PV
    AUTO = "auto"  # a mode: a plan is followed in auto, so that is the mode of all its steps
    NOW = "now"  # measured: known for now only


def kind(one: Condition) -> Kind:
    """Of a condition."""
    if one.timetable or one.quantity == "pv_today":
        return Kind.AHEAD
    return Kind.AUTO if one.mode is not None else Kind.NOW


def foreseeable(rule: SiteRule) -> bool:
    """Whether all it looks at is known ahead."""
    return all(kind(one) is not Kind.NOW for one in rule.when)


@dataclass(frozen=True)
class Foreseen:
    """By step of a plan."""

    starts: Sequence[datetime]
    wishes: Sequence[Wishes]

    def held(self) -> list[list[HeldLimit]]:
        """The limits of the grid connection, to stand beside those that are held anyway."""
        return [[*_held(wishes, at)] for at, wishes in zip(self.starts, self.wishes, strict=True)]

    def soc_min(self, battery: Storage) -> Vector:
        """% of SoC that are to be kept at least in each step, the battery's own included."""
        keys = ("soc_min", "reserve")
        kept = [[least_soc(one.limits[key], battery) for key in keys if key in one.limits] for one in self.wishes]
        return np.array([max(battery.soc_min, *each) if each else battery.soc_min for each in kept])

    def soc_max(self, battery: Storage) -> Vector:
        """% of SoC that are to be kept at most."""
        return np.array([min(battery.soc_max, one.limit("soc_max")) for one in self.wishes])

    def charge(self, rated: float) -> Vector:
        """W that may be charged."""
        return np.array([min(rated, one.limit("charge_limit")) for one in self.wishes])

    def discharge(self, rated: float) -> Vector:
        """W that may be discharged."""
        return np.array([min(rated, one.limit("discharge_limit")) for one in self.wishes])

    def power(self, net: Vector) -> Vector:
        """W of the battery that a target asks for; nan in steps without one. `net`: W of load less PV."""
        found = [(one.target.key, one.target.value) if one.target else ("", np.nan) for one in self.wishes]
        return np.array([net[n] - value if key == "grid_target" else value for n, (key, value) in enumerate(found)])


def foreseen(
    rules: Sequence[SiteRule],
    starts: Sequence[datetime],
    quarters: Quarters,
    zone: ZoneInfo,
    holidays: Holidays = Holidays(),  # noqa: B008  # it is never changed
    *,
    holding: Mapping[str, datetime | None] | None = None,
) -> Foreseen:
    """What will be wished at the begin of each step. `quarters`: prices and PV, also of the local day so far: of a day
    of which a price is missing, nobody knows the cheapest hours, and then nothing is foreseen. `holding`: the rules
    that dispatch says hold now, by name, each with an end of its own where it has one."""
    mine, memory, found = [one for one in rules if foreseeable(one)], dict[str, Memory](), list[Wishes]()
    before, at = list[datetime](), quarter_of(starts[0]) - PAST
    while at < starts[0]:
        before.append(at)
        at += QUARTER
    facts = Facts(zone, quarters=quarters, holidays=holidays, mode=Mode.AUTO)
    measured = [one for one in rules if one not in mine]
    for number, moment in enumerate([*before, *starts]):
        judged = judge(mine, facts, Now(moment.timestamp(), moment), memory)
        memory = dict(judged.memory)
        if number >= len(before):
            ahead = [one for one in judged.proposals if _now(one)]
            found.append(combine([*ahead, *_going_on(measured, holding or {}, facts, moment, starts[0])]))
    return Foreseen(starts, found)


def _going_on(
    rules: Sequence[SiteRule], holding: Mapping[str, datetime | None], facts: Facts, at: datetime, begin: datetime
) -> Iterator[Proposal]:
    """Of the rules that look at a measured value those that hold now, as long as they are taken to."""
    for rule in rules:
        if rule.name not in holding:
            continue
        own, moment = holding[rule.name], Now(at.timestamp(), at)
        known = [one for one in rule.when if kind(one) is not Kind.NOW]
        so = own is not None or all(is_so(one, value_of(one, facts, moment), holds=True) for one in known)
        ends = own or begin + LASTS
        if so and at < ends:
            until = f"until {ends.astimezone(facts.zone):%H:%M}"
            yield Proposal(rule, State.HOLDING, f"rule `{rule.name}` holds now, and is taken to hold {until}", until)


def _now(one: Proposal) -> bool:
    """Its delay at the end is shorter than a step."""
    return one.state in (State.HOLDING, State.LASTING)


def _held(wishes: Wishes, at: datetime) -> list[HeldLimit]:
    return [
        HeldLimit(
            direction=direction, scope="connection_point", power=wishes.limits[key].value, authority=Authority.PLAN,
            source=f"rule:{wishes.limits[key].rule}", since=at, cause="asked", reason=wishes.limits[key].words,
        )
        for key, direction in DIRECTIONS.items() if wishes.limit(key) < inf
    ]  # fmt: skip
