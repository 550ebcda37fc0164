"""What an alarm rule can look at: the points of a device, and some things that are seen from outside of it."""

from collections.abc import Container
from enum import StrEnum

from schemas.messages import Cause, DeviceState, OutcomeState, Telemetry, Value
from schemas.units import LARGEST

LINK, OUTCOME, ACTION, CAUSES = "link", "outcome", "action", "causes"
WORDS: dict[str, tuple[str, type[StrEnum]]] = {
    LINK: ("equals", DeviceState),
    OUTCOME: ("equals", OutcomeState),
    ACTION: ("equals", OutcomeState),
    CAUSES: ("contains", Cause),
}
"""What every device has, with the condition that judges it and the words it may say. `link`: what the bridge says of
the device; `outcome`: of its last command; `action`: of its last start, stop, reset or grid mode; `causes`: why it is
not as it should be. Parts of joulebus have `causes`, too."""

INSTEAD = {
    point: f'is no more: write point = "{CAUSES}" and contains = "{cause}"'
    for point, cause in (("doubt", Cause.METER_POLARITY), ("detail", Cause.CLOCK_QUARANTINE))
}
"""Points of former rules, which were read out of sentences, and what to write for them."""

SPREADS = {"cell_u_spread": ("cell_u_max", "cell_u_min"), "cell_t_spread": ("cell_t_max", "cell_t_min")}
ALARMS = "alarms"
"""Many devices spread their alarms over registers: profiles call these alarms, alarms_2, alarms_3..."""


def spreads(points: Container[str]) -> list[str]:
    """The differences that can be told from some points."""
    return [name for name, (high, low) in SPREADS.items() if high in points and low in points]


def read(telemetry: Telemetry, point: str) -> Value | None:
    """The value of a point if it can be believed; of a difference of two; of all registers of alarms together."""
    if point == ALARMS:
        return _alarms(telemetry)
    if point in telemetry.values or point not in SPREADS:
        return telemetry.good(point)
    high, low = (telemetry.number(part) for part in SPREADS[point])
    return None if high is None or low is None else max(-LARGEST, min(LARGEST, high - low))


def alive(telemetry: Telemetry) -> bool:
    """Whether it shows that the device answers now."""
    return not telemetry.historical and any(point not in telemetry.quality for point in telemetry.values)


def _alarms(telemetry: Telemetry) -> Value | None:
    """None when nothing is set in the registers that can be believed, but there is one that cannot."""
    registers = [point for point in telemetry.values if point == ALARMS or point.startswith(f"{ALARMS}_")]
    lists = [telemetry.good(point) for point in registers]
    names = [name for one in lists if isinstance(one, list) for name in one]
    return names if names or (lists and None not in lists) else None
