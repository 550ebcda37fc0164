"""Which alarms a site has: the shipped rules that fit its devices, and the site file's own."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from consumers.alarms.bits import expanded, together
from consumers.alarms.expression.scope import Scope
from consumers.alarms.fit import Misfit, meant, misfit
from consumers.alarms.parents import Named, unsound
from schemas.alarm_name import alarm_names
from schemas.shape import Shape
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.site_battery import Battery
from schemas.site_device import Device
from schemas.troubles import Trouble
from schemas.units import Kind

CATALOG = Path(__file__).with_name("catalog.toml")

POLLS = 2.5
"""Polls of a device without a word before it counts as silent: one reading may be lost, and the next come late."""

Pair = tuple[str, str]
"""A rule's name and a device's."""
Place = tuple[str, str]
"""Where something stands in the site file, and what is wrong with it."""

WORDED = ("cause", "consequence", "response")
"""What an operator reads; a site's rule without any has the words of the shipped one."""

EVERY_SERVICE = "service"
"""In the place of a part's name."""

LOWEST = "soc_low"
"""The shipped rule whose limit is the battery's own: so far below the lowest SoC that a plan uses."""
BELOW_SOC_MIN = 2.0
SPREAD, AT_REST = "cell_voltage_spread", 0.1
"""The shipped rule that is judged at rest: below so much of the current that fills or empties the cells in an hour, or
of what the BMS allows. Above, the voltages are apart by the resistance of the cells, and not by their charge."""
PROJECTED, WINDOW = "peak_risk", "15 min"
"""The shipped rule that looks at the window of the bill, and how that stands in it."""


class Catalog(Shape):
    """The shipped rules."""

    rules: list[AlarmRule] = Field(alias="alarm")
    """Rules for a kind of device."""
    site: list[AlarmRule] = []
    """Rules about the site, judged once: at the meter of its grid connection."""
    services: list[AlarmRule] = Field(alias="service")
    """Rules for the part of joulebus that `device` names, or for each of them."""

    @property
    def every(self) -> list[AlarmRule]:
        return [*self.rules, *self.site, *self.services]


class Watched(NamedTuple):
    """What is judged at a site, and what is not."""

    rules: dict[str, AlarmRule]
    """By the alarm's name (schemas/alarm_name.py); each rule for exactly one device."""
    refused: list[Place]
    """Rules of the site file that could never be raised, or say what cannot be. The others run."""


def load_catalog(path: Path = CATALOG) -> Catalog:
    return Catalog.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def watched(site: Site, catalog: Catalog) -> Watched:
    """Every alarm of a site. A rule of the site file replaces the shipped one of that name, for the devices it fits."""
    refused, scope = [*site.wrong_alarms], Scope.of_site(site)
    numbered = [(n, rule) for n, rule in enumerate(site.alarm) if isinstance(rule, AlarmRule)]
    known = Named({one.name for one in site.alarm}, [rule.name for rule in catalog.services])
    while True:
        found, whose, more = _found(site, catalog, numbered, scope)
        more += [(f"alarm.{n}{place}", words) for n, place, words in unsound(found, whose, known)]
        if not more:
            return Watched(_named(found), sorted(refused, key=_in_order))
        refused += more
        bad = {place.split(".")[1] for place, _ in more}
        numbered = [(n, rule) for n, rule in numbered if str(n) not in bad]


def _in_order(refused: Place) -> int:
    return int(refused[0].split(".")[1])


def _found(
    site: Site, catalog: Catalog, numbered: Sequence[tuple[int, AlarmRule]], scope: Scope
) -> tuple[dict[Pair, AlarmRule], dict[Pair, int], list[Place]]:
    """The rules of all devices; which of them are the site's, by their number in its file; and what is wrong there."""
    own = [rule for _, rule in numbered]
    found = {
        pair: rule for rule in _shipped(site, catalog, own) for pair, rule in _instances(site, rule, scope).items()
    }
    words = {rule.name: {key: together(getattr(rule, key)) for key in WORDED} for rule in catalog.every}
    whose: dict[Pair, int] = {}
    wrong: list[Place] = []
    for number, rule in numbered:
        mine = _instances(site, rule, scope)
        mistake = _mistake(site, rule, scope) if not mine else _twice(mine, whose)
        if mistake:
            wrong.append((f"alarm.{number}{mistake[0]}", f"alarm {rule.name}: {mistake[1]}"))
            continue
        whose |= dict.fromkeys(mine, number)
        found |= {
            pair: one if _worded(one) else one.model_copy(update=words.get(rule.name, {})) for pair, one in mine.items()
        }
    return found, whose, wrong


