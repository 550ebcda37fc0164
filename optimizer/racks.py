"""Racks in parallel taken for one battery. Pure.

Nobody shares a current among them but their voltages, which are one: each carries about as much as any other. So each
that is connected counts with what the weakest of them allows: one that is full is not charged by what another may take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rack:
    """What is known of one now. None is `not known or too old`."""

    allowed: tuple[float, float] | None
    """W at the cells that may be charged, and discharged."""
    soc: float | None
    """%."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The same of all that are connected."""

    charge: float | None
    discharge: float | None
    soc: float | None
    connected: float
    """Share of the battery's energy, 0 to 1; each rack has as much as any other."""


def left_out(outs: Mapping[str, bool]) -> frozenset[str]:
    """Racks that say they are not connected, as long as another one is: where all stand open the battery does, and what
    they say holds for it."""
    found = frozenset(name for name, out in outs.items() if out)
    return frozenset() if len(found) == len(outs) else found


def together(
    racks: Sequence[Rack], of: int, charge_limit: float | None = None, discharge_limit: float | None = None
) -> Cells:
    """Those that are connected, of so many. What one does not say nobody knows of the whole. The limits are those of
    the site file, in W."""
    powers = [rack.allowed for rack in racks if rack.allowed is not None]
    socs = [rack.soc for rack in racks if rack.soc is not None]
    whole = len(racks) > 0
    said, full = whole and len(powers) == len(racks), whole and len(socs) == len(racks)
    return Cells(
        _capped(len(racks) * min(charge for charge, _ in powers), charge_limit) if said else None,
        _capped(len(racks) * min(discharge for _, discharge in powers), discharge_limit) if said else None,
        sum(socs) / len(socs) if full else None,
        len(racks) / of if of else 0.0,
    )


def _capped(power: float, limit: float | None) -> float:
    return power if limit is None else min(power, limit)


NEAR = 0.02
"""Of the rated power: so little beyond its part a PCS measures as its part."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another PCS on the same cells."""

    rated: float
    """W."""
    takes_part: bool
    """It follows what it is told: not stopped, tripped, silent or steered at its panel."""


def part(allowed: float, rated: float, beside: Sequence[tuple[Neighbour, float]]) -> float:
    """W at the cells that are left to a PCS of this rating. `beside`: each other one with what it takes of them now,
    whoever told it to: beyond its part it stands before all others."""
    whole = rated + sum(one.rated for one, _ in beside if one.takes_part)
    reserved = 0.0
    for one, taken in beside:
        fair = allowed * one.rated / whole if one.takes_part and whole else 0.0
        reserved += taken if taken > fair + NEAR * one.rated else fair
    return max(0.0, allowed - reserved)
