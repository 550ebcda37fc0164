"""How long a reading tells of now. Pure.

Dispatch acts each 2 s and may move a megawatt by a wrong value, so it wants seconds. A plan is made each minute for
quarters of an hour, so it wants means, and a pause of a gateway is no news. A device that is read seldom gets 2.5 of
its cycles where that is more (`Device.stale_after`).
"""

METER_STEERS = 2.5
"""Seconds a reading of the grid meter steers the batteries; `optimizer.dispatch.Ratings` says what comes after."""
METER_NOW = 5.0
"""The same where it limits: the import of a load that is switched on, and whether a limit is held."""
PCS_SILENT = 5.0
"""After that nothing is sent to a PCS: its own watchdog and the bridge's look after it. The cells' age stands in the
site file: `ccl_stale_after`."""
PV_SILENT = 5.0
"""The same of a PV inverter: its bridge's fallback looks after it."""
PLANNED = 60.0
"""A plan begins with what is no older."""
SMOOTH = 120.0
"""Seconds of the means that a plan begins with: it wants no lift motors and no single clouds."""
