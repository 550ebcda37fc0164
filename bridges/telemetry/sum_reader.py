"""The sum of several grid meters as it is read: out of what the bridge has read of each, and known to all who decide
by it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridges.fieldbus.contract import Doubt, Unreachable
from bridges.fieldbus.sum_of_meters import SumOfMeters
from bridges.telemetry.latest_values import LatestValues
from bridges.telemetry.publisher import Publisher
from bridges.telemetry.reader import SILENT, DeviceReader
from runtime.memory import Memory
from schemas.units import Quality


@dataclass
class SumReader:
    """Of one connection. Times are of the event loop's clock."""

    device: SumOfMeters
    readers: Sequence[DeviceReader]
    """Of its meters."""
    latest: LatestValues
    outgoing: Publisher
    memory: Memory
    """Keeps by how much the counters were carried on, beyond a restart."""
    failures: int = 0
    known: bool = False
    _heard: dict[str, float] = field(default_factory=dict)
    _exchanged: dict[str, dict[str, tuple[float, float, float]]] = field(default_factory=dict)
    _since: float | None = None

    @classmethod
    def of(
        cls,
        device: SumOfMeters,
        readers: Mapping[str, DeviceReader],
        latest: LatestValues,
        outgoing: Publisher,
        memory: Memory,
    ) -> "SumReader":
        return cls(device, [readers[one.name] for one in device.members], latest, outgoing, memory)

    def __post_init__(self) -> None:
        self.device.rounds.shifts = _shifts(self.memory.recall())

    @property
    def names(self) -> list[str]:
        """Of its meters."""
        return [one.device.name for one in self.readers]

    def due(self) -> bool:
        """Is there a sum, or a reason why there is none? To be asked after each reading of one of its meters."""
        now, rounds = asyncio.get_running_loop().time(), self.device.rounds
        self._since = now if self._since is None else self._since
        for one in self.readers:
            self._take(one)
        return rounds.complete(now) or bool(self._late(now, self._since))

    def _late(self, now: float, since: float) -> list[DeviceReader]:
        late = self.device.rounds.late(now, since)
        return [one for one in self.readers if one.device.name in late or one.failures >= SILENT]

    def _take(self, reader: DeviceReader) -> None:
        name, last = reader.device.name, reader.last
        if last is None or last[1] <= self._heard.get(name, float("-inf")):
            return
        sample, self._heard[name] = last
        before, changed = self._exchanged.get(name, {}), reader.judge.exchanged
        fresh = {point: one[1:] for point, one in changed.items() if before.get(point) != one}
        self._exchanged[name] = changed
        rounds = self.device.rounds
        rounds.hear(name, sample.values, sample.quality, last[1], fresh)

    async def read(self) -> tuple[float, list[Doubt]]:
        """The sum of the newest readings, and what is wrong with any of them. Raises Unreachable."""
        now, rounds = asyncio.get_running_loop().time(), self.device.rounds
        if late := self._late(now, float("-inf")):
            self.failures, self.known = SILENT, False
            raise Unreachable("; ".join(f"{one.device.name}: {one.wrong or 'was not read lately'}" for one in late))
        found, self.failures = rounds.add_up(), 0
        at = min(one.last[0].at for one in self.readers if one.last is not None)
        bad = {point: how for point, how in found.quality.items() if how is not Quality.GOOD}
        sample = self.outgoing.put_from(at, self.device.name, found.values, bad)
        self.latest.note(self.device.name, sample, found.began)
        if rounds.shifts:
            self.memory.keep(rounds.shifts)
        doubts = [(cause, f"{one.device.name}: {words}") for one in self.readers for cause, words in one.told]
        return found.began, doubts


def _shifts(kept: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        name: {point: float(shift) for point, shift in points.items() if isinstance(shift, float | int)}
        for name, points in kept.items()
        if isinstance(points, dict)
    }
