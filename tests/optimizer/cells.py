"""A battery whose energy and efficiency are known, as its BMS and the meter of its inverter show it."""

from dataclasses import dataclass

import numpy as np

from optimizer.health import Counted


@dataclass(frozen=True)
class Cells:
    """Cycled each day from one end to the other, with rests there and between."""

    energy: float = 170e3
    """Wh that it really has."""
    efficiency: float = 0.94
    believed: float = 200e3
    """Wh with which its BMS counts between the ends."""
    low: float = 10.0
    high: float = 97.0
    drift: float = 0.02
    """% by which its count errs in a quarter of an hour, at random."""
    step: float = 0.1
    """% in which the SoC is told."""
    noise: float = 0.01
    """Of the energy of a quarter, at random."""

    def lived(self, days: int, rng: np.random.Generator) -> Counted:
        """Its counters have an error of their own of some tenths of a percent."""
        soc = told = 50.0
        gain = 1 + rng.normal(0, 0.003), 1 + rng.normal(0, 0.003)
        wishes, shown = _wishes(days, rng), list[tuple[float, float, float]]()
        drifts, looks = rng.normal(0, self.drift, len(wishes)), rng.normal(0, 0.5, len(wishes))
        for power, drift, look in zip(wishes, drifts.tolist(), looks.tolist(), strict=True):
            into = out = 0.0
            if power < 0:
                into = min(-power * 25e3, max(0.0, (self.high - soc) / 100 * self.energy / self.efficiency))
                change = into * self.efficiency
            else:
                out = min(power * 25e3, max(0.0, (soc - self.low) / 100 * self.energy * self.efficiency))
                change = -out / self.efficiency
            soc += 100 * change / self.energy
            told += 100 * change / self.believed + drift * (change != 0)
            if not change and (soc < 12 or soc > 95):  # at rest near an end it sees the voltage
                told = soc + look
            shown.append((told, into * gain[0], out * gain[1]))
        seen, charged, discharged = np.array(shown).T
        scale = 1 + rng.normal(0, self.noise, (2, len(wishes)))
        rounded = np.clip(np.round(seen / self.step) * self.step, 0, 100)
        return Counted(rounded, charged * scale[0], discharged * scale[1])


def _wishes(days: int, rng: np.random.Generator) -> list[float]:
    """By quarter, -1 to 1: charged at night, discharged by day, with a midday of both and rests in between."""
    found = list[float]()
    for _ in range(days):
        charge, discharge = rng.uniform(0.4, 1.0, 2)
        found += [-charge] * 30 + [0.0] * 6 + [discharge * 0.7] * 12 + [0.0] * 4
        found += [*rng.uniform(-0.5, 0.5, 8)] + [0.0] * 4 + [discharge] * 28 + [0.0] * 4
    return found
