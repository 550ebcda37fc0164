"""The codec: what is written is read back, and what means nothing is not a value."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.fieldbus.modbus.codec import decode, encode, encode_point
from schemas.profiles import PROFILES, load_profile
from schemas.register import Point

INTEGERS = {  # a value is a float: 53 bits
    "u16": (0, 0xFFFF),
    "i16": (-0x8000, 0x7FFF),
    "u32": (0, 2**32 - 1),
    "i32": (-(2**31), 2**31 - 1),
    "i64": (-(2**53), 2**53),
}


@given(st.sampled_from(sorted(INTEGERS)), st.sampled_from(["big", "little"]), st.floats(0, 1))
def test_integers_round_trip(kind: str, order: str, share: float) -> None:
    low, high = INTEGERS[kind]
    raw = round(low + (high - low) * share)
    raw = min(max(raw, low), high)
    point = Point(register=0, type=kind)  # type: ignore[arg-type]
    assert decode(point, encode(point, raw, order), order) == float(raw)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["big", "little"]))
def test_floats_round_trip(value: float, order: str) -> None:
    point = Point(register=0, type="f32")
    words = encode(point, value, order)
    said = decode(point, words, order)
    assert isinstance(said, float)
    assert encode(point, said, order) == words or value == 0  # an inverted 0 is 0, not -0


@given(st.integers(-0x8000, 0x7FFF), st.sampled_from([0.1, 0.01, 0.001, 10, 100, -1, -10]), st.integers(-3, 3))
def test_scales_round_trip_within_one_step(raw: int, scale: float, power: int) -> None:
    point = Point(register=0, type="i16", scale=scale)
    words = [raw & 0xFFFF]
    value = decode(point, words, power=power)
    assert isinstance(value, float)
    assert encode(point, value, power=power) == words


def test_a_tenth_is_exact_in_the_digits_that_count() -> None:
    assert decode(Point(register=0, scale=0.1), [2301]) == 230.1
    assert decode(Point(register=0, scale=0.001), [3333]) == 3.333


@pytest.mark.parametrize(
    ("point", "words", "sunspec"),
    [
        (Point(register=0, type="f32"), [0x7FC0, 0], False),
        (Point(register=0, type="f32"), [0x7F80, 0], False),
        (Point(register=0, type="i16"), [0x8000], True),
        (Point(register=0, type="u32"), [0xFFFF, 0xFFFF], True),
        (Point(register=0, absent=[0x7FFF]), [0x7FFF], False),
    ],
    ids=["NaN", "infinity", "not implemented i16", "not implemented u32", "sentinel of the profile"],
)
def test_what_means_nothing_is_no_value(point: Point, words: list[int], sunspec: bool) -> None:
    assert decode(point, words, sunspec=sunspec) is None


def test_names() -> None:
    state = Point(register=0, first={"0": "fault", "7": "standby", "2": "running"}, otherwise="off")
    assert [decode(state, [bits]) for bits in (0b101, 0b100, 0x80, 0)] == ["fault", "running", "standby", "off"]
    enum = Point(register=0, enum={"4": "running"})
    assert [decode(enum, [4]), decode(enum, [9])] == ["running", "unknown_9"]
    flags = Point(register=0, flags={"0": "fan", "15": "smoke"})
    assert decode(flags, [0x8001]) == ["fan", "smoke"]
    text = Point(register=0, type="text", words=2)
    assert decode(text, [0x4142, 0x4300]) == "ABC"


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("*.toml")))
def test_every_profile_decodes_what_it_encodes(name: str) -> None:
    profile = load_profile(name)
    for point in profile.points.values():
        if point.enum or point.first or point.flags or point.type == "text":
            names = point.enum or point.first or point.flags or {"0": "A1"}
            shown = [*names.values()] if not point.flags else [list(point.flags.values())]
            assert [decode(point, encode_point(point, v), sunspec=profile.sunspec) for v in shown] == shown
            continue
        value = point.scale * 42
        decoded = decode(point, encode_point(point, value, profile.word_order), profile.word_order)
        assert isinstance(decoded, float)
        assert math.isclose(decoded, value)
