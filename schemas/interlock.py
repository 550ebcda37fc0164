"""What an interlock is: a cause, what it does to a battery, and how it ends. Shipped per kind of device, more in the
site file.
"""

import operator
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from schemas.profile import Profile
from schemas.register import Point
from schemas.shape import Shape
from schemas.troubles import Trouble
from schemas.units import Chemistry, Kind, Name, Number, Seconds


class Effect(StrEnum):
    """What an interlock forbids or does."""

    BLOCK_CHARGE = "block_charge"
    BLOCK_DISCHARGE = "block_discharge"
    DERATE = "derate"  # in both directions not more than the `derate` of the rule
    DERATE_CHARGE = "derate_charge"
    DERATE_DISCHARGE = "derate_discharge"
    BLOCK_START = "block_start"  # a battery that rests is not started; one that runs goes on
    ZERO = "zero"
    STOP = "stop"  # power 0, stop the inverter, then open the battery's contactor
    LOCK_OUT = "lock_out"  # the same, and nobody but a person takes it out of the lockout


DERATES = (Effect.DERATE, Effect.DERATE_CHARGE, Effect.DERATE_DISCHARGE)
"""Those that leave a part of the rated power: the rule says which."""

Names = Annotated[list[str], Field(min_length=1)]
CONDITIONS = ("above", "below", "rises", "equals", "unless", "contains", "silent")


class InterlockRule(Shape):
    """A cause that forbids the battery something, whoever asks for it. One of above, below, rises, equals, unless,
    contains or silent says when."""

    name: Name
    """The interlock is then called `<name>-<device>`. A shipped one of this name and device is replaced."""
    device: Name | None = None
    """The rule holds for this device..."""
    kind: Annotated[Kind | None, Field(strict=False)] = None
    """...or for the battery's devices of this kind; sensors, meters and the like belong to every battery."""
    point: Name | None = None
    """What is judged, as the profile calls it. Not with `contains`: names of flags are looked for in all points."""
    above: Number | None = None
    """More than this is the cause."""
    below: Number | None = None
    """Less than this is the cause."""
    rises: Number | None = Field(default=None, gt=0)
    """Rising by more than this within `within` is the cause. Two readings must show it, and what comes back to where it
    was within the last two spans has not risen."""
    within: Seconds = Field(default=60.0, gt=0, le=600)
    """Seconds `rises` looks back."""
    equals: Names | None = None
    """One of these states is the cause."""
    unless: Names | None = None
    """Every state but these is the cause: for an input that says when all is well, such as `["released"]`."""
    contains: Names | None = None
    """Any of these flags is the cause."""
    silent: Seconds | None = Field(default=None, gt=0)
    """Not to know the point for so long is the cause."""
    clear: Number | None = None
    """Where the cause is gone, on the safe side of `above` or `below` (hysteresis)."""
    hold: Seconds = Field(default=0.0, ge=0)
    """So long the cause must last before it acts."""
    off: Seconds = Field(default=0.0, ge=0)
    """So long the cause must be gone before it counts as gone."""
    effect: list[Annotated[Effect, Field(strict=False)]] = []
    """What it forbids or does."""
    derate: Number | None = Field(default=None, gt=0, lt=100)
    """% of the rated power of the PCS that `derate`, `derate_charge` or `derate_discharge` leave."""
    reset: Literal["auto", "operator"] = "auto"
    """It ends by itself when the cause is gone (it needs `off`, or `clear` with a distance, or it would flap), or then
    waits for the RESET of a named operator."""
    unknown: Literal["last", "active", "nothing"] = "last"
    """What it means when the point is not known: it is as it was last known for `unknown_after`, then the effect acts
    until it is known again; or (`active`) the cause is there, and an operator's reset may be needed after it; or
    (`nothing`) it is as it was last known: only for what derates a device that also guards itself."""
    unknown_after: Seconds = Field(default=10.0, ge=0)
    """Seconds the point may be unknown."""
    chemistry: list[Annotated[Chemistry, Field(strict=False)]] = []
    """Of the cells the limit is right for; for any when left out."""
    omit: str = ""
    """Why the shipped interlock of this name is taken out. Nothing but name and device or kind stands beside it."""
    text: str = ""
    """What an operator reads: what it means and what to do."""

    @model_validator(mode="after")
    def _where(self) -> Self:
        if (self.device is None) == (self.kind is None):
            raise ValueError("give either `device` or `kind`")
        return self

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [name for name in CONDITIONS if getattr(self, name) is not None]
        if self.omit:
            if given or self.effect:
                raise ValueError("`omit` takes the interlock out: nothing but name and device or kind stands beside it")
            return self
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(CONDITIONS)}; given: {', '.join(given) or 'none'}")
        if not self.effect:
            raise ValueError(f"an interlock without effect: give one or more of {', '.join(Effect)}")
        if wrong := derating(self.effect, self.derate):
            raise ValueError(wrong)
        if self.unknown == "nothing" and not set(self.effect) <= set(DERATES):
            raise ValueError('`unknown = "nothing"` is for what derates alone: what blocks or stops trusts no silence')
        if (self.point is None) != (self.contains is not None):
            raise ValueError("`point` says what is judged; only `contains` looks into all points with flags")
        return self

    @model_validator(mode="after")
    def _does_not_flap(self) -> Self:
        limit = self.above if self.above is not None else self.below
        if self.clear is not None:
            if limit is None:
                raise ValueError("`clear` goes with `above` or `below`")
            if (self.clear > limit) if self.above is not None else (self.clear < limit):
                raise ValueError("`clear` lies on the wrong side of the limit: the interlock would never end")
        calm = self.off > 0 or (self.clear is not None and self.clear != limit)
        if self.reset == "auto" and not calm and not self.omit:
            raise ValueError("it would flap: give `off` (seconds the cause must be gone), or `clear` with a distance")
        return self

    @cached_property
    def condition(self) -> str:
        """Which of the conditions it has; empty for one that takes another out."""
        return next((name for name in CONDITIONS if getattr(self, name) is not None), "")

    @property
    def patience(self) -> float:
        """Seconds its point may be unknown."""
        return self.unknown_after if self.silent is None else self.silent


