"""`joulebus scan` of a whole site: what stands at some addresses is watched for a while, and a site file proposed.

It only reads. The file is never written over another one.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.fieldbus.modbus.discover import boxlike, discover, fitting, plausible
from joulebus.battery_guess import batteries
from joulebus.commands import say
from joulebus.scan import SETTLE, scan, target
from joulebus.site_guess import Found, Trace, grid_meter
from joulebus.site_text import site_text
from schemas.profile import LineTiming, Profile
from schemas.profiles import PROFILES, load_profile
from schemas.site_device import Device
from schemas.troubles import Trouble, Usage
from schemas.units import Kind

TIMEOUT = 2.0
"""Seconds; a device that is asked for the first time may take longer than in service."""
LONGEST = 3600.0
"""Seconds."""
EVERY = 0.5
"""Seconds between two looks at all devices."""
WATCHED = ("p", "dc_u", "u", "i", "soc")
"""What tells how devices belong together."""
NAMEPLATES = (713, 802)
"""SunSpec models that say the energy of a battery."""

Place = tuple[str, Sequence[int]]
"""An address and the units there."""


def run(addresses: Sequence[str], units: str | None, seconds: float, file: Path | None) -> int:
    """Of one address what stands there, of several or for a file the whole site. Raises Trouble."""
    places = [target(address, units) for address in addresses]
    return asyncio.run(scan(*places[0])) if len(places) == 1 and file is None else survey(places, seconds, file)


def survey(places: Sequence[Place], seconds: float, file: Path | None) -> int:
    """Propose the site that stands there. Raises Trouble when nothing does, or the file is there."""
    if not 0 < seconds <= LONGEST:
        raise Usage(f"--watch {seconds:g}: give seconds from 1 to {LONGEST:.0f}")
    if file is not None and file.exists():
        raise Trouble(f"{file} is there already: a scan writes over no file; give another name")
    if file is not None and not file.parent.is_dir():
        raise Trouble(f"{file} cannot be written: there is no folder {file.parent}")
    seen = asyncio.run(look(places, seconds))
    text = site_text(seen, batteries(seen), grid_meter(seen))
    if file is None:
        say(text)
        return 0
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(text)
    except OSError as wrong:
        raise Trouble(f"{file} cannot be written: {wrong.strerror}") from wrong
    say(f'{file}: {len(seen)} devices; fill in each "?" and write the tariff, then `joulebus check {file}`')
    return 0


async def look(places: Sequence[Place], seconds: float) -> list[Found]:
    """The devices at these addresses with what they showed. Raises Trouble when there is none."""
    profiles = {name: load_profile(name) for name in shipped()}
    lines = {address: Connection(address, TIMEOUT) for address, _ in places}
    try:
        found = [one for address, units in places for one in await _patient(lines, address, units, profiles)]
        if not found:
            raise Trouble("no device was found that a shipped profile reads; `joulebus scan` of one address says more")
        say(f"# {len(found)} devices, watched for {seconds:g} s")
        return await _watch(_named(found), lines, profiles, seconds)
    finally:
        for line in lines.values():
            line.close()


async def _patient(
    lines: dict[str, Connection], address: str, units: Sequence[int], profiles: Mapping[str, Profile]
) -> list[Found]:
    """At one address; where nothing answers once more with the pause that some gateways need."""
    found = await _at(lines[address], units, profiles, LineTiming(timeout=TIMEOUT))
    if found is not None:
        return found
    say(f"# once more, {SETTLE:g} s after connecting: some gateways swallow what is asked sooner")
    lines[address].close()
    lines[address] = Connection(address, TIMEOUT)
    late = await _at(lines[address], units, profiles, LineTiming(timeout=TIMEOUT, connect_pause=SETTLE))
    return [replace(one, pause=SETTLE) for one in late or []]


def shipped() -> list[str]:
    """The names of all profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


