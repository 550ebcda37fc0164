"""How much energy went from where to where in each quarter of an hour."""

from sqlalchemy import Column, Double

from schemas.tables.column import Moment, ascii_name, key, table

flow = table(
    "flow",
    key("site"),
    key("at", Moment()),
    *(
        Column(name, Double, nullable=False)
        for name in (
            "pv_load",
            "pv_battery",
            "pv_grid",
            "grid_load",
            "grid_battery",
            "battery_load",
            "battery_grid",
        )
    ),
    json=(),
)
"""Wh from where to where in the quarter of an hour that begins at `at`."""

load_energy = table(
    "load_energy",
    key("site"),
    key("at", Moment()),
    key("device"),
    Column("behind", ascii_name(), nullable=False),
    Column("used", Double, nullable=False),
    json=(),
)
"""Wh that a load whose power is measured drew in the quarter of an hour that begins at `at`, one row a load.

`behind`: the load whose meter it stands behind, or empty: those add up. `other load` is the rest that nobody measures;
it has no row while a battery, a load or the meter has not told: unknown is not 0. Below 0 a meter is wrong.
"""

energy = table(
    "energy",
    key("site"),
    key("device"),
    key("point"),
    key("at", Moment()),
    Column("out_wh", Double, nullable=False),
    Column("in_wh", Double, nullable=False),
    Column("source", ascii_name(), nullable=False),
    Column("seconds", Double, nullable=False),
    json=(),
    mariadb_page_compressed="1",
    sqlite_with_rowid=False,
)
"""Wh out of a device into the site and the other way in the quarter of an hour that begins at `at`, by the one rule of
consumers/archive/energy/energies.py; no row where that does not know it.

`point`: `p` for the device's own power, `pv_p` for the PV of a hybrid. `source`: schemas/energies.py.
`seconds`: how much of the quarter was seen.
"""
