"""What a number or a moment may be: all that a plant can have, and nothing that overflows what is made of it."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from bridges.fieldbus.modbus.codec import FORMATS, decode
from schemas.messages import Archived, Step, Telemetry
from schemas.register import WORDS, Point
from schemas.site_grid import Grid
from schemas.units import EARLIEST, LARGEST, LATEST, Instant, Number, Seconds, Watts

NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)

UNLIKELY: list[tuple[Any, str]] = [
    (Instant, '"9999-12-31T23:59:59Z"'),
    (Instant, '"2200-01-01T00:00:00Z"'),
    (Instant, '"1969-12-31T23:59:59Z"'),
    (Instant, '"0001-01-01T00:00:00+14:00"'),
    (Instant, '"9999-12-31T23:59:59-14:00"'),
    (Instant, '"1970-01-01T00:00:00+14:00"'),
    (Instant, '"2026-06-21T12:00:00"'),
    (Number, "1e51"),
    (Number, "-1e300"),
    (Number, "1e308"),
    (Number, "1e999"),
    (Number, "NaN"),
    (Number, "9" * 400),
    (Watts, "1e13"),
    (Seconds, "1e308"),
    (Seconds, "-1"),
]


@pytest.mark.parametrize(("kind", "text"), UNLIKELY)
def test_what_no_plant_can_have_is_refused(kind: Any, text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_json(text)


def test_a_moment_out_of_range_says_which_years_there_are() -> None:
    with pytest.raises(ValidationError, match="outside of the years 1970 to 2199: is the clock right"):
        TypeAdapter(Instant).validate_json('"9999-01-01T00:00:00Z"')


@pytest.mark.parametrize("at", [EARLIEST, NOON, LATEST - timedelta(microseconds=1)])
def test_every_moment_has_room_for_every_duration(at: datetime) -> None:
    """Nobody has to fear an overflow when a duration is added, or a difference made."""
    moment = TypeAdapter(Instant).validate_python(at)
    assert moment + timedelta(seconds=1e10) > moment
    seconds = TypeAdapter(Seconds).validate_python((LATEST - EARLIEST).total_seconds())
    assert seconds < 1e10
    for hours in (-14, 14):  # and so in every zone
        assert moment + timedelta(hours=hours, days=400) > EARLIEST


@given(
    st.sampled_from([kind for kind in FORMATS if kind != "f64"]),
    st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=4),
    st.integers(-10, 10),
)
def test_no_register_of_a_device_is_out_of_range(kind: str, words: list[int], power: int) -> None:
    """Whatever a counter of 64 bits or a float of 32 says, with any scale factor: a sane device is never refused."""
    point = Point(register=0, type=kind)  # type: ignore[arg-type]  # one of the literals
    value = decode(point, words[: WORDS[point.type]], power=power)
    if value is not None:
        assert Telemetry(at=NOON, epoch="0" * 16, seq=1, values={"e": value}).number("e") == value


def test_sums_squares_and_cubes_of_numbers_are_numbers() -> None:
    assert math.isfinite(sum([LARGEST] * 10_000))
    assert math.isfinite(LARGEST**6)


def test_a_step_of_a_plan_ends_within_a_day() -> None:
    step: dict[str, Any] = dict.fromkeys(("power", "soc", "grid", "load", "pv", "price_import", "price_export"), 0.0)
    step |= {"at": NOON, "marginal_value": 0.0, "reason": ""}
    assert Step(seconds=900.0, **step)
    for seconds in (0.0, -900.0, 86_401.0, 1e308):
        with pytest.raises(ValidationError):
            Step(seconds=seconds, **step)


@pytest.mark.parametrize("pair", [(0, 1), (1, 2**63), (-5, 5)])
def test_what_is_confirmed_are_numbers_that_an_outbox_gave(pair: tuple[int, int]) -> None:
    with pytest.raises(ValidationError):
        Archived(epoch="0" * 16, ranges=[pair])


@pytest.mark.parametrize("limit", [-1.0, -1e11, 1e13])
def test_a_narrower_range_of_a_field_holds_beside_that_of_its_unit(limit: float) -> None:
    with pytest.raises(ValidationError):
        Grid(meter=["grid"], import_limit=1.0, export_limit=limit)
