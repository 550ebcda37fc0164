"""Which power an energy counter counts, by kind of device. Pure.

A counter without a row, or whose power the profile does not read, is bounded by ratings alone.
"""

from collections.abc import Container, Mapping
from typing import NamedTuple

from schemas.messages import Value
from schemas.profile import Profile
from schemas.units import Kind

Sum = tuple[str, ...]
"""Points that are added, each by its amount: a meter may count its phases apart, one in, one out."""

PHASES: Sum = ("p_l1", "p_l2", "p_l3")


class Counts(NamedTuple):
    """What a counter counts."""

    sign: int
    """1 what flows out of the device, -1 what flows into it, 0 both."""
    powers: tuple[Sum, ...]
    """The first one counts of which all is read."""
    sleeps: bool = False
    """It counts nothing while its inverter sleeps."""


_OWN, _AC, _PV = (("p",),), (("ac_p",), ("p",)), (("pv_p",), ("pv_p_1", "pv_p_2"))
_GRID = (("grid_p_l1", "grid_p_l2", "grid_p_l3"), ("grid_p",))
COUNTED: Mapping[Kind, Mapping[str, Counts]] = {
    Kind.METER: {"e_import": Counts(1, (PHASES, ("p",))), "e_export": Counts(-1, (PHASES, ("p",)))},
    Kind.PV: {"e_inj_total": Counts(1, _OWN), "e_abs_total": Counts(-1, _OWN)},
    Kind.PCS: {
        "e_inj_total": Counts(1, _AC),
        "e_abs_total": Counts(-1, _AC),
        "e_discharge_total": Counts(1, _OWN),
        "e_charge_total": Counts(-1, _OWN),
        "e_dc_discharge": Counts(1, _OWN),
        "e_dc_charge": Counts(-1, _OWN),
        "e_pv_total": Counts(1, _PV),
        "e_import": Counts(1, _GRID),
        "e_export": Counts(-1, _GRID),
    },
    Kind.BMS: {"e_discharge_total": Counts(1, _OWN), "e_charge_total": Counts(-1, _OWN)},
    Kind.LOAD: {},
    Kind.SENSOR: {},
}

ALL_ITS_OWN = (Kind.METER, Kind.PV, Kind.LOAD)
"""Kinds of which every other counter (of a tariff, of a day) counts a part of their own power."""

LEVELS = ("e_remaining", "e_rated")
"""Energies that no counter counts: what is left goes down as well as up."""

BEGINS_ANEW = ("day", "today", "month", "year")
"""How the name of a counter ends that begins at 0 again by the calendar."""


def counts(profile: Profile, name: str) -> Counts:
    """What a counter counts, as far as the profile reads it."""
    rest = Counts(0, (PHASES, ("p",))) if profile.kind in ALL_ITS_OWN else Counts(0, ())
    sign, powers, _ = COUNTED[profile.kind].get(name, rest)
    read = tuple(one for one in powers if profile.points.keys() >= set(one))
    return Counts(sign, read, profile.kind is Kind.PV)


ASLEEP = ("sleeping", "off")
"""States of a PV inverter that gives nothing, and may say nothing of its power."""


def power_of(counted: Counts, values: Mapping[str, Value], doubted: Container[str]) -> float | None:
    """W that it counts at this moment, with the sign of their sum; None where nobody knows."""
    for points in counted.powers:
        seen = [value for one in points if isinstance(value := values.get(one), float) and one not in doubted]
        if len(seen) == len(points):
            amount = sum(map(abs, seen))
            return amount if sum(seen) >= 0 else -amount
    return 0.0 if counted.sleeps and values.get("state") in ASLEEP else None


def is_counter(name: str, unit: str) -> bool:
    """Whether a point counts energy."""
    return unit == "Wh" and name.startswith("e_") and name not in LEVELS


def begins_anew(name: str) -> bool:
    """Whether the calendar sets it to 0."""
    return name.rpartition("_")[2] in BEGINS_ANEW
