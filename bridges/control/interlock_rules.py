"""Which interlocks a battery has: the shipped rules that fit its devices, and the site file's own."""

import math
import tomllib
from functools import cache
from pathlib import Path

from pydantic import Field

from bridges.control.interlock_cause import Interlock
from schemas.interlock import DERATES, InterlockRule, misfit, points_of, states
from schemas.shape import Shape
from schemas.site import Site
from schemas.site_battery import Unit
from schemas.troubles import Trouble, explain
from schemas.units import Kind

SHIPPED = Path(__file__).with_name("interlocks.toml")
OF_A_BATTERY = (Kind.PCS, Kind.BMS)
"""Devices of one battery; all others (a fire detector) belong to every battery of the site."""


SIDES = {"above": "too high", "below": "too low", "rises": "rising fast"}


class Rules(Shape):
    """The file of the shipped rules."""

    rules: list[InterlockRule] = Field(alias="interlock")


@cache
def shipped(path: Path = SHIPPED) -> tuple[InterlockRule, ...]:
    """The shipped rules. Raises Trouble."""
    try:
        return tuple(Rules.model_validate(tomllib.loads(path.read_text(encoding="utf-8"))).rules)
    except (ValueError, OSError) as wrong:
        raise explain(path, wrong, Rules) from wrong


def rules_for(site: Site, battery: Unit) -> tuple[Interlock, ...]:
    """The interlocks of a battery, each for one device. Raises Trouble for one that could not act as it is meant.

    A rule of the site file replaces the shipped one of its name, or takes it out.
    """
    found, own = _shipped_for(site, battery), dict[str, Interlock]()
    for rule in site.interlock:
        if rule.omit:
            _omit(site, battery, rule, found)
            continue
        mine = _fitting(site, battery, rule, own=True)
        if twice := mine.keys() & own.keys():
            raise Trouble(f"interlock {min(twice)!r} is given twice; the later would hide the earlier")
        own |= mine
    return tuple((found | own).values())


def _shipped_for(site: Site, battery: Unit) -> dict[str, Interlock]:
    found: dict[str, Interlock] = {}
    for rule in shipped():
        if not rule.chemistry or battery.chemistry in rule.chemistry:
            found |= _fitting(site, battery, rule)
    return found


def _named(site: Site, battery: Unit, rule: InterlockRule) -> list[str]:
    return [f"{rule.name}-{name}" for name in _devices(site, battery, rule)]


def _omit(site: Site, battery: Unit, rule: InterlockRule, found: dict[str, Interlock]) -> None:
    """Raises Trouble where no battery has anything to take out: it may be mistyped, and another would act on."""
    names = _named(site, battery, rule)
    if names and not any(_shipped_for(site, one).keys() & set(_named(site, one, rule)) for one in site.units):
        known = dict.fromkeys(one.name for one in shipped())
        raise Trouble.unknown(f"interlock {rule.name!r} to omit", rule.name, known)
    for name in names:
        found.pop(name, None)


def omitted(site: Site) -> list[InterlockRule]:
    """The shipped interlocks that the site file takes out."""
    return [rule for rule in site.interlock if rule.omit]


def unguarded(site: Site, battery: Unit) -> list[str]:
    """Limits of cells that hold for another chemistry only, so that nobody but the BMS guards them: point and side."""
    held = {(lock.rule.point, lock.rule.condition) for lock in rules_for(site, battery) if _guards(lock.rule)}
    limits = {
        (rule.point, rule.condition): None
        for rule in shipped()
        if rule.chemistry and _guards(rule) and _fitting(site, battery, rule) and (rule.point, rule.condition) not in held
    }
    return [f"{point} {SIDES[condition]}" for point, condition in limits]


def _guards(rule: InterlockRule) -> bool:
    """It does more than to leave a part of the power."""
    return not set(rule.effect) <= set(DERATES)


def _fitting(site: Site, battery: Unit, rule: InterlockRule, *, own: bool = False) -> dict[str, Interlock]:
    found = {}
    for name in _devices(site, battery, rule):
        if points := _points(site, name, rule, own=own):
            point = site.profiles[name].points.get(str(rule.point))
            names = () if point is None else tuple(states(point) or ())
            lock = f"{rule.name}-{name}"
            left = math.inf if rule.derate is None else site.rated(battery) * rule.derate / 100
            narrowed = _narrowed(site, name, rule)
            found[lock] = Interlock(lock, narrowed, name, points, names, shipped=not own, left=left)
    return found


def _narrowed(site: Site, device: str, rule: InterlockRule) -> InterlockRule:
    """With those of its flags that the device has."""
    if rule.contains is None:
        return rule
    flags = {flag for point in site.profiles[device].points.values() for flag in (point.flags or {}).values()}
    return rule.model_copy(update={"contains": [flag for flag in rule.contains if flag in flags]})


def _points(site: Site, device: str, rule: InterlockRule, *, own: bool) -> tuple[str, ...]:
    """What is looked at; empty where the rule does not fit. Raises Trouble where it would be misunderstood."""
    profile = site.profiles[device]
    points = points_of(rule, profile)
    if not points:
        return ()
    wrong = misfit(rule, profile, device, every=own)
    if wrong is None:
        return points
    if rule.unless is not None:
        raise Trouble(
            f"interlock {rule.name!r}: {wrong[0]}: {wrong[1]}; name it so in profile {site.named(device).profile!r}, "
            "or give the site file an [[interlock]] of this name"
        )
    return ()


def _devices(site: Site, battery: Unit, rule: InterlockRule) -> list[str]:
    """Of this battery, or of all."""
    mine = {battery.pcs, *battery.racks}
    return [
        device.name
        for device in site.devices
        if rule.device == device.name or (rule.device is None and site.profiles[device.name].kind is rule.kind)
        if device.name in mine or site.profiles[device.name].kind not in OF_A_BATTERY
    ]
