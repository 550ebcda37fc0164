"""Answers without a number that may still come: which they are, and a question whose answer none of them can be. Pure.

Over RTU framing only unit, function and length tell whose answer a frame is. A device answers in the order in which it
was asked: once it has answered a question that cannot be mistaken, everything before it has come or never will.
"""

from dataclasses import dataclass, field

from bridges.fieldbus.modbus.question import MOST, Asked

LATEST = 10.0
"""Seconds after which an answer that has not come does not come any more; longer where the timeout is."""

Shape = tuple[int, int, int]


@dataclass
class Owed:
    """Of the units on one line."""

    _until: dict[Shape, float] = field(default_factory=dict)

    def lost(self, asked: Asked, now: float, timeout: float) -> None:
        """No answer has come, or one that is not to be believed."""
        self._until[asked.shape] = now + max(LATEST, 2 * timeout)

    def __bool__(self) -> bool:
        return bool(self._until)

    def came(self, asked: Asked) -> None:
        """Its own answer."""
        self._until.pop(asked.shape, None)

    def answered(self, unit: int) -> None:
        """A question whose answer cannot be mistaken."""
        self._until = {shape: until for shape, until in self._until.items() if shape[0] != unit}

    def owes(self, asked: Asked) -> bool:
        """Whether an answer that looks like the one to this question may still come."""
        return asked.shape in self._until

    def probe(self, asked: Asked, now: float) -> Asked | None:
        """What its unit must answer before `asked`; None where it owes nothing."""
        if not self._until:
            return None
        self._until = {shape: until for shape, until in self._until.items() if until > now}
        if all(shape[0] != asked.unit for shape in self._until):
            return None
        function = asked.function if asked.function in (3, 4) else 3
        for count in range(1, MOST[function] + 1):
            probe = Asked(asked.unit, function, min(asked.start, 0x10000 - count), count)
            if probe.shape not in self._until and probe.shape != asked.shape:
                return probe
        return None
