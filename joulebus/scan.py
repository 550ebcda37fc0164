"""`joulebus scan`: look at an address, name what stands there, and write its block for the site file."""

import re
from collections.abc import AsyncIterator, Sequence

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.discover import Chain, Found, boxlike, discover, fitting, plausible
from joulebus.commands import say
from schemas.address import spelled
from schemas.profile import LineTiming, Profile
from schemas.profiles import PROFILES, load_profile
from schemas.troubles import Trouble, Usage
from schemas.units import Kind

TIMEOUT = 2.0
"""Seconds; a device that is asked for the first time may take longer than in service."""
SETTLE = 2.5
"""Seconds that a Huawei's dongle needs after a connection was made."""


async def scan(address: str, units: Sequence[int]) -> int:
    """Say what the units at an address are. Raises Trouble when none of them answers."""
    profiles = {path.stem: load_profile(path.stem) for path in sorted(PROFILES.glob("*.toml"))}
    silent = await _ask(address, units, profiles, LineTiming(timeout=TIMEOUT))
    if len(silent) == len(units) and any("no answer" in why for why in silent.values()):
        say(f"once more, {SETTLE:g} s after connecting: some gateways swallow what is asked sooner")
        silent = await _ask(address, units, profiles, LineTiming(timeout=TIMEOUT, connect_pause=SETTLE))
        if len(silent) < len(units):
            say(f"# its [[device]] needs this: line = {{ connect_pause = {SETTLE:g} }}")
    if len(silent) == len(units):
        which = f"unit {units[0]}" if len(units) == 1 else f"units {units[0]} to {units[-1]}"
        raise Trouble(
            f"nothing answers at {address}, {which}: {silent[units[-1]]}; is the device on, Modbus TCP enabled in it, "
            "and the port (mostly 502) and the unit right? --units 1-10 tries several"
        )
    return 0


async def _ask(address: str, units: Sequence[int], profiles: dict[str, Profile], timing: LineTiming) -> dict[int, str]:
    """Say what answers; gives the others, and why."""
    line = Connection(address, TIMEOUT)
    silent: dict[int, str] = {}
    try:
        for unit in units:
            line.expect(unit, timing)
            try:
                say("\n".join([text async for text in _look(line, unit, profiles)]))
            except (Unreachable, Declined) as why:
                silent[unit] = str(why)
                say(f"unit {unit}: {why}")
    finally:
        line.close()
    return silent


async def _look(line: Connection, unit: int, profiles: dict[str, Profile]) -> AsyncIterator[str]:
    chain = await discover(line, unit)
    if chain is not None:
        for text in [*_models(chain), "", *_blocks(line.address, chain, profiles)]:
            yield text
        return
    yield f"unit {unit} answers but does not speak SunSpec: there is no marker at 40000, 0 or 50000"
    fits = [name for name, one in profiles.items() if not one.sunspec and await plausible(line, unit, one)]
    if not fits:
        fits = [name for name, one in profiles.items() if await boxlike(line, unit, one)]
    for name in fits:
        yield f"\n# its registers answer as a {profiles[name].make} {profiles[name].model} would: compare its nameplate"
        yield "\n".join(_block(line.address, unit, name, profiles[name], None))
    if not fits:
        yield "# no shipped profile reads it: write one, docs/add-a-device.md shows how"


def _models(chain: Chain) -> list[str]:
    """What was found, in lines."""
    name = " ".join(part for part in (chain.common("Mn"), chain.common("Md")) if part) or "a device without a name"
    serial, version = chain.common("SN"), chain.common("Vr")
    lines = [f"unit {chain.unit}: {name}, serial {serial or 'unknown'}{f', version {version}' if version else ''}"]
    for one in chain.models:
        shown = ", ".join(f"{key} {value}" for key, value in one.main.items())
        label = one.label or "a model of the maker's own"
        lines.append(f"  {one.number:>5} at {one.address:<6}{label}{': ' if shown else ''}{shown}")
    return [*lines, *(f"# its chain is read, though {odd}" for odd in chain.odd)]


def _blocks(address: str, chain: Chain, profiles: dict[str, Profile]) -> list[str]:
    """The blocks for the site file, one for each device the unit is, or why there is none."""
    fits = fitting(chain, profiles)
    if not fits:
        models = ", ".join(str(number) for number in chain.numbers)
        return [f"# no shipped profile reads models {models}: write one, docs/add-a-device.md shows how"]
    lines = [f"# one unit, {len(fits)} devices: leave out what is not needed"] if len(fits) > 1 else []
    for name, profile in fits.items():
        several = chain.of(profile)
        for instance in range(1, len(several) + 1) if len(several) > 1 else [None]:
            lines += [*_block(address, chain.unit, name, profile, chain.rated_power, instance)]
            lines += [f"# {_seen(several[instance - 1])}"] if instance else []
            lines.append("")
    return lines[:-1]


def _seen(model: Found) -> str:
    shown = ", ".join(f"{key} {value}" for key, value in model.main.items()) or "nothing"
    return f"model {model.number} at {model.address}, which shows {shown}"


def _block(  # noqa: PLR0917  # what a block says
    address: str, unit: int, name: str, profile: Profile, power: float | None, instance: int | None = None
) -> list[str]:
    lines = ["[[device]]", f'name = "{profile.kind}{instance or ""}"', f'profile = "{name}"', f'address = "{address}"']
    lines += [f"unit = {unit}"] if unit != 1 else []
    lines += [f"instance = {instance}"] if instance else []
    if profile.kind in (Kind.PCS, Kind.PV):
        told = f"rated_power = {power:.0f}  # W, from its nameplate" if power else ""
        lines.append(told or "# rated_power =  # W: take it from its nameplate")
    return lines


def target(text: str, units: str | None) -> tuple[str, list[int]]:
    """`tcp://host[:port][/unit]` and `1-10` or `1,3` as an address and units. Raises Trouble."""
    given = re.fullmatch(r"((?:tcp|rtu\+tcp)://[^/:]+)(:[0-9]+)?(?:/([0-9]+))?/?", text)
    try:
        address = spelled(f"{given[1]}{given[2] or ':502'}" if given else text)
    except ValueError as wrong:
        raise Usage(f"{text}: {wrong}; `joulebus scan tcp://host:502/3` asks unit 3") from wrong
    return address, _units(units or (given and given[3]) or "1")


def _units(text: str) -> list[int]:
    found: list[int] = []
    for part in text.split(","):
        edges = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        if not edges or not int(edges[1]) <= int(edges[2] or edges[1]) <= 255:
            raise Usage(f"{text!r} are not units; write --units 1-10 or --units 1,3,5, from 0 to 255")
        found += range(int(edges[1]), int(edges[2] or edges[1]) + 1)
    return found
