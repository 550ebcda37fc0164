"""The plant that a site file describes, each battery in the state in which it is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.site import Site
from schemas.site_battery import Battery as SiteBattery
from schemas.site_device import Device
from schemas.units import Kind
from simulator.battery import Battery
from simulator.bess import Bess, Rack
from simulator.contactor import Contactor
from simulator.driven import Driven
from simulator.pcs import Pcs
from simulator.plant import Plant
from simulator.pv import Pv
from simulator.states import INSTANT, Times


@dataclass(frozen=True, slots=True)
class Condition:
    """In what state a battery is found."""

    soc: float = 50.0
    """%."""
    soh: float = 100.0
    """% of the energy in the site file."""


def build(
    site: Site,
    batteries: Sequence[SiteBattery],
    conditions: Mapping[str, Condition],
    *,
    ramp: float | None = None,
    times: Times = INSTANT,
) -> Plant:
    """The plant a site file describes, with these batteries, each in its condition (by the name of its first PCS)."""
    bess = dict[str, Bess]()
    for one in batteries:
        bess |= _battery(site, one, conditions.get(one.pcs[0], Condition()), ramp, times)
    flexible = {rule.device: rule for rule in site.load}
    sunny = dict.fromkeys(name for name, _ in site.pv_points)
    return Plant(
        bess,
        {
            pv.name: Pv(pv.rated_power or 0.0, pv.rated_apparent_power or pv.rated_power or 0.0, times.observe)
            for pv in map(site.named, sunny)
        },
        rated_loads={
            load.name: load.rated_power or 0.0 for load in site.of_kind(Kind.LOAD) if load.name not in flexible
        },
        driven={
            name: Driven(rule, site.profiles[name], site.named(name).rated_power or 0.0)
            for name, rule in flexible.items()
        },
    )


def _battery(site: Site, one: SiteBattery, found: Condition, ramp: float | None, times: Times) -> dict[str, Bess]:
    """By PCS: the first has the racks, and the others live with it."""
    count, rated = len(one.racks), site.rated(one)
    energy = one.energy * found.soh / 100 / count
    racks = [
        Rack(Battery(energy, rated / count, energy * found.soc / 100, soh=found.soh), Contactor(times))
        for _ in range(count)
    ]
    inverters = [_pcs(site.named(name), ramp, times) for name in one.pcs]
    made = [
        Bess(racks[0].battery, pcs, racks[0].contactor, racks[0].bms, racks[1:], led=number > 0)
        for number, pcs in enumerate(inverters)
    ]
    made[0].mates = inverters[1:]
    return dict(zip(one.pcs, made, strict=True))


def _pcs(device: Device, ramp: float | None, times: Times) -> Pcs:
    rated = device.rated_power or 0.0
    return Pcs(rated, device.rated_apparent_power or rated, ramp, times)
