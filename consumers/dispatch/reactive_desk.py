"""Which reactive power goes out with the setpoints. Pure: `mono` is the monotonic clock."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from consumers.dispatch.cells_seen import number
from consumers.dispatch.instruction import Instruction
from optimizer.reactive import GridSeen, Inverter, filtered, reactive
from optimizer.reactive_sign import ReactiveSign
from schemas.messages import Telemetry
from schemas.site import Site

FRESH = 5.0
"""Seconds a reading of the grid meter tells of now, where it is read each 2 s or more often."""
PHASES, LINES = ("u_l1n", "u_l2n", "u_l3n"), ("u_l12", "u_l23", "u_l31")


@dataclass
class ReactiveDesk:
    """What it must know of the grid meter, and what each inverter was told."""

    site: Site
    told: dict[str, float] = field(default_factory=dict)
    """var by PCS, of those that were told one the last time."""
    power: tuple[float, float] | None = None
    """W at the meter, and when."""
    drawn: tuple[float, float] | None = None
    """var that the meter shows, and when."""
    voltage: tuple[float, float] | None = None
    """V between two phases, and when."""
    sign: ReactiveSign = field(default_factory=ReactiveSign)
    _filtered: float | None = None

    @property
    def trouble(self) -> str:
        """Why no reactive power is asked for any more; empty while it is."""
        shows = f"{self.site.grid.meter} shows reactive power the wrong way round: none is given"
        return f"{shows}; turn its sign, then ask for auto" if self.sign.suspect else ""

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """A reading of the grid meter in time; of others nothing is needed."""
        if device != self.site.grid.meter or self.site.grid.reactive is None:
            return
        if (power := number(telemetry, "p")) is not None:
            self.power = power, mono
        if (drawn := number(telemetry, "q")) is not None:
            self.drawn = drawn, mono
        if (volts := between_phases(telemetry)) is not None:
            self.voltage = volts, mono

    def add(self, sent: Mapping[str, Instruction], mono: float) -> dict[str, Instruction]:
        """The same with a reactive power for each setpoint whose inverter takes one. An action is sent alone."""
        rule = self.site.grid.reactive
        if rule is None:
            return dict(sent)
        able = [
            self._inverter(pcs, order.wanted.power)
            for pcs, order in sent.items()
            if order.action is None and "q_set" in _points(self.site, pcs)
        ]
        seen = self._seen(mono)
        if rule.meter_power_factor is not None:
            self.sign.see(sum(one.last for one in able), seen.reactive, sum(one.apparent for one in able))
        self.told = dict.fromkeys((one.name for one in able), 0.0) if self.trouble else reactive(rule, able, seen)
        return {
            pcs: replace(order, reactive=self.told[pcs]) if pcs in self.told else order for pcs, order in sent.items()
        }

    def _inverter(self, pcs: str, power: float) -> Inverter:
        device = self.site.named(pcs)
        rated = device.rated_power or 0.0
        return Inverter(pcs, power, rated, device.rated_apparent_power or rated, self.told.get(pcs, 0.0))

    def _seen(self, mono: float) -> GridSeen:
        fresh = self.site.named(self.site.grid.meter).stale_after(FRESH)

        def now(one: tuple[float, float] | None) -> float | None:
            return one[0] if one is not None and mono - one[1] <= fresh else None

        volts = now(self.voltage)
        self._filtered = None if volts is None else filtered(self._filtered, volts)
        return GridSeen(now(self.power), now(self.drawn), self._filtered)


def between_phases(telemetry: Telemetry) -> float | None:
    """The mean of the voltages between phases in V; None without all of one kind."""
    for points, factor in ((LINES, 1.0), (PHASES, math.sqrt(3))):
        each = [number(telemetry, point) for point in points]
        known = [volts for volts in each if volts is not None]
        if len(known) == len(points):
            return factor * sum(known) / len(known)
    return None


def _points(site: Site, pcs: str) -> frozenset[str]:
    return frozenset(name.removesuffix("_pct") for name in site.profiles[pcs].commands)
