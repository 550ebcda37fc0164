"""A battery system: the cells, their BMS, their contactor and the PCS in front of them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from simulator.battery import Battery
from simulator.bms import Bms
from simulator.contactor import Contactor
from simulator.pcs import Pcs


@dataclass(slots=True)
class Rack:
    """Cells with a BMS and a contactor of their own."""

    battery: Battery
    contactor: Contactor = field(default_factory=Contactor)
    bms: Bms = field(default_factory=Bms)

    def live(self, dt: float) -> None:
        """What its BMS and its contactor do in `dt` seconds."""
        self.bms.step(dt, self.battery, self.contactor)
        self.contactor.step(dt)


@dataclass(slots=True)
class Bess:
    """Nothing flows that is not in the cells, and none of it through an open contactor."""

    battery: Battery
    pcs: Pcs
    contactor: Contactor = field(default_factory=Contactor)
    bms: Bms = field(default_factory=Bms)
    more: list[Rack] = field(default_factory=list)
    """Racks in parallel to the first."""
    mates: list[Pcs] = field(default_factory=list)
    """PCS on the same racks: they live with this one."""
    led: bool = False
    """It is such a mate of another one."""

    @property
    def racks(self) -> list[Rack]:
        """All that it draws from; each has as much as any other."""
        return [Rack(self.battery, self.contactor, self.bms), *self.more]

    @property
    def voltage(self) -> float:
        """V on the DC side; 0 while no rack is connected."""
        closed = [one.battery.voltage for one in self.racks if one.contactor.closed]
        return fmean(closed) if closed else 0.0

    @property
    def current(self) -> float:
        """A through this PCS, positive discharging."""
        if self.mates or self.led:
            return self.pcs.dc / self.voltage if self.voltage else 0.0
        return sum(one.battery.current for one in self.racks)

    def step(self, dt: float, *, lit: bool = True, balance: float | None = None) -> None:
        """Lives on for `dt` seconds; 0 shows at once what a new setpoint does.

        `lit`: there is a grid. `balance`: W that an island needs of this one.
        """
        if self.led:
            return
        for rack in self.racks:
            rack.live(dt)
        inverters, volts = [self.pcs, *self.mates], self.voltage or None
        for one in inverters:
            one.live(dt, volts, lit=lit)
        wanted = [one.wanted(dt, balance if one is self.pcs else None) for one in inverters]
        asked = [one.dc_of(power) for one, power in zip(inverters, wanted, strict=True)]
        carried = self._draw(sum(asked), dt, bounded=not any(one.blind for one in inverters))
        for one, power, share in zip(inverters, wanted, _shares(asked, carried), strict=True):
            one.carry(share, power)

    def _draw(self, power: float, dt: float, *, bounded: bool) -> float:
        """W that the racks that are connected carry together."""
        racks = self.racks
        closed = sum(one.contactor.closed for one in racks) or len(racks)
        alone = closed == len(racks)
        return sum(
            one.battery.step(power / closed if alone or one.contactor.closed else 0.0, dt, bounded=bounded)
            for one in racks
        )


def _shares(asked: Sequence[float], carried: float) -> list[float]:
    """What each gets of it: those that ask for what is short go without their part of it."""
    if len(asked) == 1:
        return [carried]
    whole = sum(asked)
    short = whole - carried
    those = [power if power * whole > 0 else 0.0 for power in asked]
    return [
        power - short * (part / sum(those) if sum(those) else 0.0) for power, part in zip(asked, those, strict=True)
    ]
