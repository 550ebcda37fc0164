"""What the bridge holds a battery back from, and when it is free again. Pure: the clock is an argument.

Only the bridge knows when an interlock ends. So a battery that is held back is asked each time for a little more than
what passes: nothing is missing meanwhile, as the others give the rest, and it gets its share when that little passes.
"""

from dataclasses import dataclass, replace

from consumers.dispatch.lasting_limits import lasting, order
from optimizer.split import Room
from schemas.messages import Outcome, OutcomeState

LASTS = 30.0
"""Seconds a word of the bridge counts: a battery that nothing is asked of is not asked for a little either."""
PROBE = 0.02
"""Of the rated power: what is asked beyond what passes. It is given twice for one cycle when it passes again."""
LEAST = 1.0
"""W that prove it."""
TELLS = (OutcomeState.APPLIED, OutcomeState.VERIFIED, OutcomeState.LIMITED)


@dataclass(frozen=True)
class HeldBack:
    """W that were wanted and that passed, and the monotonic time at which the bridge said so."""

    wanted: float
    allowed: float
    at: float
    source: str
    """Of the limit."""

    def holds(self, mono: float) -> bool:
        return mono - self.at <= LASTS

    def narrowed(self, room: Room) -> Room:
        """What is left of it."""
        if self.wanted > self.allowed:
            return replace(room, high=min(room.high, max(0.0, self.allowed)))
        return replace(room, low=max(room.low, min(0.0, self.allowed)))

    def passes(self, power: float) -> bool:
        """It is more than what passed."""
        return (power - self.allowed) * (self.wanted - self.allowed) > 0 and abs(power - self.allowed) > LEAST


def hear(held: HeldBack | None, outcome: Outcome, mono: float) -> HeldBack | None:
    """What holds it back after this word of the bridge."""
    if lasts := lasting(outcome.limited_by):
        return HeldBack(lasts[0].wanted, lasts[-1].allowed, mono, lasts[-1].source)
    free = held is not None and outcome.state in TELLS and held.passes(_reached(held, outcome))
    return None if free else held


@dataclass(frozen=True)
class Standing:
    """W that stand in a register until its write budget allows more, and when the bridge said so."""

    power: float
    at: float

    def holds(self, mono: float) -> bool:
        return mono - self.at <= LASTS


def hear_standing(standing: Standing | None, outcome: Outcome, mono: float) -> Standing | None:
    """What stands there after this word of the bridge; None once it has been written."""
    waits = [one for one in outcome.limited_by if one.point == "p_set" and one.source == "register:budget"]
    if waits:
        return Standing(waits[-1].allowed, mono)
    return None if outcome.state in TELLS else standing


def _reached(held: HeldBack, outcome: Outcome) -> float:
    """W that came to the limit that held it back, and were let through. One that acts after it has got them from it;
    of one that acts before it comes only what that has left."""
    for limit in outcome.limited_by:
        if limit.point == "p_set":
            return limit.wanted if order(limit.source) > order(held.source) else limit.allowed
    return outcome.requested.get("p_set", held.allowed)


def probe(share: float, whole: float, rated: float) -> float:
    """W to ask beyond its share of one that would give `whole` if it were not held back."""
    more = min(max(whole - share, -PROBE * rated), PROBE * rated)
    return more if abs(whole) > abs(share) and abs(more) > LEAST else 0.0
