"""A battery of a site file: what it is made of and what its owner allows."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.shape import Shape
from schemas.site_device import Names
from schemas.units import Chemistry, Name, Percent, Seconds, WattHours, Watts

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BatteryParts(Shape):
    """What a battery is made of."""

    name: Name = "battery"
    """What it is called on pages and in words; several need names of their own."""
    pcs: Annotated[Names, Field(min_length=1)]
    """The device that converts, or `["a", "b"]` for several on one DC side: each gets its part of what the cells allow,
    by its rated power."""
    bms: Names = []
    """The device that watches the cells, or several for racks in parallel; what they allow is never exceeded. Left out
    for a hybrid, whose PCS tells the SoC and the limits of its cells itself."""


class TaperPoint(Shape):
    """What the cells take and give at a SoC, straight to the next point and level beyond the last."""

    soc: Percent
    """Of all these cells hold."""
    charge: Percent = 100.0
    """% of the rated power that they take."""
    discharge: Percent = 100.0
    """% of the rated power that they give."""

    @model_validator(mode="after")
    def _no_part_of_one(self) -> Self:
        for key, value in (("charge", self.charge), ("discharge", self.discharge)):
            if 0 < value < 1:
                raise ValueError(
                    f"{key} = {value:g} is in %: for {100 * value:g} % of the rated power write {100 * value:g}"
                )
        return self


class Terms(Shape):
    """What the owner allows of a battery."""

    energy: WattHours = Field(gt=0)
    """Usable energy between 0 and 100 % SoC."""
    chemistry: Annotated[Chemistry | None, Field(strict=False)] = None
    """Of the cells: it decides which of the shipped limits of cell voltage and temperature hold
    ([interlocks](interlocks.md)). Without it the cells are guarded by the BMS alone."""
    soc_min: Percent = 10.0
    """The plan stays above."""
    soc_max: Percent = 90.0
    """The plan stays below."""
    efficiency: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    """Of each direction, AC to cell and cell to AC."""
    wear: Annotated[float, Field(ge=0)] = 0.02
    """Per kWh discharged, in the tariff's currency."""
    ramp: Annotated[float, Field(gt=0)] = 20_000.0
    """W/s the setpoint may move at most."""
    dead_time: Seconds = Field(default=5.0, ge=0, le=60)
    """Seconds from a write of the setpoint until the battery's power, as its PCS shows it, follows; measured by
    `joulebus commission`. Loops over the meter reckon with it until they have measured it themselves."""
    fallback: Watts = 0.0
    """Power when no valid command is left."""
    charge_limit: Positive | None = None
    """W at the cells that may be charged at most, whatever more they allow. A hybrid whose map tells no limits needs
    it."""
    discharge_limit: Positive | None = None
    """The same of discharging."""
    taper: list[TaperPoint] = []
    """How the power falls towards full and towards empty, by rising SoC, such as
    `[{ soc = 90 }, { soc = 100, charge = 10 }]`: the plan then counts on no more. What the BMS allows at the moment
    holds beside it."""
    ccl_stale_after: Positive = 5.0
    """Seconds after which BMS data counts as missing: its limits are then 0. Never less than 2.5 polls of the BMS."""
    on_stop: Literal["fallback", "hold"] = "fallback"
    """What a bridge that ends in good order leaves behind: the fallback, or the last setpoint, as long as the device's
    own watchdog is armed."""
    start: Literal["ours", "always"] = "ours"
    """Which stopped PCS dispatch starts by itself: only one that joulebus has stopped, or that a person asks for by
    `auto` or `manual`; or `always`, also one that somebody stopped at its panel or that comes back from a power cut."""


class Battery(Terms, BatteryParts):
    """One or several PCS with the cells behind them, and what the owner allows. `[[battery]]` for each; a single one
    may be written `[battery]`, and a site without any only watches."""

    @property
    def racks(self) -> list[str]:
        """The devices that speak for its cells: each BMS, or the PCS of a hybrid."""
        return self.bms or self.pcs


class Unit(Terms):
    """One PCS with the battery behind it: what is steered. Energy, ramp and fallback are its part of the battery's, by
    its rated power."""

    name: Name
    """That of its battery; of several PCS each has its own behind it."""
    of: Name
    """The name of its battery."""
    pcs: Name
    racks: list[Name]
    """The devices that speak for the cells."""
    beside: list[Name] = []
    """The other PCS of the same battery."""
