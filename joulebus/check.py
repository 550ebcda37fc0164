"""`joulebus check`: opens everything that a site file names, walks it, and says what is wrong with it.

What cannot be right is refused, all of it at once; what can hardly be meant is a warning, and the file is good.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from bridges.control.interlock_cause import Interlock
from consumers.alarms.catalog import load_catalog, watched
from consumers.alarms.overlap import doubles, unreached, unwatched
from joulebus.commands import say
from joulebus.forecast_files import forecast_lines
from joulebus.grid_words import grid_lines, grid_oddities
from joulebus.interlocks import all_locks, notes
from joulebus.load_words import load_lines, load_oddities
from joulebus.price_files import look
from joulebus.price_words import odd_layers, price_lines
from joulebus.reserve_words import reserve_lines, reserve_oddities
from joulebus.tariff_words import holes, oddities, tariff_lines
from optimizer.carbon_table import read_carbon
from schemas.magnitudes import Odd, odd_limits, odd_powers, odd_prices, odd_rule_prices, odd_wear
from schemas.pace import late_interlocks, late_silences, too_slow
from schemas.retention import kept_words
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.site_file import load_site
from schemas.site_rules import SiteRule
from schemas.site_rules_fit import odd_rules
from schemas.troubles import Trouble, point_at
from schemas.units import Kind, utc_now

Answer = TypeVar("Answer")
"""What is asked for."""


def check(path: Path) -> int:
    """Say what stands in a site file. Raises Trouble with what is wrong in it."""
    site, now = load_site(path), utc_now()
    troubles = list[Trouble]()
    rules: dict[str, AlarmRule] = _asked(troubles, path, lambda: watched(site, load_catalog()), {})
    locks: list[Interlock] = _asked(troubles, path, lambda: all_locks(site), [])
    none: tuple[list[str], list[Odd]] = ([], [])
    prices, unsure = _asked(troubles, path, lambda: look(site, now), none)
    prices += _asked(troubles, path, lambda: _carbon(site), [])
    prices += _asked(troubles, path, lambda: [*forecast_lines(site)], [])
    if site.wrong_rules:
        troubles.append(point_at(path, site.wrong_rules))
    if missing := [*holes(site.prices, now.astimezone(site.zone).date())]:
        troubles.append(point_at(site.tariff_path, missing))
    warnings = [*_warnings(path, site, rules, locks), *_at(site.tariff_path, unsure)]
    if troubles:
        _warn(warnings)
        raise Trouble("\n".join(map(str, troubles)))
    counted = f"{len(site.device)} devices, {site.mode}, {len(rules)} alarms, {len(locks)} interlocks"
    counted += f", {len(site.rules)} rule{'s'[: len(site.rules) > 1]}" if site.rules else ""
    say(f"{path}: good. {site.title or site.site}: {counted}")
    today = now.astimezone(site.zone).date()
    told = [*price_lines(site.prices, site.zone, today), *tariff_lines(site.prices, today)]
    for line in [*_contents(site), *prices, *(f"{name:<10} {words}" for name, words in told)]:
        say(f"  {line}")
    _warn(warnings)
    for note in notes(site):
        say(f"  {note}")
    return 0


def _asked(troubles: list[Trouble], path: Path, ask: Callable[[], Answer], otherwise: Answer) -> Answer:
    """One thing that is wrong hides none of the others: what is raised is kept for the end."""
    try:
        return ask()
    except Trouble as wrong:
        troubles.append(Trouble(f"{path}: {wrong}"))
        return otherwise


def _warnings(path: Path, site: Site, rules: Mapping[str, AlarmRule], locks: Iterable[Interlock]) -> list[str]:
    """What can hardly be meant."""
    now = utc_now()
    return [
        *_at(path, [*odd_powers(site), *odd_wear(site), *odd_limits(site), *grid_oddities(site)]),
        *_at(path, [*reserve_oddities(site, now), *load_oddities(site, now)]),
        *_at(path, [] if site.wrong_rules else [*_odd_rules(site)]),
        *_at(
            site.tariff_path,
            [
                *odd_prices(site.prices, site),
                *odd_layers(site.prices),
                *oddities(site.prices, now.astimezone(site.zone).date()),
            ],
        ),
        *(
            f"{path}: {words}"
            for words in [
                *too_slow(site),
                *_unheard(site),
                *_loose(site),
                *_fed_in(site),
                *_twice_safe(site),
                *_twice_sun(site),
                *_no_sun(site),
            ]
        ),
        *(f"{path}: {words}" for words in late_interlocks(site, {lock.device for lock in locks})),
        *(f"{path}: {words}" for words in late_silences(site)),
        *(f"{path}: {words}" for words in [*doubles(site, rules), *unwatched(site), *unreached(site)]),
    ]


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


def _odd_rules(site: Site) -> Iterator[tuple[str, str]]:
    """As they are written: a unit that stands there was meant."""
    rules = [one for one in site.rule if isinstance(one, SiteRule)]
    numbers = {one.name: n for n, one in enumerate(rules)}
    for name, place, words in odd_rules(rules, site.standing):
        yield f"rule.{numbers[name]}.{place}", f"rule {name!r}: {words}"
    for number, rule in enumerate(rules):
        for place, words in odd_rule_prices(rule, site.prices.currency):
            yield f"rule.{number}.{place}", f"rule {rule.name!r}: {words}"


def _at(path: Path, odd: Iterable[tuple[str, str]]) -> list[str]:
    return str(point_at(path, odd)).splitlines()


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        where, _, words = warning.partition(": ")
        say(f"{where}: warning: {words}")


def _unheard(site: Site) -> list[str]:
    """Whose commands no bridge obeys, although somebody expects it."""
    if site.mode == "read_only" or "dispatch" in site.command_sources:
        return []
    return ["command_sources does not name dispatch: its plan and the requests of the page move no device"]


def _loose(site: Site) -> list[str]:
    """A BMS that guards nothing, although somebody may believe it."""
    return [
        f"device {device.name}: a bms of no battery is read, and its limits hold for none; name it in its [[battery]], "
        f'bms = "{device.name}"'
        for device in site.of_kind(Kind.BMS)
        if device.name not in site.bms
    ]


def _twice_safe(site: Site) -> list[str]:
    """A safe limit of devices that the network operator's word at the connection point never ends."""
    grid = site.grid
    if grid.dso_limit is None or not (
        grid.signal or grid.safe_feed_in is not None or grid.safe_consumption is not None
    ):
        return []
    right = "leave it out where the network operator limits the connection point: safe_feed_in and safe_consumption"
    return [
        f"grid.dso_limit: every device may give {grid.dso_limit:g} % until it is told one by one; {right} hold there"
    ]


