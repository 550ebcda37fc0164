"""What a device says: who it is, whether it can be reached, and its points."""

from enum import StrEnum

from schemas.messages.message import Epoch, Message, Seq, Value
from schemas.units import Instant, Kind, Name, Number, Quality


class PointMeta(Message):
    """What a subscriber should know of a point before its first value."""

    unit: str = ""
    low: Number | None = None
    high: Number | None = None


class Meta(Message):
    """A device introduces itself (retained)."""

    kind: Kind
    make: str
    model: str
    profile: str
    ratings: dict[str, Number] = {}
    points: dict[Name, PointMeta]
    commands: list[Name] = []
    actions: list[Name] = []


class DeviceState(StrEnum):
    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


class DeviceStatus(Message):
    """Whether the bridge can talk to a device, and if not, why (retained)."""

    at: Instant
    state: DeviceState
    causes: list[Name] = []
    """What is wrong, in the words of `Cause`; the most important first."""
    reason: str = ""
    """The same in words for people."""
    interlocks: dict[str, list[Name]] = {}
    """Of a PCS: the [interlocks](interlocks.md) that act now, by name, each with its effects; those whose points were
    only not read yet, in the first seconds of a bridge, are left out."""
    derated: dict[str, Number] = {}
    """% of the rated power that each of them leaves, where it derates."""
    dropped: list[tuple[Instant, Instant]] = []
    """The hours of which the bridge's outbox gave up samples, past its cap: the beginnings of the first and the last
    of each stretch."""


class Telemetry(Message):
    """The points of one device at one instant. A point that was not read is absent, never 0."""

    at: Instant
    epoch: Epoch
    seq: Seq
    historical: bool = False
    """Sent late, out of the outbox: the archive wants it, alarms and dispatch do not."""
    values: dict[Name, Value]
    quality: dict[Name, Quality] = {}
    """Only the points whose quality is not good."""

    def good(self, point: str) -> Value | None:
        """The value of a point if it can be believed."""
        return None if point in self.quality else self.values.get(point)

    def number(self, point: str) -> float | None:
        """The value of a point if it can be believed and is a number."""
        value = self.good(point)
        return value if isinstance(value, float) else None


class Archived(Message):
    """The samples of a device that are committed in the archive: its bridge may forget exactly these."""

    epoch: Epoch
    ranges: list[tuple[Seq, Seq]]
    """First and last sequence number, both included."""
