"""Where a device tells what the cells behind it allow: a BMS, or the PCS of a hybrid. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from schemas.messages import Value
from schemas.profile import Profile
from schemas.units import Kind

Number = Callable[[str], float | None]
"""The number of a point, as long as it can be believed."""
Said = Callable[[str], Value | None]
"""The same of any value."""

AMPS = ("ccl", "dcl")
WATTS = ("p_max_abs", "p_max_inj")
"""What may be charged and discharged: currents, or powers at the cells."""
OUT: dict[str, frozenset[str]] = {
    "contactor": frozenset({"open", "precharge", "precharge_failed"}),
    "state": frozenset({"disconnected", "initializing", "standby", "off", "sleeping", "maintenance", "fault"}),
    "work_state": frozenset({"off"}),
}
"""Words of a BMS whose rack carries no current. The first of these points that it has decides: a contactor that is seen
closed connects, whatever a state is called."""
NOBODY, BMS = "nobody would know what the cells may do", "; name its bms"
NOTHING = 2.0
"""A: what flows through a rack whose contactor is open is noise of its sensor."""


@dataclass(frozen=True, slots=True)
class RackMap:
    """The points of one device that speak of its cells."""

    voltage: str
    current: str
    """Empty where it has none."""
    limits: tuple[str, ...]
    """`AMPS`, `WATTS`, or none: the site file then says what the cells allow."""
    says: str
    """Which point says whether it is connected; empty where none does."""

    @classmethod
    def of(cls, profile: Profile) -> "RackMap":
        """By its profile. A slow point is a rating: a limit that is read once a minute guards nothing."""
        hybrid = profile.kind is Kind.PCS
        points = {name for name, point in profile.points.items() if point.rate == "fast"}
        voltage, current = ("dc_u", "dc_i") if hybrid else ("u", "i")
        amps = {*AMPS, voltage} <= points
        limits = AMPS if amps else WATTS if hybrid and set(WATTS) <= points else ()
        says = "" if hybrid else next((point for point in OUT if point in points), "")
        return cls(voltage, current if current in points else "", limits, says)

    @property
    def points(self) -> tuple[str, ...]:
        """Without these nobody knows what the cells may do."""
        return ("soc", *self.limits, *((self.voltage,) if self.limits == AMPS else ()))

    def allowed(self, number: Number) -> tuple[float, float] | None:
        """W at the cells that may be charged and discharged; None while it is not known. One whose map has no limits
        sets none: those of the site file hold."""
        if not self.limits:
            return math.inf, math.inf
        charge, discharge = (number(point) for point in self.limits)
        volts = number(self.voltage) if self.limits == AMPS else 1.0
        if charge is None or discharge is None or volts is None or volts < 0:
            return None
        return max(0.0, charge) * volts, max(0.0, discharge) * volts

    def is_out(self, said: Said) -> bool:
        """It says that it is not connected, and nothing flows through it."""
        word = said(self.says) if self.says else None
        if not isinstance(word, str) or word not in OUT[self.says]:
            return False
        amps = said(self.current) if self.current else 0.0
        return isinstance(amps, float) and abs(amps) <= NOTHING


def mute(profile: Profile, *, charge: float | None, discharge: float | None) -> str:
    """What a profile lacks to speak for cells, and what to write; empty when it has it."""
    found, hybrid = RackMap.of(profile), profile.kind is Kind.PCS
    if "soc" not in profile.points:
        return f"has no point soc: nobody would know how full the cells are{BMS if hybrid else ''}"
    if found.limits or None not in (charge, discharge):
        return ""
    if not hybrid:
        return f"has not {found.voltage} with ccl and dcl, each read fast: {NOBODY}"
    known = f"neither {found.voltage} with ccl and dcl nor p_max_abs with p_max_inj, each read fast"
    return f"has {known}: {NOBODY}; give charge_limit and discharge_limit (W){BMS.replace(';', ', or', 1)}"
