"""A rule of the alarms in a site file."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.messages import AlarmPriority
from schemas.shape import Shape
from schemas.units import Kind, Name, Number, Seconds


class AlarmRule(Shape):
    """When a point is wrong. One of above, below, equals, contains or silent."""

    name: Name
    """The alarm is then called `<name>-<device>`; of two that would be called the same, each hyphen of the longer
    rule is doubled. A shipped rule of this name is replaced."""
    device: Name | None = None
    """The rule holds for this device..."""
    kind: Annotated[Kind | None, Field(strict=False)] = None
    """...or for every device of this kind."""
    point: Name = "p"
    """What is judged, as the profile calls it."""
    above: Number | None = None
    """More than this is wrong."""
    below: Number | None = None
    """Less than this is wrong."""
    equals: str | None = None
    """The name of a state that is wrong."""
    contains: str | None = None
    """A name in a list of flags; `*` for any."""
    silent: Seconds | None = None
    """No telemetry for so long, or for 2.5 polls of the device where that is longer."""
    clear: Number | None = None
    """Where it returns to normal, on the safe side of the limit (deadband)."""
    hold: Seconds = 0.0
    """On-delay: so long it must be wrong before the alarm is raised."""
    off: Seconds = 0.0
    """Off-delay: so long it must be right before the alarm returns to normal."""
    priority: Annotated[AlarmPriority, Field(strict=False)] = AlarmPriority.MEDIUM
    latched: bool = False
    """It stays until an operator resets it, and cannot be shelved."""
    text: str = ""
    """What the operator reads: what it means and what to do."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [c for c in ("above", "below", "equals", "contains", "silent") if getattr(self, c) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of above, below, equals, contains, silent; given: {given or 'none'}")
        if (self.device is None) == (self.kind is None):
            raise ValueError("give either `device` or `kind`")
        if self.clear is not None and (
            (self.above is not None and self.clear > self.above) or (self.below is not None and self.clear < self.below)
        ):
            raise ValueError("`clear` lies on the wrong side of the limit: the alarm would never return to normal")
        return self
