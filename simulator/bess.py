"""A battery system: the cells, their BMS, their contactor and the PCS in front of them. Pure."""

from dataclasses import dataclass, field

from simulator.battery import Battery
from simulator.bms import Bms
from simulator.contactor import Contactor
from simulator.pcs import Pcs


@dataclass(slots=True)
class Bess:
    """Nothing flows that is not in the cells, and none of it through an open contactor."""

    battery: Battery
    pcs: Pcs
    contactor: Contactor = field(default_factory=Contactor)
    bms: Bms = field(default_factory=Bms)

    def step(self, dt: float, *, lit: bool = True, balance: float | None = None) -> None:
        """Lives on for `dt` seconds; 0 shows at once what a new setpoint does.

        `lit`: there is a grid. `balance`: W that an island needs of this one.
        """
        battery, pcs, contactor = self.battery, self.pcs, self.contactor
        self.bms.step(dt, battery, contactor)
        contactor.step(dt)
        pcs.live(dt, battery.voltage if contactor.closed else None, lit=lit)
        wanted = pcs.wanted(dt, balance)
        pcs.carry(battery.step(pcs.dc_of(wanted), dt, bounded=not pcs.blind), wanted)
