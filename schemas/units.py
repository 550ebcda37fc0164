"""The quantities of the field, each with its unit, as annotated types.

Numbers are always finite: JSON has no NaN, MariaDB refuses it, and a battery must never see it.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field


def _unit(unit: str) -> Any:  # noqa: ANN401  # what pydantic says of Field, too
    return Field(allow_inf_nan=False, json_schema_extra={"unit": unit})


Number = Annotated[float, Field(allow_inf_nan=False)]
Watts = Annotated[float, _unit("W")]
VoltAmperes = Annotated[float, _unit("VA")]
WattHours = Annotated[float, _unit("Wh")]
Seconds = Annotated[float, _unit("s")]
Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False, json_schema_extra={"unit": "%"})]

NAME = r"^[a-z0-9_-]+$"
Name = Annotated[str, Field(pattern=NAME, max_length=64)]
"""Part of a topic: lower-case letters, digits, `_` and `-`."""


def _to_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # which pydantic would let through, past everybody who catches its own error
        raise ValueError("lies outside of the years 1 to 9999 in UTC") from None


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment, always kept in UTC; a time without a zone is refused."""


class Kind(StrEnum):
    """What a device is."""

    PCS = "pcs"
    BMS = "bms"
    METER = "meter"
    PV = "pv"
    LOAD = "load"
    SENSOR = "sensor"


class Chemistry(StrEnum):
    """What the cells are made of; their limits of voltage and temperature follow from it."""

    LFP = "lfp"  # lithium iron phosphate
    NMC = "nmc"  # lithium nickel manganese cobalt oxide
    LTO = "lto"  # lithium titanate oxide


class Quality(StrEnum):
    """How far a value can be believed; a value that is not named in `quality` is good."""

    GOOD = "good"
    STALE = "stale"
    FROZEN = "frozen"
    IMPLAUSIBLE = "implausible"
    SUBSTITUTED = "substituted"


def utc_now() -> datetime:
    """The wall clock, for the shells; pure code gets `now` as an argument."""
    return datetime.now(UTC)
