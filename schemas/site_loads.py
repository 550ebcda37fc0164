"""Loads that may run at other times than they would by themselves: what a site file says of them, and what in it cannot
work. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.profile import Profile
from schemas.shape import Shape
from schemas.site_device import Device
from schemas.tariff_hours import Clock
from schemas.troubles import Trouble
from schemas.units import Kind, Name, Number, Percent, Seconds, WattHours

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Flexibility = Literal["switchable", "dimmable"]
DIMMABLE = ("level_pct", "p_set")
"""Points that take more than on and off."""
POINTS = ("switch", *DIMMABLE, "sg_ready")
"""What a load is told by, the first that its profile has."""
TOLD: Mapping[str, tuple[float, float]] = {"switch": (1.0, 0.0), "level_pct": (100.0, 0.0), "sg_ready": (0.0, 1.0)}
"""What means on, and what off; a heat pump's `sg_ready` is 1 while it is blocked. `p_set` takes W."""
Place = tuple[str | int, ...]


class Comfort(Shape):
    """What a load keeps within a band: a temperature, or the level of a tank. A temperature moves towards `rest` with
    `time_constant`, and each kW moves by `per_kw` where it comes to rest. A level moves by `per_kwh` with each kWh, and
    by `drift` in each hour."""

    device: Name | None = None
    """Whose point it is; the load's own when left out."""
    point: Name
    """The measured point, as the profile calls it."""
    low: Number
    """Lower end of the band, in the unit of the point. The band is kept before money is saved."""
    high: Number
    """Its upper end."""
    time_constant: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] | None = None
    """Hours in which a temperature does 63 % of the way to where it comes to rest."""
    rest: Number | None = None
    """Where the temperature comes to rest while the load is off."""
    per_kw: Number | None = None
    """By how much further 1 kW brings it at last, in K: positive for heating, negative for cooling."""
    per_kwh: Number | None = None
    """Of a tank: what 1 kWh moves, negative where the pump empties it."""
    drift: Number = 0.0
    """Of a tank: what an hour moves by itself."""

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"the band is empty: low = {self.low:g} must be less than high = {self.high:g}")
        thermal = [self.time_constant, self.rest, self.per_kw]
        if (None not in thermal) == (self.per_kwh is not None) or any(thermal) != (None not in thermal):
            raise ValueError("give `time_constant`, `rest` and `per_kw` of a temperature, or `per_kwh` of a tank")
        if thermal != [None] * 3 and self.drift:
            raise ValueError("`drift` is that of a tank; a temperature moves towards `rest`")
        if not (self.per_kw or self.per_kwh):
            raise ValueError("the load would move nothing: `per_kw` or `per_kwh` is 0")
        return self

    @property
    def raises(self) -> bool:
        """The value rises while the load runs."""
        return (self.per_kw or self.per_kwh or 0.0) > 0


class LoadHours(Shape):
    """Hours of some days, on the local clock of the site."""

    start: Clock
    """From then on..."""
    end: Clock
    """...until then. An end before the start crosses midnight, and belongs to the day it began on; the same as the
    start: all day."""
    days: Annotated[list[Weekday], Field(min_length=1)] | None = None
    """Every day when left out."""


