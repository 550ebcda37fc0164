"""What the CO2 of a drawn kWh costs in each step, where it has a price. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import fmean

import numpy as np

from optimizer.outlook import Vector
from optimizer.tariff import Series
from schemas.site_carbon import Carbon

DAYS = 7
"""So many days back an intensity is looked for that a file does not tell yet."""


def carbon_prices(carbon: Carbon | None, known: Series | None, starts: Sequence[datetime]) -> Vector | float:
    """Per kWh, by step; 0 where CO2 has no price. `known`: g per kWh of the file. An hour that it does not tell is as
    the same one of the day before, a week back at most, or as the mean of the file."""
    if carbon is None or not carbon.price:
        return 0.0
    if known is None or carbon.intensity is not None:
        return (carbon.intensity or 0.0) * carbon.price / 1e6
    mean = fmean(known.prices) if known.prices else 0.0
    grams = [next((one for one in _days(known, at) if one is not None), mean) for at in starts]
    return np.array(grams) * carbon.price / 1e6


def _days(known: Series, at: datetime) -> list[float | None]:
    return [known.at(at - timedelta(days=back)) for back in range(DAYS + 1)]
