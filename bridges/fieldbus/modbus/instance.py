"""Which models of a chain belong to a device, where a number stands in it several times. Pure.

A chain may hold the models of several devices one after the other: an inverter and its meters (SolarEdge: 1, 103, 1,
203, 1, 203), or two inverters behind one logger. Each begins with a model 1 of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined
from bridges.fieldbus.modbus.sunspec import Chain
from schemas.profile import Profile
from schemas.units import Kind

COMMON = 1


@dataclass(frozen=True, slots=True)
class Models:
    """Those of one device."""

    bases: Mapping[int, int]
    """Number -> where it begins."""
    lacking: Mapping[int, str]
    """Number -> why the device has none."""
    ends: Mapping[int, int] = field(default_factory=dict)
    """Number -> the first address behind it."""


NONE = Models({}, {})


def main_model(profile: Profile) -> int | None:
    """The model of a profile's main quantity."""
    main = profile.points.get("soc" if profile.kind is Kind.BMS else "p")
    return main.model if main else None


def choose(chain: Chain, profile: Profile, instance: int | None) -> Models:
    """The models that a device with this profile reads: the `instance`-th of its main model, and what goes with it.

    Raises Declined where the chain has several and nobody says which, or fewer than `instance`.
    """
    main = main_model(profile)
    at = None if main is None else _main(chain, main, instance)
    found: dict[int, int] = {}
    lacking: dict[int, str] = {}
    for number in sorted(_numbers(profile)):
        near = [at] if number == main and at is not None else _beside(chain, number, main, at)
        if len(near) == 1:
            found[number] = near[0]
        else:
            lacking[number] = _why(chain, number, near)
    behind = {one.address: one.address + 2 + one.length for one in chain.models}
    return Models(found, lacking, {number: behind[base] for number, base in found.items()})


def _numbers(profile: Profile) -> set[int]:
    """Every model that a profile reads or writes."""
    orders = [one for writes in profile.actions.values() for one in writes]
    orders += [one for setpoint in profile.commands.values() for one in setpoint.companions]
    own = [one for one in (profile.watchdog, profile.heartbeat) if one is not None]
    found = {one.model for one in (*profile.points.values(), *profile.commands.values(), *orders, *own)}
    return {one for one in found if one is not None}


def _main(chain: Chain, number: int, instance: int | None) -> int | None:
    there = chain.addresses(number)
    if instance is None and len(there) > 1:
        lines = " or ".join(f"instance = {n}" for n in range(1, len(there) + 1))
        raise Declined(f"its chain has model {number} {len(there)} times, {_listed(there)}: write {lines} to say which")
    if instance is not None and there and instance > len(there):
        times = "once" if len(there) == 1 else f"{len(there)} times"
        raise Declined(f"instance = {instance}, and its chain has model {number} {times}, {_listed(there)}")
    return there[(instance or 1) - 1] if there else None


def _beside(chain: Chain, number: int, main: int | None, at: int | None) -> Sequence[int]:
    """Where the model stands that goes with the main model at `at`: in its part of the chain; one that stands but once
    in the whole chain is for all; and of as many as there are of the main model, the one of the same place."""
    there = chain.addresses(number)
    if at is None or len(there) == 1:
        return there
    heads = chain.addresses(COMMON)
    begin = max((one for one in heads if one < at), default=0)
    end = min((one for one in heads if one > at), default=0x10000)
    near = [one for one in there if begin <= one < end]
    mains = [] if main is None else [one for one in chain.addresses(main) if begin <= one < end]
    if len(near) > 1 and len(near) == len(mains):
        return [near[mains.index(at)]]
    return near or there


def _why(chain: Chain, number: int, near: Sequence[int]) -> str:
    if near:
        return f"its chain has model {number} {len(near)} times, {_listed(near)}, and nothing says which is its own"
    return "; ".join([f"the device has no model {number}", *(f"of its chain: {odd}" for odd in chain.odd)])


def _listed(there: Sequence[int]) -> str:
    return ", ".join(f"instance {n} at {address}" for n, address in enumerate(there, 1))
