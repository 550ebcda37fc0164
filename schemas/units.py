"""The quantities of the field, each with its unit and its range, as annotated types.

Numbers are always finite: JSON has no NaN, MariaDB refuses it, and a battery must never see it. And they have a range:
what no plant can have would overflow the first sum, square or date that is made of it.
"""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any
from unicodedata import normalize

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer

LARGEST = 1e50
"""Of any number: above all that 64 bits or a float of 32 can hold with the largest scale factor of SunSpec (10^10);
the sixth power of it is still a float."""
WHOLE = 2**63 - 1
"""Of a whole number: what a database keeps."""


def _within(low: float, high: float) -> AfterValidator:
    """A validator and not `ge` and `le`: where a field has a narrower `ge`, pydantic obeys one of the two."""

    def check(value: float) -> float:
        if low <= value <= high:
            return value
        raise ValueError(f"{value:g} lies outside of {low:g} to {high:g}: no plant has that")

    return AfterValidator(check)


def plain(made: float) -> float:
    """What was reckoned, with 12 digits: 0.3 and not 0.30000000000000004."""
    return float(f"{made:.12g}")


def _said(value: object) -> object:
    return plain(value) if isinstance(value, float) else value


SAID = PlainSerializer(_said, return_type=Any, when_used="json")
"""On the wire, and in files, numbers have 12 digits."""


def _unit(unit: str, gt: float | None = None, ge: float | None = None, le: float | None = None) -> Any:  # noqa: ANN401  # what pydantic says of Field, too
    return Field(gt=gt, ge=ge, le=le, allow_inf_nan=False, json_schema_extra={"unit": unit})


Reading = Annotated[float, Field(allow_inf_nan=False), _within(-LARGEST, LARGEST)]
"""A number that comes as it is to be said, as those of registers do; thousands of them a second cost nothing more."""
Number = Annotated[Reading, SAID]
Count = Annotated[int, Field(ge=0, le=WHOLE)]
Watts = Annotated[float, _unit("W"), _within(-1e12, 1e12), SAID]
RatedWatts = Annotated[float, _unit("W", gt=0, le=10**12), SAID]
VoltAmperes = Annotated[float, _unit("VA", gt=0, le=10**12), SAID]
Vars = Annotated[float, _unit("var"), _within(-1e12, 1e12), SAID]
Volts = Annotated[float, _unit("V"), _within(-1e6, 1e6), SAID]
WattHours = Annotated[float, _unit("Wh"), _within(-1e18, 1e18), SAID]
Seconds = Annotated[float, _unit("s"), _within(0, 1e10), SAID]
"""A duration or an age: up to 317 years, more than lies between any two instants."""
Percent = Annotated[float, _unit("%", ge=0, le=100), SAID]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), SAID]
"""A part of a whole."""

NAME = r"^[a-z0-9_-]+$"
CURRENCY = r"^[A-Z]{3}$"
ID, EPOCH, SIGNATURE = r"^[A-Za-z0-9_.:-]+$", r"^[0-9a-f]{16}$", r"^[0-9a-f]{64}$"
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "å": "a"})


def plain_letters(text: str) -> str:
    """Without accents, as people write a name where it may have none."""
    return normalize("NFKD", text.translate(UMLAUTS)).encode("ascii", "ignore").decode()


Name = Annotated[str, Field(pattern=NAME, max_length=64)]
"""Part of a topic: lower-case letters, digits, `_` and `-`."""


EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""A clock that was never set says 1970. Before the end of the calendar there is room for any duration."""


def _to_utc(at: datetime) -> datetime:
    try:
        inside = EARLIEST <= at.astimezone(UTC) < LATEST
    except OverflowError:  # which pydantic would let through, past everybody who catches its own error
        inside = False
    if not inside:
        raise ValueError("lies outside of the years 1970 to 2199: is the clock right?")
    return at.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_to_utc)]
"""A moment from 1970 to 2199, always kept in UTC; a time without a zone is refused."""


def _to_date(given: object) -> object:
    try:
        return date.fromisoformat(given) if isinstance(given, str) else given
    except ValueError:
        raise ValueError(f'{given!r} is no day: write it such as "2026-02-11"') from None


CalendarDay = Annotated[date, BeforeValidator(_to_date)]
"""A day in a file, also as text: who writes JSON has no dates."""


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
