"""What the guard knows of a battery and its site at this moment, from what was read. Pure."""

import math
from dataclasses import dataclass

from bridges.control.cell_limits import RUNS, CellLimits
from bridges.control.grid_connection import GridConnection
from bridges.control.grid_limit import GridLimit
from bridges.control.limits import Limit, LimitInputs
from bridges.telemetry.latest_values import LatestValues, lasts
from schemas.messages import Value
from schemas.site import Site
from schemas.site_battery import Unit

METER_AGE = 5.0
"""Seconds after which a measured power is too old to steer by, at usual polls."""


@dataclass
class BatteryInputs:
    """Reads the latest values as the limits of one battery need them."""

    site: Site
    battery: Unit
    latest: LatestValues
    tells_state: bool
    """The PCS' profile has a point `state`: without it a setpoint is believed to work at any time."""
    connection: GridConnection
    """Shared with the other batteries of the site."""
    looked: tuple[float, str] | None = None
    """When the PCS was looked at between two readings, and its state: a stop ends before the next reading shows it."""

    def __post_init__(self) -> None:
        self.pcs, self.meter = self.site.named(self.battery.pcs), self.site.named(self.site.grid.meter)
        self.cells = CellLimits(self.site, self.battery, self.latest, self.connection)
        self.rated = self.pcs.rated_power or 0.0

    @property
    def pcs_age(self) -> float:
        """Seconds after which what the PCS said is too old."""
        return lasts(self.pcs.poll, METER_AGE)

    @property
    def meter_age(self) -> float:
        """The same of the grid meter."""
        return lasts(self.meter.poll, METER_AGE)

    @property
    def bms_age(self) -> float:
        """The same of the BMS."""
        return max(self.cells.age(name) for name in self.battery.racks)

    def power(self, now: float) -> float | None:
        """The battery's, W; None while the PCS is silent."""
        shown = self.connection.shown(self.pcs.name)
        return shown[1] if shown is not None and now - shown[0] <= self.pcs_age else None

    def net(self, now: float) -> float | None:
        """W that the grid would carry if all batteries rested; None while the meter, or this battery, is silent."""
        return None if self.power(now) is None else self.connection.net(now)

    def state(self, now: float) -> str | None:
        """Of the PCS; None while it does not say."""
        if self.looked is not None and self.looked[0] > self.latest.began(self.pcs.name, "state"):
            at, says = self.looked
            return says if now - at <= self.pcs_age else None
        said = self.said(self.pcs.name, "state", now)
        return said if isinstance(said, str) else None

    def said(self, device: str, point: str, now: float) -> Value | None:
        """A value as long as it is fresh for its device."""
        return self.latest.said(device, point, now, lasts(self.site.named(device).poll, METER_AGE))

    def sun(self, now: float) -> float:
        """W of a hybrid's own PV; 0 while it does not say: the inverter keeps its own rating, and at night some say
        nothing."""
        said = [self.said(self.pcs.name, point, now) for point in self.site.profiles[self.pcs.name].pv_points]
        return sum(power for power in said if isinstance(power, float | int))

    def runs(self, now: float) -> bool | None:
        """Whether a setpoint works. None: unknown."""
        if not self.tells_state:
            return True
        state = self.state(now)
        return None if state is None else state in RUNS

    def limit_inputs(
        self,
        now: float,
        *,
        reactive_power: float,
        power_factor: float | None,
        position: float,
        ramp: float,
        grid_limit: GridLimit,
        interlocks: tuple[Limit, ...] = (),
        stopping: bool = False,
        trial: float = math.inf,
    ) -> LimitInputs:
        """Everything that limits the battery now."""
        percent, authority = grid_limit.limit(now), grid_limit.strongest(now)
        cells, bounds = self.cells.now(now), self.connection.bounds
        charge, discharge = self.cells.part(cells, now)
        net, beside = self.net(now), self.connection.beside(self.pcs.name, now)
        return LimitInputs(
            rated_power=self.rated,
            apparent_power=self.pcs.rated_apparent_power or self.rated,
            reactive_power=reactive_power,
            power_factor=power_factor,
            sun=self.sun(now),
            runs=self.runs(now),
            charge=charge,
            discharge=discharge,
            soc=cells.soc,
            soc_min=self.battery.soc_min,
            soc_max=self.battery.soc_max,
            net_load=None if net is None else net - beside.power,
            beside_less=beside.less,
            beside_more=beside.more,
            beside_gives=beside.gives,
            beside_takes=beside.takes,
            import_limit=bounds.import_limit(net),
            export_limit=bounds.export_limit,
            position=position,
            ramp=ramp,
            trial=trial,
            dso=None if percent is None else self.rated * percent / 100,
            dso_name="dso:limit" if authority is None else f"{authority.value}:limit",
            interlocks=interlocks,
            stopping=stopping,
        )
