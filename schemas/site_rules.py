"""The rules of a site: what it wishes of its own accord, when, for how long and how strongly.

A rule proposes limits and targets; it never writes to a device. `[[rule]]` is the table's name: an alarm judges what is
wrong and an interlock what is forbidden, and neither is called a rule in a site file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, WrapValidator, model_validator

from schemas.messages import Mode
from schemas.shape import Shape
from schemas.tariff import Holiday
from schemas.tariff_hours import Clock, Hours
from schemas.troubles import mistakes_of
from schemas.units import Name, Number, Percent, Seconds, WattHours, Watts

Quantity = Literal["soc", "import", "export", "price_import", "price_export", "pv_today"]
"""What a rule may look at beside the points of devices."""
UNITS: dict[str, str] = {
    "soc": "%",
    "import": "W",
    "export": "W",
    "price_import": "per kWh",
    "price_export": "per kWh",
    "pv_today": "Wh",
}
"""Of each quantity."""
PRICES = ("price_import", "price_export")
TESTS = ("above", "below", "between", "equals", "contains", "cheapest", "dearest")
NUMERIC = ("above", "below", "between")
RANKS = ("cheapest", "dearest")
LONGEST = 86_400.0
"""Seconds: a rule that should last longer is a rule without an end of its own."""
OFF = 60.0
"""Seconds, where a rule gives none."""

Hold = Annotated[Seconds, Field(ge=0, le=LONGEST)]


class Condition(Shape):
    """One thing that must be so. Of a point, a quantity, hours, dates or a mode."""

    device: Name | None = None
    """Whose point is looked at..."""
    point: Name | None = None
    """...as the device's profile calls it."""
    quantity: Quantity | None = None
    """`soc` (%) of the batteries together; `import` or `export` (W) at the grid connection; `price_import` or
    `price_export` (per kWh) now; `pv_today` (Wh), what the PV is forecast to give on this local day, all of it."""
    above: Number | None = None
    """It holds while the value is more than this, in the unit of the point or quantity."""
    below: Number | None = None
    """It holds while the value is less than this."""
    between: Annotated[list[Number], Field(min_length=2, max_length=2)] | None = None
    """It holds while the value is one of these two or lies between them."""
    equals: str | None = None
    """It holds while the point is in this state."""
    contains: str | None = None
    """It holds while the point lists this flag."""
    cheapest: Annotated[float, Field(gt=0, lt=24)] | None = None
    """Of a price: it holds in so many hours of the local day, the cheapest ones by the quarter of an hour."""
    dearest: Annotated[float, Field(gt=0, lt=24)] | None = None
    """The same of the dearest ones."""
    unit: str | None = None
    """What the number is meant in. It may be left out; a unit that is not the point's own is refused."""
    clear: Number | None = None
    """Where it holds no more, on the safe side of `above` or `below` (hysteresis)."""
    hold: Hold = 0.0
    """So many seconds it must be so before it holds."""
    hours: Hours | None = None
    """Hours, days and months on the local clock: `{ start = "11:00", end = "13:00", days = ["sat", "holiday"] }`."""
    dates: Annotated[list[Holiday], Field(min_length=1)] | None = None
    """Local days, written as holidays are: `"2026-12-24"`, `"12-24"` for each year, `"easter+1"`."""
    mode: Annotated[Mode | None, Field(strict=False)] = None
    """The mode of dispatch."""

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        if (self.device is None) != (self.point is None):
            missing = "device" if self.device is None else "point"
            raise ValueError(f"a point is named by `device` and `point`; `{missing}` is missing")
        subjects = [
            name for name in ("device", "quantity", "hours", "dates", "mode") if getattr(self, name) is not None
        ]
        if len(subjects) != 1:
            words = "give exactly one of `device` with `point`, `quantity`, `hours`, `dates`, `mode`"
            raise ValueError(f"{words}; given: {', '.join(subjects) or 'none'}")
        return self

    @model_validator(mode="after")
    def _tests_fit(self) -> Self:
        given = [name for name in TESTS if getattr(self, name) is not None]
        if self.device is None and self.quantity is None:
            beside = [*given, *(name for name in ("unit", "clear") if getattr(self, name) is not None)]
            if beside or self.hold:
                raise ValueError(f"`{(beside or ['hold'])[0]}` goes with a point or a quantity")
            return self
        known = self.allowed
        if len(given) != 1 or given[0] not in known:
            raise ValueError(f"give exactly one of {', '.join(known)}; given: {', '.join(given) or 'none'}")
        if self.timetable and self.hold:
            raise ValueError("a price has no `hold`: it changes by the clock and not by chance")
        return self

    @model_validator(mode="after")
    def _limits_in_order(self) -> Self:
        if self.between is not None and self.between[0] >= self.between[1]:
            raise ValueError(f"between = [{self.between[0]:g}, {self.between[1]:g}]: the lower limit comes first")
        if self.clear is None:
            return self
        if self.above is None and self.below is None:
            raise ValueError("`clear` goes with `above` or `below`")
        if (self.above is not None and self.clear > self.above) or (self.below is not None and self.clear < self.below):
            raise ValueError("`clear` lies on the wrong side of the limit: the condition would never end")
        return self

    @property
    def allowed(self) -> tuple[str, ...]:
        """The tests that its subject can be put to."""
        if self.device is not None:
            return (*NUMERIC, "equals", "contains")
        return (*NUMERIC, *RANKS) if self.quantity in PRICES else NUMERIC

    @property
    def timetable(self) -> bool:
        """It follows the clock, the calendar or prices: it changes when that is due, and is known ahead."""
        return self.hours is not None or self.dates is not None or self.quantity in PRICES

    @property
    def test(self) -> str:
        """Which of the tests it has; empty for hours, dates and a mode."""
        return next((name for name in TESTS if getattr(self, name) is not None), "")


