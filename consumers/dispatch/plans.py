"""Which of the plans that were heard holds now. One from the future waits for its time and blocks no other. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.tariff import month
from schemas.messages import Plan

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


def same_month(one: datetime, other: datetime, zone: ZoneInfo) -> bool:
    """Whether both lie in one local calendar month."""
    near = abs(one - other) < timedelta(days=31)  # far ones may lie beyond the calendar of a time zone
    return near and month(one, zone) == month(other, zone)


def peak(plan: Plan | None, last: float | None, billed: float, now: datetime, zone: ZoneInfo) -> float | None:
    """W that no billing window should pass, from the last one. Without a plan of this month the last one goes on, also
    into a new month: it is the best guess of what this site needs."""
    if plan is not None and plan.peak is not None and same_month(plan.at, now, zone):
        return max(plan.peak, billed)
    return billed if billed > (last or 0.0) else last
