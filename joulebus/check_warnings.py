"""What can hardly be meant in a site file that is good: `joulebus check` warns of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from bridges.control.interlock_cause import Interlock
from consumers.alarms.overlap import doubles, unreached, unwatched
from joulebus.former_alarms import former_keys
from joulebus.grid_words import grid_oddities
from joulebus.load_words import load_oddities
from joulebus.notify_words import notify_oddities
from joulebus.price_words import odd_layers
from joulebus.reserve_words import reserve_oddities
from joulebus.tariff_words import oddities
from schemas.magnitudes import odd_limits, odd_powers, odd_prices, odd_rule_prices, odd_wear
from schemas.pace import late_interlocks, late_silences, too_slow
from schemas.site import Site
from schemas.site_alarm import AlarmRule
from schemas.site_rules import SiteRule
from schemas.site_rules_fit import odd_rules
from schemas.troubles import Trouble, point_at
from schemas.units import Kind


def warned_of(  # noqa: PLR0917  # the file, what was read out of it, and when
    path: Path,
    site: Site,
    rules: Mapping[str, AlarmRule],
    locks: Iterable[Interlock],
    unsure: Iterable[tuple[str, str]],
    now: datetime,
) -> list[str]:
    """A line each: file and place, and what is odd. `unsure`: what is odd in the files of prices."""
    asks: list[Callable[[], Iterable[str]]] = [
        lambda: _at(path, [*odd_powers(site), *odd_wear(site), *odd_limits(site), *grid_oddities(site)]),
        lambda: _at(path, [] if site.wrong_rules else [*_odd_rules(site)]),
        lambda: _at(path, [*reserve_oddities(site, now), *load_oddities(site, now)]),
        lambda: _at(path, notify_oddities(site, now)),
        lambda: _at(path, former_keys(path)),
        lambda: _at(site.tariff_path, _odd_tariff(site, now)),
        lambda: (f"{path}: {words}" for words in [*too_slow(site), *_odd_devices(site)]),
        lambda: (f"{path}: {words}" for words in late_interlocks(site, {lock.device for lock in locks})),
        lambda: (f"{path}: {words}" for words in late_silences(site)),
        lambda: (f"{path}: {words}" for words in [*doubles(site, rules), *unwatched(site), *unreached(site)]),
        lambda: _at(site.tariff_path, unsure),
    ]
    return [line for ask in asks for line in _told(site, ask)]


def _told(site: Site, ask: Callable[[], Iterable[str]]) -> list[str]:
    """What can be told without a tariff, where that cannot be read: its fault is told itself."""
    try:
        return [*ask()]
    except Trouble:
        if site.tariff_fault:
            return []
        raise


def _odd_tariff(site: Site, now: datetime) -> list[tuple[str, str]]:
    today = now.astimezone(site.zone).date()
    return [*odd_prices(site.prices, site), *odd_layers(site.prices), *oddities(site.prices, today)]


def _at(path: Path, odd: Iterable[tuple[str, str]]) -> list[str]:
    return str(point_at(path, odd)).splitlines()


def _odd_devices(site: Site) -> list[str]:
    return [*_unheard(site), *_loose(site), *_fed_in(site), *_twice_safe(site), *_twice_sun(site), *_no_sun(site)]


def _odd_rules(site: Site) -> Iterator[tuple[str, str]]:
    """As they are written: a unit that stands there was meant."""
    rules = [one for one in site.rule if isinstance(one, SiteRule)]
    numbers = {one.name: n for n, one in enumerate(rules)}
    for name, place, words in odd_rules(rules, site.standing):
        yield f"rule.{numbers[name]}.{place}", f"rule {name!r}: {words}"
    for number, rule in enumerate(rules):
        for place, words in odd_rule_prices(rule, site.prices.currency):
            yield f"rule.{number}.{place}", f"rule {rule.name!r}: {words}"


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