class FlexibleLoad(Shape):
    """A load that is planned with the battery and told when to run. It needs `rated_power`, what it draws while it is
    on, and a point that can be written. Left alone it does as its `fallback` says."""

    device: Name
    """A device of the kind load."""
    point: Name | None = None
    """What it is told by; when left out the first that its profile has of switch, level_pct, p_set and sg_ready."""
    flexibility: Flexibility | None = None
    """`switchable`: on or off; `dimmable`: anything between `least` and its rating. When left out as its point is."""
    least: Percent = 0.0
    """Of a dimmable load: % of its rating below which it does not run, such as a charger's 6 A."""
    on: Number | None = None
    """What the point is told for on, where that is another value than 1 of `switch` or 0 of `sg_ready`."""
    off: Number | None = None
    """What it is told for off, where that is another value than 0 of `switch` or 1 of `sg_ready`."""
    minimum_on: Seconds = 0.0
    """So long it runs once it is on."""
    minimum_off: Seconds = 0.0
    """So long it rests once it is off."""
    starts_per_hour: Annotated[int, Field(ge=1, le=60)] | None = None
    """It is started so often in any 60 minutes at most."""
    comfort: Comfort | None = None
    """What it keeps within a band..."""
    energy: Annotated[WattHours, Field(gt=0)] | None = None
    """...or what it must take until each `deadline`."""
    deadline: Clock | None = None
    """Local time of the site."""
    days: Annotated[list[Weekday], Field(min_length=1)] | None = None
    """Of the deadline; every day when left out."""
    hours: list[LoadHours] = []
    """When it may be touched; in other hours it is left to its fallback. Always when left out."""
    fallback: Literal["on", "off"]
    """What it does when nobody tells it anything: a heating goes on, a charger that must not run alone stays off."""
    sheds: bool = False
    """It is switched off, or dimmed, before a limit of the grid connection or a billed peak is passed that the
    batteries cannot hold; its comfort band, its deadline and its minimum times go first."""

    @model_validator(mode="after")
    def _one_purpose(self) -> Self:
        if self.comfort is not None and self.energy is not None:
            raise ValueError("give `comfort` or `energy`, not both: a load keeps a band, or takes energy by a deadline")
        if (self.energy is None) != (self.deadline is None):
            raise ValueError("`energy` and `deadline` go together")
        if self.days is not None and self.deadline is None:
            raise ValueError("`days` are those of a `deadline`; when it may be touched is said in `hours`")
        if self.comfort is None and self.energy is None and not self.sheds:
            raise ValueError("nothing says what it is for: give `comfort`, `energy` with `deadline`, or `sheds = true`")
        if (self.on is None) != (self.off is None) or (self.on is not None and self.on == self.off):
            raise ValueError("`on` and `off` go together, and are two values")
        return self

    @property
    def planned(self) -> bool:
        """It has a purpose that a plan can serve. One that only sheds is left to its fallback, and so is part of the
        load that is forecast."""
        return self.comfort is not None or self.energy is not None

    def told_by(self, profile: Profile) -> str:
        """The point it is told by; empty where its profile has none."""
        names = POINTS if self.point is None else (self.point,)
        return next((name for name in names if name in profile.commands), "")

    def dims(self, profile: Profile) -> bool:
        """Whether it takes more than on and off."""
        if self.flexibility is not None:
            return self.flexibility == "dimmable"
        return self.on is None and self.told_by(profile) in DIMMABLE

    def value(self, share: float, profile: Profile, rated: float) -> float:
        """What its point is told for a share of its rating, 0 to 1."""
        point = self.told_by(profile)
        if self.on is not None and self.off is not None:
            on, off = self.on, self.off
        else:
            on, off = (rated, 0.0) if point == "p_set" else TOLD.get(point, (1.0, 0.0))
        return off + (on - off) * (share if self.dims(profile) else float(share > 0))

    def share(self, told: float, profile: Profile, rated: float) -> float:
        """Of its rating, 0 to 1, by what its point holds: a switched one is on where that is nearer to on."""
        on, off = (self.value(one, profile, rated) for one in (1.0, 0.0))
        share = min(1.0, max(0.0, (told - off) / (on - off)))
        return share if self.dims(profile) else float(share > 0.5)

    def shown_by(self, profile: Profile) -> str:
        """The point that says what it draws: its power, and without a meter of its own what it is told by."""
        return "p" if "p" in profile.points else self.told_by(profile)

    def drawn(self, shown: float, profile: Profile, rated: float) -> float:
        """W, by what `shown_by` shows; of a switched one without a meter also by the mean of a while."""
        if self.shown_by(profile) == "p":
            return max(0.0, shown)
        on, off = (self.value(one, profile, rated) for one in (1.0, 0.0))
        return rated * min(1.0, max(0.0, (shown - off) / (on - off)))

    def sent_home(self, profile: Profile, rated: float) -> Profile:
        """The profile with the fallback that the site file gives."""
        point = self.told_by(profile)
        if not point:
            return profile
        safe = self.value(float(self.fallback == "on"), profile, rated)
        if point == "p_set":  # per unit of the rating until the site is checked
            safe = safe / rated if rated else 0.0
        one = profile.commands[point].model_copy(update={"fallback": safe})
        return profile.model_copy(update={"commands": profile.commands | {point: one}})


