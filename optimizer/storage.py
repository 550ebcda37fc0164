"""Several batteries taken for one, as a plan and the decision for a site see them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from optimizer.taper import Taper, at_sum
from schemas.site_battery import Terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """One of several batteries as it is now."""

    rated: float
    """W of its PCS."""
    below: float
    """Wh in it above what its owner allows at least."""
    above: float
    """Wh that still fit in."""


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
    parts: tuple[Part, ...] = ()
    """Where they are several: a full one and an empty one do less than one that is half full."""

    def gives(self, hours: Vector) -> Vector | None:
        """W that those with energy can give in a step of these hours, as long as none was charged; None where that is
        as much as one battery could."""
        return self._only(hours / self.efficiency, [one.below for one in self.parts])

    def takes(self, hours: Vector) -> Vector | None:
        """W that those with room can take, as long as none was discharged; None as above."""
        return self._only(hours * self.efficiency, [one.above for one in self.parts])

    def _only(self, per_watt: Vector, energies: Sequence[float]) -> Vector | None:
        """`per_watt`: Wh at the cells by step for each W at the meter."""
        if len(self.parts) < 2:
            return None
        import numpy as np  # noqa: PLC0415  # who has arrays has loaded it; dispatch has none

        each = sum(np.minimum(one.rated, mine / per_watt) for one, mine in zip(self.parts, energies, strict=True))
        whole = np.minimum(sum(one.rated for one in self.parts), sum(energies) / per_watt)
        return None if bool(np.all(each >= whole - 1.0)) else np.asarray(each)

    def reach(self, hours: Vector) -> tuple[Vector, Vector]:
        """Wh by which the energy can have fallen and risen at the most at the end of each step."""
        import numpy as np  # noqa: PLC0415  # as above

        if len(self.parts) < 2:
            return np.full(len(hours), inf), np.full(len(hours), inf)
        past = np.cumsum(hours)
        fallen = sum(np.minimum(one.rated * past / self.efficiency, one.below) for one in self.parts)
        risen = sum(np.minimum(one.rated * past * self.efficiency, one.above) for one in self.parts)
        return np.asarray(fallen), np.asarray(risen)


def as_they_are(storage: Storage, batteries: Sequence[Terms], rated: Sequence[float], socs: Sequence[float]) -> Storage:
    """With what each of several can do at its own SoC. `rated` W of their PCS, `socs` in %."""
    parts = [
        Part(power, one.energy * max(0.0, at - one.soc_min) / 100, one.energy * max(0.0, one.soc_max - at) / 100)
        for one, power, at in zip(batteries, rated, socs, strict=True)
    ]
    return replace(storage, parts=tuple(parts))


def tapered(batteries: Sequence[Terms], rated: Sequence[float]) -> tuple[Taper, ...]:
    """The tables of the site file together, in W; empty where there is none. `rated` W of the PCS of each."""
    tables = [
        tuple(Taper(at.soc, at.charge * most / 100, at.discharge * most / 100) for at in one.taper)
        for one, most in zip(batteries, rated, strict=True)
    ]
    return at_sum(tables, rated)


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
