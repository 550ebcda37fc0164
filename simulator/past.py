"""The site's own past: the same physics under a simple rule, as the telemetry a bridge would have sent."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from hashlib import blake2b

from bridges.fieldbus.summed import Rounds
from schemas.messages import Telemetry
from schemas.site import Site
from schemas.site_battery import Battery
from schemas.units import Kind, utc_now
from simulator.driven import Driven
from simulator.roles.cast import cast, image_of
from simulator.roles.role import Role
from simulator.world import World, new_world

SHAVE = 0.75
"""Of the import limit: what lies above is taken from the battery."""
NIGHT = range(5)
"""Local hours in which the battery gets ready for the morning."""
LEFT = 35.0
"""% that high loads leave: at whatever hour somebody starts the demo, its batteries can work."""
SELDOM = 900.0
"""Seconds between two samples of contacts and thermometers: a fresh demo waits for its past to be stored."""
MORNING = (60.0, 45.0)
"""% at which the batteries begin the day, one and another in turn: no two of a real site are equally full."""


def past(
    site: Site, start: datetime, end: datetime, step: float = 300.0, seed: int = 0
) -> Iterator[tuple[str, Telemetry]]:
    """Device and telemetry, in order of time, every `step` seconds from `start` until before `end`.

    The same moments give the same messages with the same keys, so seeding twice changes nothing.
    """
    roles: dict[str, Role] = {}
    images = {device.name: image_of(site, device) for device in site.device}
    slow = {one.name for one in site.device if site.profiles[one.name].kind in (Kind.LOAD, Kind.SENSOR)} - {
        one.name for one in site.device if "p" in site.profiles[one.name].points
    }
    sums = {
        one.name: Rounds(dict.fromkeys(one.members, step), site.profiles[one.name].points)
        for one in site.devices
        if one.members
    }
    for world in lived(site, start, end, step, seed):
        roles = roles or cast(world, utc_now)
        if world.at < start:
            continue
        values = {name: images[name].seen(role.shown()) for name, role in roles.items()}
        seq, moment = int(world.at.timestamp() // step), world.at.timestamp()
        for name, rounds in sums.items():
            for meter in rounds.polls:
                rounds.hear(meter, values[meter], {}, moment)
            values[name] = rounds.add_up().values
        seldom = moment % SELDOM >= step
        for name, seen in values.items():
            if seldom and name in slow:
                continue
            yield name, Telemetry(at=world.at, epoch=_epoch(site, name), seq=seq, historical=True, values=seen)


def lived(
    site: Site,
    start: datetime,
    end: datetime,
    step: float = 300.0,
    seed: int = 0,
    *,
    batteries: Sequence[Battery] = (),
) -> Iterator[World]:
    """The world after each step, from the midnight (UTC) before `start` until before `end`."""
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    world = new_world(site, midnight, batteries=batteries, seed=seed)
    for one in world.plant.bess.values():
        one.pcs.timeout = 0.0
    while world.at + timedelta(seconds=step) < end:
        for battery in world.batteries:
            for pcs in battery.pcs:
                world.plant.bess[pcs].pcs.p_set = _steer(world, battery, pcs)
        for load in world.plant.driven.values():
            _run(load, world.at.astimezone(site.zone).time())
        world.step(step)
        yield world


def _steer(world: World, battery: Battery, pcs: str) -> float:
    """PV surplus into the battery, high load out of it, and half full in the morning; each does its share."""
    site, plant, one = world.site, world.plant, world.plant.bess[pcs]
    rated, soc = one.pcs.rated, one.battery.soc
    share = rated / sum(each.pcs.rated for each in plant.bess.values())
    idle = plant.load - plant.sun_power
    shave = SHAVE * site.grid.import_limit
    if idle < 0:
        return max(idle * share, -rated) if soc < battery.soc_max else 0.0
    if idle > shave:
        return min((idle - shave) * share, rated) if soc > LEFT else 0.0
    night = world.at.astimezone(site.zone).hour in NIGHT
    if night and soc < MORNING[world.batteries.index(battery) % len(MORNING)]:
        return -0.2 * rated
    evening = world.at.astimezone(site.zone).hour >= 17
    return min(idle * share, 0.5 * rated) if evening and soc > 40 else 0.0


def _run(one: Driven, clock: time) -> None:
    """As a thermostat, or a timer before its deadline."""
    rule, share = one.rule, one.share
    if (band := rule.comfort) is not None and one.value is not None:
        warm, edge = one.value > (band.low + band.high) / 2, (band.high - band.low) / 4
        outside = abs(one.value - (band.low + band.high) / 2) > edge
        share = float(warm is not band.raises) if outside else share
    elif rule.energy is not None and rule.deadline is not None:
        left = (rule.deadline.hour - clock.hour) * 60 + rule.deadline.minute - clock.minute
        share = float(0 < left <= 60 * rule.energy / one.rated)
    one.told = rule.value(share, one.profile, one.rated)


def _epoch(site: Site, device: str) -> str:
    return blake2b(f"{site.site}/{device}".encode(), digest_size=8).hexdigest()