def derating(effects: Collection[Effect], share: float | None) -> str:
    """What is wrong with the share that is left of the power; empty where nothing is."""
    derates = [one for one in DERATES if one in effects]
    if derates and share is None:
        return f"`{derates[0]}` leaves a part of the power: give `derate`, % of the rated power, such as 50"
    if share is not None and not derates:
        return f"`derate` goes with one of the effects {', '.join(DERATES)}"
    return ""


EXTRA_LOW = 60.0
"""V DC that hurt nobody (IEC 61140): below, insulation is not compared with the voltage."""
NO_CURRENT = 10.0
"""A: a current limit below counts as this, or an idle current would pass a limit of 0."""


class Derived(NamedTuple):
    """A quantity that no device gives, made from points of one device."""

    parts: tuple[str, str]
    unit: str
    of: Callable[[float, float], float]


DERIVED: dict[str, Derived] = {
    "cell_u_spread": Derived(("cell_u_max", "cell_u_min"), "V", lambda high, low: high - low),
    "cell_t_spread": Derived(("cell_t_max", "cell_t_min"), "K", lambda high, low: high - low),
    "i_of_ccl": Derived(("i", "ccl"), "%", lambda i, ccl: 100 * max(0.0, -i) / max(ccl, NO_CURRENT)),
    "i_of_dcl": Derived(("i", "dcl"), "%", lambda i, dcl: 100 * max(0.0, i) / max(dcl, NO_CURRENT)),
    "riso_per_volt": Derived(("riso", "u"), "Ohm/V", lambda kilo_ohm, u: 1000 * kilo_ohm / max(abs(u), EXTRA_LOW)),
}


def of_cells(point: str) -> bool:
    """Whether a point is one of the cells, whoever tells it: the BMS, or the PCS of a hybrid. The current and the
    insulation that a PCS tells are not theirs."""
    return point.startswith("cell_") or point == "soc"


Misfit = tuple[str, str]
"""The key of the rule that does not fit, and in words what would be right."""


