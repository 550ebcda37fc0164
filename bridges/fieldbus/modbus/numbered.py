"""Answers of Modbus TCP: which may be ours, which come late, and which are nobody's. Pure."""

from collections import deque
from dataclasses import dataclass, field

from bridges.fieldbus.modbus.mbap import Frame, frames

OWED = 100
"""So many questions without an answer are remembered: what comes later is nobody's."""


@dataclass
class Numbered:
    """Of the questions to one address."""

    foreign: list[Frame] = field(default_factory=list)
    """Answers to none of ours that came since the last question."""
    late: bool = False
    """An answer came late, and none in time since."""
    _owed: deque[int] = field(default_factory=lambda: deque(maxlen=OWED))

    def lost(self, question: int) -> None:
        """Its answer may still come."""
        self._owed.append(question)

    def ours(self, packet: bytes, own: int | None, unit: int) -> int:
        """Bytes that may be the answer to question `own` of a unit (None: nothing is asked): all but late ones to
        earlier questions."""
        found, rest = frames(packet)
        late = [one for one in found if one.transaction in self._owed and one.transaction != own]
        come = {one.transaction for one in late}
        self._owed = deque((one for one in self._owed if one not in come), OWED)
        self.late |= bool(late)
        others = [one for one in found if one not in late]
        self.foreign += [one for one in others if (one.transaction, one.unit) != (own, unit)]
        return rest + sum(one.size for one in others)
