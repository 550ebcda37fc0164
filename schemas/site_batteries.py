"""What is wrong with the batteries of a site file although each key is right: names, devices and ranges. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count

from schemas.profile import Profile
from schemas.rack import mute
from schemas.site_battery import Battery, Terms, Unit
from schemas.units import Kind

ROLES = ("pcs", "bms")
"""Devices that a battery names."""

SUCH_AS = ("hall", "yard", "roof")
"""Names that are proposed."""

Place = tuple[str | int, ...]


def called(batteries: Sequence[Battery], one: Battery) -> str:
    """How a sentence about it begins; nothing where it is the only one."""
    return f"battery {one.name!r}: " if len(batteries) > 1 else ""


def written_for(written: object, place: tuple[str | int, ...]) -> str:
    """The same for a place in a file whose batteries cannot be read: its name, or its number where it has none."""
    if not isinstance(written, list) or len(written) < 2 or len(place) < 2 or place[0] != "battery":
        return ""
    number = place[1]
    if not isinstance(number, int) or number >= len(written):
        return ""
    name = written[number].get("name") if isinstance(written[number], dict) else None
    return f"battery {name!r}: " if isinstance(name, str) and name else f"battery {number + 1} of {len(written)}: "


def devices(names: Sequence[str]) -> str:
    """Some of them in a sentence."""
    return f"device{'s' if len(names) > 1 else ''} {' and '.join(map(repr, names))}"


def roles(batteries: Sequence[Battery]) -> Iterator[tuple[Place, str, str]]:
    """Each device that a battery names: the place in the file, how a sentence begins, the device."""
    for number, one in enumerate(batteries):
        for role in ROLES:
            for device in getattr(one, role):
                yield ("battery", number, role), called(batteries, one), device


def wrong_kinds(batteries: Sequence[Battery], kinds: Mapping[str, Kind]) -> Iterator[tuple[Place, str]]:
    """A device that is not what the battery needs. `kinds` of all devices."""
    for place, whose, device in roles(batteries):
        one = batteries[int(place[1])]
        wanted, given = Kind(str(place[2])), kinds[device]
        if given is not wanted:
            swapped = [*map(kinds.get, one.pcs), *map(kinds.get, one.bms)] == [Kind.BMS, Kind.PCS]
            hint = "; pcs and bms are swapped" if swapped else ""
            yield place, f"{whose}device {device!r} is a {given}, a {wanted} is needed{hint}"


def wrong_fallbacks(batteries: Sequence[Battery], rated: Mapping[str, float]) -> Iterator[tuple[Place, str]]:
    """A power that its devices cannot have is no fallback. `rated` W of each battery by its name."""
    for number, one in enumerate(batteries):
        most = rated[one.name]
        if abs(one.fallback) > most:
            words = f"{one.fallback:.10g} W is beyond the rated ±{most:.10g} W of {devices(one.pcs)}"
            yield ("battery", number, "fallback"), called(batteries, one) + words


def unable(
    batteries: Sequence[Battery], profiles: Mapping[str, Profile], written: Mapping[str, str]
) -> Iterator[tuple[Place, str]]:
    """A PCS that takes no power, and a device that does not tell what its cells may do. `written`: what the profile of
    each device is called."""
    for place, whose, device in roles(batteries):
        if place[2] == "pcs" and "p_set" not in profiles[device].commands:
            words = 'takes no p_set: nobody could steer it; with mode = "read_only" it is only watched'
            yield place, f"{whose}device {device!r}: profile {written[device]} {words}"
    for number, one in enumerate(batteries):
        limits = {"charge": one.charge_limit, "discharge": one.discharge_limit}
        for device in one.racks:
            if why := mute(profiles[device], **limits):
                words = f"{called(batteries, one)}device {device!r}: profile {written[device]} {why}"
                yield ("battery", number, "bms" if one.bms else "pcs"), words


def mistakes(batteries: Sequence[Battery]) -> Iterator[tuple[Place, str]]:
    """Where in the file, and what with what would be right."""
    yield from _names(batteries)
    taken = dict[str, tuple[str, Battery]]()
    for number, one in enumerate(batteries):
        whose = called(batteries, one)
        if one.soc_min >= one.soc_max:
            key = "soc_min" if "soc_min" in one.model_fields_set else "soc_max"
            words = f"{whose}soc_min {one.soc_min:.10g} must be below soc_max {one.soc_max:.10g}"
            yield ("battery", number, key), words
        socs = [point.soc for point in one.taper]
        if late := [n for n in range(1, len(socs)) if socs[n] <= socs[n - 1]]:
            words = f"taper: the SoC of {socs[late[0]]:g} follows {socs[late[0] - 1]:g}: write them rising, each once"
            yield ("battery", number, "taper"), whose + words
        for place, _, device in roles([one]):
            if device in taken:
                first, other = taken[device]
                words = f"is the {first} of battery {other.name!r} already: a device belongs to one battery, once"
                yield ("battery", number, place[2]), f"{whose}device {device!r} {words}"
            taken.setdefault(device, (str(place[2]), one))
        if len(one.pcs) > 1 and not one.bms:
            words = f"{devices(one.pcs)} have no bms that says what they may take from the same cells; name it"
            yield ("battery", number, "bms"), f"{whose}{words}, or give each a [[battery]] of its own"


def units(batteries: Sequence[Battery], rated: Mapping[str, float]) -> list[Unit]:
    """What is steered, in the order of the file. `rated` W of each PCS."""
    return [_unit(one, pcs, rated) for one in batteries for pcs in one.pcs]


def _unit(one: Battery, pcs: str, rated: Mapping[str, float]) -> Unit:
    several = len(one.pcs) > 1
    whole = sum(rated[name] for name in one.pcs)
    part = rated[pcs] / whole if several and whole else 1 / len(one.pcs)
    terms = {name: getattr(one, name) for name in Terms.model_fields}
    terms |= {name: terms[name] * part for name in ("energy", "ramp", "fallback")} if several else {}
    return Unit.model_construct(
        **terms,
        name=f"{one.name}-{pcs}" if several else one.name,
        of=one.name,
        pcs=pcs,
        racks=one.racks,
        beside=[name for name in one.pcs if name != pcs],
    )


def _names(batteries: Sequence[Battery]) -> Iterator[tuple[Place, str]]:
    """Of several, each needs one of its own; those that have none are told one that is free."""
    seen = set[str]()
    taken = {one.name for one in batteries if "name" in one.model_fields_set}
    free = (name for name in chain(SUCH_AS, map("battery_{}".format, count(1))) if name not in taken)
    for number, one in enumerate(batteries):
        place = ("battery", number, "name")
        if len(batteries) > 1 and "name" not in one.model_fields_set:
            right = f'of several each needs its own, such as name = "{next(free)}"'
            yield place, f"the battery of {one.pcs[0]!r} has none; {right}"
            continue
        if one.name in seen:
            right = f'each needs its own, such as name = "{next(free)}"'
            yield place, f"{one.name!r} is the name of another battery, too; {right}"
        seen.add(one.name)
