"""What others do with a battery: rules that know no forecast. To compare a plan with. Pure.

Both get W of the load less PV and give W of the battery, positive discharging, before its own limits.
"""

from collections.abc import Sequence

import numpy as np

from optimizer.storage import Storage


def self_consumption(net: float) -> float:
    """Stores what PV gives too much, and covers the load with it: what most inverters do as they are delivered."""
    return net


def price_rule(net: float, prices: Sequence[float], rated: float, storage: Storage) -> float:
    """Charges in the cheapest sixth of the known hours (4 of 24), covers the load in the dearest sixth, stores PV.

    `prices`: per kWh of what is drawn, of the next day as far as it is known, the present one first. From the grid it
    charges only where the dearest pay for losses and wear. `rated` in W.
    """
    low, high = (float(one) for one in np.quantile(prices, [1 / 6, 5 / 6]))
    both, price = storage.efficiency, prices[0]
    pays = high * both**2 - storage.wear * both > low
    if pays and price <= low:
        return -rated
    if net < 0 or price >= high:
        return net
    return 0.0
