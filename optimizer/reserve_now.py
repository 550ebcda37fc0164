"""What is kept in the batteries now, whatever became of the plan: for a backup and for what is promised. Pure.

A plan keeps it by itself, for the load that was forecast. This holds it where that is wrong, and where no plan is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.storage import Storage
from optimizer.tariff import holds
from schemas.messages import Step
from schemas.site_reserves import Planning, Reserve

EDGE = 1.0
"""% of SoC below what is kept, over which the power fades: a plan may go there, and nothing chatters."""
READY = timedelta(minutes=15)
"""Before it is offered the energy is there."""

Bound = tuple[float, float, str]
"""Lowest and highest power in W, and whose it is."""


@dataclass(frozen=True)
class Keeps:
    """All reserves together: they add up."""

    up: float = 0.0
    """W to give more."""
    down: float = 0.0
    """W to take more."""
    below: float = 0.0
    """Wh that can be given, at the meter."""
    above: float = 0.0
    """Wh that can be taken, at the meter."""


NOTHING = Keeps()


def offered(one: Reserve, at: datetime, zone: ZoneInfo) -> bool:
    """Whether it is to be there at an instant."""
    local = at.astimezone(UTC).astimezone(zone)
    if (one.first and local.date() < one.first) or (one.last and local.date() > one.last):
        return False
    return not one.hours or any(holds(one, hours, local) for hours in one.hours)


def keeps(  # noqa: PLR0917  # what is kept, and for which batteries: they read well in a row
    planning: Planning, reserves: Sequence[Reserve], steps: Sequence[Step], rated: float, now: datetime, zone: ZoneInfo
) -> Keeps:
    """Now. `steps` of the last plan, also of one that is over: its forecast of the load is the best there is. Where it
    says nothing of the load, that is as much as the PCS can carry, `rated` W."""
    on = [one for one in reserves if offered(one, now, zone)]
    ready = [one for one in reserves if one in on or offered(one, now + READY, zone)]
    return Keeps(
        sum(one.up for one in on),
        sum(one.down for one in on),
        _backup(planning.backup_minutes * 60, steps, rated, now) + sum(one.up * one.minutes / 60 for one in ready),
        sum(one.down * one.minutes / 60 for one in ready),
    )


def _backup(seconds: float, steps: Sequence[Step], rated: float, now: datetime) -> float:
    """Wh of the load of the next seconds, as far as the PCS can carry it."""
    energy = left = seconds * rated / 3600
    for step in steps if left else ():
        begin = max(0.0, (step.at - now).total_seconds())
        end = min(seconds, (step.at - now).total_seconds() + step.seconds)
        energy -= max(0.0, rated - step.load) * max(0.0, end - begin) / 3600
    return energy


def bounds(kept: Keeps, soc: float, battery: Storage, rated: float) -> list[Bound]:
    """What they leave. Limits of the grid connection come after these, and win."""
    if kept == NOTHING:
        return []
    low = battery.soc_min + 100 * kept.below / battery.efficiency / battery.energy
    high = battery.soc_max - 100 * kept.above * battery.efficiency / battery.energy
    low, high = min(low, battery.soc_max), max(high, battery.soc_min)
    give = (rated - kept.up) * _share(soc - low) if kept.below else rated
    take = (rated - kept.down) * _share(high - soc) if kept.above else rated
    return [(-max(take, 0.0), max(give, 0.0), "what is kept in reserve")]


def _share(left: float) -> float:
    """Of the power, where so many % of SoC are left until the edge."""
    return min(1.0, max(0.0, 1.0 + left / EDGE))
