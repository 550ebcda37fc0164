"""Whether a device keeps its power limit and gives the reactive power that it was told. Pure.

A limit may change each 2 s, as where an export of 0 is held: so this belongs to the setpoint and not to a command, as
`verification.Following` does for the active power. Less than a limit is always right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridges.control.read_back import ReadBack
from bridges.control.sequence import STATES, Inverter
from bridges.control.verification import Following, var_of
from schemas.messages import Value

LAG, LAG_Q = 5.0, 60.0
"""Seconds: the setpoints of so long ago may still be at work. Reactive power may take 60 s (VDE-AR-N 4110: 3 tau)."""
COARSE = 3.0
"""So many times worse than active power is reactive power measured: filters, cables, the error of the angle."""


@dataclass
class Obedience:
    """Of one device; `rated` in W, `apparent` in VA."""

    rated: float
    apparent: float
    _limit: Following = field(init=False)
    _reactive: Following = field(init=False)
    _gives: bool = False
    """It was told a reactive power, and works."""
    _seen: float = float("-inf")

    def __post_init__(self) -> None:
        self._limit, self._reactive = Following(self.rated), Following(COARSE * self.apparent)

    def see(
        self, at: float, seen: Mapping[str, Value], told: Mapping[str, ReadBack], fallback: Mapping[str, float | None]
    ) -> None:
        """A reading that was begun at `at`, and what the registers were told by then."""
        if at <= self._seen:
            return
        self._seen = at
        limit = _wanted("p_limit_pct", told, fallback)
        given = seen.get("ac_p", seen.get("p"))  # of a hybrid, whose p is the battery's
        if limit is None or self.rated <= 0:
            self._limit.forget()
        elif isinstance(given, float):
            most = self.rated * limit[1] / 100
            self._limit.told(limit[0], most)
            self._limit.see(at, max(given, most), LAG)
        q, power = _wanted("q_set", told, fallback) or self._by_factor(at, seen, told, fallback), seen.get("q")
        if q is None or _rests(seen.get("state")):
            self._reactive.forget()
            self._gives = False
        elif isinstance(power, float):
            if not self._gives:  # it comes from where it is
                self._reactive.told(min(q[0], at), power)
            self._gives = True
            self._reactive.told(*q)
            self._reactive.see(at, power, LAG_Q)

    @staticmethod
    def _by_factor(
        at: float, seen: Mapping[str, Value], told: Mapping[str, ReadBack], fallback: Mapping[str, float | None]
    ) -> tuple[float, float] | None:
        """A power factor is as much reactive power as the active power makes of it now."""
        factor, power = _wanted("pf_set", told, fallback), seen.get("p")
        return None if factor is None or not isinstance(power, float) else (at, var_of(factor[1], power))

    @property
    def words(self) -> str:
        """What is not followed; empty while all is."""
        found = []
        if self._limit.cause is not None:
            found.append(f"it does not keep its limit: {self._limit.words.partition(': ')[2]}")
        if self._reactive.cause is not None:
            told = self._reactive.words.partition(": ")[2].replace(" W ", " var ")
            found.append(f"it does not give its reactive power: {told}")
        return "; ".join(found)


def _wanted(
    point: str, told: Mapping[str, ReadBack], fallback: Mapping[str, float | None]
) -> tuple[float, float] | None:
    """When it was told and what; None where it stands at its fallback, or where the register does not hold it."""
    one = told.get(point)
    if one is None or one.value is None or one.astray or one.value == fallback.get(point):
        return None
    return one.at, one.value


def _rests(state: Value | None) -> bool:
    """It gives nothing in this state, whatever it was told."""
    return isinstance(state, str) and STATES.get(state, Inverter.BETWEEN) is not Inverter.RUNNING