def points_of(rule: InterlockRule, profile: Profile) -> tuple[str, ...]:
    """The points of a device that a rule looks at; empty where the device has none of them."""
    if rule.contains is not None:
        return tuple(
            name for name, point in profile.points.items() if set((point.flags or {}).values()) & set(rule.contains)
        )
    wanted = DERIVED[rule.point].parts if rule.point in DERIVED else (str(rule.point),)
    return wanted if profile.points.keys() >= set(wanted) else ()


def misfit(rule: InterlockRule, profile: Profile, device: str, *, every: bool) -> Misfit | None:
    """Why a rule says nothing about a device. `every` name it gives must exist, or only one of them."""
    if rule.contains is not None:
        flags = [flag for point in profile.points.values() for flag in (point.flags or {}).values()]
        return _unknown("contains", "flag", rule.contains, flags, device, every=every)
    if not points_of(rule, profile):
        known = [*profile.points, *(name for name, one in DERIVED.items() if set(one.parts) <= profile.points.keys())]
        return _unknown("point", "point", [str(rule.point)], known, device, every=True)
    point = profile.points.get(str(rule.point))
    if rule.silent is not None or (point is None and rule.condition in ("above", "below", "rises")):
        return None
    return _of_type(rule, point, device, every=every)


def _of_type(rule: InterlockRule, point: Point | None, device: str, *, every: bool) -> Misfit | None:
    """A limit needs a number, a state needs a point with states."""
    names = None if point is None else states(point)
    number = point is None or (names is None and point.flags is None and point.type != "text")
    if rule.equals is None and rule.unless is None:
        if number:
            return None
        return (
            rule.condition,
            f"point {rule.point!r} of device {device!r} is no number; give equals, unless or contains",
        )
    if names is None:
        return rule.condition, f"point {rule.point!r} of device {device!r} has no states; give above, below or contains"
    wanted = rule.equals or rule.unless or []
    # Whatever is not among them is the cause: one that is mistyped would leave it active for ever.
    return _unknown(rule.condition, "state", wanted, names, device, every=every or rule.unless is not None)


def states(point: Point) -> list[str] | None:
    """The names a point can say; None when it says none."""
    if point.enum is not None:
        return list(point.enum.values())
    return None if point.first is None else [*point.first.values(), point.otherwise]


def _unknown(key: str, what: str, wanted: list[str], known: list[str], device: str, *, every: bool) -> Misfit | None:
    missing = [name for name in wanted if name not in known]
    if not missing or (not every and len(missing) < len(wanted)):
        return None
    return key, str(Trouble.unknown(f"{what} {missing[0]!r} of device {device!r}", missing[0], dict.fromkeys(known)))


def mistake(rule: InterlockRule, profiles: Mapping[str, Profile], battery: Chemistry | None) -> Misfit | None:
    """Why a rule of the site file would never act: it must fit one device at least. A Misfit, or None."""
    if rule.chemistry and battery not in rule.chemistry:
        return "chemistry", f"the battery's is {battery or 'not given'}: the interlock would never act"
    meant = {name: profile for name, profile in profiles.items() if name == rule.device or profile.kind is rule.kind}
    if not meant:
        kinds = sorted({str(profile.kind) for profile in profiles.values()})
        return "kind", str(Trouble.unknown(f"a device of kind {rule.kind}", str(rule.kind), kinds))
    if rule.omit:
        return None
    found = [misfit(rule, profile, name, every=True) or _beyond(rule, profile, name) for name, profile in meant.items()]
    return None if None in found else found[0]


def _beyond(rule: InterlockRule, profile: Profile, device: str) -> Misfit | None:
    """What lies outside of a point's range is never believed: a limit out there is never reached, or always passed."""
    point = profile.points.get(str(rule.point))
    if point is None:
        return None
    for key, limit, end, out, side, means in (
        ("above", rule.above, point.high, operator.ge, "above", "is never reached"),
        ("below", rule.below, point.low, operator.le, "below", "is never reached"),
        ("above", rule.above, point.low, operator.lt, "below", "is always passed"),
        ("below", rule.below, point.high, operator.gt, "above", "is always passed"),
    ):
        if limit is not None and end is not None and out(limit, end):
            words = f"the profile believes no {rule.point} of device {device!r} {side} {end:g}"
            return key, f"{limit:g} {means}: {words}; give a limit inside of it"
    return None
