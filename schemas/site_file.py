"""The site file with its profiles: read, and refused with what would be right where a site cannot be steered by it."""

from collections.abc import Iterator
from pathlib import Path

from schemas.interlock import mistake
from schemas.profile import Profile
from schemas.profiles import PROFILES
from schemas.rack import mute
from schemas.site import Site
from schemas.site_batteries import (
    Place,
    called,
    unable,
    wrong_fallbacks,
    wrong_kinds,
)
from schemas.site_loads import wrong_loads
from schemas.site_reactive import wrong_reactive
from schemas.site_reserves import impossible
from schemas.site_signals import wrong_signals
from schemas.toml_file import read_toml
from schemas.troubles import Trouble, point_at
from schemas.units import Kind


def load_site(path: Path) -> Site:
    """The site file with its profiles, without its tariff. Raises Trouble: the file, the field, what would be right."""
    site = read_toml(path, Site)
    site._folder = path.parent
    if missing := [*_missing_profiles(site, path.parent / "profiles")]:
        raise point_at(path, missing)
    try:
        profiles = site.profiles
    except Trouble as wrong:
        raise Trouble(f"{path}: {wrong}") from wrong
    _check_kinds(path, site, profiles)
    _check_fallback(path, site)
    if more := [*impossible(site.reserve, site.battery, site.rated_power)]:
        raise point_at(path, ((".".join(map(str, place)), words) for place, words in more))
    _check_interlocks(path, site, profiles)
    if mistakes := [
        *wrong_reactive(
            site.grid.reactive,
            {name: profiles[name] for name in site.grid.meters},
            [profiles[name] for name in (*site.pcs, *(one.name for one in site.pv))],
        )
    ]:
        raise point_at(path, mistakes)
    return site


def _missing_profiles(site: Site, own: Path) -> Iterator[tuple[str, str]]:
    known = {file.stem for folder in (own, PROFILES) for file in folder.glob("*.toml")}
    for number, device in enumerate(site.device):
        if device.profile not in known:
            wrong = Trouble.unknown(f"profile {device.profile!r}", device.profile, sorted(known))
            yield f"device.{number}.profile", f"device {device.name!r}: {wrong}"


def _check_interlocks(path: Path, site: Site, profiles: dict[str, Profile]) -> None:
    """One that never acts is no protection."""
    if site.interlock and not site.battery:
        raise point_at(path, [("interlock.0", "acts on a battery, and the site has none: take it out")])
    cells = [one.chemistry for one in site.battery]
    found = [
        (n, mistake(rule, profiles, next((one for one in cells if one in rule.chemistry), next(iter(cells), None))))
        for n, rule in enumerate(site.interlock)
    ]
    if mistakes := [(f"interlock.{n}.{one[0]}", one[1]) for n, one in found if one is not None]:
        raise point_at(path, mistakes)


def _check_kinds(path: Path, site: Site, profiles: dict[str, Profile]) -> None:
    kinds = {name: profile.kind for name, profile in profiles.items()}
    wrong = [*wrong_kinds(site.battery, kinds), *_wrong_measures(site, profiles), *_wrong_behind(site)]
    wrong += [
        (("grid", "meter"), f"device {name!r} is a {kinds[name]}, a meter is needed")
        for name in site.grid.meters
        if kinds[name] is not Kind.METER
    ]
    needed = (site.battery and site.mode == "control") or len(site.grid.meters) > 1
    if needed and not wrong and "p" not in profiles[site.grid.meter].points:
        wrong.append((("grid", "meter"), f"{' and '.join(site.grid.meters)}: there is no power p of each to read"))
    if wrong:
        raise point_at(path, ((".".join(map(str, place)), words) for place, words in wrong))
    _check_able(path, site, profiles)
    _check_steered(path, site, profiles)
    _check_rated(path, site, profiles)
    if wrongs := [*wrong_signals(site.grid.signal, profiles)]:
        raise point_at(path, wrongs)
    if unfit := [*wrong_loads(site.load, site.device, profiles)]:
        raise point_at(path, ((".".join(map(str, place)), words) for place, words in unfit))
    if odd := [*_wrong_keys(site, profiles)]:
        raise point_at(path, odd)


