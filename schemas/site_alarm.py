"""A rule of the alarms in a site file."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError, WrapValidator, model_validator

from schemas.interlock import Effect
from schemas.messages import AlarmClass, AlarmPriority
from schemas.shape import Shape
from schemas.troubles import mistakes_of
from schemas.units import Chemistry, Kind, Name, Number, Seconds

CONDITIONS = ("when", "above", "below", "equals", "contains", "no_data", "silent")
FORMER = {"hold": "on_delay", "off": "off_delay", "text": "response"}
"""Keys of the version before, and what they are called now; `clear` has become `deadband`, a distance."""

Words = Annotated[str, Field(max_length=2000)]
"""For people. A message has room for all of them."""
Expression = Annotated[str, Field(max_length=10_000)]


def _former(given: object) -> object:
    """A table with the keys of the version before, in the words of this one."""
    if not isinstance(given, dict):
        return given
    rule = dict(given)
    for old, new in FORMER.items():
        if old in rule and new in rule:
            raise ValueError(f"`{old}` is called `{new}` now, which stands there as well: take `{old}` out")
        if old in rule:
            rule[new] = rule.pop(old)
    if "clear" in rule and "deadband" in rule:
        raise ValueError("`clear` has become `deadband`, which stands there as well: take `clear` out")
    limit = rule.get("above", rule.get("below"))
    if "clear" in rule and isinstance(limit, int | float):
        clear = rule["clear"]
        if isinstance(clear, int | float) and not isinstance(clear, bool):
            del rule["clear"]
            rule["deadband"] = float(limit - clear if "above" in rule else clear - limit)
            if rule["deadband"] < 0:
                raise ValueError(_wrong_side("above" if "above" in rule else "below", limit, clear))
    return rule


def _wrong_side(key: str, limit: float, clear: float) -> str:
    right = "below" if key == "above" else "above"
    return (
        f"clear = {clear:g} is on the wrong side of {key} = {limit:g}: the alarm would end while it is wrong; give how "
        f"far {right} the limit it ends, such as deadband = {abs(limit - clear):g}"
    )


class AlarmRule(Shape):
    """When something is wrong, and what an operator should know of it (IEC 62682). One of when, above, below, equals,
    contains, no_data or silent."""

    name: Name
    """The alarm is then called `<name>-<device>`; of two that would be called the same, each hyphen of the longer
    rule is doubled. A shipped rule of this name is replaced."""
    device: Name | None = None
    """The rule holds for this device..."""
    kind: Annotated[Kind | None, Field(strict=False)] = None
    """...or for every device of this kind."""
    chemistry: list[Annotated[Chemistry, Field(strict=False)]] = []
    """Of the cells the limit is right for; for any when left out."""
    when: Expression | None = None
    """What is wrong, as an expression over points of this device and of others, such as
    `"abs(i) > 1.05 * ccl"` ([expressions](alarms.md#expressions))."""
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
    no_data: Annotated[Number | None, Field(gt=0, le=10_000)] = None
    """No telemetry for so many polls of the device."""
    silent: Seconds | None = None
    """The same in seconds, for 2.5 polls at least."""
    deadband: Annotated[Number, Field(ge=0)] = 0.0
    """How far behind the limit the point must be before the alarm returns to normal: in the unit of the point, also
    where `when` compares it with another: beside `p > 400 kW` it is in W."""
    on_delay: Seconds = 0.0
    """So long it must be wrong, by readings that are believed, before the alarm is raised."""
    off_delay: Seconds = 0.0
    """So long it must be right before the alarm returns to normal."""
    priority: Annotated[AlarmPriority, Field(strict=False)] = AlarmPriority.MEDIUM
    class_: Annotated[AlarmClass, Field(strict=False, alias="class")] = AlarmClass.PROCESS
    """Whom it is about: safety (people), equipment, process, or system (joulebus and its lines)."""
    latched: bool = False
    """It stays until an operator resets it, and cannot be shelved."""
    cause: Words = ""
    """What is wrong, in a sentence."""
    consequence: Words = ""
    """What comes of it when nobody does anything."""
    response: Words = ""
    """What to do."""
    time_to_respond: Seconds | None = None
    """So long the operator has until the consequence can no longer be averted."""
    group: Name | None = None
    """Alarms of one group explain each other: the one whose condition came first is the first-out. Its battery when
    left out, else its device."""
    suppressed_by: list[Name] = []
    """Rules of the same device, or alarms by their whole name: while one of them is active, this one is its
    consequence and is not shown (suppressed by design)."""
    suppress_when: Expression | None = None
    """An expression: while it holds the alarm means nothing, such as `"state in ('off', 'standby')"`."""
    effect: list[Annotated[Effect, Field(strict=False)]] = []
    """What it forbids the battery, or does, as the interlock of this name in its bridge
    ([alarms that drive control](interlocks.md#alarms-that-drive-control)). Not with `when`, and not with
    `contains = "*"`."""
    derate: Annotated[Number | None, Field(gt=0, lt=100)] = None
    """% of the rated power of the PCS that an effect `derate`, `derate_charge` or `derate_discharge` leaves."""

    @model_validator(mode="before")
    @classmethod
    def _former(cls, given: Any) -> Any:  # noqa: ANN401  # whatever a file says
        return _former(given)

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [c for c in CONDITIONS if getattr(self, c) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(CONDITIONS)}; given: {', '.join(given) or 'none'}")
        if (self.device is None) == (self.kind is None):
            raise ValueError("give either `device` or `kind`")
        if self.deadband and self.above is None and self.below is None and self.when is None:
            raise ValueError("`deadband` is a distance from a limit: it goes with `above`, `below` or `when`")
        return self

    @property
    def clear(self) -> float | None:
        """Where it returns to normal; None without a limit."""
        if self.above is not None:
            return self.above - self.deadband
        return None if self.below is None else self.below + self.deadband

    @property
    def seconds(self) -> bool:
        """It judges how long the device says nothing."""
        return self.silent is not None or self.no_data is not None


@dataclass(frozen=True)
class WrongAlarm:
    """An alarm rule that cannot be understood: it is refused, and the others run."""

    name: str
    """As it was written; empty where that cannot be read either."""
    mistakes: tuple[tuple[str, str], ...]
    """The key in the rule, and what would be right."""
    drives: bool = False
    """It has an `effect`: what should hold the battery does not."""


def _each(given: object, _: object) -> AlarmRule | WrongAlarm:
    if isinstance(given, AlarmRule | WrongAlarm):
        return given
    try:
        return AlarmRule.model_validate(given)
    except ValidationError as wrong:
        said = given if isinstance(given, dict) else {}
        name = said.get("name")
        mistakes = tuple(mistakes_of(wrong, AlarmRule))
        return WrongAlarm(name if isinstance(name, str) else "", mistakes, drives=bool(said.get("effect")))


def _listed(given: object) -> object:
    return given if isinstance(given, list) else [given]


WrittenAlarm = Annotated[AlarmRule | WrongAlarm, WrapValidator(_each, json_schema_input_type=AlarmRule)]
"""An `[[alarm]]` as it stands in the site file. One that is wrong stops nothing else that the file says."""
Alarms = Annotated[list[WrittenAlarm], BeforeValidator(_listed, json_schema_input_type=list[WrittenAlarm])]
