"""From where to where the energy of a quarter of an hour went. Pure.

A meter does not say which kWh of the PV reached the battery: it is a convention. Here, as in most billing: the load
takes the PV first, the battery takes what is left of it, the grid gets the rest; then the battery serves the load
and feeds the grid, and the grid fills what is still missing.
"""

from schemas.flows import Flows


def flows(pv: float, imported: float, exported: float, discharged: float, charged: float) -> Flows:
    """Split what the meters saw, all in Wh and not negative. What comes in is what goes out; the load is the rest.

    A balance that would make the load negative (clocks, losses) is put right at the export, then at the charge.
    """
    load = pv + imported + discharged - exported - charged
    if load < 0:
        exported, load = exported + load, 0.0
    if exported < 0:
        charged, exported = charged + exported, 0.0
    pv_load, pv, load = _take(pv, load)
    pv_battery, pv, charged = _take(pv, charged)
    pv_grid, _, exported = _take(pv, exported)
    battery_load, discharged, load = _take(discharged, load)
    battery_grid, discharged, exported = _take(discharged, exported)
    grid_battery, imported, charged = _take(imported, charged)
    grid_load, imported, _ = _take(imported, load)
    # What is left went out and in of the same door within the quarter: it changed places with the PV meanwhile.
    by_battery, left, charged = _turned(pv_load, discharged, charged)
    by_battery_too, _, _ = _turned(pv_grid, left, charged)
    by_grid, left, exported = _turned(pv_load - by_battery, imported, exported)
    by_grid_too, _, _ = _turned(battery_load, left, exported)
    return Flows(
        pv_load - by_battery - by_grid,
        pv_battery + by_battery + by_battery_too,
        pv_grid - by_battery_too + by_grid,
        grid_load + by_grid + by_grid_too,
        grid_battery,
        battery_load + by_battery - by_grid_too,
        battery_grid + by_battery_too + by_grid_too,
    )


def _turned(way: float, source: float, sink: float) -> tuple[float, float, float]:
    """How much of a way another source can take over, so that its own energy reaches the sink; what is left of both."""
    turned = min(way, source, sink)
    return turned, source - turned, sink - turned


def _take(source: float, sink: float) -> tuple[float, float, float]:
    """What flows, and what is left of both."""
    taken = min(source, sink)
    return taken, source - taken, sink - taken
