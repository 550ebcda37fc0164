"""Which role each device of a site plays."""

from collections.abc import Callable, Mapping
from datetime import datetime

from schemas.site import Site
from schemas.site_device import Device
from schemas.troubles import Trouble
from schemas.units import Kind
from simulator.image import Image
from simulator.roles.bms import BmsRole
from simulator.roles.load import LoadRole
from simulator.roles.meter import MeterRole
from simulator.roles.pcs import PcsRole
from simulator.roles.pv import PvRole
from simulator.roles.role import Role
from simulator.roles.sensor import SensorRole
from simulator.world import World

ROLES: dict[Kind, type[Role]] = {
    Kind.PCS: PcsRole,
    Kind.BMS: BmsRole,
    Kind.METER: MeterRole,
    Kind.PV: PvRole,
    Kind.LOAD: LoadRole,
    Kind.SENSOR: SensorRole,
}


def cast(world: World, now: Callable[[], datetime], images: Mapping[str, Image] | None = None) -> dict[str, Role]:
    """The role of every device of the site, behind its registers. Raises Trouble for one of no battery."""
    site, roles = world.site, {}
    for device in site.device:
        profile = site.profiles[device.name]
        _check(world, device, profile.kind)
        image = (images or {}).get(device.name) or image_of(site, device)
        roles[device.name] = ROLES[profile.kind](world, device, profile, now, image)
    world.roles = list(roles.values())
    return roles


def images_of(site: Site) -> dict[str, Image]:
    """The registers of every device. SunSpec models of one unit make one chain, those of `instance = 1` first."""
    found: dict[str, Image] = {}
    chains: dict[tuple[str, int], Image] = {}
    for device in sorted(site.device, key=lambda one: one.instance or 0):
        where = (device.address, device.unit)
        image = found[device.name] = image_of(site, device, chains.get(where))
        if site.profiles[device.name].sunspec:
            chains[where] = image
    return {device.name: found[device.name] for device in site.device}


def image_of(site: Site, device: Device, behind: Image | None = None) -> Image:
    """The registers of a device of the site; `behind` those of another of its unit."""
    rated = device.rated_power or 0.0
    apparent = device.rated_apparent_power or rated
    return Image(site.profiles[device.name], rated=rated, apparent=apparent, unit=device.unit, behind=behind)


def _check(world: World, device: Device, kind: Kind) -> None:
    known = {
        Kind.PCS: [pcs for one in world.batteries for pcs in one.pcs],
        Kind.BMS: [bms for one in world.batteries for bms in one.bms],
    }
    mine = known.get(kind)
    if mine is not None and device.name not in mine:
        raise Trouble(
            f"device {device.name!r} belongs to no battery of the site file, whose {kind} is {', '.join(mine)}"
        )
