"""Whether a rule fits its site: its points, units and limits, and the rules before it. Pure.

One that does not is refused alone; the others run.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from schemas.interlock import states
from schemas.profile import Profile
from schemas.register import Point
from schemas.site_battery import Battery
from schemas.site_rules import NUMERIC, UNITS, Condition, SiteRule, WrongRule
from schemas.site_rules_overlap import may_meet
from schemas.troubles import Trouble

Mistake = tuple[str, str]
"""The place in the rule such as `when.0.point`, and what would be right."""
TIMES = {("kW", "W"): 1e3, ("MW", "W"): 1e6, ("kWh", "Wh"): 1e3, ("MWh", "Wh"): 1e6, ("mV", "V"): 1e-3}
"""How much of the second unit one of the first is."""
STORED = ("soc_min", "soc_max", "reserve", "charge_limit", "discharge_limit", "grid_target", "power")
"""What only batteries can do."""
LEAST = 1000.0
"""W or Wh: less was meant in kW."""


class Standing(NamedTuple):
    """What the rules of a site stand on."""

    profiles: Mapping[str, Profile]
    """By device."""
    import_limit: float
    export_limit: float
    batteries: Sequence[Battery]
    rated: float
    """W of all batteries."""
    pv: bool
    meter: str
    """The device that shows the grid connection."""


def misfits(rules: Sequence[SiteRule | WrongRule], site: Standing) -> dict[int, list[Mistake]]:
    """By its number in the file, what is wrong with each rule that is refused."""
    found, runs = dict[int, list[Mistake]](), list[SiteRule]()
    for number, rule in enumerate(rules):
        if isinstance(rule, WrongRule):
            found[number] = [*rule.mistakes]
        elif mistakes := [*_of_rule(rule, site, runs)]:
            found[number] = mistakes
        else:
            runs.append(rule)
    return found


def in_words(
    rules: Sequence[SiteRule | WrongRule], found: Mapping[int, Sequence[tuple[str, str]]]
) -> list[tuple[str, str]]:
    """Those misfits as they are told: the place in the file, and which rule it is."""
    return [
        (f"rule.{n}.{place}".rstrip("."), f"rule {rules[n].name!r}: {words}")
        for n, mistakes in found.items()
        for place, words in mistakes
    ]


def _of_rule(rule: SiteRule, site: Standing, before: Sequence[SiteRule]) -> Iterator[Mistake]:
    if rule.name in [one.name for one in before]:
        yield "name", "another rule before it is called so: give it a name of its own"
    for number, one in enumerate(rule.when):
        for key, words in _of_condition(one, site):
            yield f"when.{number}.{key}", words
    for key, words in _of_proposal(rule, site):
        yield f"then.{key}", words
    clashes = (contradiction(other, rule) for other in before)
    yield from (("priority", clash) for clash in clashes if clash is not None)


def contradiction(one: SiteRule, other: SiteRule) -> str | None:
    """Why two rules of one priority that may hold at once cannot both be followed; None where they can."""
    if one.priority != other.priority or not may_meet(one, other):
        return None
    clash = [f"{key} = {value:g}" for rule in (one, other) for key, value in rule.targets.items()]
    if len(clash) < 2 or one.targets == other.targets:
        low = [rule.then.soc_min for rule in (one, other) if rule.then.soc_min is not None]
        high = [rule.then.soc_max for rule in (one, other) if rule.then.soc_max is not None]
        if not low or not high or max(low) <= min(high):
            return None
        clash = [f"soc_min = {max(low):g}", f"soc_max = {min(high):g}"]
    words = f"{' and '.join(clash)} contradict each other, and rule {one.name!r} has the same priority"
    return f"{words}, {one.priority}: where both hold nobody knows which is meant; give one of them another priority"


def with_units(rule: SiteRule, profiles: Mapping[str, Profile]) -> SiteRule:
    """A rule that fits, each point with the unit of its profile."""
    when = [
        one.model_copy(update={"unit": profiles[one.device].points[str(one.point)].unit}) if one.device else one
        for one in rule.when
    ]
    return rule.model_copy(update={"when": when})


# what is looked at --------------------------------------------------------------------------------


def _of_condition(one: Condition, site: Standing) -> Iterator[Mistake]:
    if one.quantity is not None:
        if one.quantity == "soc" and not site.batteries:
            yield "quantity", "soc is that of the batteries, and the site has none"
        if one.quantity == "pv_today" and not site.pv:
            yield "quantity", "pv_today is that of the PV, and the site has none"
        yield from _of_unit(one, UNITS[one.quantity], one.quantity)
        return
    if one.device is None:
        return
    profile = site.profiles.get(one.device)
    if profile is None:
        yield "device", str(Trouble.unknown(f"device {one.device!r}", one.device, sorted(site.profiles)))
        return
    point = profile.points.get(str(one.point))
    if point is None:
        yield "point", str(Trouble.unknown(f"point {one.point!r} of {one.device}", str(one.point), profile.points))
        return
    yield from _of_point(one, point)


def _of_point(one: Condition, point: Point) -> Iterator[Mistake]:
    names, what = states(point), f"{one.point} of {one.device}"
    number = names is None and point.flags is None and point.type != "text"
    match one.test:
        case "equals" if names is None:
            yield "equals", f"{what} has no states; give {'above, below or between' if number else 'contains'}"
        case "equals" if one.equals not in (names or ()):
            yield "equals", str(Trouble.unknown(f"state {one.equals!r} of {what}", str(one.equals), names or ()))
        case "contains" if point.flags is None:
            yield "contains", f"{what} lists no flags; give {'above, below or between' if number else 'equals'}"
        case "contains" if one.contains not in (known := [*(point.flags or {}).values()]):
            yield "contains", str(Trouble.unknown(f"flag {one.contains!r} of {what}", str(one.contains), known))
        case test if test in NUMERIC and not number:
            yield test, f"{what} is no number; give {'contains' if point.flags is not None else 'equals'}"
        case test if test in NUMERIC:
            yield from _of_unit(one, point.unit, what)
            yield from _out_of_reach(one, point, what)


def _of_unit(one: Condition, unit: str, what: str) -> Iterator[Mistake]:
    if one.unit is None or one.unit == unit:
        return
    times, limit = TIMES.get((one.unit, unit)), one.above if one.above is not None else one.below
    right = f"unit = {unit!r}" if unit else "no unit"
    if times is not None and limit is not None:
        right = f"{'above' if one.above is not None else 'below'} = {limit * times:g} and {right}"
    yield "unit", f"{one.unit!r} does not fit: {what} is {f'in {unit}' if unit else 'a bare number'}; write {right}"


def _out_of_reach(one: Condition, point: Point, what: str) -> Iterator[Mistake]:
    """What lies outside of a point's range is never believed: beyond it the condition holds never, or always."""
    low, high = -inf if point.low is None else point.low, inf if point.high is None else point.high
    least, most = (one.between[0], one.between[1]) if one.between else (one.above, one.below)
    believed = f"the profile believes {what} from {low:g} to {high:g}"
    if (least is not None and least >= high) or (most is not None and most <= low):
        yield one.test, f"it would never hold: {believed}"
    elif (least is None or least < low) and (most is None or most > high) and (least, most) != (None, None):
        yield one.test, f"it would always hold: {believed}"


