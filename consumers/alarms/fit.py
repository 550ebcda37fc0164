"""Whether an alarm rule fits a device, and if not, why: the key in the rule and what would be right. Pure."""

from consumers.alarms.expression.grammar import parse
from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.tree import references
from consumers.alarms.expression.watch import watch, watch_text
from consumers.alarms.expression.wrong import Wrong
from consumers.alarms.reading import ALARMS, INSTEAD, WORDS
from schemas.interlock import DERIVED, of_cells, states
from schemas.profile import Profile
from schemas.register import Point
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.site_device import Device
from schemas.troubles import Trouble
from schemas.units import Kind

Misfit = tuple[str, str]
"""The key of a rule that does not fit, with a point before it, and in words what would be right."""


def meant(rule: AlarmRule, site: Site, device: Device) -> bool:
    """Whether a rule is about a device, whatever points that one has. One about cells is about the device that tells
    them: the BMS, or the PCS of a battery without one."""
    if rule.device is not None:
        return rule.device == device.name
    return site.profiles[device.name].kind is rule.kind or (rule.kind is Kind.BMS and _tells_cells(rule, site, device))


def _tells_cells(rule: AlarmRule, site: Site, device: Device) -> bool:
    """Whether it is a PCS that speaks for its cells, and tells all that the rule looks at."""
    battery, profile = site.battery_of(device.name), site.profiles[device.name]
    if battery is None or battery.bms or profile.kind is not Kind.PCS:
        return False
    if rule.when is not None:
        return _named(rule.when, profile)
    return not rule.seconds and of_cells(rule.point) and missing(rule, profile) is None


def _named(when: str, profile: Profile) -> bool:
    """Whether an expression looks at nothing of its own device but at cells, and they are told."""
    try:
        own = {one.name for one in references(parse(when)) if not one.device}
    except Wrong:
        return False
    return bool(own) and all(of_cells(name) and _told(name, profile) for name in own)


def _told(name: str, profile: Profile) -> bool:
    return name in profile.points or (name in DERIVED and set(DERIVED[name].parts) <= profile.points.keys())


def misfit(rule: AlarmRule, site: Site, device: str, scope: Scope) -> Misfit | None:
    """None where the rule can be raised for a device. `scope`: of the site, for what expressions name."""
    return _of_cells(rule, site, device) or _judged(rule, site, device, scope.of(device))


def _of_cells(rule: AlarmRule, site: Site, device: str) -> Misfit | None:
    """A limit for other cells than those of the device's battery."""
    battery = site.battery_of(device)
    if rule.chemistry and (battery is None or battery.chemistry not in rule.chemistry):
        wanted = " or ".join(rule.chemistry)
        if battery is None:
            return ".chemistry", f"device {device!r} belongs to no battery: its cells are not known to be {wanted}"
        said = f"are {battery.chemistry}" if battery.chemistry else "are not told (`chemistry` in its [[battery]])"
        return ".chemistry", f"the cells of {device!r} {said}, and the rule is for {wanted}"
    return None


def _judged(rule: AlarmRule, site: Site, device: str, scope: Scope) -> Misfit | None:
    if rule.effect and rule.when is not None:
        return ".effect", (
            "goes with a limit, a state or a flag, and not with `when`: an interlock in the bridge must be able to "
            "judge it"
        )
    wrong = missing(rule, site.profiles[device])
    if wrong is not None:
        key, what, name, known = wrong
        if name in INSTEAD and key == "point":
            return ".point", f"point {name!r} {INSTEAD[name]}"
        return f".{key}", str(Trouble.unknown(f"{what} {name!r} of device {device!r}", name, known))
    return _unreturning(rule, site.profiles[device], device) or unsaid(rule, device, scope)


def unsaid(rule: AlarmRule, device: str, scope: Scope) -> Misfit | None:
    """An expression that cannot be read, or does not fit what it names."""
    key = "when"
    try:
        if rule.when is not None:
            watch(rule, scope)
        key = "suppress_when"
        if rule.suppress_when is not None:
            watch_text(rule.suppress_when, scope)
    except Wrong as wrong:
        return f".{key}", f"of device {device!r}: {wrong}"
    return None


Missing = tuple[str, str, str, list[str]]
"""The key that names it, what it is, its name, and what there is instead."""


def missing(rule: AlarmRule, profile: Profile) -> Missing | None:
    """None when the profile has what the rule needs."""
    if rule.seconds or rule.when is not None:
        return None
    if rule.point in WORDS:
        return _missing_word(rule)
    registers = [ALARMS] * any(map(is_alarms, profile.points))
    derived = [name for name, one in DERIVED.items() if set(one.parts) <= profile.points.keys()]
    names = [*dict.fromkeys([*profile.points, *registers, *derived, *WORDS])]
    if rule.point not in names:
        return "point", "point", rule.point, names
    return _missing_name(rule, profile, profile.points.get(rule.point))


def _missing_name(rule: AlarmRule, profile: Profile, point: Point | None) -> Missing | None:
    named = None if point is None else states(point)
    text = point is not None and point.type == "text"
    flags = [flag for name in profile.points for flag in _flags(profile, rule.point, name)]
    if rule.contains is not None:
        known = ["*", *flags] if flags else []
        return None if rule.contains in known else ("contains", "flag", rule.contains, known)
    if rule.equals is not None:
        return None if text or rule.equals in (named or ()) else ("equals", "state", rule.equals, named or [])
    number = named is None and not text and not flags
    return None if number else ("point", "a number that the point says:", rule.point, _numbers(profile))


def _numbers(profile: Profile) -> list[str]:
    return [name for name, one in profile.points.items() if states(one) is None and one.flags is None]


def _missing_word(rule: AlarmRule) -> Missing | None:
    condition, words = WORDS[rule.point]
    known = [str(word) for word in words]
    given: str | None = getattr(rule, condition)
    if given is None:
        return "point", f"another condition than `{condition}` for", rule.point, [condition]
    return None if given in (*known, "*" if condition == "contains" else "") else (condition, rule.point, given, known)


def is_alarms(point: str) -> bool:
    """Whether a point is one of the registers in which a device tells its alarms."""
    return point == ALARMS or point.startswith(f"{ALARMS}_")


def _flags(profile: Profile, wanted: str, name: str) -> list[str]:
    same = name == wanted or (wanted == ALARMS and is_alarms(name))
    return list((profile.points[name].flags or {}).values()) if same else []


def _unreturning(rule: AlarmRule, profile: Profile, device: str) -> Misfit | None:
    """A deadband so large that the alarm would never be over."""
    point = profile.points.get(rule.point)
    if point is None or not rule.deadband or rule.clear is None:
        return None
    if rule.above is not None and point.low is not None and rule.clear <= point.low:
        return ".deadband", _never(rule, device, rule.above - point.low, "below")
    if rule.below is not None and point.high is not None and rule.clear >= point.high:
        return ".deadband", _never(rule, device, point.high - rule.below, "above")
    return None


def _never(rule: AlarmRule, device: str, room: float, side: str) -> str:
    return (
        f"with {rule.deadband:g} the alarm returns to normal only {side} {rule.clear:g}, and the profile of {device!r} "
        f"believes no {rule.point} there; give less than {room:g}"
    )
