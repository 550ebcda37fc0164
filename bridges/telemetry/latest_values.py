"""What the bridge last read of each of its devices, and how old that is. Pure: `now` is the monotonic clock."""

from dataclasses import dataclass, field

from schemas.messages import Telemetry, Value


@dataclass
class LatestValues:
    """The newest good value of every point, by device."""

    _seen: dict[tuple[str, str], tuple[float, Value]] = field(default_factory=dict)

    def note(self, device: str, sample: Telemetry, now: float) -> None:
        """A device was read at `now`."""
        for point, value in sample.values.items():
            if point not in sample.quality:
                self._seen[device, point] = (now, value)

    def fresh(self, device: str, point: str, now: float, age: float) -> float | None:
        """A number that is at most `age` seconds old, or None: what is too old is not known."""
        said = self.said(device, point, now, age)
        return said if isinstance(said, float) else None

    def said(self, device: str, point: str, now: float, age: float) -> Value | None:
        """The same for a number or a name."""
        seen = self._seen.get((device, point))
        return seen[1] if seen is not None and now - seen[0] <= age else None

    def when(self, device: str, point: str) -> float:
        """The monotonic time at which a value was noted; minus infinity for never."""
        return self._seen.get((device, point), (float("-inf"), 0.0))[0]
