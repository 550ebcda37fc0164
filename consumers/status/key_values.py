"""The values of a device that an operator looks at first, with names for people. Pure."""

from collections.abc import Mapping

from consumers.status.state import Moment, State
from consumers.status.values import Shown, value_of
from schemas.labels import in_words, label, switched
from schemas.site_device import Device
from schemas.units import Kind, Quality

KEY_POINTS: dict[Kind, tuple[str, ...]] = {
    Kind.PCS: ("p", "soc", "state", "dc_u", "q", "t_heatsink", "t_cab", "f"),
    Kind.BMS: ("soc", "state", "ccl", "dcl", "cell_u_min", "cell_u_max", "cell_t_max", "u", "i", "work_state"),
    Kind.METER: ("p", "q", "u_l1n", "f", "e_import", "e_export"),
    Kind.PV: ("p", "p_limit_pct", "state", "dc_p", "dc_u"),
    Kind.LOAD: ("p", "switch", "sg_ready", "state"),
    Kind.SENSOR: ("inputs",),
}
"""What stands first; the archive has the rest."""
SHOWN = 6
"""Values of a device."""
ALWAYS = ("p", "soc", "switch", "p_limit_pct")
"""Said to be missing where a device never gave one; of any other point nothing is said then."""


def key_values(state: State, device: Device, now: Moment) -> list[Shown]:
    """Each with its point, its label and its value: a state in words, a switch as on or off."""
    profile = state.site.profiles[device.name]
    first, *others = KEY_POINTS[profile.kind] or ("",)
    known = [point for point in (first, *profile.pv_points, *others) if point in profile.points]
    plain = [point for point in profile.points if not point.startswith("alarms")]
    found = [_shown(state, device.name, point, now) for point in known or plain]
    given = [one for one in found if one["state"] != "missing" or one["point"] in (*ALWAYS, *profile.pv_points)]
    alarms = flags(state, device, now)
    said = {"point": "alarms", "label": label("alarms"), "unit": "", "state": "live", "age": None}
    return given[:SHOWN] + ([] if alarms is None else [said | {"value": [in_words(one) for one in alarms]}])


def _shown(state: State, device: str, point: str, now: Moment) -> Shown:
    one = value_of(state, device, point, now)
    said = _told(state, device, point, one["value"]) or _worded(point, one["value"])
    return {"point": point, "label": label(point)} | one | {"value": said}


def _told(state: State, device: str, point: str, value: object) -> str:
    """`on` or `off` of a load by its rule: a contact that opens may switch it on. Empty of what is no switch."""
    rule = next((one for one in state.site.load if one.device == device), None)
    profile = state.site.profiles[device]
    if rule is None or not isinstance(value, float) or switched(point, 0.0) is None or rule.told_by(profile) != point:
        return ""
    return "on" if rule.share(value, profile, 1.0) > 0 else "off"


def _worded(point: str, value: object) -> object:
    match value:
        case float():
            return switched(point, value) or value
        case str():
            return in_words(value)
        case list():
            return [in_words(str(one)) for one in value]
    return value


def flags(state: State, device: Device, now: Moment) -> list[str] | None:
    """The device's own alarms, wherever its map keeps them; None when it has none to say or they are not live."""
    points = [name for name in state.site.profiles[device.name].points if name.startswith("alarms")]
    found = [value_of(state, device.name, point, now) for point in points]
    if not found or any(one["state"] != "live" for one in found):
        return None
    return [flag for one in found for flag in (one["value"] if isinstance(one["value"], list) else [one["value"]])]


DOUBTS: dict[Quality, str] = {
    Quality.STALE: "is old",
    Quality.FROZEN: "does not move",
    Quality.IMPLAUSIBLE: "cannot be right",
    Quality.SUBSTITUTED: "is a substitute",
}


def doubts(quality: Mapping[str, Quality]) -> str:
    """Which of its values are not to be believed, and why; empty where all are good."""
    return ", ".join(f"{label(point)} {DOUBTS.get(one, str(one))}" for point, one in quality.items())
