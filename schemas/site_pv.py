"""What PV may give when nobody limits it any more. Pure."""

from collections.abc import Iterable

from schemas.site_parts import Grid

WHOLE = 100.0


def safe_share(grid: Grid, limited: Iterable[float], unlimited: Iterable[float]) -> float:
    """% of its rated power that each inverter which can be limited may give without a command: then all of the PV
    alone, without any load, feeds in no more than the site may. `limited`, `unlimited`: W of those that can be limited,
    and of the others."""
    if grid.pv_fallback is not None:
        return grid.pv_fallback
    rated = sum(limited)
    left = grid.export_limit - sum(unlimited)
    return max(0.0, min(WHOLE, WHOLE * left / rated)) if rated else WHOLE
