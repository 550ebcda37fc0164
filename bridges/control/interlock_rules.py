"""Which interlocks a battery has: the shipped rules that fit its devices, and the site file's own."""

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import Field

from bridges.control.interlock_cause import Interlock
from bridges.control.limit_inputs import METER_AGE
from bridges.telemetry.latest_values import lasts
from schemas.alarm_effect import as_interlock, unable
from schemas.interlock import DERATES, InterlockRule, Misfit, misfit, mistake, of_cells, points_of, states
from schemas.shape import Shape
from schemas.site import Site
from schemas.site_alarm import AlarmRule, WrongAlarm
from schemas.site_battery import Unit
from schemas.troubles import Trouble, explain
from schemas.units import Kind

SHIPPED = Path(__file__).with_name("interlocks.toml")
OF_A_BATTERY = (Kind.PCS, Kind.BMS)
"""Devices of one battery; all others (a fire detector) belong to every battery of the site."""


TURNS, SURELY = 20, 1.5
"""Polls in which a point was surely read again: of one that is read in turn, and of another."""

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

    A rule of the site file replaces the shipped one of its name, or takes it out. An alarm with `effect` is one more;
    one that cannot be is left out, and `wrong_effects` says why.
    """
    found = _of_the_file(site, battery)
    return tuple((found | _of_alarms(site, battery, found)[0]).values())


def _of_the_file(site: Site, battery: Unit) -> dict[str, Interlock]:
    """Without those of its alarms. Raises Trouble."""
    found, own = _shipped_for(site, battery), dict[str, Interlock]()
    for rule in site.interlock:
        if rule.chemistry and battery.chemistry not in rule.chemistry:
            continue
        if rule.omit:
            _omit(site, battery, rule, found)
            continue
        mine = _fitting(site, battery, rule, own=True)
        if twice := mine.keys() & own.keys():
            raise Trouble(f"interlock {min(twice)!r} is given twice; the later would hide the earlier")
        own |= mine
    return found | own


def _of_alarms(
    site: Site, battery: Unit, taken: Mapping[str, Interlock]
) -> tuple[dict[str, Interlock], list[tuple[int, Misfit | None]]]:
    """Those of a battery, beside what is `taken`; and for each alarm and device how it came out."""
    found, said = dict[str, Interlock](), list[tuple[int, Misfit | None]]()
    for number, rule in enumerate(site.alarm):
        if isinstance(rule, WrongAlarm) or not rule.effect:
            continue
        if rule.chemistry and battery.chemistry not in rule.chemistry:
            continue
        for name in _devices(site, battery, rule):
            made = _yields(site, battery, rule, name, {**taken, **found})
            if isinstance(made, InterlockRule):
                found |= _fitting(site, battery, made, own=True)
            said.append((number, None if isinstance(made, InterlockRule) else made))
    return found, said


def _yields(
    site: Site, battery: Unit, rule: AlarmRule, device: str, taken: Mapping[str, Interlock]
) -> InterlockRule | Misfit:
    profile, poll = site.profiles[device], site.named(device).poll
    made = as_interlock(rule, device, profile, poll, lasts(poll, METER_AGE))
    if not isinstance(made, InterlockRule):
        return made
    if (other := taken.get(f"{rule.name}-{device}")) is not None:
        beside = "is shipped" if other.shipped else "stands in this file, too"
        words = f"an interlock {other.name} {beside}: give the alarm another name, or leave its `effect` out"
        return "effect", words
    return mistake(made, {device: profile}, battery.chemistry) or made


def wrong_effects(site: Site) -> list[tuple[str, str]]:
    """Alarms that should drive control and cannot: the place in the file, and what would be right.

    One for a kind of device must fit one of them. Raises Trouble for an interlock that is wrong itself.
    """
    said = [one for unit in site.units for one in _of_alarms(site, unit, _of_the_file(site, unit))[1]]
    wrong = []
    for number, rule in enumerate(site.alarm):
        if isinstance(rule, WrongAlarm) or not rule.effect:
            continue
        mine = [misfit for n, misfit in said if n == number]
        taken = [one for one in mine if one is not None and one[0] == "effect"]
        misfits = taken or ([] if None in mine else [one for one in mine if one is not None] or [_nowhere(site, rule)])
        wrong += [(f"alarm.{number}.{key}", words) for key, words in misfits[:1]]
    return wrong


def without_effect(site: Site) -> list[str]:
    """Alarms that should drive control and do not, in words for the status of the bridge that goes on without them."""
    unread = [(n, one) for n, one in enumerate(site.alarm) if isinstance(one, WrongAlarm) and one.drives]
    wrong = [(f"alarm.{n}.{key}", words) for n, one in unread for key, words in one.mistakes[:1]]
    said = [*wrong, *wrong_effects(site)]
    return [f"{place}: this alarm should hold the battery and does nothing: {words}" for place, words in said]


def _nowhere(site: Site, rule: AlarmRule) -> Misfit:
    if wrong := unable(rule):
        return wrong
    if rule.chemistry and site.units and all(one.chemistry not in rule.chemistry for one in site.units):
        cells = ", ".join(sorted({str(one.chemistry or "not given") for one in site.units}))
        return "chemistry", f"the battery's is {cells}: its effect would never act"
    what = f"device {rule.device!r}" if rule.device else f"kind {rule.kind}"
    return "effect", f"acts on a battery, and {what} belongs to none of this site: leave `effect` out"


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
        if rule.chemistry
        and _guards(rule)
        and _fitting(site, battery, rule)
        and (rule.point, rule.condition) not in held
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
            every = site.named(name).poll * (TURNS if point is not None and point.rate == "slow" else SURELY)
            found[lock] = Interlock(lock, narrowed, name, points, names, shipped=not own, left=left, every=every)
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


def _devices(site: Site, battery: Unit, rule: InterlockRule | AlarmRule) -> list[str]:
    """Of this battery, or of all."""
    mine = {battery.pcs, *battery.racks}
    return [
        device.name
        for device in site.devices
        if rule.device == device.name
        or (rule.device is None and _meant(rule, site.profiles[device.name].kind, battery))
        if device.name in mine or site.profiles[device.name].kind not in OF_A_BATTERY
    ]


def _meant(rule: InterlockRule | AlarmRule, kind: Kind, battery: Unit) -> bool:
    """What holds for the cells of a BMS holds for the PCS that speaks for them where there is none."""
    hybrid = kind is Kind.PCS and battery.pcs in battery.racks
    return rule.kind is kind or (hybrid and rule.kind is Kind.BMS and of_cells(str(rule.point)))
