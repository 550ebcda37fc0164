"""How much may be fed in now and why, and what the batteries take of it. Pure."""

from collections.abc import Iterable
from math import inf

from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.pv_desk import Batteries, FeedIn
from schemas.messages import ControlLimits, Mode, Step


def feed_in(limits: ControlLimits, step: Step | None) -> FeedIn:
    """The narrowest of what holds. `step` of the plan that holds now: where it pays less than nothing, nothing is."""
    most = inf if limits.pv_limit is None else limits.pv_limit
    if step is not None and step.price_export < 0:
        return FeedIn(0.0, f"feed-in costs {-step.price_export:.3f} per kWh", most)
    held = [one for one in limits.held if one.direction == "feed_in"]
    by = min(held, key=lambda one: (one.power, one.authority.rank), default=None)
    if by is None or min(most, by.power) > limits.export_limit:
        return FeedIn(limits.export_limit, "the export limit", most)
    return FeedIn(limits.export_limit, f"limited by {by.source} as {by.authority}", most)


def stores(
    batteries: Iterable[BatteryDesk], shared: frozenset[str], mode: Mode, ahead: float, mono: float
) -> Batteries:
    """What they take now, and could take: only those that take part are counted on, and only where nobody gives
    them a power by hand. `ahead`: W that a billed peak leaves them to draw before."""
    takes = room = 0.0
    for one in batteries:
        power = -(one.seen.power or 0.0)
        takes += power
        free = mode is Mode.AUTO and one.pcs in shared
        room += max(0.0, -one.room(mono).low) if free else power
    return Batteries(takes, room, ahead)
