"""What one load does now: the plan, and what goes before it. Pure.

In this order: it is left alone in hours in which it may not be touched; its minimum times and starts; its comfort band,
or its fallback while that is not read;
its deadline; a limit that would be passed without shedding it; the plan; and without a plan its fallback.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from optimizer.loads.load import Load, LoadNow, must_stay, pace, to_go
from schemas.labels import unit_of
from schemas.spans import about

INSIDE = 0.05
"""Of the band: so far inside it must be again before the plan goes on, so that nothing chatters at its edge."""
SPARE = 60.0
"""Seconds before the last moment at which a deadline can still be met."""
AGAIN = 900.0
"""The same once it runs for its deadline: one that draws more than its rating gains time, and must not chatter."""
EMPTY = 1.0
"""Wh: less is not worth a start."""


class Why(StrEnum):
    """What decides."""

    ALONE = "alone"
    TIMES = "times"
    COMFORT = "comfort"
    UNKNOWN = "unknown"
    DEADLINE = "deadline"
    DONE = "done"
    SHED = "shed"
    PLAN = "plan"
    FALLBACK = "fallback"


YIELDS = (Why.PLAN, Why.FALLBACK)
"""What gives way to a limit of the site."""


@dataclass(frozen=True)
class Choice:
    """The answer."""

    share: float | None
    """Of its rating; None: it is told nothing."""
    why: Why
    words: str

    @property
    def on(self) -> bool:
        return bool(self.share)


def choose(load: Load, now: LoadNow, at: datetime, planned: float | None, before: Why | None = None) -> Choice:
    """`planned`: W of the plan's schedule, None without one. `before`: what decided the last time. Whether it is shed
    is asked afterwards, see `shed`."""
    if not load.free(at):
        return Choice(None, Why.ALONE, "it may not be touched in these hours")
    wish = _wish(load, now, at, planned, before)
    wait = must_stay(load, now)
    if wait > 0 and wish.on is not now.on:
        least = load.shares[0] if now.on else 0.0
        which = "on" if now.on else "off"
        return Choice(
            least, Why.TIMES, f"stays {which} for another {about(wait)}: its minimum times; then {wish.words}"
        )
    if wish.on and not now.on and not load.lasts(at):
        return Choice(0.0, Why.TIMES, "waits: its hours end before its minimum time on would")
    return wish


def shed(load: Load, now: LoadNow, choice: Choice, why: str, *, hard: bool = False) -> Choice:
    """The choice of a load that gives way to a limit: off, or where its minimum time holds it on, at its least. A
    `hard` limit goes before the minimum time."""
    wait = must_stay(load, now) if now.on else 0.0
    if wait > 0 and hard:
        return Choice(0.0, Why.SHED, f"off, {about(wait)} before its minimum time is over: {why}")
    if wait > 0:
        return Choice(load.shares[0], Why.SHED, f"at its least: {why}")
    return Choice(0.0, Why.SHED, f"{'off' if now.on else 'waits'}: {why}") if choice.on else choice


def _wish(load: Load, now: LoadNow, at: datetime, planned: float | None, before: Why | None) -> Choice:
    return _comfort(load, now, before) or _deadline(load, now, at, planned, before) or _planned(load, planned)


def _comfort(load: Load, now: LoadNow, before: Why | None) -> Choice | None:
    band = load.rule.comfort
    if band is None:
        return None
    if now.value is None:
        safe = load.rule.fallback
        return Choice(float(safe == "on"), Why.UNKNOWN, f"{safe}: its {band.point} is not read, this is its fallback")
    slack = INSIDE * (band.high - band.low) if before is Why.COMFORT else 0.0
    low, high = now.value < band.low + slack, now.value > band.high - slack
    if not (low or high):
        return None
    runs = low is band.raises
    unit = unit_of(str(band.point).rpartition(".")[2])
    of_it = f" {unit}" if unit else ""
    words = f"{band.point} is {now.value:.1f}{of_it}, {band.low:g} to {band.high:g}{of_it} is its band"
    return Choice(float(runs), Why.COMFORT, f"{'on' if runs else 'off'}: {words}")


def _deadline(load: Load, now: LoadNow, at: datetime, planned: float | None, before: Why | None) -> Choice | None:
    if load.rule.energy is None:
        return None
    left, end = to_go(load, now), load.deadline(at)
    if left < EMPTY:
        return Choice(0.0, Why.DONE, f"off: it has taken its {load.rule.energy / 1000:g} kWh")
    if end is None or (planned is not None and planned >= (load.rated if load.dims else EMPTY)):
        return None
    needed = 3600 * left / pace(load, now) + (AGAIN if before is Why.DEADLINE else SPARE)
    if load.within(at, end, needed) > needed:
        return None
    until = f"{end.astimezone(load.zone):%H:%M}"
    return Choice(1.0, Why.DEADLINE, f"on: {left / 1000:.1f} kWh are missing until {until}")


def _planned(load: Load, planned: float | None) -> Choice:
    if planned is None:
        safe = load.rule.fallback
        return Choice(float(safe == "on"), Why.FALLBACK, f"{safe}: no plan for it, this is its fallback")
    share = min(1.0, planned / load.rated)
    share = (max(share, load.shares[0]) if share > 0 else 0.0) if load.dims else float(share > 0)
    return Choice(share, Why.PLAN, f"{f'{share * load.rated / 1000:.1f} kW' if share else 'off'}: as it is planned")
