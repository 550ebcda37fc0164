"""What the rules will wish in the steps of a plan, as far as it can be foreseen: by the clock, the calendar, prices and
the forecast of the PV. What is measured is not foreseen: of a rule that looks at it, nothing is. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.rules.facts import QUARTER, Facts, Now, Quarters, quarter_of
from optimizer.rules.judge import Memory, Proposal, State, judge
from optimizer.rules.wishes import Wishes, combine, least_soc
from optimizer.storage import Storage
from schemas.holidays import Holidays
from schemas.messages import Authority, Direction, HeldLimit
from schemas.site_rules import SiteRule

Vector = NDArray[np.float64]
PAST = timedelta(days=1)
"""So long before the first step the rules are followed: what began there may last into it."""
DIRECTIONS: dict[str, Direction] = {"import_limit": "consumption", "export_limit": "feed_in"}


def foreseeable(rule: SiteRule) -> bool:
    """Whether all it looks at is known ahead."""
    return all(one.timetable or one.quantity == "pv_today" for one in rule.when)


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
) -> Foreseen:
    """What will be wished at the begin of each step. `quarters`: prices and PV, also of the local day so far: of a day
    of which a price is missing, nobody knows the cheapest hours, and then nothing is foreseen."""
    mine, memory, found = [one for one in rules if foreseeable(one)], dict[str, Memory](), list[Wishes]()
    before, at = list[datetime](), quarter_of(starts[0]) - PAST
    while at < starts[0]:
        before.append(at)
        at += QUARTER
    facts = Facts(zone, quarters=quarters, holidays=holidays)
    for number, moment in enumerate([*before, *starts]):
        judged = judge(mine, facts, Now(moment.timestamp(), moment), memory)
        memory = dict(judged.memory)
        if number >= len(before):
            found.append(combine(one for one in judged.proposals if _now(one)))
    return Foreseen(starts, found)


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
