"""What PV may give when nobody limits it any more. Pure."""

from collections.abc import Iterable

from schemas.site_parts import Grid

WHOLE = 100.0


def safe_share(grid: Grid, most: float, limited: Iterable[float], unlimited: Iterable[float]) -> float:
    """% of its rated power that each inverter which can be limited may give without a command: then all of the PV
    alone, without any load, feeds in no more than `most` W. `limited`, `unlimited`: W of those that can be limited, and
    of the others. What the site file says stands in the place of its own limit, but never of a narrower one."""
    rated, left = sum(limited), most - sum(unlimited)
    share = max(0.0, min(WHOLE, WHOLE * left / rated)) if rated else WHOLE
    if grid.pv_fallback is None:
        return share
    return grid.pv_fallback if most >= grid.export_limit else min(grid.pv_fallback, share)
