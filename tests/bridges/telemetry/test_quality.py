"""What is not to be believed is said, and what was confirmed is believed again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.telemetry.energy_counter import DAY, HOUR, RESERVE
from bridges.telemetry.quality import POLLS, WIDEST_ZERO, Judge
from schemas.messages import Value
from schemas.profile import METER_FROZEN, Profile
from schemas.units import Quality

HOT = "registers 0 to 9"
FROZEN, IMPLAUSIBLE = Quality.FROZEN, Quality.IMPLAUSIBLE


def judge(kind: str = "meter", power: float | None = 100_000.0, poll: float = 1.0, **more: Any) -> Judge:
    points = {
        "u_l1n": {"register": 0, "unit": "V", "low": 0, "high": 500},
        "p": {"register": 1, "type": "i16", "scale": 10, "unit": "W", "steepest": 50_000},
        "state": {"register": 3, "enum": {"0": "off", "1": "on"}},
        "e_import": {"register": 4, "type": "u32", "scale": 100, "unit": "Wh"},
        "e_small": {"register": 6, "type": "u16", "scale": 10, "unit": "Wh"},
        "e_float": {"register": 8, "type": "f32", "scale": 1000, "unit": "Wh"},
        "e_remaining": {"register": 10, "type": "u32", "scale": 100, "unit": "Wh"},
    }
    profile = {"make": "A", "model": "B", "kind": kind, "source": "test", "points": points} | more
    return Judge(Profile.model_validate(profile), power, poll=poll)


def say(judge: Judge, now: float, **values: Value) -> dict[str, Quality]:
    """One reading whose registers are new each time."""
    return judge.judge(values, {HOT: [1, *b"%08d." % int(now * 10)]}, now)


@pytest.mark.parametrize(
    ("value", "good"), [(0.0, True), (500.0, True), (-0.1, False), (500.1, False), (6553.5, False)]
)
def test_range(value: float, good: bool) -> None:
    assert say(judge(), 0, u_l1n=value) == ({} if good else {"u_l1n": IMPLAUSIBLE})


def test_a_block_of_zeros_is_no_reading() -> None:
    values: dict[str, Value] = {"u_l1n": 0.0, "p": 0.0, "state": "off"}
    assert judge().judge(values, {HOT: [0] * 10}, 0) == dict.fromkeys(values, IMPLAUSIBLE)
    assert judge().judge(values, {HOT: [0] * 5, "registers 40 to 44": [0] * 5}, 0) == dict.fromkeys(values, IMPLAUSIBLE)
    assert judge().judge(values, {HOT: [*[0] * 9, 1]}, 0) == {}
    assert judge().judge(values, {"registers 0 to 3": [0] * (WIDEST_ZERO - 1)}, 0) == {}, (
        "a few zeros are a device at rest"
    )


@pytest.mark.parametrize(
    ("kind", "more", "after"),
    [
        ("meter", {}, METER_FROZEN),
        ("meter", {"frozen_after": 10.0}, 10.0),
        ("meter", {"frozen_after": 0.0}, None),
        ("bms", {}, None),
        ("bms", {"frozen_after": 300.0}, 300.0),
    ],
)
def test_registers_that_stand_still(kind: str, more: dict[str, float], after: float | None) -> None:
    one, words = judge(kind, **more), [5] * 10
    values: dict[str, Value] = {"u_l1n": 230.0, "state": "on"}
    seen = {now: one.judge(values, {HOT: list(words)}, float(now)) for now in range(0, 400, 2)}
    for now, quality in seen.items():
        frozen = after is not None and now > after
        assert quality == ({"u_l1n": FROZEN} if frozen else {}), "a state may well stand still"
    assert one.judge(values, {HOT: [6, *words[1:]]}, 400.0) == {}, "one bit that moves is life"


@pytest.mark.parametrize(("poll", "after"), [(1.0, METER_FROZEN), (20.0, METER_FROZEN), (30.0, POLLS * 30.0)])
def test_a_slow_poll_freezes_nothing_by_itself(poll: float, after: float) -> None:
    one = judge(poll=poll)
    for turn in range(20):
        now = turn * poll
        assert (one.judge({"u_l1n": 230.0}, {HOT: [5] * 10}, now) == {"u_l1n": FROZEN}) == (now > after)


@pytest.mark.parametrize("poll", [6.0, 20.0, 60.0])
def test_a_pulse_is_not_missed_between_two_slow_readings(poll: float) -> None:
    one = judge(pulse="e_small", pulse_after=5.0, poll=poll)
    beats = [0.0, 1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0]
    said = [say(one, turn * poll, p=1.0, e_small=beat) for turn, beat in enumerate(beats)]
    stale = dict.fromkeys(("p", "e_small"), Quality.STALE)
    assert said == [{}] * 9 + [stale] * 2, "three readings and one more"


def test_a_device_without_a_pulse_tells_old_news() -> None:
    one = judge(pulse="e_small", pulse_after=5.0)
    beats = [*range(10), *[9] * 20, 10]
    said = [say(one, float(now), p=1.0, e_small=float(beat)) for now, beat in enumerate(beats)]
    stale = dict.fromkeys(("p", "e_small"), Quality.STALE)
    assert said == [{}] * 15 + [stale] * 15 + [{}]
    with pytest.raises(ValueError, match="pulse names the point 'heart'"):
        judge(pulse="heart")


def test_a_jump_is_believed_when_it_was_confirmed() -> None:
    one = judge()
    powers = [0.0, 40_000.0, 300_000.0, 41_000.0, 300_000.0, 300_000.0, 301_000.0, 302_000.0]
    said = ["p" not in say(one, float(now), p=power) for now, power in enumerate(powers)]
    assert said == [True, True, False, True, False, False, True, True]


LIFE = 87_300_000
COUNTERS: list[tuple[str, str, list[float], list[bool]]] = [
    ("it counts", "e_import", [1000, 1000, 1100, 1100], [True] * 4),
    ("one glitch", "e_import", [1000, 0, 1000, 1100], [True, False, True, True]),
    ("a jump up", "e_import", [1000, 9_000_000, 1000], [True, False, True]),
    ("a jump up that lasts", "e_import", [1000, *[9_000_000] * 9, 1000], [True, *[False] * 9, True]),
    ("flicker", "e_import", [9_000_000, 500, 90_000, 500, 90_000], [True, False, False, False, False]),
    ("32 bits wrap", "e_import", [(2**32 - 2) * 100.0, (2**32 - 1) * 100.0, 0.0, 100.0], [True] * 4),
    ("16 bits wrap", "e_small", [65_534 * 10.0, 65_535 * 10.0, 10.0, 30.0], [True] * 4),
    ("a reset is no wrap", "e_small", [30_000 * 10.0, 10.0, 10.0, 10.0], [True, False, False, False]),
    ("a float has no end", "e_float", [(2**32 - 1) * 1000.0, 0.0], [True, False]),
    ("a large float moves in steps", "e_float", [2.0e10, 2.0e10 + 2048], [True, True]),
    ("one count back", "e_import", [20_300, *[20_200] * 4, 20_300], [True, *[False] * 4, True]),
    ("0 while it wakes up", "e_import", [LIFE, *[0] * 300, LIFE, LIFE], [True, *[False] * 300, True, True]),
    ("0 for a night", "e_import", [LIFE, *[0] * 9000, LIFE], [True, *[False] * 9000, True]),
    ("a new one", "e_import", [LIFE, *range(0, 400_000, 100)], [True, *[n >= HOUR for n in range(4000)]]),
    ("a new one at rest", "e_import", [LIFE, *[500] * 4000, 600], [True, *[False] * 4001]),
    ("a part of the whole for a while", "e_import", [LIFE, *range(40, 3600, 1), LIFE], [True, *[False] * 3560, True]),
    ("a display of seven digits", "e_import", [999_999_900.0, 0.0, 100.0], [True] * 3),
    ("halved", "e_import", [LIFE, *[LIFE // 2] * 9, LIFE], [True, *[False] * 9, True]),
    ("ten times as much", "e_import", [LIFE, *[LIFE * 10] * 9, LIFE], [True, *[False] * 9, True]),
    ("words swapped", "e_import", [0x12345 * 100, *[0x23450001 * 100] * 9, 0x12345 * 100], [True, *[False] * 9, True]),
]


@pytest.mark.parametrize(("point", "told", "good"), [row[1:] for row in COUNTERS], ids=[row[0] for row in COUNTERS])
def test_energy_counters(point: str, told: list[float], good: list[bool]) -> None:
    one = judge(power=500_000.0)
    assert [point not in say(one, float(now), **{point: float(value)}) for now, value in enumerate(told)] == good


def test_what_is_left_in_a_battery_is_no_counter() -> None:
    one = judge()
    assert [say(one, float(now), e_remaining=value) for now, value in enumerate((5000.0, 4000.0, 9000.0))] == [{}] * 3


@pytest.mark.parametrize(
    ("kind", "p", "good"),
    [("load", 50_000.0, True), ("load", -1900.0, True), ("load", -2100.0, False), ("meter", -50_000.0, True)],
)
def test_a_load_below_0_is_doubted(kind: str, p: float, good: bool) -> None:
    one = judge(kind)
    assert say(one, 0, p=p) == ({} if good else {"p": IMPLAUSIBLE})


def test_after_a_silence_a_counter_may_have_moved() -> None:
    one = judge()
    say(one, 0, e_import=1000.0)
    assert say(one, DAY, e_import=1000.0 + 24 * 100_000.0) == {}
    assert say(one, DAY + 1, e_import=1000.0 + 49 * 100_000.0) == {"e_import": IMPLAUSIBLE}


def test_without_a_rating_a_counter_still_only_counts_up() -> None:
    one = judge(power=None)
    assert [say(one, float(now), e_import=value) for now, value in enumerate((1e3, 9e9, 1e3))] == [
        {},
        {},
        {"e_import": IMPLAUSIBLE},
    ]


def test_a_device_without_a_rating_is_bounded_by_the_site() -> None:
    one = judge(power=None)
    one = Judge(one.profile, None, most=100_000.0)
    said = [say(one, float(now), e_float=value) for now, value in enumerate((1e9, 1e9 + 1000, 2e9))]
    assert said == [{}, {}, {"e_float": IMPLAUSIBLE}]


@given(st.lists(st.floats(0, 100_000), min_size=2, max_size=50), st.floats(0, 400_000_000_000))
def test_no_honest_counter_is_ever_doubted(powers: list[float], begin: float) -> None:
    """Any course of powers within the rating, in the steps of the register, over its end or not."""
    one, energy = judge(), begin
    for now, power in enumerate(powers):
        energy += power / 3600
        assert say(one, float(now), e_import=energy // 100 % 2**32 * 100.0) == {}


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=200))
def test_what_cannot_be_never_passes_for_minutes(glitches: list[float]) -> None:
    """Any values, also such as agree with each other."""
    one = judge()
    say(one, 0, e_import=5e8)
    for now, glitch in enumerate(glitches, 1):
        possible = 5e8 <= glitch <= 5e8 + 2 * 100_000 * now / 3600 + 100_000 * RESERVE / 3600 + 200
        assert ("e_import" in say(one, float(now), e_import=glitch)) or possible
        if possible:
            return
    assert say(one, 201.0, e_import=5e8 + 100) == {}, "what comes back was never away"
