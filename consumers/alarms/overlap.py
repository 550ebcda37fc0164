"""Alarm rules that are each right and do not fit together, or not to their devices. Pure."""

from collections.abc import Iterator, Mapping

from consumers.alarms.fit import missing
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.units import Kind

ALIKE = (Kind.PCS, Kind.BMS, Kind.PV, Kind.METER)
"""Kinds of which a rule means each device; sensors and loads differ."""
CONDITIONS = ("above", "below", "equals", "contains", "silent", "no_data", "when")


def doubles(site: Site, rules: Mapping[str, AlarmRule]) -> Iterator[str]:
    """Two alarms that one condition raises. `rules` of the whole site by the alarm's name; the names are told."""
    first: dict[object, tuple[str, AlarmRule]] = {}
    own = {rule.name for rule in site.alarms}
    for name, rule in rules.items():
        if rule.seconds:
            continue  # each silence has its own hold, and the longest poll makes several equal
        key = (rule.device, rule.point, *(getattr(rule, condition) for condition in CONDITIONS))
        other, before = first.setdefault(key, (name, rule))
        if other != name and {rule.name, before.name} & own:
            said = f"{rule.point} {_limit(rule)} of device {rule.device} raises both {other} and {name}"
            hint = f'to replace the first one write name = "{before.name}"' if before.name not in own else "keep one"
            yield f"{said}: {hint}"


def _limit(rule: AlarmRule) -> str:
    given = next(condition for condition in CONDITIONS if getattr(rule, condition) is not None)
    value = getattr(rule, given)
    return f"{given} {value:g}" if isinstance(value, float) else f"{given} {value!r}"


def unwatched(site: Site) -> Iterator[str]:
    """Devices that a rule of the site file means, and that lack what it looks at."""
    for rule in site.alarms:
        for device in site.devices:
            profile = site.profiles[device.name]
            if rule.kind is not profile.kind or profile.kind not in ALIKE:
                continue
            if wrong := missing(rule, profile):
                _, what, name, _ = wrong
                lacks = f"device {device.name} ({device.profile}) has no {what} {name!r}"
                yield f"alarm {rule.name}: {lacks}: it is not watched"


def unreached(site: Site) -> Iterator[str]:
    """Limits outside of what a profile believes of a point: such a value is never good, so no alarm comes."""
    for rule in site.alarms:
        for device in site.devices:
            profile = site.profiles[device.name]
            point = profile.points.get(rule.point)
            if point is None or (rule.device != device.name and rule.kind is not profile.kind):
                continue
            whose = f"alarm {rule.name}: device {device.name}: {rule.point}"
            if rule.above is not None and point.high is not None and rule.above >= point.high:
                yield f"{whose} above {rule.above:g} is never reached: its profile believes none above {point.high:g}"
            if rule.below is not None and point.low is not None and rule.below <= point.low:
                yield f"{whose} below {rule.below:g} is never reached: its profile believes none below {point.low:g}"
            if rule.above is not None and point.low is not None and rule.above < point.low:
                yield f"{whose} is always above {rule.above:g}: its profile believes none below {point.low:g}"
            if rule.below is not None and point.high is not None and rule.below > point.high:
                yield f"{whose} is always below {rule.below:g}: its profile believes none above {point.high:g}"
