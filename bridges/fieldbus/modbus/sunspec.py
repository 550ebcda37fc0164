"""Where the SunSpec models of a device begin: its marker, and the chain that follows."""

from collections.abc import AsyncIterator

from bridges.fieldbus.contract import Declined
from bridges.fieldbus.modbus.line import NO_SUCH, NOT_THERE, Line

SUNS = [0x5375, 0x6E53]
STARTS = (40000, 0, 50000)
END, LAST = 0xFFFF, 65534
MOST_MODELS = 250
"""A device whose registers all hold small numbers would be walked through for minutes."""


async def marker(line: Line, unit: int, function: int = 3) -> int:
    """Where `SunS` stands. Raises Unreachable, or Declined where it stands nowhere."""
    words, code = f"no SunSpec marker at {', '.join(map(str, STARTS[:-1]))} or {STARTS[-1]}", 0
    for start in STARTS:
        try:
            if await line.read(unit, function, start, 2) == SUNS:
                return start
        except Declined as no:
            if no.code in NOT_THERE:
                raise
            if no.code not in NO_SUCH:
                words, code = f"{words}; {no}", no.code
    raise Declined(words, code)


async def models(line: Line, unit: int, function: int, start: int) -> AsyncIterator[tuple[int, int, int]]:
    """Number, address and length of each model of the chain whose marker is at `start`. Raises Unreachable or Declined.

    The chain ends with the end model; on some devices (SMA Tripower) with the last register there is.
    """
    address = start + 2
    for known in range(MOST_MODELS):
        try:
            number, length = await line.read(unit, function, address, 2)
        except Declined as no:
            if known and no.code in NO_SUCH:
                return
            raise
        if number == END or length == 0 or address + length > LAST:
            return
        yield number, address, length
        address += 2 + length


async def walk(line: Line, unit: int, function: int = 3) -> dict[int, int]:
    """The addresses where a device's models begin, by number; the first of each. Raises Unreachable or Declined."""
    bases: dict[int, int] = {}
    async for number, address, _ in models(line, unit, function, await marker(line, unit, function)):
        bases.setdefault(number, address)
    return bases
