"""A lithium iron phosphate battery and its BMS: energy, voltage, losses, temperature, and the currents it allows."""

from bisect import bisect_right
from dataclasses import dataclass, field
from math import exp, sqrt
from typing import NamedTuple

Curve = tuple[tuple[float, float], ...]

CELLS = 240
"""In series: 770 V nominal, in the middle of the DC window of usual PCS."""
OPEN_CIRCUIT: Curve = (
    (0.00, 2.60), (0.01, 2.85), (0.03, 3.03), (0.05, 3.12), (0.10, 3.20), (0.20, 3.25), (0.40, 3.29),
    (0.60, 3.31), (0.80, 3.33), (0.90, 3.34), (0.95, 3.36), (0.98, 3.42), (0.99, 3.50), (1.00, 3.65),
)  # fmt: skip
"""SoC -> volts of a rested cell: flat in the middle and steep at both ends, as LFP is."""
CHARGE_BY_VOLTAGE: Curve = ((3.45, 1.0), (3.60, 0.02), (3.65, 0.0))
DISCHARGE_BY_VOLTAGE: Curve = ((2.90, 0.0), (2.92, 0.01), (3.00, 1.0))
CHARGE_BY_TEMPERATURE: Curve = ((0.0, 0.0), (18.0, 1.0), (35.0, 1.0), (40.0, 0.0))
DISCHARGE_BY_TEMPERATURE: Curve = ((0.0, 0.0), (12.0, 1.0), (45.0, 1.0), (55.0, 0.0))
"""What the BMS of a BYD C130 allows, as OpenEMS lists it: share of the rated current by the worst cell."""
LIMIT_RISE = 1 / 300
"""Of the rated current per second: a limit falls at once and comes back slowly, or it would swing with the voltage."""
SAG_AT_1C = 0.05
"""V a cell gives way at 1 C: its inner resistance."""
HEAT_CAPACITY = 6.7
"""J/K per Wh: 150 Wh/kg and 1000 J/(kg K)."""
COOLING = 0.00075
"""W/K per Wh: a container's air conditioning."""
AMBIENT = 22.0
SPREAD_VOLTS, SPREAD_KELVIN = 0.004, 1.0
"""How far the worst cells stand from the mean."""
MOST = 3.0
"""C: what flows at most, whatever is allowed; a fuse ends what is above."""


class Worst(NamedTuple):
    """The cells that stand furthest from the mean: V and degC."""

    low: float
    high: float
    cold: float
    hot: float


def along(curve: Curve, x: float) -> float:
    """The height of a line of straight pieces at `x`; level beyond its ends."""
    place = bisect_right(curve, (x, float("inf")))
    if place == 0:
        return curve[0][1]
    if place == len(curve):
        return curve[-1][1]
    (x0, y0), (x1, y1) = curve[place - 1], curve[place]
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


