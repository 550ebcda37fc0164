"""Does the device do what its registers were told? The power decides, not the register. Pure.

Commands come each 2 s, and a battery may take half a minute to follow: so this belongs to the setpoint and not to a
command. The measured power is compared with every setpoint that may be at work now, that is, of the last dead time.
What moves towards them is on its way; what stands apart from them and does not move, or moves away, is named.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.messages import Cause, Value

ACCURACY, LEAST = 0.01, 100.0
"""Of the rated power, and in W: what a PCS of usual class measures, and what it draws for itself."""
COARSE = 0.03
"""Of the rated power: the angle is measured so much worse."""
SHARE = 0.01
"""Of the setpoint: as near as it is followed."""
STANDS = 0.005
"""Of the rated power per second: a battery that moves less towards its setpoint is not on its way."""
SETTLING = 10.0
"""Seconds a power may stand apart from its setpoint until the device counts as not obeying."""
REVERSING = 2.0
"""Seconds a power may run away in the other direction."""


def near(target: float, rated: float) -> float:
    """W by which a power that follows `target` may differ."""
    return max(SHARE * abs(target), ACCURACY * rated, LEAST)


def var_of(factor: float, power: float) -> float:
    """var that a power factor gives at a power in W; positive feeds them in, a negative factor draws them."""
    least = max(1e-3, min(1.0, abs(factor)))
    return math.copysign(abs(power) * math.tan(math.acos(least)), factor)


def follows(target: float, power: float, rated: float) -> bool:
    """Within the tolerance, and in the same direction where the tolerance alone cannot tell it."""
    return abs(power - target) <= near(target, rated) and (abs(target) <= LEAST or power * target > 0)


def doubt(applied: Mapping[str, float], seen: Mapping[str, Value], rated: float) -> str:
    """What speaks against it, in words; empty when the measurement proves it."""
    p, q = seen.get("p"), seen.get("q")
    target = applied.get("p_set")
    if target is not None and not (isinstance(p, float) and follows(target, p, rated)):
        return f"the register holds {target:g} W, the measured power stays at {_said(p)} W"
    target = applied.get("q_set")
    if target is not None and "q" in seen and not (isinstance(q, float) and follows(target, q, rated)):
        return f"the register holds {target:g} var, the measured reactive power stays at {_said(q)} var"
    target = applied.get("pf_set")
    if target is not None and isinstance(p, float) and "q" in seen:
        var = var_of(target, p)
        if not (isinstance(q, float) and abs(q - var) <= max(near(var, rated), COARSE * rated)):
            holds = f"the register holds a power factor of {target:g}, {var:.0f} var at {p:.0f} W"
            return f"{holds}, the measured reactive power stays at {_said(q)} var"
    percent = applied.get("p_limit_pct")
    if percent is not None:
        given = seen.get("ac_p", p)  # of a hybrid, whose p is the battery's
        most = rated * percent / 100
        if not isinstance(given, float) or abs(given) > most + near(most, rated):
            return f"the limit is {percent:g} % of {rated:g} W, the measured power stays at {_said(given)} W"
    return ""


@dataclass
class Following:
    """The power of one device against the setpoints that it was told. Times of the monotonic clock, powers in W."""

    rated: float
    cause: Cause | None = None
    """NOT_OBEYED or REVERSED while it lasts."""
    words: str = ""
    _told: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=400))
    _last: tuple[float, float] | None = None
    """The last reading."""
    _apart: float = 0.0
    """Seconds it has stood apart."""
    _away: float = 0.0
    """Seconds it has run away in the other direction."""
    _start: float = 0.0
    """The power when the setpoint changed its direction last."""

    def told(self, at: float, target: float) -> None:
        """A setpoint was written."""
        if not self._told or self._told[-1][1] != target:
            if self._last is not None and (not self._told or self._told[-1][1] * target <= 0):
                self._start = self._last[1]
            self._told.append((at, target))

    def see(self, at: float, power: float, dead_time: float, left: float = math.inf) -> Cause | None:
        """A reading that was begun at `at`; gives what is wrong, as long as it lasts. `left`: W that a hybrid's PV
        leaves of its inverter; whether it then gives less of the battery or of the PV is its own affair."""
        last, self._last = self._last, (at, power)
        targets = self._at_work(at, dead_time)
        if not targets or last is None:
            return self.cause
        low, high = min(*targets, max(0.0, left)), max(targets)
        nearest = min(max(power, low), high)
        slack = near(nearest, self.rated)
        if low - slack <= power <= high + slack and not _opposed(power, targets, self.rated):
            self._apart = self._away = 0.0
            self.cause, self.words = None, ""
            return None
        seconds = min(at - last[0], dead_time + SETTLING)
        moved = (power - last[1]) * math.copysign(1.0, nearest - power)
        still = moved < STANDS * self.rated * seconds
        # where it stood when it was told first it may stand for a dead time; running away is judged at once
        waits = at - self._told[0][0] < dead_time and abs(power - self._start) <= near(self._start, self.rated)
        self._apart += seconds if still and not waits else 0.0
        runs_away = _opposed(power, targets, self.rated) and abs(power) > abs(self._start) + slack
        self._away = self._away + seconds if runs_away or (self._away and still) else 0.0
        return self._name(nearest, power)

    def forget(self) -> None:
        """It begins anew: after a start, a stop, or a person's look."""
        self._told.clear()
        self._apart = self._away = self._start = 0.0
        self.cause, self.words, self._last = None, "", None

    def _at_work(self, at: float, dead_time: float) -> list[float]:
        """Every setpoint that may be at work at `at`."""
        before = [target for moment, target in self._told if moment <= at - dead_time]
        return [*before[-1:], *(target for moment, target in self._told if at - dead_time < moment <= at)]

    def _name(self, target: float, power: float) -> Cause | None:
        told = f"{target:g} W is wanted, {power:g} W is measured"
        if self._away >= REVERSING:
            self.cause, self.words = Cause.REVERSED, f"it runs in the other direction: {told}"
        elif self._apart >= SETTLING and self.cause is not Cause.REVERSED:
            self.cause, self.words = Cause.NOT_OBEYED, f"it does not follow: {told}"
        return self.cause


def _opposed(power: float, targets: list[float], rated: float) -> bool:
    """The power flows against every setpoint that may be at work."""
    return abs(power) > near(0.0, rated) and all(abs(one) > LEAST and one * power < 0 for one in targets)


def _said(value: Value | None) -> str:
    return f"{value:g}" if isinstance(value, float) else "unknown"
