"""A proposed site file as text. What only the owner knows stands there as "?", which no part accepts. Pure."""

from collections.abc import Iterator, Sequence

from joulebus.battery_guess import Guess
from joulebus.site_guess import Found, GridMeter
from schemas.units import Kind

ASK = '"?"'
"""Refused as `is not filled in yet` wherever a number or a name is due."""

HEAD = """\
# Proposed by `joulebus scan`, which only reads. Fill in each "?", compare every device with its nameplate and its
# display, then `joulebus check` this file. It begins read_only: no device is written to before that line is out.
site = "site"
mode = "read_only"
time_zone = "?"         # such as "Europe/Berlin"
tariff = "tariff.toml"  # docs/prices.md
"""


def site_text(devices: Sequence[Found], batteries: Sequence[Guess], grid: GridMeter) -> str:
    """The whole file."""
    taken = {rack.name for one in batteries for rack in one.racks}
    loose = [one.name for one in devices if one.kind is Kind.BMS and one.name not in taken]
    lines = [HEAD, *_grid(grid)]
    for one in devices:
        lines += _signals(one)
    for guess in batteries:
        lines += _battery(guess, len(batteries))
    asks = 'is it a further rack, bms = ["...", "{0}"], or is one of the PV inverters its own?'
    lines += [f"# {name} belongs to no PCS that was found: {asks.format(name)}\n" for name in loose]
    for one in devices:
        lines += _device(one, grid)
    return "\n".join(lines)


def _grid(grid: GridMeter) -> Iterator[str]:
    yield from (f"# {words}" for words in grid.words)
    yield "[grid]"
    yield f'meter = "{grid.meter.name if grid.meter else "?"}"'
    yield f"import_limit = {ASK}  # W, of the connection or its contract"
    yield f"export_limit = {ASK}  # W; 0 for nothing"
    yield ""


def _signals(box: Found) -> Iterator[str]:
    """What its contacts may mean, to be filled in: nobody can see it in a register."""
    for point, contacts in box.contacts.items():
        shown = ", ".join(box.closed.get(point, ())) or "none"
        yield f"# Contacts of {box.name}, {point}: {', '.join(contacts)}; closed now: {shown}."
        yield "# If a control box or a ripple-control receiver closes them, write one table for each, and in [grid]"
        yield "# what holds while they are not known: safe_feed_in (%), safe_consumption (W)."
        for percent, contact in zip((100, 60), contacts, strict=False):
            yield "# [[grid.signal]]"
            yield f'# device = "{box.name}"'
            yield f'# point = "{point}"'
            yield f'# contains = "{contact}"'
            yield '# direction = "feed_in"  # or "consumption"'
            yield f"# percent = {percent}  # or power, in W" + ("; 100 for no limit" if percent == 100 else "")
            yield "#"
        yield ""


def _battery(guess: Guess, count: int) -> Iterator[str]:
    yield f"[[battery]]  # {guess.why}"
    if count > 1:
        yield f'name = "battery_{guess.pcs[0].name}"'
    yield f"pcs = {_names(guess.pcs)}"
    if guess.racks or not guess.pcs[0].hybrid:
        yield f"bms = {_names(guess.racks)}"
    yield from (f"# {choice}" for choice in guess.choices)
    racks = [one.energy for one in guess.racks]
    known = sum(one for one in racks if one) if racks and all(racks) else guess.pcs[0].energy
    yield f"energy = {known:.0f}  # Wh, from its nameplate" if known else f"energy = {ASK}  # Wh, usable"
    yield ""


def _names(some: Sequence[Found]) -> str:
    """One name, or several; "?" for none."""
    names = [f'"{one.name}"' for one in some]
    return f"[{', '.join(names)}]" if len(names) > 1 else "".join(names) or ASK


def _device(one: Found, grid: GridMeter) -> Iterator[str]:
    yield f"[[device]]  # {one.make}" if one.make else "[[device]]"
    yield f'name = "{one.name}"'
    yield f'profile = "{one.profile}"' + (f"  # or {', '.join(one.others)}" if one.others else "")
    if one.name in grid.loads:
        yield f'measures = "load"  # it only drew, {grid.loads[one.name]}; without this line it is a sub-meter'
    yield f'address = "{one.address}"'
    if one.unit != 1:
        yield f"unit = {one.unit}"
    if one.instance is not None:
        yield f"instance = {one.instance}"
    if one.pause:
        yield f"line = {{ connect_pause = {one.pause:g} }}  # it answered nothing before"
    if one.kind in (Kind.PCS, Kind.PV):
        yield f"rated_power = {one.rated:.0f}  # W, from its nameplate" if one.rated else f"rated_power = {ASK}  # W"
    yield ""
