"""Which of the plans that were heard holds now. One from the future waits for its time and blocks no other. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.demand import MONTHLY, Charged, charged, counts, same_period
from optimizer.tariff import window
from schemas.messages import Plan
from schemas.tariff import Demand

SKEW = timedelta(seconds=5)
"""A plan may come from so far ahead: two clocks are never the same."""


@dataclass
class Plans:
    """At most two."""

    latest: Plan | None = None
    ahead: Plan | None = None
    """From the future when it was heard: either its clock is wrong or ours."""

    def hear(self, plan: Plan | None, now: datetime) -> None:
        """The next one; None: it was taken back, and so is every other."""
        if plan is None:
            self.latest = self.ahead = None
        elif plan.at - now > SKEW:
            self.ahead = plan
        elif not _holds(self.latest, now) or self.latest is None or plan.at >= self.latest.at:
            self.latest = plan

    def at(self, now: datetime) -> Plan | None:
        """The newest that is valid. Judged anew each time: a clock that is set back makes a plan one of the future."""
        valid = [plan for plan in (self.latest, self.ahead) if plan is not None and _holds(plan, now)]
        return max(valid, key=lambda plan: plan.at, default=None)


def _holds(plan: Plan | None, now: datetime) -> bool:
    return plan is not None and plan.at - now <= SKEW and now < plan.until


def peak(  # noqa: PLR0917  # what is known, and when: they read well in a row
    plan: Plan | None, last: float | None, billed: float, now: datetime, zone: ZoneInfo, how: Charged = MONTHLY
) -> float | None:
    """W that no billing window should pass, from the last one. Without a plan of this month or year the last one goes
    on, also into a new one: it is the best guess of what this site needs."""
    if plan is not None and plan.peak is not None and same_period(plan.at, now, zone, how):
        return max(plan.peak, billed)
    return billed if billed > (last or 0.0) else last


def planned(  # noqa: PLR0917  # what is known, and when: they read well in a row
    plan: Plan | None, one: Demand, last: float | None, billed: float, now: datetime, zone: ZoneInfo
) -> float | None:
    """The same of a demand beside the first."""
    if plan is not None and one.name in plan.peaks and same_period(plan.at, now, zone, charged(one)):
        return max(plan.peaks[one.name], billed)
    return billed if billed > (last or 0.0) else last


Peaks = Iterable[tuple[Demand, float | None]]
"""W of each demand, as it was planned or billed."""


def held(each: Peaks, most: float) -> dict[str, float]:
    """W that no window of a demand should pass, by its name; none where no peak is known. `most`: W of the grid."""
    return {one.name: _held(one, peak, most) for one, peak in each if peak is not None or one.contract}


def binding(each: Peaks, now: datetime, zone: ZoneInfo, most: float) -> float | None:
    """The lowest of those whose window counts now; None where no peak is known."""
    counting = [(one, peak) for one, peak in each if counts(one, window(now, zone, one.minutes)[0], zone)]
    return min(held(counting, most).values(), default=None)


def _held(one: Demand, peak: float | None, most: float) -> float:
    """W: below the floor nothing is saved, nor below a contract where only it is paid."""
    contracted = 1000 * one.contract.power if one.contract else most
    free = max(1000 * one.floor, 0.0 if one.rate else contracted)
    held = min(max(contracted if peak is None else peak, free), most)
    return min(held, contracted) if one.contract and one.contract.limit else held
