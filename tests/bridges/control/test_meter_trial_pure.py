"""A trial of the meter as a pure thing: whatever the load does, a right meter is never named and a wrong one is."""

import math
import random
from collections import deque
from dataclasses import dataclass, field

import pytest

from bridges.control.meter_trial import Loop, MeterTrial, Seen
from schemas.site_grid import Grid
from tests.timed import some

RATED, POLL, DELAY = 100e3, 0.5, 1.0
GRID = Grid(meter=["meter"], import_limit=150e3, export_limit=0.0)


@dataclass
class World:
    """A battery that charges at its rating, as the meter asks for more; and a load with a will of its own."""

    sign: float
    dice: random.Random
    period: float
    size: float
    noise: float
    trial: MeterTrial = field(default_factory=lambda: MeterTrial(RATED, GRID))
    shown: deque[float] = field(default_factory=lambda: deque([0.0] * 2, maxlen=2))

    def run(self, seconds: float) -> None:
        power, since, now = -RATED, 0.0, 0.0
        while now < seconds and not self.trial.suspicion:
            now += POLL
            told = -min(RATED, self.trial.most.get("pcs", math.inf))
            if told != power:
                power, since = told, now
            load = -300e3 if self.sign > 0 else 50e3  # more than the battery can take: the loop is at its end
            load += self.size * (now % self.period < self.period / 2) + self.dice.gauss(0, self.noise)
            self.shown.append(self.sign * (load - power))
            seen = Seen((since, power), (now, self.shown[0]), DELAY, -math.inf)
            self.trial.look(now, seen, [Loop.LIMIT], {"pcs": power})


RHYTHMS = [3.0, 6.0, 9.0, 10.0, 12.0, 14.0, 17.0, 20.0, 30.0]


@pytest.mark.parametrize(("period", "noise"), some(RHYTHMS, [0.0, 2e3, 8e3], one_in=2))
def test_a_right_one_is_never_named(period: float, noise: float) -> None:
    """Ten hours beside a machine of any rhythm, in five of its phases."""
    for turn in range(5):
        world = World(1.0, random.Random(turn), period * (1 + turn / 100), 30e3, noise)
        world.run(7200)
        assert not world.trial.suspicion


@pytest.mark.parametrize("noise", [0.0, 2e3, 8e3])
@pytest.mark.parametrize("period", [3.0, 6.0, 9.0, 12.0, 20.0])
def test_a_wrong_one_is_named(period: float, noise: float) -> None:
    for turn in range(5):
        world = World(-1.0, random.Random(turn), period * (1 + turn / 100), 10e3, noise)
        world.run(300)
        assert world.trial.suspicion