async def _at(
    line: Connection, units: Sequence[int], profiles: Mapping[str, Profile], timing: LineTiming
) -> list[Found] | None:
    """The devices of one address; None when nothing answers."""
    found, answers = list[Found](), False
    for unit in units:
        line.expect(unit, timing)
        try:
            here = await _unit(line, unit, profiles)
        except (Unreachable, Declined) as why:
            say(f"# {line.address} unit {unit}: {why}")
            answers = answers or "no answer" not in str(why)
            continue
        answers = True
        told = ", ".join(f"{one.kind} ({one.profile})" for one in here) or "no shipped profile reads it"
        say(f"# {line.address} unit {unit}: {told}")
        found += here
    return found if answers else None


async def _unit(line: Connection, unit: int, profiles: Mapping[str, Profile]) -> list[Found]:
    """The devices that a unit is; of profiles that read it alike the one with the most to say."""
    chain = await discover(line, unit)
    if chain is not None:
        make = " ".join(part for part in (chain.common("Mn"), chain.common("Md"), chain.common("SN")) if part)
        energy = chain.value("WHRtg", *NAMEPLATES)
        stored = energy if isinstance(energy, float) and energy > 0 else None
        return [
            Found("", one.kind, name, line.address, unit, make, chain.rated_power, stored, instance=instance)
            for name, one in fitting(chain, dict(profiles)).items()
            for instance in _instances(len(chain.of(one)))
        ]
    fits = [name for name, one in profiles.items() if not one.sunspec and await plausible(line, unit, one)]
    fits.sort(key=lambda name: -len(profiles[name].points))
    if not fits:
        fits = [name for name, one in profiles.items() if await boxlike(line, unit, one)]
    if not fits:
        return []
    first = profiles[fits[0]]
    make = f"answers as a {first.make} {first.model} would"
    contacts = {name: tuple(point.flags.values()) for name, point in first.points.items() if point.flags}
    contacts = contacts if first.kind is Kind.SENSOR else {}
    return [Found("", first.kind, fits[0], line.address, unit, make, others=tuple(fits[1:]), contacts=contacts)]


def _instances(count: int) -> Iterator[int | None]:
    """One that stands alone needs no number."""
    yield from [None] if count < 2 else range(1, count + 1)


def _named(found: Sequence[Found]) -> list[Found]:
    """Each by its kind, numbered where there are several."""
    several, seen = Counter(one.kind for one in found), Counter[Kind]()
    named = []
    for one in found:
        seen[one.kind] += 1
        named.append(replace(one, name=f"{one.kind}{seen[one.kind] if several[one.kind] > 1 else ''}"))
    return named


async def _watch(
    found: Sequence[Found], lines: Mapping[str, Connection], profiles: Mapping[str, Profile], seconds: float
) -> list[Found]:
    """All devices are looked at together, again and again: only so can their powers be compared."""
    asked = [_asked(one, lines[one.address], profiles[one.profile]) for one in found]
    shown: list[dict[str, list[float]]] = [{point: [] for point in WATCHED} for _ in found]
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for turn in range(max(1, round(seconds / EVERY))):
        await asyncio.sleep(begin + turn * EVERY - loop.time())
        for traces, values in zip(shown, await asyncio.gather(*map(_look, asked)), strict=True):
            for point in WATCHED:
                traces[point].append(values.get(point, math.nan))
    closed = [await _closed(one, device) for one, device in zip(found, asked, strict=True)]
    return [
        replace(one, traces=dict[str, Trace](traces), closed=on)
        for one, traces, on in zip(found, shown, closed, strict=True)
    ]


async def _closed(one: Found, device: ModbusDevice) -> dict[str, tuple[str, ...]]:
    """The contacts that are closed now; none of a device that has none, or does not answer."""
    if not one.contacts:
        return {}
    with suppress(Unreachable, Declined):
        values = (await device.look(*one.contacts)).values
        return {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return {}


def _asked(one: Found, line: Connection, profile: Profile) -> ModbusDevice:
    device = Device(
        name=one.name,
        profile=one.profile,
        address=one.address,
        unit=one.unit,
        instance=one.instance,
        rated_power=one.rated or None,
    )
    return ModbusDevice(device, profile.rated(one.rated), line)


async def _look(device: ModbusDevice) -> dict[str, float]:
    with suppress(Unreachable, Declined):
        values = (await device.look(*(point for point in WATCHED if point in device.points))).values
        return {name: value for name, value in values.items() if isinstance(value, float)}
    return {}
