"""One Modbus unit that is several devices, such as a hybrid or an inverter with its meters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pymodbus.constants import ExcCodes
from pymodbus.simulator import SimDevice

from simulator.device import Device, sim_device


@dataclass(frozen=True)
class SeveralDevices:
    """Each request is answered by the first of them that has its registers; what another one measures among them (the
    SoC, in a hybrid's inverter) is shown as that one measures it."""

    members: Sequence[Device]

    @property
    def name(self) -> str:
        return " and ".join(one.name for one in self.members)

    @property
    def on(self) -> Mapping[str, float]:
        """What lies on the wire they share: the faults of all."""
        return {name: size for one in self.members for name, size in one.on.items()}

    def simulated(self, unit: int) -> SimDevice:
        """As `Device` has it."""
        spans = [one.image.span for one in self.members]
        return sim_device(self, unit, min(low for low, _ in spans), max(high for _, high in spans))

    def delay(self) -> float:
        """Seconds until it answers: the slowest of them holds up the others."""
        return max(one.delay() for one in self.members)

    def read(self, function: int, start: int, count: int) -> list[int] | ExcCodes:
        """The words it holds now, or the exception it answers with."""
        asked = self._asked(function, start, count)
        words = asked.read(function, start, count)
        if isinstance(words, ExcCodes):
            return words
        own = asked.behind.values()
        for other in self.members:
            theirs = {} if other is asked else other.behind.values()
            for place in range(count) if theirs else ():
                if other.image.knows(function, start + place, theirs) and not asked.image.knows(
                    function, start + place, own
                ):
                    seen = other.read(function, start + place, 1)
                    words[place] = words[place] if isinstance(seen, ExcCodes) else seen[0]
        return words

    def write(self, function: int, start: int, words: list[int]) -> ExcCodes | None:
        """Takes the words, or gives the exception it answers with."""
        return self._asked(function, start, len(words)).write(function, start, words)

    def _asked(self, function: int, start: int, count: int) -> Device:
        return next((one for one in self.members if one.image.has(function, start, count)), self.members[0])
