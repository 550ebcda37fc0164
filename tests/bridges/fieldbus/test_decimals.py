"""What is said of a register is a short decimal, and means the same register."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.fieldbus.modbus.codec import decode, encode, pack
from bridges.fieldbus.modbus.decimals import shortest
from bridges.fieldbus.summed import Rounds
from schemas.messages import Limited
from schemas.profiles import load_profile
from schemas.register import Point

SINGLES = st.floats(width=32, allow_nan=False, allow_infinity=False)
SCALES = [1.0, -1.0, 0.1, -0.1, 0.01, 0.001, 10.0, 100.0, 1000.0, 60.0]


def single(value: float) -> float:
    found: float = struct.unpack("f", struct.pack("f", value))[0]
    return found


def digits(value: float) -> int:
    return len(repr(value).partition("e")[0].strip("-").replace(".", "").strip("0"))


@pytest.mark.parametrize(
    "shown", [231.561, 0.1, -0.05, 49.9896, 51319.04, 1e-5, 0.0, 1e10, 16777216.0, 0.0009765625, 3.4e38, 1e-45]
)
def test_what_the_meter_shows_is_what_is_said(shown: float) -> None:
    assert shortest(single(shown)) == shown


@given(SINGLES)
def test_no_shorter_decimal_has_the_same_32_bits(stored: float) -> None:
    said = shortest(stored)
    assert single(said) == stored
    assert digits(said) <= 9
    assert all(single(float(f"{stored:.{fewer}g}")) != stored for fewer in range(1, digits(said)))


@given(st.integers(-999_999, 999_999), st.integers(-6, 6))
def test_any_decimal_of_six_digits_comes_back(whole: int, power: int) -> None:
    shown = float(f"{whole}e{power}")
    assert shortest(single(shown)) == shown


@given(st.sampled_from(["u16", "i16", "u32", "i32"]), st.sampled_from(SCALES), st.integers(-5, 5), st.data())
def test_a_scaled_whole_number_is_said_with_its_own_digits(
    kind: str, scale: float, power: int, data: st.DataObject
) -> None:
    low, high = {"u16": (0, 65535), "i16": (-32768, 32767), "u32": (0, 2**32 - 1), "i32": (-(2**31), 2**31 - 1)}[kind]
    raw = data.draw(st.integers(low, high))
    point = Point(register=0, type=kind, scale=scale)  # type: ignore[arg-type]
    words = pack(point, raw)
    said = decode(point, words, power=power)
    assert isinstance(said, float)
    assert digits(said) <= digits(float(raw * round(abs(scale) * 1000))), f"{raw} x {scale} x 10^{power}"
    assert encode(point, said, power=power) == words


@given(SINGLES.filter(lambda value: abs(value) < 1e30), st.sampled_from(SCALES))
def test_a_scaled_float_is_said_without_noise_and_means_the_same_register(stored: float, scale: float) -> None:
    point = Point(register=0, type="f32", scale=scale)
    words = [*struct.unpack(">2H", struct.pack(">f", stored))]
    said = decode(point, words)
    assert isinstance(said, float)
    assert digits(said) <= 11  # 60 times nine digits
    assert encode(point, said) == words or math.isclose(stored, 0, abs_tol=1e-37)


def test_what_is_reckoned_is_said_without_noise() -> None:
    said = Limited(point="p_set", source="ramp", wanted=0.1 + 0.2, allowed=14_977_123_456.7)
    assert said.model_dump_json().endswith('"wanted":0.3,"allowed":14977123456.7}')


def test_the_sum_of_two_meters_has_no_digits_that_none_of_them_shows() -> None:
    profile = load_profile("eastron_sdm630")
    rounds = Rounds({"north": 1.0, "south": 1.0}, {name: profile.points[name] for name in ("p", "q", "pf", "e_import")})
    rounds.hear("north", {"p": 231.561, "q": 0.1, "e_import": 14_977_123_456.0}, {}, 1.0)
    rounds.hear("south", {"p": 12.3, "q": 0.2, "e_import": 0.3}, {}, 1.0)
    summed = rounds.add_up().values
    assert (231.561 + 12.3, 0.1 + 0.2) == (243.86100000000002, 0.30000000000000004)
    assert (summed["p"], summed["q"], summed["e_import"]) == (243.861, 0.3, 14_977_123_456.3)
