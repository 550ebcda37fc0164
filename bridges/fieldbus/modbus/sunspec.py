"""Where the SunSpec models of a unit begin: its marker, and the chain behind it, as it is and not as it should be."""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined, Unreachable
from bridges.fieldbus.modbus.line import NO_SUCH, NOT_THERE, Line

SUNS = [0x5375, 0x6E53]
STARTS = (40000, 0, 50000)
"""Where the specification lets it begin."""
ONE_OFF = tuple(start + 1 for start in STARTS)
"""Where it stands in devices that took the manual's numbers for addresses: 40001 is the first register, 40000."""
END, LAST = 0xFFFF, 65534
MOST_MODELS = 250
"""A device whose registers all hold small numbers would be walked through for minutes."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a chain."""

    number: int
    address: int
    """Of its ID register."""
    length: int
    """Registers behind ID and length."""


@dataclass(slots=True)
class Chain:
    """The models of a unit, in their order."""

    start: int
    """Where `SunS` stands."""
    models: list[Model] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    """What in it is not as SunSpec says; it was read all the same."""

    def addresses(self, number: int) -> list[int]:
        """Where the models of a number begin."""
        return [one.address for one in self.models if one.number == number]


async def marker(line: Line, unit: int, function: int = 3) -> int:
    """Where `SunS` stands. Raises Unreachable, or Declined where it stands nowhere."""
    words, code = f"no SunSpec marker at {', '.join(map(str, STARTS[:-1]))} or {STARTS[-1]}", 0
    for start in (*STARTS, *ONE_OFF):
        try:
            if await line.read(unit, function, start, 2) == SUNS:
                return start
        except Declined as no:
            if no.code in NOT_THERE:
                raise
            if no.code not in NO_SUCH:
                words, code = f"{words}; {no}", no.code
    raise Declined(words, code)


async def walk(line: Line, unit: int, function: int = 3) -> Chain:
    """A unit's chain. Raises Unreachable or Declined."""
    start = await marker(line, unit, function)
    chain = Chain(start)
    if start in ONE_OFF:
        chain.odd.append(f"it begins at {start}, one behind the {start - 1} of SunSpec")
    async for one in _models(line, unit, function, chain):
        chain.models.append(one)
    return chain


async def _models(line: Line, unit: int, function: int, chain: Chain) -> AsyncIterator[Model]:
    """Each model that follows the marker. How the chain ends, where it does not as it should, goes to its `odd`."""
    address, last = chain.start + 2, ""
    for known in range(MOST_MODELS):
        try:
            number, length = await line.read(unit, function, address, 2)
        except Declined as no:
            if not known or no.code not in NO_SUCH:
                raise
            chain.odd.append(f"it has no end model: behind {last} comes exception {no.code}")
            return
        except Unreachable:
            if not known or not await _silent_there(line, unit, function, chain.models[-1], address):
                raise
            chain.odd.append(f"it has no end model: behind {last} comes no answer")
            return
        if number == END:
            return
        if broken := _broken(number, length, address):
            chain.odd.append(f"{broken}: it ends there, without an end model")
            return
        last = f"model {number} at {address}"
        yield Model(number, address, length)
        address += 2 + length
    chain.odd.append(f"it has more than {MOST_MODELS} models: what follows {last} is left out")


async def _silent_there(line: Line, unit: int, function: int, last: Model, address: int) -> bool:
    """Whether a unit that answers is silent about one place, twice: some do not decline what they do not have. Raises
    Unreachable where it does not answer at all."""
    await line.read(unit, function, last.address, 2)
    with suppress(Unreachable):
        await line.read(unit, function, address, 2)
        return False
    return True


def _broken(number: int, length: int, address: int) -> str:
    """Why two words are not the head of a model; empty where they are."""
    if number == 0:
        return f"a 0 stands at {address} in place of a model"
    if length == 0 or address + length > LAST:
        return f"model {number} at {address} says that it has {length} registers"
    return ""
