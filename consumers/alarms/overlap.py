"""Alarm rules that are each right and do not fit together, or not to their devices. Pure."""

from collections.abc import Iterator, Mapping

from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.watch import words
from consumers.alarms.fit import meant, misfit
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.units import Kind

ALIKE = (Kind.PCS, Kind.BMS, Kind.PV, Kind.METER)
"""Kinds of which a rule means each device; sensors and loads differ."""


def doubles(site: Site, rules: Mapping[str, AlarmRule]) -> Iterator[str]:
    """Two alarms that one condition raises, however each of them writes it. `rules` of the whole site by the alarm's
    name; the names are told."""
    scope = Scope.of_site(site)
    first: dict[tuple[str, str], tuple[str, AlarmRule]] = {}
    own = {rule.name for rule in site.alarms}
    for name, rule in rules.items():
        if rule.seconds:
            continue  # each silence has its own delay, and the longest poll makes several equal
        device = str(rule.device)
        said = words(rule, scope.of(device))
        other, before = first.setdefault((device, said), (name, rule))
        if other != name and {rule.name, before.name} & own:
            hint = f'to replace the first one write name = "{before.name}"' if before.name not in own else "keep one"
            yield f"{said} of device {device} raises both {other} and {name}: {hint}"


def unwatched(site: Site) -> Iterator[str]:
    """Devices that a rule of the site file means, and that lack what it looks at."""
    scope = Scope.of_site(site)
    for rule in site.alarms:
        alike = [one for one in site.devices if rule.kind in ALIKE and meant(rule, site, one)]
        found = {one.name: misfit(rule, site, one.name, scope) for one in alike}
        if None not in found.values():
            continue  # it fits none, and is refused
        for device in alike:
            if (wrong := found[device.name]) and wrong[0] != ".chemistry":
                yield f"alarm {rule.name}: device {device.name} ({device.profile}) is not watched: {wrong[1]}"


def unreached(site: Site) -> Iterator[str]:
    """Limits outside of what a profile believes of a point: such a value is never good, so no alarm comes."""
    for rule in site.alarms:
        for device in site.devices:
            point = site.profiles[device.name].points.get(rule.point)
            if point is None or not meant(rule, site, device):
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


def uncelled(site: Site) -> Iterator[str]:
    """Batteries of which nobody knows the cells: no alarm has a limit for them."""
    for one in site.battery:
        if one.chemistry is None and one.bms:
            whose = "battery" if len(site.battery) == 1 else one.name
            yield (
                f"{whose}.chemistry is not given: no alarm watches the voltages of its cells, nor whether they freeze; "
                'write chemistry = "lfp", "nmc" or "lto"'
            )
