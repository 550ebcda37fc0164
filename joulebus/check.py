"""`joulebus check`: opens everything that a site file names, walks it, and says what is wrong with it.

What cannot be right is refused, all of it at once; what can hardly be meant is a warning, and the file is good. It ends
with 0 when the file is good, warned of or not; with 1 when anything is refused, also an alarm rule alone, without which
each part runs; with 2, as every command, when it was called wrongly.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from bridges.control.interlock_cause import Interlock
from bridges.control.interlock_rules import wrong_effects
from consumers.alarms.catalog import load_catalog, watched
from consumers.alarms.overlap import uncelled
from joulebus.check_warnings import warned_of
from joulebus.commands import say
from joulebus.forecast_files import forecast_lines
from joulebus.grid_words import grid_lines
from joulebus.interlocks import all_locks, notes
from joulebus.load_words import load_lines
from joulebus.notify_words import notify_lines
from joulebus.price_files import look
from joulebus.price_words import price_lines
from joulebus.reserve_words import reserve_lines
from joulebus.tariff_words import holes, tariff_lines
from optimizer.carbon_table import read_carbon
from schemas.magnitudes import Odd
from schemas.retention import kept_words
from schemas.site import Site
from schemas.site_file import load_site
from schemas.troubles import Trouble, point_at
from schemas.units import Kind, utc_now

REFUSED = 1
"""How the command ends where anything is refused."""
Answer = TypeVar("Answer")
"""What is asked for."""


def check(path: Path) -> int:
    """Say what stands in a site file: 0, or 1 where alarm rules are refused. Raises Trouble with what else is wrong."""
    site, now = load_site(path), utc_now()
    fault = site.tariff_fault
    troubles = [Trouble(fault)] if fault else list[Trouble]()
    rules, refused = watched(site, load_catalog())
    locks: list[Interlock] = _asked(troubles, path, lambda: all_locks(site), [])
    none: tuple[list[str], list[Odd]] = ([], [])
    prices, unsure = _asked(troubles, path, lambda: look(site, now), none)
    prices += _asked(troubles, path, lambda: _carbon(site), [])
    prices += _asked(troubles, path, lambda: [*forecast_lines(site)], [])
    effects: list[tuple[str, str]] = _asked(troubles, path, lambda: wrong_effects(site), [])
    if effects:
        troubles.append(point_at(path, effects))
        refused = [one for one in refused if one[0] not in {place for place, _ in effects}]  # said once
    if site.wrong_rules:
        troubles.append(point_at(path, site.wrong_rules))
    if site.notify is not None and site.notify.wrong_channels:
        troubles.append(point_at(path, site.notify.wrong_channels))
    warnings = warned_of(path, site, rules, locks, unsure, now)
    today = now.astimezone(site.zone).date()
    if not fault and (missing := [*holes(site.prices, today)]):
        troubles.append(point_at(site.tariff_path, missing))
    if troubles:
        _warn(warnings)
        raise Trouble("\n".join(map(str, [*troubles, *([point_at(path, refused)] if refused else [])])))
    good = f"without {len(refused)} of its alarm rules it is good" if refused else "good"
    say(f"{path}: {good}. {site.title or site.site}: {_counted(site, len(rules), len(locks))}")
    told = [*price_lines(site.prices, site.zone, today), *tariff_lines(site.prices, today)]
    for line in [*_contents(site), *prices, *(f"{name:<10} {words}" for name, words in told)]:
        say(f"  {line}")
    _warn(warnings)
    for note in [*notes(site), *uncelled(site)]:
        say(f"  {note}")
    if not refused:
        return 0
    print(f"joulebus: {point_at(path, refused)}", file=sys.stderr)
    return REFUSED


def _asked(troubles: list[Trouble], path: Path, ask: Callable[[], Answer], otherwise: Answer) -> Answer:
    """One thing that is wrong hides none of the others: what is raised is kept for the end."""
    try:
        return ask()
    except Trouble as wrong:
        said = {str(one) for one in troubles}
        if str(wrong) not in said:  # a tariff that cannot be read is met wherever a price is asked for
            troubles += [Trouble(f"{path}: {one}") for one in str(wrong).splitlines()]
        return otherwise


def _counted(site: Site, alarms: int, locks: int) -> str:
    counted = f"{len(site.device)} devices, {site.mode}, {alarms} alarms, {locks} interlocks"
    return counted + (f", {len(site.rules)} rule{'s'[: len(site.rules) > 1]}" if site.rules else "")


def _carbon(site: Site) -> list[str]:
    """What stands for the CO2 of a drawn kWh. Raises Trouble for a file that cannot be read or has none."""
    if site.carbon is None:
        return []
    if site.carbon_path is None:
        return [f"{'CO2':<10} {site.carbon.intensity:g} g per kWh drawn{_priced(site)}"]
    grams = read_carbon(site.carbon_path)
    if grams.end is None:
        raise Trouble(f"{site.carbon_path} has no intensity")
    span = f"{grams.starts[0].astimezone(site.zone):%d %b %Y %H:%M} to {grams.end.astimezone(site.zone):%d %b %Y %H:%M}"
    lowest, highest = min(grams.prices), max(grams.prices)
    return [f"{'CO2':<10} {site.carbon_path.name}: {span}, {lowest:g} to {highest:g} g per kWh drawn{_priced(site)}"]


def _priced(site: Site) -> str:
    if site.carbon is None or not site.carbon.price:
        return ""
    return f", weighed with {site.carbon.price:g} {site.prices.currency} per t"


def _contents(site: Site) -> Iterator[str]:
    for device in site.device:
        profile = site.profiles[device.name]
        where = f"{device.address} unit {device.unit}"
        yield f"{device.name:<10} {profile.kind:<6} {profile.make} {profile.model} at {where}"
    for device in site.devices:
        if device.members:
            yield f"{device.name:<10} {Kind.METER:<6} the sum of {' + '.join(device.members)}"
    for one in site.battery:
        rests = f"{one.energy / 1000:g} kWh, fallback {one.fallback:.10g} W"
        yield f"{one.name:<10} battery of {' + '.join([*one.pcs, *one.bms])}, {rests}"
    yield from (f"{name:<10} {words}" for name, words in [*reserve_lines(site), *load_lines(site)])
    if loads := _loads(site):
        yield f"{'loads':<10} {loads}"
    if site.archive:
        yield f"{'archive':<10} keeps {kept_words(site.retention)}"
        yield f"{'':<10} how much that is: joulebus archive status --forecast"
    yield from notify_lines(site)
    for number, line in enumerate(grid_lines(site)):
        yield f"{'' if number else 'grid':<10} {line}"


def _loads(site: Site) -> str:
    """Which of them have a place in the balance of the site."""
    read = {one.name for one in site.loads}
    words = [
        ", ".join(site.loads_apart),
        *(f"{one.name} is a part of {one.behind}" for one in site.loads if one.behind),
    ]
    unread = [one.name for one in site.of_kind(Kind.LOAD) if one.name not in read]
    return "; ".join(one for one in [*words, *(f"nobody measures the power of {name}" for name in unread)] if one)


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        where, _, words = warning.partition(": ")
        say(f"{where}: warning: {words}")
