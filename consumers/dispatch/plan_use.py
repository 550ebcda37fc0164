"""Whether the plan is followed, the last good one goes on, or the fallback holds, and since when and why. Pure."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.messages import Plan, PlanHeld, PlanUse

LATE = timedelta(minutes=3)
"""A plan comes each minute, and one takes half a minute at the most: with three missing none is made."""
WITHOUT = {
    True: "the batteries serve the site alone, and keep a reserve for the billed peak",
    False: "the batteries serve the site alone",
}
"""What the fallback does, by whether a peak is billed."""


def plan_held(
    plan: Plan | None, latest: Plan | None, now: datetime, before: PlanHeld | None, zone: ZoneInfo, *, peak: bool
) -> PlanHeld:
    """`plan` holds now, `latest` was heard last and may be over. `before`: what this gave the last time, also in the
    run before. `peak`: one is billed."""
    use = _use(plan, now)
    since = before.since if before is not None and before.use is use else now
    if use is PlanUse.FOLLOWED:  # a new one each minute is no news
        return PlanHeld(use=use, since=since)
    known = plan or latest
    made = known.at if known is not None else None if before is None else before.made
    return PlanHeld(use=use, since=since, made=made, why=_why(use, made, zone, peak=peak))


def _use(plan: Plan | None, now: datetime) -> PlanUse:
    if plan is None:
        return PlanUse.FALLBACK
    return PlanUse.LAST if now - plan.at > LATE else PlanUse.FOLLOWED


def _why(use: PlanUse, made: datetime | None, zone: ZoneInfo, *, peak: bool) -> str:
    told = "" if made is None else f"{made.astimezone(zone):%d %b %H:%M}"
    match use:
        case PlanUse.FOLLOWED:
            return ""
        case PlanUse.LAST:
            return f"none has come after the plan of {told}"
        case PlanUse.FALLBACK:
            gone = f"the plan of {told} is no longer valid, and none has come after it" if told else "no plan was heard"
            return f"{gone}: {WITHOUT[peak]}"