def _worded(rule: AlarmRule) -> bool:
    return any(getattr(rule, key) for key in WORDED)


def _shipped(site: Site, catalog: Catalog, own: Sequence[AlarmRule]) -> Iterator[AlarmRule]:
    """The rules of the catalogue, each flag of a device's alarms as one of its own. One that the site file replaces
    stays whole."""
    names = {rule.name for rule in own}
    known = {rule.name for rule in catalog.every} | names
    for rule in catalog.rules:
        if rule.contains == "*" and rule.name not in names:
            yield from expanded(rule, site, own, known)
        else:
            yield rule
    yield from (for_device(rule, site.grid.meter) for rule in catalog.site)


def _named(found: dict[Pair, AlarmRule]) -> dict[str, AlarmRule]:
    names = alarm_names(found.keys())
    return {names[pair]: rule for pair, rule in found.items()}


def for_device(rule: AlarmRule, name: str) -> AlarmRule:
    """The rule for one device, or one service."""
    return rule.model_copy(update={"device": name, "kind": None})


def _instances(site: Site, rule: AlarmRule, scope: Scope) -> dict[Pair, AlarmRule]:
    return {
        (rule.name, device.name): _at_home(for_device(rule, device.name), site, device)
        for device in site.devices
        if meant(rule, site, device) and misfit(rule, site, device.name, scope) is None
    }


def _at_home(rule: AlarmRule, site: Site, device: Device) -> AlarmRule:
    """A rule with what a device and its battery say of themselves. One that is read each 10 s is not silent for the
    5 s between two readings; what counts as empty is said by the battery, and by the tariff what is billed."""
    if rule.silent is not None and rule.silent < POLLS * device.poll:
        return rule.model_copy(update={"silent": POLLS * device.poll})
    if rule.name not in (LOWEST, PROJECTED, SPREAD) or rule.name in {one.name for one in site.alarms}:
        return rule
    if rule.name == SPREAD:
        return _at_rest(rule, site, device)
    battery = site.battery_of(device.name)
    if rule.name == LOWEST and battery is not None:
        return rule.model_copy(update={"below": max(0.0, battery.soc_min - BELOW_SOC_MIN)})
    if rule.when is not None and site.demand is not None:
        return rule.model_copy(update={"when": rule.when.replace(WINDOW, f"{site.demand.minutes} min")})
    return rule


def _at_rest(rule: AlarmRule, site: Site, device: Device) -> AlarmRule:
    """A limit that is judged while hardly any current flows; always where the device tells none of its cells."""
    profile, battery = site.profiles[device.name], site.battery_of(device.name)
    if profile.kind is not Kind.BMS or "i" not in profile.points:
        return rule
    if battery is not None and "u" in profile.points:
        rest = f"abs(i * u) < {AT_REST * battery.energy / len(battery.racks):.0f} W"
    elif {"ccl", "dcl"} <= profile.points.keys():
        rest = f"abs(i) < {AT_REST:g} * max(ccl, dcl)"
    else:
        return rule
    return rule.model_copy(update={"above": None, "when": f"given({rule.point}, {rest}) > {rule.above:g} V"})


def _mistake(site: Site, rule: AlarmRule, scope: Scope) -> Misfit:
    """Why a rule of the site file fits no device."""
    names = [device.name for device in site.devices]
    if rule.device is not None and rule.device not in names:
        return ".device", str(Trouble.unknown(f"device {rule.device!r}", rule.device, names))
    found = (misfit(rule, site, device.name, scope) for device in site.devices if meant(rule, site, device))
    if wrong := next((one for one in found if one is not None), None):
        return wrong
    kinds = sorted({profile.kind.value for profile in site.profiles.values()})
    return ".kind", str(Trouble.unknown(f"a device of kind {rule.kind!s}", str(rule.kind), kinds))


def _twice(mine: dict[Pair, AlarmRule], whose: dict[Pair, int]) -> Misfit | None:
    for pair in mine:
        if pair in whose:
            name, device = pair
            return (
                ".name",
                f"there is another rule {name!r} for device {device!r} above; give this one a name of its own",
            )
    return None


def whose(batteries: Sequence[Battery]) -> dict[str, str]:
    """The battery of each PCS and BMS; of a single one nobody asks."""
    if len(batteries) < 2:
        return {}
    return {device: one.name for one in batteries for device in (*one.pcs, *one.bms)}
