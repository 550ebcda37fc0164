"""What is true before each step of a plan, for the checks that walk through it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optimizer.outlook import Outlook
from schemas.messages import Plan, Step

WATT = 1.0
PERCENT = 0.02
KEPT = 50.0
"""Wh, beside two hundredths of a percent: a reserve that lacks less is kept."""


@dataclass(frozen=True)
class Walk:
    """What is true before a step."""

    plan: Plan
    outlook: Outlook
    index: int
    taken: float = 0.0
    """Wh that the import limit has cost until the end of this step, or would cost a battery that does nothing else."""
    given: float = 0.0
    """The same that the export limit has put in."""

    @property
    def step(self) -> Step:
        return self.plan.steps[self.index]

    @property
    def hours(self) -> float:
        return float(self.outlook.hours[self.index])

    @property
    def soc(self) -> float:
        """% at the begin of the step."""
        return self.plan.steps[self.index - 1].soc if self.index else self.outlook.soc

    @property
    def reserved(self) -> tuple[float, float]:
        """Wh that reserves need at least, and that they leave at most, as far as the owner allows."""
        battery = self.outlook.battery
        low, high = (battery.energy * soc / 100 for soc in (battery.soc_min, battery.soc_max))
        return min(self.of(self.outlook.floor), high), max(self.of(self.outlook.ceiling), low)

    def of(self, given: object) -> float:
        """What an outlook gives by step, or as one number, in this step."""
        return float(np.broadcast_to(np.asarray(given, dtype=float), (len(self.plan.steps),))[self.index])


def walked(plan: Plan, outlook: Outlook) -> Iterator[Walk]:
    """Through the steps."""
    taken = given = 0.0
    both = outlook.battery.efficiency
    for index, step in enumerate(plan.steps):
        hours, rest = float(outlook.hours[index]), step.load - step.pv
        taken += max(0.0, rest - float(outlook.import_limit[index])) * hours / both
        over = 0.0 if outlook.gives_way[index] else max(0.0, -rest - float(outlook.export_limit[index]))
        given += over * hours * both
        yield Walk(plan, outlook, index, taken, given)


def can(walk: Walk, power: float) -> tuple[str, float]:
    """W that the inverters and the cells can, one way."""
    if power < 0:
        return "charged", min(walk.outlook.rated, walk.of(walk.outlook.allowed_charge))
    inside = walk.outlook.rated - walk.of(walk.outlook.inside)
    return "discharged", max(0.0, min(inside, walk.of(walk.outlook.allowed_discharge)))
