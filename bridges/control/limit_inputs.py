"""What the guard knows of the battery and its site at this moment, from what was read. Pure."""

from collections.abc import Mapping, Sequence

from bridges.control.limits import LimitInputs
from bridges.telemetry.latest_values import LatestValues
from schemas.site import Site

METER_AGE = 5.0
"""Seconds after which a measured power is too old to steer by."""
CATCH_UP = 1.5
"""Cycles of ramp that may be made up at once: after an hour at rest the first step is as small as any other."""


def limit_inputs(
    site: Site,
    board: LatestValues,
    now: float,
    *,
    moved: float,
    powers: Sequence[tuple[float, float]],
    applied: Mapping[str, float],
    wanted: Mapping[str, float],
    dso_percent: float | None = None,
) -> LimitInputs:
    """`now`, `moved` (the last write) and the times of the battery's `powers` are of the monotonic clock."""
    battery, grid = site.battery, site.grid
    device = site.named(battery.pcs)
    rated, stale = device.rated_power or 0.0, battery.ccl_stale_after
    measured = board.fresh(battery.pcs, "p", now, METER_AGE)
    return LimitInputs(
        rated_power=rated,
        apparent_power=device.rated_apparent_power or rated,
        reactive_power=applied.get("q_set", 0.0),
        power_factor=wanted.get("pf_set"),
        voltage=board.fresh(battery.bms, "u", now, stale),
        charge_current=board.fresh(battery.bms, "ccl", now, stale),
        discharge_current=board.fresh(battery.bms, "dcl", now, stale),
        soc=board.fresh(battery.bms, "soc", now, stale),
        soc_min=battery.soc_min,
        soc_max=battery.soc_max,
        grid=board.fresh(grid.meter, "p", now, METER_AGE),
        battery=None if measured is None else _when_metered(powers, board.when(grid.meter, "p"), measured),
        import_limit=grid.import_limit,
        export_limit=grid.export_limit,
        last=applied.get("p_set", measured or 0.0),
        dso=None if dso_percent is None else rated * dso_percent / 100,
        ramp=battery.ramp * min(now - moved, CATCH_UP * device.poll),
    )


def _when_metered(powers: Sequence[tuple[float, float]], metered: float, now: float) -> float:
    """The battery's power when the meter was read: a step the meter has not seen yet would count as room that is not
    there, and the next step would break the site's limit."""
    return next((power for at, power in reversed(powers) if at <= metered), now)
