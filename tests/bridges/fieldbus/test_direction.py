"""An amount and its direction: no failed write makes a device do more, or the opposite."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.fieldbus.modbus.direction import Held, Place, RegisterWrite, amounts, places, signed_steps, steps
from schemas.profiles import load_profile
from schemas.register import Modes, Setpoint

ONE = load_profile("sungrow_sh").commands["p_set"]
"""13049 must be 2; 13050 is 187 to discharge, 170 to charge, 204 to stop; 13051 is the amount of both."""
PLAIN = load_profile("goodwe_et").commands["p_set"]
"""47511 is 12 to discharge, 11 to charge, 8 to stand by; 47512 is the amount of both."""
TWO = load_profile("huawei_sun2000_luna").commands["p_set"]
"""47100 is 2 to discharge 47249, 1 to charge 47247, two registers each; 47246 must be 0."""
WINDOW = load_profile("fronius_gen24").commands["p_set"]
"""Model 124: 12 is the most it may discharge, 13 the most it may charge, and 5 must be 3."""
BLIND = load_profile("sma_sunny_island").commands["p_set"]
"""40149, and 40151 must be 802; both take two registers and can only be written."""
FLOAT = load_profile("solaredge_storage").commands["p_set"]
"""57357 is 4 to discharge 57360, 3 to charge 57358, floats with the low word first; 57348 must be 4."""
ASLEEP = Setpoint.model_validate(
    TWO.model_dump(by_alias=True) | {"companions": [{"register": 47246, "value": 0}, {"register": 47000, "value": 7}]}
)


def modes(setpoint: Setpoint) -> Modes:
    assert setpoint.modes is not None
    return setpoint.modes


def held(setpoint: Setpoint, **registers: Sequence[int]) -> dict[tuple[int | None, int], tuple[int, ...]]:
    found = {place: (0,) * count for place, count in places(setpoint, modes(setpoint)).items()}
    return found | {(None, int(key[1:])): tuple(words) for key, words in registers.items()}


def power(setpoint: Setpoint, now: Held, *, gated: bool = True) -> float:
    """What a device does whose registers hold this. `gated`: it does nothing unless its companions are right."""
    how = modes(setpoint)
    if gated and any(now[one.model, one.register_] != (one.value,) for one in setpoint.companions):
        return 0.0
    direction = now[None, how.register_][0]
    sign = {how.positive: 1, how.negative: -1}.get(direction, 0)
    words = now[amounts(setpoint, how)[-1 if direction == how.negative else 0]]
    return sign * float(int.from_bytes(b"".join(word.to_bytes(2, "big") for word in words), "big"))


def told(found: list[RegisterWrite]) -> list[tuple[int, tuple[int, ...]]]:
    return [(step.place[1], step.words) for step in found]


@pytest.mark.parametrize(
    ("setpoint", "now", "value", "writes"),
    [
        (ONE, held(ONE), 5000.0, [(13049, (2,)), (13050, (187,)), (13051, (5000,))]),
        (ONE, held(ONE, r13049=[2], r13050=[187], r13051=[5000]), 3000.0, [(13051, (3000,))]),
        (ONE, held(ONE, r13049=[2], r13050=[187], r13051=[5000]), 5000.0, []),
        (ONE, held(ONE, r13049=[2], r13050=[187], r13051=[5]), -3.0, [(13051, (0,)), (13050, (170,)), (13051, (3,))]),
        (ONE, held(ONE, r13049=[2], r13050=[170], r13051=[3000]), 0.0, [(13051, (0,)), (13050, (204,))]),
        (ONE, held(ONE, r13049=[2], r13050=[170], r13051=[3000]), 0.4, [(13051, (0,)), (13050, (204,))]),
        (ONE, held(ONE, r13049=[0], r13050=[170], r13051=[9]), -300.0, [(13051, (0,)), (13049, (2,)), (13051, (300,))]),
        (ONE, held(ONE, r13049=[2], r13050=[204], r13051=[9000]), 0.0, [(13051, (0,))]),
        (PLAIN, held(PLAIN, r47511=[1]), -4000.0, [(47511, (11,)), (47512, (4000,))]),
        (PLAIN, held(PLAIN, r47511=[5], r47512=[8000]), 4000.0, [(47512, (0,)), (47511, (12,)), (47512, (4000,))]),
        (TWO, held(TWO), 70_000.0, [(47100, (2,)), (47249, (1, 4464))]),
        (TWO, held(TWO, r47100=[2], r47249=[1, 4464]), -3000.0, [(47249, (0, 0)), (47100, (1,)), (47247, (0, 3000))]),
        (TWO, held(TWO, r47246=[1], r47100=[1], r47247=[0, 3]), -3, [(47247, (0, 0)), (47246, (0,)), (47247, (0, 3))]),
        (TWO, held(TWO, r47100=[1], r47247=[0, 3000]), 0.0, [(47247, (0, 0)), (47100, (2,))]),
    ],
    ids=[
        "from nothing", "less of the same", "the same again", "the other direction", "to rest", "what rounds to 0 is 0",
        "its companion was changed by somebody", "at rest an old amount goes", "no companions", "a foreign mode",
        "two words", "an amount of its own", "the other target", "to rest on two amounts",
    ],
)  # fmt: skip
def test_a_story(setpoint: Setpoint, now: Held, value: float, writes: list[tuple[int, tuple[int, ...]]]) -> None:
    assert told(steps(setpoint, modes(setpoint), value, now)) == writes


def test_a_time_that_begins_with_the_mode_is_begun_again_without_a_change() -> None:
    now = held(TWO, r47100=[1], r47247=[0, 3000])
    assert told(steps(TWO, modes(TWO), -3000.0, now, anew=True)) == [(47100, (1,))]
    assert told(steps(TWO, modes(TWO), 3000.0, now, anew=True)).count((47100, (2,))) == 1


@pytest.mark.parametrize(
    ("each", "raw", "writes"),
    [(True, 30, [(5, (30,)), (9, (1,))]), (False, 30, [(5, (30,))]), (True, 10, []), (False, 10, [])],
)
def test_a_new_value_that_needs_a_fresh_enable(each: bool, raw: int, writes: list[tuple[int, tuple[int, ...]]]) -> None:
    shape = {"register": 5, "unit": "%", "low": 0, "high": 100, "fallback": 100, "enable": 9, "enable_each": each}
    known: Held = {(None, 5): (10,), (None, 9): (1,)}
    assert told(signed_steps(Setpoint.model_validate(shape), [raw], known)) == writes


def test_a_new_amount_that_needs_its_mode_again() -> None:
    each = ONE.model_copy(update={"enable_each": True})
    now = held(ONE, r13049=[2], r13050=[187], r13051=[5000])
    assert told(steps(each, modes(each), 3000.0, now)) == [(13051, (3000,)), (13050, (187,))]
    assert told(steps(each, modes(each), 5000.0, now)) == []


I16 = st.integers(-10_000, 10_000)


def window(most: int | None, charges: int | None, mode: int = 3) -> dict[Place, tuple[int, ...] | None]:
    """What stands in the two limits and the mode; None where nobody knows."""
    shown = {(124, 12): most, (124, 13): charges, (124, 5): mode}
    return {place: None if one is None else (one & 0xFFFF,) for place, one in shown.items()}


@pytest.mark.parametrize(
    ("now", "wanted", "writes"),
    [
        (window(100, 100, 0), 30, [(13, -30), (12, 30), (5, 3)]),
        (window(30, -30), 50, [(12, 50), (13, -50)]),
        (window(30, -30), 10, [(13, -10), (12, 10)]),
        (window(30, -30), -20, [(13, 20), (12, -20)]),
        (window(-20, 20), 30, [(12, 30), (13, -30)]),
        (window(-20, 20), 0, [(12, 0), (13, 0)]),
        (window(30, -30), 30, []),
        (window(30, -10), 30, [(13, -30)]),
        (window(30, -30, 0), 30, [(5, 3)]),
        (window(None, None), 30, [(13, -30), (12, 30)]),
    ],
    ids=[
        "from its own control", "more", "less", "the other direction", "and back", "to rest", "the same again",
        "one was changed by somebody", "the mode was", "nobody knows",
    ],
)  # fmt: skip
def test_two_limits_that_meet(
    now: dict[Place, tuple[int, ...] | None], wanted: int, writes: list[tuple[int, int]]
) -> None:
    found = signed_steps(WINDOW, [wanted & 0xFFFF], now, opposite=[-wanted & 0xFFFF])
    assert told(found) == [(register, (word & 0xFFFF,)) for register, word in writes]


@given(I16, I16, I16)
def test_two_limits_never_contradict_each_other_and_leave_nothing_beyond_before_and_after(
    least: int, most: int, wanted: int
) -> None:
    least, most = min(least, most), max(least, most)
    held_most, held_least = most, least
    for step in signed_steps(WINDOW, [wanted & 0xFFFF], window(most, -least), opposite=[-wanted & 0xFFFF]):
        word = step.words[0] - ((step.words[0] & 0x8000) << 1)
        if step.place[1] == 12:
            held_most = word
        else:
            held_least = -word
        assert held_least <= held_most
        assert min(least, wanted) <= held_least
        assert held_most <= max(most, wanted)
    assert (held_least, held_most) == (wanted, wanted)


def test_what_cannot_be_read_is_written_whole_each_time() -> None:
    assert told(signed_steps(BLIND, [0xFFFF, 0xFC18], {})) == [(40149, (0xFFFF, 0xFC18)), (40151, (0, 802))]


def test_an_amount_may_be_a_float() -> None:
    now = held(FLOAT, r57348=[1], r57357=[7])
    found = steps(FLOAT, modes(FLOAT), 15_000.0, now, "little")
    assert told(found) == [(57357, (0,)), (57348, (4,)), (57360, (0x6000, 0x466A)), (57357, (4,))]


@given(st.data())
def test_between_any_two_writes_there_is_never_more_power_nor_the_other_direction(data: st.DataObject) -> None:
    setpoint = data.draw(st.sampled_from([ONE, PLAIN, TWO, ASLEEP]))
    gated = data.draw(st.booleans())
    how = modes(setpoint)
    words = st.sampled_from([0, 1, 500, 5000, 65535])
    names = st.sampled_from([how.positive, how.negative, how.zero, 0, 1, *[one.value for one in setpoint.companions]])
    now: dict[Place, tuple[int, ...]] = {}
    for place, count in places(setpoint, how).items():
        drawn = words if place in amounts(setpoint, how) else names
        now[place] = tuple(data.draw(drawn) for _ in range(count))
    wanted = float(data.draw(st.integers(-60_000, 60_000)))
    way = steps(setpoint, how, wanted, now)
    before, seen = power(setpoint, now, gated=gated), []
    for step in way:
        now[step.place] = step.words
        seen.append(power(setpoint, now, gated=gated))
    after = power(setpoint, now, gated=gated)
    assert after == wanted
    for moment in seen:
        assert any(moment * end >= 0 and abs(moment) <= abs(end) for end in (before, after)), (before, seen)