class Then(Shape):
    """What a rule proposes: one or several limits, and at most one of `grid_target` and `power`. A limit only ever
    narrows what holds anyway."""

    import_limit: Annotated[Watts, Field(ge=0)] | None = None
    """The most the site is to draw."""
    export_limit: Annotated[Watts, Field(ge=0)] | None = None
    """The most it is to feed in."""
    soc_min: Percent | None = None
    """The batteries are not discharged below."""
    soc_max: Percent | None = None
    """The batteries are not charged above."""
    reserve: Annotated[WattHours, Field(gt=0)] | None = None
    """So much energy above their own `soc_min` is kept in the batteries, all together."""
    charge_limit: Annotated[Watts, Field(ge=0)] | None = None
    """The most they are to charge with."""
    discharge_limit: Annotated[Watts, Field(ge=0)] | None = None
    """The most they are to discharge with."""
    grid_target: Watts | None = None
    """What the meter of the grid connection is to show, positive importing."""
    power: Watts | None = None
    """What the batteries are to give, positive discharging."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if not self.given:
            raise ValueError(f"it proposes nothing: give one or more of {', '.join(type(self).model_fields)}")
        if self.grid_target is not None and self.power is not None:
            raise ValueError("give `grid_target` or `power`: one battery cannot follow both")
        if self.soc_min is not None and self.soc_max is not None and self.soc_min > self.soc_max:
            raise ValueError(f"soc_min = {self.soc_min:g} lies above soc_max = {self.soc_max:g}")
        return self

    @property
    def given(self) -> dict[str, float]:
        """What it proposes, by key."""
        each = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in each if value is not None}


class Until(Shape):
    """How long what began goes on, whatever the conditions do meanwhile: one of `after` and `at`. Once it has ended the
    rule begins again only after its conditions were gone."""

    after: Annotated[Seconds, Field(gt=0, le=LONGEST)] | None = None
    """So many seconds from its begin."""
    at: Clock | None = None
    """Until the next such local time."""

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if (self.after is None) == (self.at is None):
            raise ValueError('give either `after` in seconds or `at`, such as "13:00"')
        return self


def _listed(given: object) -> object:
    """Raises ValueError for a sentence in place of conditions."""
    if isinstance(given, str):
        right = 'when = [{ quantity = "price_import", above = 0.30 }, { quantity = "soc", below = 80 }]'
        raise ValueError(f"{given!r} is no list of conditions; write each as a table, such as {right}")  # noqa: TRY004  # pydantic reads a ValueError
    return given


class SiteRule(Shape):
    """What the site wishes of its own accord: when all conditions hold, it proposes limits or a target, below every
    person, network operator and billed peak, and above the plan."""

    name: Name
    """What it is called in reasons and on pages."""
    when: Annotated[list[Condition], BeforeValidator(_listed), Field(min_length=1)]
    """All of them must hold. One that is not known makes the rule unknown, and it proposes nothing."""
    then: Then
    """What it proposes."""
    until: Until | None = None
    """How long; as long as the conditions hold when left out."""
    off: Annotated[Seconds, Field(ge=10, le=LONGEST)] = OFF
    """So many seconds a measured condition must be gone before the rule ends, and so long it then pauses. Hours, dates
    and prices end it at once."""
    priority: Annotated[int, Field(ge=0, le=100)] = 0
    """Of targets the highest wins. Of limits of one kind the narrowest does, whatever its priority."""
    text: str = ""
    """Why the site wants it, for people."""

    @property
    def targets(self) -> dict[str, float]:
        """At most one."""
        return {key: value for key, value in self.then.given.items() if key in ("grid_target", "power")}


@dataclass(frozen=True)
class WrongRule:
    """A rule that cannot be understood: it is refused, and the others run."""

    name: str
    """As it was written; empty where that cannot be read either."""
    mistakes: tuple[tuple[str, str], ...]
    """The place in the rule such as `when.0.point`, and what would be right."""


def _each(given: object, _: Callable[[object], object]) -> SiteRule | WrongRule:
    if isinstance(given, SiteRule | WrongRule):
        return given
    try:
        return SiteRule.model_validate(given)
    except ValidationError as wrong:
        name = given.get("name") if isinstance(given, dict) else None
        return WrongRule(name if isinstance(name, str) else "", tuple(mistakes_of(wrong, SiteRule)))


WrittenRule = Annotated[SiteRule | WrongRule, WrapValidator(_each, json_schema_input_type=SiteRule)]
"""A `[[rule]]` as it stands in the site file. One that is wrong stops nothing else that the file says."""