# what is proposed ---------------------------------------------------------------------------------


def _of_proposal(rule: SiteRule, site: Standing) -> Iterator[Mistake]:
    then, given = rule.then, rule.then.given
    if not site.batteries:
        yield from ((key, "is done by a battery, and the site has none") for key in given if key in STORED)
        return
    for key, most in (("import_limit", site.import_limit), ("export_limit", site.export_limit)):
        if given.get(key, -inf) > most:
            yield key, f"{given[key]:.10g} limits nothing: grid.{key} is {most:.10g}"
    least, top = min(one.soc_min for one in site.batteries), max(one.soc_max for one in site.batteries)
    for key in ("soc_min", "soc_max"):
        if key in given and not least <= given[key] <= top:
            yield key, f"{given[key]:g} lies outside of the battery's own {least:g} to {top:g} %"
    usable = sum(one.energy * (one.soc_max - one.soc_min) / 100 for one in site.batteries)
    if then.reserve is not None and then.reserve > usable:
        yield "reserve", f"{then.reserve:.10g} Wh is more than the {usable:.10g} Wh that the batteries may hold"
    if then.power is not None and abs(then.power) > site.rated:
        yield "power", f"{then.power:.10g} W is more than the {site.rated:.10g} W of the batteries"
    if then.grid_target is not None and not -site.export_limit <= then.grid_target <= site.import_limit:
        span = f"{-site.export_limit:.10g} to {site.import_limit:.10g} W"
        yield "grid_target", f"{then.grid_target:.10g} lies outside of what the grid connection may carry, {span}"


def odd_rules(rules: Sequence[SiteRule], site: Standing) -> Iterator[tuple[str, str, str]]:
    """Name, place and words of what can hardly be meant: kW typed for W, and a rule that swings by its own success."""
    for rule in rules:
        yield from ((rule.name, place, words) for place, words in _undone(rule, site.meter))
        for key, value in rule.then.given.items():
            if key not in ("soc_min", "soc_max") and 0 < abs(value) < LEAST:
                unit = "Wh" if key == "reserve" else "W"
                yield (
                    rule.name,
                    f"then.{key}",
                    f"{value:g} is in {unit}: for {value:g} k{unit} write {1000 * value:.0f}",
                )
        for number, one in enumerate(rule.when):
            point = site.profiles[one.device].points.get(str(one.point)) if one.device else None
            unit = UNITS[one.quantity] if one.quantity else point.unit if point else ""
            for key in ("above", "below"):
                if words := _odd_limit(getattr(one, key), unit, one):
                    yield rule.name, f"when.{number}.{key}", words


def _odd_limit(limit: float | None, unit: str, one: Condition) -> str:
    """What a limit was meant in that is too small, or too large, for its unit; empty where it can be meant."""
    if limit is None or one.unit is not None or not limit:
        return ""
    if unit in ("W", "Wh") and abs(limit) < LEAST / 4:
        return f"{limit:g} is in {unit}: for {limit:g} k{unit} write {1000 * limit:.0f}"
    if one.quantity == "soc" and limit < 1:
        return f"{limit:g} is in %: for {100 * limit:g} % write {100 * limit:g}"
    return ""


def _undone(rule: SiteRule, meter: str) -> Iterator[Mistake]:
    """What it does at the grid connection makes its own condition untrue: it ends, begins anew, and so on."""
    if rule.until is not None:
        return
    for number, one in enumerate(rule.when):
        drawn = one.quantity == "import" or (one.device == meter and one.point == "p")
        goals = {
            "import_limit": rule.then.import_limit if drawn else None,
            "grid_target": rule.then.grid_target if drawn else None,
            "export_limit": rule.then.export_limit if one.quantity == "export" else None,
        }
        gone = one.clear if one.clear is not None else one.above
        for key, goal in goals.items():
            if one.above is not None and gone is not None and goal is not None and goal <= gone:
                words = f"{key} = {goal:g} undoes what it waits for, and it would end and begin again and again"
                yield f"when.{number}", f"{words}: give `until`, or `clear` below {goal:g}"
