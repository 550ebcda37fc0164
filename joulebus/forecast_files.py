"""The forecasts from outside that a site file names, opened for `joulebus check`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from consumers.optimize.outside_files import read_file
from optimizer.forecast.local_days import instant
from schemas.site import Site
from schemas.site_forecasts import OutsideForecast
from schemas.topics import FORECAST_POWERS
from schemas.troubles import Trouble


def forecast_lines(site: Site) -> Iterator[str]:
    """What each tells, one a line. Raises Trouble for a file that is not there or cannot be read."""
    paths = site.forecast_files
    for number, one in enumerate(site.forecast):
        if one.name in paths:
            words = _file(site, number, one, paths[one.name])
        else:
            words = f"on {FORECAST_POWERS.at(site=site.site, forecast=one.name)}"
        yield f"{'forecast':<10} {one.name}, of {one.of}: {words}"


def _file(site: Site, number: int, one: OutsideForecast, path: Path) -> str:
    where = f"forecast.{number}.file"
    if not path.is_file():
        raise Trouble(f"{where}: {path} does not exist")
    try:
        told = read_file(path, one, site)
    except OSError as wrong:
        raise Trouble(f"{where}: {path} cannot be read: {wrong.strerror or wrong}") from wrong
    except Trouble as wrong:
        raise Trouble(f"{where}: {wrong}") from wrong
    begin, end = (instant(at).astimezone(site.zone) for at in (told.first, told.first + len(told.values)))
    highest = float(np.nanmax(told.values))
    most = f"{highest / 1000:.1f} kW" if told.unit == "W" else f"{highest:.0f} W/m2"
    return f"{path.name}: {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}, up to {most}"
