"""What the bridge last read of each of its devices, and how old that is. Pure: times are of the monotonic clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.messages import Telemetry, Value
from schemas.site_device import POLLS


@dataclass(slots=True)
class Seen:
    """One good value."""

    value: Value
    began: float
    """When the first question of its reading was asked: it is not older than that."""


@dataclass
class LatestValues:
    """The newest good value of every point, by device."""

    _seen: dict[str, dict[str, Seen]] = field(default_factory=dict)

    def note(self, device: str, sample: Telemetry, began: float) -> None:
        """A device was read; what is not good leaves what was good before as it is, and that grows old."""
        seen = self._seen.setdefault(device, {})
        for point, value in sample.values.items():
            if point not in sample.quality:
                seen[point] = Seen(value, began)

    def put(self, device: str, values: Mapping[str, Value], began: float) -> None:
        """Some points were read again, to see whether a write arrived."""
        seen = self._seen.setdefault(device, {})
        seen |= {point: Seen(value, began) for point, value in values.items()}

    def number(self, device: str, point: str, now: float, age: float) -> float | None:
        """A number that is at most `age` seconds old, or None: what is too old is not known."""
        said = self.said(device, point, now, age)
        return said if isinstance(said, float) else None

    def said(self, device: str, point: str, now: float, age: float) -> Value | None:
        """The same for a number or a name."""
        seen = self._seen.get(device, {}).get(point)
        return seen.value if seen is not None and now - seen.began <= age else None

    def since(self, device: str, moment: float) -> dict[str, Value]:
        """All that was asked for after a moment."""
        return {point: seen.value for point, seen in self._seen.get(device, {}).items() if seen.began > moment}

    def began(self, device: str, point: str) -> float:
        """When the reading of a value was begun; minus infinity for never."""
        seen = self._seen.get(device, {}).get(point)
        return seen.began if seen is not None else float("-inf")

    def forget(self, device: str) -> None:
        """It is another device from now on."""
        self._seen.pop(device, None)


def lasts(poll: float, least: float) -> float:
    """Seconds after which what a device said is too old: never less than some of its polls."""
    return max(least, POLLS * poll)
