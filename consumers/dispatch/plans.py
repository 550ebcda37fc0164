"""Which of the plans that were heard holds now. One from the future waits for its time and blocks no other. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.demand import MONTHLY, Charged, same_period
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


def peak(  # noqa: PLR0917  # what is known, and when: they read well in a row
    plan: Plan | None, last: float | None, billed: float, now: datetime, zone: ZoneInfo, how: Charged = MONTHLY
) -> float | None:
    """W that no billing window should pass, from the last one. Without a plan of this month or year the last one goes
    on, also into a new one: it is the best guess of what this site needs."""
    if plan is not None and plan.peak is not None and same_period(plan.at, now, zone, how):
        return max(plan.peak, billed)
    return billed if billed > (last or 0.0) else last