@dataclass(slots=True)
class Battery:
    """Energy is counted in the cells: what leaves them is on the terminals or in the losses, to the last Wh."""

    energy: float
    """Wh between 0 and 100 % SoC."""
    power: float
    """W it is built for, of the PCS it belongs to."""
    stored: float
    """Wh in the cells now."""
    current: float = 0.0
    """A, positive discharging."""
    temperature: float = AMBIENT + 3
    charged: float = 0.0
    discharged: float = 0.0
    lost: float = 0.0
    """Wh since the beginning: into the terminals, out of them, and turned into heat."""
    soh: float = 100.0
    """%: what is left of the energy it had when it was new; `energy` is what is left."""
    extra_kelvin: float = 0.0
    extra_volts: float = 0.0
    less_volts: float = 0.0
    """A hot module, a cell that runs away and a weak one, for trials."""
    ccl: float = field(default=0.0, init=False)
    dcl: float = field(default=0.0, init=False)
    """A the BMS allows: charging and discharging."""
    worst: Worst = field(default=Worst(0, 0, 0, 0), init=False)
    """As the BMS last saw them."""
    capacity: float = field(init=False)
    """Ah."""
    resistance: float = field(init=False)
    """Ohm."""
    rated_current: float = field(init=False)
    """A: 0.7 C, or what the PCS needs and a quarter more."""

    def __post_init__(self) -> None:
        self.capacity = self.energy / (CELLS * 3.29)
        self.resistance = CELLS * SAG_AT_1C / self.capacity
        self.rated_current = max(0.7 * self.capacity, 1.25 * self.power / (CELLS * 3.29))
        self.limit(dt=float("inf"))

    @property
    def soc(self) -> float:
        return 100.0 * self.stored / self.energy

    @property
    def open_circuit(self) -> float:
        return CELLS * along(OPEN_CIRCUIT, self.stored / self.energy)

    @property
    def voltage(self) -> float:
        return self.open_circuit - self.current * self.resistance

    @property
    def cell_volts(self) -> tuple[float, float]:
        """Lowest and highest."""
        mean = self.voltage / CELLS
        return mean - SPREAD_VOLTS - self.less_volts, mean + SPREAD_VOLTS + self.extra_volts

    @property
    def cell_degrees(self) -> tuple[float, float]:
        """Lowest and highest."""
        return self.temperature - SPREAD_KELVIN, self.temperature + SPREAD_KELVIN + self.extra_kelvin

    def step(self, power: float, dt: float, *, bounded: bool = True) -> float:
        """Carries `power` W at the terminals for `dt` seconds, as far as it may; returns what it carried.

        Not `bounded`: whoever draws it knows nothing of the limits, and the battery cannot help it.
        """
        open_circuit, resistance = self.open_circuit, self.resistance
        # power = open_circuit x i - resistance x i^2, solved for the smaller current
        root = sqrt(max(0.0, open_circuit**2 - 4 * resistance * power))
        most = MOST * self.capacity
        charge, discharge = (self.ccl, self.dcl) if bounded else (most, most)
        current = max(-charge, min(discharge, (open_circuit - root) / (2 * resistance)))
        chemical = open_circuit * current * dt / 3600
        if chemical > self.stored:
            current *= self.stored / chemical
        elif -chemical > self.energy - self.stored:
            current *= (self.energy - self.stored) / -chemical
        self._flow(open_circuit, current, dt / 3600)
        self.current = current
        heat = current**2 * resistance
        self._warm(heat, dt)
        self.limit(dt)
        return open_circuit * current - heat

    def _flow(self, open_circuit: float, current: float, hours: float) -> None:
        chemical, heat = open_circuit * current * hours, current**2 * self.resistance * hours
        self.stored = min(self.energy, max(0.0, self.stored - chemical))
        self.lost += heat
        terminals = chemical - heat
        self.discharged += max(0.0, terminals)
        self.charged += max(0.0, -terminals)

    def _warm(self, heat: float, dt: float) -> None:
        settled = AMBIENT + heat / (COOLING * self.energy)
        self.temperature = settled + (self.temperature - settled) * exp(-dt * COOLING / HEAT_CAPACITY)

    def limit(self, dt: float) -> None:
        """The BMS looks at its worst cells again."""
        (low, high), (cold, hot) = self.cell_volts, self.cell_degrees
        self.worst = Worst(low, high, cold, hot)
        rated, rise = self.rated_current, self.rated_current * LIMIT_RISE * dt
        charge = min(along(CHARGE_BY_TEMPERATURE, cold), along(CHARGE_BY_TEMPERATURE, hot))
        discharge = min(along(DISCHARGE_BY_TEMPERATURE, cold), along(DISCHARGE_BY_TEMPERATURE, hot))
        self.ccl = min(rated * charge * along(CHARGE_BY_VOLTAGE, high), self.ccl + rise)
        self.dcl = min(rated * discharge * along(DISCHARGE_BY_VOLTAGE, low), self.dcl + rise)
