"""A proposed site file as text. What only the owner knows stands there as "?", which no part accepts. Pure."""

from collections.abc import Iterator, Sequence

from joulebus.site_guess import Found, GridMeter, Pair
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


def site_text(devices: Sequence[Found], batteries: Sequence[Pair], grid: GridMeter) -> str:
    """The whole file."""
    taken = {one.bms.name for one in batteries if one.bms}
    loose = [one.name for one in devices if one.kind is Kind.BMS and one.name not in taken]
    lines = [HEAD, *_grid(grid)]
    for pair in batteries:
        lines += _battery(pair, len(batteries))
    asks = 'is it a further rack, bms = ["...", "{0}"], or is one of the PV inverters its own?'
    lines += [f"# {name} belongs to no PCS that was found: {asks.format(name)}\n" for name in loose]
    for one in devices:
        lines += _device(one)
    return "\n".join(lines)


def _grid(grid: GridMeter) -> Iterator[str]:
    yield from (f"# {words}" for words in grid.words)
    yield "[grid]"
    yield f'meter = "{grid.meter.name if grid.meter else "?"}"'
    yield f"import_limit = {ASK}  # W, of the connection or its contract"
    yield f"export_limit = {ASK}  # W; 0 for nothing"
    yield ""


def _battery(pair: Pair, count: int) -> Iterator[str]:
    yield f"[[battery]]  # {pair.why}"
    if count > 1:
        yield f'name = "battery_{pair.pcs.name}"'
    yield f'pcs = "{pair.pcs.name}"'
    if pair.bms or not pair.pcs.hybrid:
        yield f'bms = "{pair.bms.name if pair.bms else "?"}"'
    known = (pair.bms.energy if pair.bms else None) or pair.pcs.energy
    yield f"energy = {known:.0f}  # Wh, from its nameplate" if known else f"energy = {ASK}  # Wh, usable"
    yield ""


def _device(one: Found) -> Iterator[str]:
    yield f"[[device]]  # {one.make}" if one.make else "[[device]]"
    yield f'name = "{one.name}"'
    yield f'profile = "{one.profile}"' + (f"  # or {', '.join(one.others)}" if one.others else "")
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
