"""How finely a curve is read: as finely as can be seen. Pure."""

from datetime import timedelta

RESOLUTIONS = {"raw": 1, "1m": 60, "15m": 900, "1h": 3600}
"""Seconds between two values of each; raw telemetry comes about once a second."""

PER_PIXEL = 2
"""Values a pixel may hold: each carries its smallest and largest, so nothing is hidden by fewer."""


def fitting(span: timedelta, pixels: int) -> str:
    """The finest resolution with no more values than can be drawn, else the coarsest there is."""
    room = PER_PIXEL * max(pixels, 1)
    return next((name for name, seconds in RESOLUTIONS.items() if span.total_seconds() / seconds <= room), "1h")
