"""Which alarms a site has: the shipped rules that fit its devices, and the site file's own."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from consumers.alarms.reading import ALARMS, INSTEAD, WORDS, spreads
from schemas.alarm_name import alarm_names
from schemas.profile import Profile
from schemas.shape import Shape
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.site_battery import Battery
from schemas.troubles import Trouble

CATALOG = Path(__file__).with_name("catalog.toml")

POLLS = 2.5
"""Polls of a device without a word before it counts as silent: one reading may be lost, and the next come late."""

Pair = tuple[str, str]
"""A rule's name and a device's."""

WORDED = ("cause", "consequence", "response")
"""What an operator reads; a site's rule without any has the words of the shipped one."""

EVERY_SERVICE = "service"
"""In the place of a part's name."""


class Catalog(Shape):
    """The shipped rules."""

    rules: list[AlarmRule] = Field(alias="alarm")
    """Rules for a kind of device."""
    services: list[AlarmRule] = Field(alias="service")
    """Rules for the part of joulebus that `device` names, or for each of them."""


def load_catalog(path: Path = CATALOG) -> Catalog:
    return Catalog.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


def watched(site: Site, catalog: Catalog) -> dict[str, AlarmRule]:
    """Every alarm of a site by its name (schemas/alarm_name.py); each rule for exactly one device.

    A site's rule replaces the shipped one of that name. Raises Trouble for one that could never be raised.
    """
    found: dict[Pair, AlarmRule] = {}
    for rule in catalog.rules:
        found |= _instances(site, rule)
    texts = {rule.name: {key: getattr(rule, key) for key in WORDED} for rule in catalog.rules}
    for rule in site.alarms:
        mine = _instances(site, rule)
        if not mine:
            raise _unfit(site, rule)
        found |= {
            pair: one if any(getattr(one, key) for key in WORDED) else one.model_copy(update=texts.get(rule.name, {}))
            for pair, one in mine.items()
        }
    names = alarm_names(found.keys())
    return {names[pair]: rule for pair, rule in found.items()}


def for_device(rule: AlarmRule, name: str) -> AlarmRule:
    """The rule for one device, or one service."""
    return rule.model_copy(update={"device": name, "kind": None})


def _instances(site: Site, rule: AlarmRule) -> dict[Pair, AlarmRule]:
    return {
        (rule.name, device.name): _at_its_pace(for_device(rule, device.name), device.poll)
        for device in site.devices
        if rule.device == device.name or (rule.device is None and site.profiles[device.name].kind is rule.kind)
        if missing(rule, site.profiles[device.name]) is None
    }


def _at_its_pace(rule: AlarmRule, poll: float) -> AlarmRule:
    """A device that is read each 10 s is not silent for the 5 s between two readings."""
    if rule.silent is None or rule.silent >= POLLS * poll:
        return rule
    return rule.model_copy(update={"silent": POLLS * poll})


def missing(rule: AlarmRule, profile: Profile) -> tuple[str, str, list[str]] | None:
    """None when the profile has what the rule needs; else what is missing and what there is instead."""
    if rule.silent is not None:
        return None
    if rule.point in WORDS:
        return _missing_word(rule)
    point = profile.points.get(rule.point)
    if point is None:
        names = [*profile.points, *spreads(profile.points), *WORDS]
        return None if rule.point in names else ("point", rule.point, names)
    states = [*(point.enum or point.first or {}).values(), point.otherwise]
    if rule.equals is not None and (point.enum or point.first) and rule.equals not in states:
        return "state", rule.equals, states
    flags = ["*", *(flag for name in profile.points for flag in _flags(profile, rule.point, name))]
    if rule.contains is not None and rule.contains not in flags:
        return "flag", rule.contains, flags
    return None


def _missing_word(rule: AlarmRule) -> tuple[str, str, list[str]] | None:
    condition, words = WORDS[rule.point]
    known = [str(word) for word in words]
    given: str | None = getattr(rule, condition)
    if given is None:
        return f"another condition than `{condition}` for", rule.point, [condition]
    return None if given in (*known, "*" if condition == "contains" else "") else (rule.point, given, known)


def _flags(profile: Profile, wanted: str, name: str) -> list[str]:
    same = name == wanted or (wanted == ALARMS and name.startswith(f"{ALARMS}_"))
    return list((profile.points[name].flags or {}).values()) if same else []


def _unfit(site: Site, rule: AlarmRule) -> Trouble:
    where = f"alarm {rule.name}"
    if rule.point in INSTEAD:
        return Trouble(f"{where}: point {rule.point!r} {INSTEAD[rule.point]}")
    for device in site.devices:
        profile = site.profiles[device.name]
        wrong = missing(rule, profile) if device.name == rule.device or profile.kind is rule.kind else None
        if wrong:
            what, name, known = wrong
            return Trouble.unknown(f"{what} {name!r} of device {device.name!r}", name, known, where)
    kinds = sorted({profile.kind.value for profile in site.profiles.values()})
    return Trouble.unknown(f"a device of kind {rule.kind!s}", str(rule.kind), kinds, where)


def whose(batteries: Sequence[Battery]) -> dict[str, str]:
    """The battery of each PCS and BMS; of a single one nobody asks."""
    if len(batteries) < 2:
        return {}
    return {device: one.name for one in batteries for device in (*one.pcs, *one.bms)}
