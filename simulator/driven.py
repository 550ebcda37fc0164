"""A load that can be told when to run, with what it keeps: the temperature of a room or the level of a tank. Pure."""

from dataclasses import dataclass, field
from math import exp

from schemas.profile import Profile
from schemas.site_loads import Comfort, FlexibleLoad


@dataclass(slots=True)
class Driven:
    """Of one flexible load of the site file."""

    rule: FlexibleLoad
    profile: Profile
    rated: float
    """W."""
    told: float = field(init=False)
    """What its point holds."""
    p: float = 0.0
    """W that it draws."""
    part: float = 1.0
    """Of what it is told, that it draws."""
    value: float | None = None
    """Of the point of its comfort band: in the middle of it at first."""

    def __post_init__(self) -> None:
        self.told = self.rule.value(float(self.rule.fallback == "on"), self.profile, self.rated)
        if self.rule.comfort is not None and self.value is None:
            self.value = (self.rule.comfort.low + self.rule.comfort.high) / 2

    @property
    def share(self) -> float:
        """Of its rating, by what its point holds."""
        return self.rule.share(self.told, self.profile, self.rated)

    def step(self, dt: float, *, lit: bool = True) -> None:
        """Lives on for `dt` seconds."""
        self.p = self.part * self.share * self.rated if lit else 0.0
        if self.rule.comfort is not None and self.value is not None:
            self.value = _moved(self.rule.comfort, self.value, self.p / 1000, dt / 3600)


def _moved(comfort: Comfort, value: float, kw: float, hours: float) -> float:
    if comfort.per_kwh is not None:
        return value + (comfort.drift + comfort.per_kwh * kw) * hours
    rest = (comfort.rest or 0.0) + (comfort.per_kw or 0.0) * kw
    return rest + (value - rest) * exp(-hours / (comfort.time_constant or 1.0))