def _twice_sun(site: Site) -> list[str]:
    """A PV inverter that is the unit of a hybrid, whose profile tells the PV already."""
    hybrids = {
        (site.named(name).endpoint, site.named(name).unit): (name, points)
        for name in site.pcs
        if (points := site.profiles[name].pv_points)
    }
    return [
        f"device {one.name} is the unit of {found[0]}: its p is that of PV and battery together, and the PV counts "
        f"twice, for {found[0]} tells it ({', '.join(found[1])}): leave {one.name} out"
        for one in site.pv
        if (found := hybrids.get((one.endpoint, one.unit)))
    ]


def _no_sun(site: Site) -> list[str]:
    """A forecast of PV at a site without: nothing that comes could prove it."""
    found = [] if site.pv_points else [(n, one) for n, one in enumerate(site.forecast) if one.of == "pv"]
    return [f"forecast.{n}.of: forecast {one.name!r} is of pv, and the site has none: leave it out" for n, one in found]


def _fed_in(site: Site) -> list[str]:
    """PV that can feed in more than may be, and that nobody limits."""
    limited = {one.name for one in site.pv_limited}
    free = [name for name in dict.fromkeys(name for name, _ in site.pv_points) if name not in limited]
    power, most = sum(site.named(name).rated_power or 0.0 for name in free), site.grid.export_limit
    if power <= most:
        return []
    why = "its profile has no p_limit_pct" if site.grid.curtail else "grid.curtail is false"
    sizes = f"can feed in {power / 1000:g} kW, export_limit is {most / 1000:g} kW"
    return [f"{', '.join(free)} {sizes}, and nobody limits it: {why}"]
