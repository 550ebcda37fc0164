"""The values of a site as far as they can be believed: live, stale, missing, or the quality that is not good."""

from typing import Any

from consumers.status.state import Moment, State
from schemas.flows import rest
from schemas.messages import DeviceState, Value
from schemas.register import Point
from schemas.site import Site
from schemas.site_device import Device
from schemas.units import Quality

Shown = dict[str, Any]

SILENT = 12.0
"""Seconds: a service that has not spoken for so long is down (they speak each 5 s)."""


def patience(device: Device, rate: str) -> float:
    """Seconds after which a value is stale. Slow points are read in rotation, between the fast ones."""
    polls, floor = (3, 10.0) if rate == "fast" else (20, 60.0)
    return max(polls * device.poll, floor)


def value_of(state: State, device: str, point: str, now: Moment) -> Shown:
    """A value with how far it can be believed: live, stale, missing, or the quality that is not good."""
    said = state.points.get((device, point))
    shape = state.site.profiles[device].points.get(point)
    unit = shape.unit if shape else ""
    if said is None:
        return {"value": None, "unit": unit, "state": "missing", "age": None}
    age = said.age(now)
    limit = patience(state.site.named(device), shape.rate if shape else "fast")
    value: Value | None = said.word.value
    mark = "live" if said.word.quality is Quality.GOOD else str(said.word.quality)
    if not isinstance(value, _kind(shape)):  # a state where the page adds up numbers
        value, mark = None, str(Quality.IMPLAUSIBLE)
    if age > limit or _gone(state, device):
        mark = "stale"
    return {"value": value, "unit": unit, "state": mark, "age": round(age, 1)}


def _kind(shape: Point | None) -> type[float | str | list[str]]:
    """What the value of a point is."""
    if shape is None:
        return float
    return list if shape.flags is not None else str if shape.enum or shape.first or shape.type == "text" else float


def _gone(state: State, device: str) -> bool:
    status = state.devices.get(device)
    return not state.broker or (status is not None and status.word.state is DeviceState.OFFLINE)


def flow(state: State, now: Moment) -> Shown:
    """The powers of grid, battery, PV and load, in W."""
    brings = _brings(state, now)
    # What comes into the site is what the load takes.
    return brings | {"load": _taken(_sum([*brings.values()]), state.site)}


def _brings(state: State, now: Moment) -> dict[str, Shown]:
    site = state.site
    return {
        "grid": _power(state, [site.grid.meter], now),
        "battery": _power(state, site.pcs, now),
        "pv": _sum([value_of(state, *source, now) for source in site.pv_points]),
    }


OTHER = "other load"
"""What of the load nobody measures."""
TOO_MUCH = (
    "the measured loads draw more than grid, batteries and PV bring: a meter is wrong, or one load is behind another"
)


def loads(state: State, now: Moment) -> Shown:
    """Each load that is measured, those behind another one after it, and the rest; W. Unknown where a part of it is."""
    site = state.site
    named = {one.name: value_of(state, one.name, "p", now) for one in site.loads}
    listed = [shown | {"load": name, "behind": site.named(name).behind or ""} for name, shown in named.items()]
    if not listed:
        return {"list": [], "doubt": ""}
    brings = [*_brings(state, now).values()]
    parts = [*brings, *(named[name] for name in site.loads_apart)]
    other, doubt = worst(parts, "W") | {"load": OTHER, "behind": ""}, ""
    if other["state"] != "missing":
        found = rest([one["value"] for one in brings], [named[name]["value"] for name in site.loads_apart])
        other["value"] = found.power
        if found.doubted and other["state"] == "live":
            other["state"], doubt = str(Quality.IMPLAUSIBLE), TOO_MUCH
    return {
        "list": [*sorted(listed, key=lambda one: (one["behind"] or one["load"], one["behind"])), other],
        "doubt": doubt,
    }


AT_REST = 0.02
"""Of the import limit: three devices are not read at the same instant, so the sum may be as far below 0."""


def _taken(load: Shown, site: Site) -> Shown:
    """No load gives power: below 0 the meter is the wrong way round, or something that produces is not read."""
    value = load["value"]
    below = isinstance(value, float) and value < -AT_REST * site.grid.import_limit
    return load | {"state": str(Quality.IMPLAUSIBLE)} if below and load["state"] == "live" else load


def alive(state: State, service: str, now: Moment) -> bool:
    said = state.services.get(service)
    return state.broker and said is not None and said.word.state == "online" and said.age(now) <= SILENT


def device_state(state: State, name: str, now: Moment) -> tuple[str, str]:
    """How a device is, and why."""
    status, last = state.devices.get(name), state.telemetry.get(name)
    if not state.broker:
        return "unknown", "no connection to the broker"
    if status is not None and status.word.state is DeviceState.OFFLINE:
        return "offline", status.word.reason
    if last is None:
        return "silent", "nothing heard yet"
    if (age := last.age(now)) > patience(state.site.named(name), "fast"):
        return "silent", f"last heard {age:.0f} s ago"
    return (str(status.word.state), status.word.reason) if status else ("online", "")


def _power(state: State, devices: list[str], now: Moment) -> Shown:
    return _sum([value_of(state, device, "p", now) for device in devices])


def _sum(parts: list[Shown]) -> Shown:
    """No parts are a live 0 (a site without PV)."""
    values = [part["value"] for part in parts]
    whole = all(isinstance(value, float) for value in values)
    return worst(parts, "W") | {"value": sum(values, 0.0) if whole else None}


def worst(parts: list[Shown], unit: str) -> Shown:
    """As old and as doubtful as the worst part."""
    whole = all(isinstance(part["value"], float) for part in parts)
    mark = min((part["state"] for part in parts), key=_doubt, default="live")
    ages = [part["age"] for part in parts if part["age"] is not None]
    return {"value": None, "unit": unit, "state": mark if whole else "missing", "age": max(ages, default=None)}


def _doubt(mark: str) -> int:
    order = ["missing", "stale", "frozen", "implausible", "substituted", "live"]
    return order.index(mark)
