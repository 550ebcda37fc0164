"""Telemetry folded into what dispatch must know now. Ages run on the monotonic clock from the arrival: no step of a
wall clock makes an old value young, nor a young one old. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.battery_seen import BatterySeen, number
from consumers.dispatch.net_load import NetLoad
from optimizer.billing import Billing
from optimizer.dispatch import DEADBAND, Moment
from optimizer.storage import soc
from runtime.arrivals import Arrivals
from schemas.messages import Telemetry
from schemas.site import Site

STILL = 0.8 * DEADBAND
"""Of the rated power: batteries that move less stand still."""


@dataclass
class Fold:
    """The last believable values of the site's meter and of its batteries."""

    site: Site
    billing: Billing
    net: NetLoad
    """Of all batteries together."""
    batteries: dict[str, BatterySeen]
    """By the name of their PCS."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    meter_heard: float = float("-inf")
    """Monotonic seconds of the last good reading."""

    @classmethod
    def of(cls, site: Site) -> "Fold":
        demand = site.demand
        cycle = site.named(site.grid.meter).poll + max(site.named(pcs).poll for pcs in site.pcs)
        net = NetLoad(STILL * site.rated_power, cycle)
        batteries = {one.pcs: BatterySeen.of(site, one) for one in site.battery}
        return cls(site, Billing(site.zone, demand.minutes if demand else 15), net, batteries)

    def hear(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """The next message. What does not tell of now, or is not good, changes nothing."""
        mine = self.site.battery_of(device)
        if mine is None and device != self.site.grid.meter:
            return
        if not self.arrivals.timely(device, telemetry, mono):
            return
        if mine is None:
            self._hear_meter(telemetry, now, mono)
        elif device == mine.pcs:
            self._hear_pcs(self.batteries[mine.pcs], telemetry, mono)
        else:
            self.batteries[mine.pcs].hear_bms(telemetry, mono)

    def _hear_pcs(self, one: BatterySeen, telemetry: Telemetry, mono: float) -> None:
        counted, returns = one.counted, one.silent(mono)
        if not one.hear_pcs(telemetry, mono):
            return
        if returns and len(self.batteries) > 1 and self.net.value is not None:
            one.shift = (one.power or 0.0) - counted
        self.net.hear_battery(sum(each.counted for each in self.batteries.values()), mono)

    def _hear_meter(self, telemetry: Telemetry, now: datetime, mono: float) -> None:
        grid = number(telemetry, "p")
        if grid is None:
            return
        # by our own clock: the meter's bridge may have another one, and the bill is made by the true time
        self.billing = self.billing.fold(now, grid)
        self.net.hear_grid(grid, mono)
        self.meter_heard = mono

    def moment(self, able: Sequence[BatterySeen], now: datetime, mono: float, last: float) -> Moment:
        """As those see it that can be steered, at least one: what the other batteries do is load. `last`: W wanted of
        them before."""
        mine = {one.battery.pcs for one in able}
        net = self.net.value
        if net is not None:
            net += sum(one.shift for one in self.batteries.values())
            net -= sum(one.power or 0.0 for pcs, one in self.batteries.items() if pcs not in mine)
        one, age = able[0], mono - self.meter_heard
        if len(able) == 1:
            return Moment(now, net, age, one.soc, one.charge, one.discharge, mono - one.bms_heard, last)
        rooms = [each.room() for each in able]
        charge, discharge = -sum(room.low for room in rooms), sum(room.high for room in rooms)
        charged = soc([each.battery for each in able], [room.soc for room in rooms])
        return Moment(now, net, age, charged, charge, discharge, 0.0, last)
