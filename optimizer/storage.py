"""Several batteries taken for one, as a plan and the decision for a site see them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.site_parts import Terms


class Taper(NamedTuple):
    """What the cells allow at a SoC, straight between two of them and level beyond the first and the last."""

    soc: float
    charge: float
    """W at the meter."""
    discharge: float


@dataclass(frozen=True)
class Storage:
    """What a plan needs to know of the batteries together. Units are those of the site file."""

    energy: float
    """Wh between 0 and 100 % SoC."""
    soc_min: float = 10.0
    soc_max: float = 90.0
    efficiency: float = 0.95
    """Of each direction."""
    wear: float = 0.02
    """Per kWh discharged."""
    taper: tuple[Taper, ...] = ()
    """By rising SoC: power falls towards full and towards empty. Of a step it is what its end allows. Empty where only
    the rating limits."""


def together(batteries: Sequence[Terms]) -> Storage:
    """Energies add up; everything else is the mean of what each has, weighed by its energy."""
    if len(batteries) == 1:  # exactly as it stands in the site file
        one = batteries[0]
        return Storage(one.energy, one.soc_min, one.soc_max, one.efficiency, one.wear)
    energy = sum(one.energy for one in batteries)

    def mean(values: Sequence[float]) -> float:
        return sum(one.energy * value for one, value in zip(batteries, values, strict=True)) / energy

    return Storage(
        energy,
        mean([one.soc_min for one in batteries]),
        mean([one.soc_max for one in batteries]),
        mean([one.efficiency for one in batteries]),
        mean([one.wear for one in batteries]),
    )


def soc(batteries: Sequence[Terms], socs: Sequence[float]) -> float:
    """% of all batteries together. Each counts only between what its owner allows: one that is overfull is no room
    to discharge another below its least."""
    if len(batteries) == 1:
        return socs[0]
    stored = sum(
        one.energy * min(max(value, one.soc_min), one.soc_max) for one, value in zip(batteries, socs, strict=True)
    )
    return stored / sum(one.energy for one in batteries)
