"""A quarter of an hour as it was forecast, and as it came."""

from dataclasses import dataclass
from datetime import datetime

from schemas.flows import Flows


@dataclass(frozen=True, slots=True)
class Forecast:
    """Load and PV of a quarter of an hour, in W: as they were forecast before it began, and as they came."""

    at: datetime
    """When the quarter begins."""
    made: datetime
    """When this was believed."""
    load: float
    pv: float
    measured_load: float | None = None
    """None until it is measured."""
    measured_pv: float | None = None

    @property
    def load_error(self) -> float | None:
        """W; positive when more was forecast than came."""
        return None if self.measured_load is None else self.load - self.measured_load

    @property
    def pv_error(self) -> float | None:
        """The same for the PV."""
        return None if self.measured_pv is None else self.pv - self.measured_pv


def measured_powers(one: Flows) -> tuple[float, float]:
    """Mean load and PV (W) of a quarter of an hour."""
    return 4 * (one.pv_load + one.grid_load + one.battery_load), 4 * (one.pv_load + one.pv_battery + one.pv_grid)
