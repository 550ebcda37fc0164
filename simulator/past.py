"""The site's own past: the same physics under a simple rule, as the telemetry a bridge would have sent."""

from collections.abc import Callable, Iterator, Sequence
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

STEP = 300.0
"""Seconds."""
METERED = 60.0
"""Seconds from one reading of the grid meter to the next, where the past is kept."""
QUARTER, EDGE = 900.0, 0.125
"""Seconds: the counter of a quarter of an hour is read just before its end. In a second a battery that turns
there would move the load of both by 200 W."""
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


Steer = Callable[[World], None]
"""Tells each PCS what it is to do in the next step."""


def past(  # as `lived`
    site: Site,
    start: datetime,
    end: datetime,
    step: float = STEP,
    seed: int = 0,
    *,
    steer: Steer | None = None,
    metered: float | None = None,
) -> Iterator[tuple[str, Telemetry]]:
    """Device and telemetry, in order of time, every `step` seconds from `start` until before `end`. `metered`: seconds
    of the grid meter, of which `step` is a multiple: a demand charge bills no window that was seen each five minutes.
    It is read at the end of each quarter of an hour, too.

    The same moments give the same messages with the same keys, so seeding twice changes nothing.
    """
    roles: dict[str, Role] = {}
    images = {device.name: image_of(site, device) for device in site.device}
    slow = {one.name for one in site.device if site.profiles[one.name].kind in (Kind.LOAD, Kind.SENSOR)} - {
        one.name for one in site.device if "p" in site.profiles[one.name].points
    }
    fine = metered or step
    sums = {
        one.name: Rounds(dict.fromkeys(one.members, fine), site.profiles[one.name].points)
        for one in site.devices
        if one.members
    }
    for world in lived(site, start, end, fine, seed, steer=steer, edge=EDGE if metered else 0.0):
        roles = roles or cast(world, utc_now)
        if world.at < start:
            continue
        shown = roles if not world.at.timestamp() % step else roles.keys() & _often(world)
        values = {name: images[name].seen(roles[name].shown()) for name in shown}
        seq, moment = int(world.at.timestamp() // (1.0 if metered else step)), world.at.timestamp()
        for name, rounds in sums.items():
            for meter in rounds.polls:
                rounds.hear(meter, values[meter], {}, moment)
            values[name] = rounds.add_up().values
        seldom = moment % SELDOM >= step
        for name, seen in values.items():
            if seldom and name in slow:
                continue
            yield name, Telemetry(at=world.at, epoch=_epoch(site, name), seq=seq, historical=True, values=seen)


def _often(world: World) -> set[str]:
    """What is read between the others: the grid meter, and at the end of a quarter of an hour all that its energies and
    the SoC are told by: a counter that was read minutes before belongs to another sun."""
    site, ends = world.site, (world.at.timestamp() + EDGE) % QUARTER == 0
    counted = {*site.racks, *site.pcs, *(name for name, _ in site.pv_points)}
    return {*site.grid.meters, *(counted if ends else ())}


def lived(
    site: Site,
    start: datetime,
    end: datetime,
    step: float = STEP,
    seed: int = 0,
    *,
    batteries: Sequence[Battery] = (),
    steer: Steer | None = None,
    edge: float = 0.0,
) -> Iterator[World]:
    """The world after each step, from the midnight (UTC) before `start` until before `end`. `steer`: in place of the
    simple rule. `edge`: so many seconds before a quarter of an hour ends it is seen once more, by `steer`, too."""
    midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    world = new_world(site, midnight, batteries=batteries, seed=seed)
    for one in world.plant.bess.values():
        one.pcs.timeout = 0.0
    tell = steer or by_rule
    tell(world)
    while world.at + timedelta(seconds=step) < end:
        if edge and (world.at.timestamp() + step) % QUARTER == 0:
            world.step(step - edge)
            tell(world)
            yield world
            world.step(edge)
        else:
            world.step(step)
        for load in world.plant.driven.values():
            _run(load, world.at.astimezone(site.zone).time())
        tell(world)
        world.step(0.0)  # what is read now holds until the next reading
        yield world


def by_rule(world: World) -> None:
    """What a battery does that knows no plan; as often as it is read."""
    if world.at.timestamp() % STEP:
        return
    for battery in world.batteries:
        for pcs in battery.pcs:
            world.plant.bess[pcs].pcs.p_set = _steer(world, battery, pcs)


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
