"""How good the forecasts of the last days were: what is published of them. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.messages import Message
from schemas.units import SAID, Instant, Number, Percent, Share, Watts


class LeadSkill(Message):
    """Of the forecasts of one source for some hours ahead."""

    of: Literal["load", "pv", "net"]
    source: str = "own"
    """`own`, or the name of an outside forecast."""
    from_hours: Number
    to_hours: Number
    """So far ahead."""
    quarters: Annotated[int, Field(ge=0)]
    """Quarters of an hour that were compared with what came."""
    bias: Watts
    """The mean of what came less what was forecast."""
    rmse: Watts
    """The root of the mean square of it."""
    pinball: Watts | None = None
    """The mean pinball loss of the quantiles; None where there are none."""
    covered: Percent | None = None
    """How often the 80 % band held; 80 is right."""


class Outsider(Message):
    """An outside forecast: what it counts for."""

    name: str
    weights: dict[str, Share] = {}
    """Its part in the blend by hours ahead: `0-1`, `1-6`, `6-24`."""
    words: str = ""
    """Why it has no weight, or what is wrong with its file or topic; empty where nothing is."""


class PriceSkill(Message):
    """Of a market's prices of the next day, told when nothing of it was known."""

    of: str
    """Its place in the tariff: `import`, `export`, `import.layer.0`."""
    days: Annotated[int, Field(gt=0)]
    """That were compared with what was published."""
    bias: Number
    """Per kWh: the mean of what was published less what was forecast."""
    mae: Number
    """Per kWh: the mean of how far off it was."""
    currency: str


class ForecastSkill(Message):
    """Of the last days (retained)."""

    at: Instant
    learned: Instant | None = None
    """When the forecast was learned; None: never."""
    days: Annotated[float, Field(ge=0, allow_inf_nan=False), SAID] = 0.0
    """Of the past that it was learned from; below 21 the simple forecast is used."""
    skills: list[LeadSkill] = []
    outside: list[Outsider] = []
    prices: list[PriceSkill] = []