def _wrong_keys(site: Site, profiles: dict[str, Profile]) -> Iterator[tuple[str, str]]:
    """Keys of a device that do not go with its profile."""
    for number, device in enumerate(site.device):
        profile, place = profiles[device.name], f"device.{number}"
        for name, command in profile.commands.items():
            if command.fallback is None and profile.kind is not Kind.PCS:
                words = (
                    f"{name} of profile {device.profile} has no fallback, and only a pcs gets one from the site file, "
                    "or a load by its [[load]]: give where it goes when no valid command is left"
                )
                yield f"{place}.profile", f"device {device.name!r}: {words}"
        if device.late is not None and device.name not in site.grid.meters:
            key = "delay" if device.delay is not None else "averaging"
            words = f"{key} is reckoned with where a loop is closed over a meter, the grid's: leave it out"
            yield f"{place}.{key}", f"device {device.name!r}: {words}"
        if device.instance is not None and not profile.sunspec:
            words = f"goes with a profile of SunSpec models, and {device.profile} has none: leave it out"
            yield f"{place}.instance", f"device {device.name!r}: instance = {device.instance} {words}"
        for point in sorted(device.substitute.keys() - profile.points.keys()):
            what = f"device {device.name!r}: substitute.{point}"
            yield f"{place}.substitute", str(Trouble.unknown(what, point, sorted(profile.points)))


def _wrong_measures(site: Site, profiles: dict[str, Profile]) -> Iterator[tuple[Place, str]]:
    """Only a meter can be put to measure something, and the grid's has its place already."""
    for number, device in enumerate(site.device):
        if device.measures is None:
            continue
        if device.name in site.grid.meters:
            yield ("device", number, "measures"), f"device {device.name!r} is the grid's meter: leave it out"
        elif profiles[device.name].kind is not Kind.LOAD:
            given = profiles[device.name].kind
            words = f"device {device.name!r} is a {given}, and only a meter measures a load: leave it out"
            yield ("device", number, "measures"), words


def _wrong_behind(site: Site) -> Iterator[tuple[Place, str]]:
    """A load stands behind the meter of another load, and none behind itself."""
    loads = {one.name: one.behind for one in site.loads}
    for number, device in enumerate(site.device):
        if device.behind is None:
            continue
        place, who = ("device", number, "behind"), f"device {device.name!r}"
        if device.name not in loads:
            yield place, f'{who} is no load whose power is measured: give measures = "load", or leave `behind` out'
        elif device.behind not in loads:
            known = ", ".join(sorted(loads.keys() - {device.name})) or "none"
            yield place, f"{who}: {device.behind!r} is no load whose power is measured; there is: {known}"
        elif device.name in _in_front(loads, device.name):
            yield place, f"{who} would stand behind itself: leave `behind` out at the one next to the grid"


def _in_front(loads: dict[str, str | None], name: str) -> set[str]:
    """All loads it stands behind."""
    found, at = set[str](), loads[name]
    while at is not None and at not in found:
        found.add(at)
        at = loads.get(at)
    return found


def _check_rated(path: Path, site: Site, profiles: dict[str, Profile]) -> None:
    """What is limited and planned needs its rating."""
    wrong = list[tuple[str, str]]()
    for number, device in enumerate(site.device):
        if profiles[device.name].kind in (Kind.PCS, Kind.PV) and device.rated_power is None:
            owner = site.battery_of(device.name)
            whose = called(site.battery, owner) if owner else ""
            wrong.append((f"device.{number}", f"{whose}device {device.name!r}: rated_power (W) is missing"))
    if wrong:
        raise point_at(path, wrong)


def _check_fallback(path: Path, site: Site) -> None:
    rated = {one.name: site.rated(one) for one in site.battery}
    if wrong := [*wrong_fallbacks(site.battery, rated)]:
        raise point_at(path, ((".".join(map(str, place)), words) for place, words in wrong))


def _check_steered(path: Path, site: Site, profiles: dict[str, Profile]) -> None:
    """A PCS of no battery would be read and never guarded: no limits, no fallback."""
    for number, device in enumerate(site.device):
        if profiles[device.name].kind is Kind.PCS and device.name not in site.pcs:
            free = [name for name, one in profiles.items() if one.kind is Kind.BMS and name not in site.bms]
            hybrid = not free and not mute(profiles[device.name], charge=None, discharge=None)
            bms = "" if hybrid else f'bms = "{min(free, default="?")}", '
            lines = f'name = "{device.name}", pcs = "{device.name}", {bms}energy = <Wh>'
            words = (
                f"device {device.name!r}: a pcs of no battery would have no limits and no fallback; give it a "
                f"battery of its own, [[battery]] with {lines}"
            )
            raise point_at(path, [(f"device.{number}", words)])


def _check_able(path: Path, site: Site, profiles: dict[str, Profile]) -> None:
    """What cannot be steered, or tells nothing of its cells, is no battery of a site that is controlled."""
    wrong = [*unable(site.battery, profiles, {one.name: one.profile for one in site.device})]
    if wrong and site.mode == "control":
        raise point_at(path, ((".".join(map(str, place)), words) for place, words in wrong))
