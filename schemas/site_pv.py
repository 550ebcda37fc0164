"""What PV may give when nobody limits it any more. Pure."""

from collections.abc import Iterable

from schemas.site_grid import Grid

WHOLE = 100.0


def safe_share(grid: Grid, export: float, most: float, limited: Iterable[float], unlimited: Iterable[float]) -> float:
    """% of its rated power that each inverter which can be limited may give without a command: then all of the PV
    alone, without any load, feeds in no more than `export` W, and gives no more than `most`. `limited`, `unlimited`: W
    of those that can be limited, and of the others. What the site file says stands in the place of its own limit of
    feed-in, but never of a narrower one, nor of one of the PV itself: that knows no load."""
    rated, beside = sum(limited), sum(unlimited)

    def share(power: float) -> float:
        return max(0.0, min(WHOLE, WHOLE * (power - beside) / rated)) if rated else WHOLE

    if grid.pv_fallback is None:
        return share(min(export, most))
    fed = grid.pv_fallback if export >= grid.export_limit else min(grid.pv_fallback, share(export))
    return min(fed, share(most))