def wrong_loads(
    loads: Sequence[FlexibleLoad], devices: Sequence[Device], profiles: Mapping[str, Profile]
) -> Iterator[tuple[Place, str]]:
    """All mistakes, each with its place and what would be right. `profiles` by device."""
    known = {one.name: one for one in devices}
    for number, load in enumerate(loads):
        yield from ((("load", number, key), f"load {load.device!r}: {w}") for key, w in _of(load, known, profiles))
        if any(load.device == other.device for other in loads[:number]):
            yield ("load", number, "device"), f"load {load.device!r} is given twice"


def _of(load: FlexibleLoad, known: Mapping[str, Device], profiles: Mapping[str, Profile]) -> Iterator[tuple[str, str]]:
    device = known.get(load.device)
    if device is None:
        loads = [name for name in known if profiles[name].kind is Kind.LOAD]
        yield "device", str(Trouble.unknown(f"device {load.device!r}", load.device, sorted(loads)))
        return
    profile = profiles[load.device]
    if profile.kind is not Kind.LOAD:
        yield "device", f'it is a {profile.kind}; a device whose profile has kind = "load" is needed'
        return
    if device.rated_power is None:
        yield "device", "its device needs rated_power (W), what it draws while it is on"
    yield from _wrong_point(load, device, profile)
    if load.comfort is not None:
        yield from _wrong_comfort(load.comfort, load.device, known, profiles)


def _wrong_point(load: FlexibleLoad, device: Device, profile: Profile) -> Iterator[tuple[str, str]]:
    point = load.told_by(profile)
    if not point:
        there = ", ".join(sorted(profile.commands)) or "none"
        words = f"profile {device.profile} cannot be told {load.point or ' or '.join(POINTS)}; it can be told: {there}"
        yield "point", words
        return
    if load.point is not None and load.on is None and load.point not in POINTS:
        yield "point", f"what means on and off of {point} nobody knows: give `on` and `off`"
    if load.flexibility == "dimmable" and point not in DIMMABLE:
        yield "flexibility", f"{point} takes on and off only: leave it out, or give one of {', '.join(DIMMABLE)}"
    if load.least and not load.dims(profile):
        yield "least", "it is that of a dimmable load, and this one is switched: leave it out"
    low, high = profile.commands[point].low, profile.commands[point].high
    scale = device.rated_power or 1.0 if point == "p_set" else 1.0
    for key, share in (("on", 1.0), ("off", 0.0)):
        told = load.value(share, profile, scale)
        if not low * scale - 1e-6 <= told <= high * scale + 1e-6:
            words = f"{point} goes from {low * scale:g} to {high * scale:g}, and {key} is {told:g}"
            yield key, words


def _wrong_comfort(
    comfort: Comfort, load: str, known: Mapping[str, Device], profiles: Mapping[str, Profile]
) -> Iterator[tuple[str, str]]:
    name = comfort.device or load
    if name not in known:
        yield "comfort", str(Trouble.unknown(f"comfort.device {name!r}", name, sorted(known)))
        return
    point = profiles[name].points.get(comfort.point)
    if point is None:
        what = f"comfort.point {comfort.point!r} of device {name!r}"
        yield "comfort", str(Trouble.unknown(what, comfort.point, sorted(profiles[name].points)))
    elif point.enum or point.first or point.flags or point.type == "text":
        yield "comfort", f"comfort.point {comfort.point!r} of device {name!r} is no number"
