"""A SoC that moves faster than the battery's power can move it is not believed, unless it lasts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.telemetry.quality import Judge
from bridges.telemetry.trust import AGREEMENT
from schemas.profiles import load_profile
from schemas.units import Quality
from simulator.battery import Battery

POWER, ENERGY = 100_000.0, 200_000.0
LONG = AGREEMENT["soc"].seconds
PROFILES = ["byd_c130", "pylontech_powercube_m2", "soltaro_single_rack_vc", "sunspec_battery_802"]


def told(profile: str, socs: list[float], poll: float = 1.0, *, rated: bool = True) -> list[bool]:
    """Which readings of a SoC are good."""
    power, energy = (POWER, ENERGY) if rated else (None, None)
    one = Judge(load_profile(profile), power, energy, poll)
    said = []
    for turn, soc in enumerate(socs):
        quality = one.judge({"soc": soc}, {"registers": [turn + 1]}, turn * poll)
        assert quality in ({}, {"soc": Quality.IMPLAUSIBLE})
        said.append(quality == {})
    return said


def creeping(seconds: int, each: float) -> list[float]:
    return [50 + turn * each for turn in range(seconds)]


STORIES: list[tuple[str, list[float], list[bool]]] = [
    ("one 0", [50, 0, 50], [True, False, True]),
    ("three zeros, as a BMS gives that restarts", [50, 0, 0, 0, 50], [True, *[False] * 3, True]),
    ("zeros for most of a minute", [50, *[0] * 55, 50], [True, *[False] * 55, True]),
    ("zeros that come again", [50, *[0] * 40, 50, *[0] * 40, 50], [True, *[False] * 40, True, *[False] * 40, True]),
    ("a correction that lasts", [94, *[100] * 90], [True, *[turn >= LONG for turn in range(90)]]),
    ("and back", [94, *[100] * 90, 94], [True, *[turn >= LONG for turn in range(90)], False]),
    ("0 to 50 at the end of a start", [0, *[50] * 90], [True, *[turn >= LONG for turn in range(90)]]),
    ("flicker is no agreement", [50, *[0, 20] * 60, 50], [True, *[False] * 120, True]),
    ("rounding to and fro", [50, *[51, 50] * 60], [True] * 121),
    ("whole percent in a register of tenths", [50, 51, 51, 52, 52, 51], [True] * 6),
    ("as fast as twice its power", creeping(900, 100 / 3600), [True] * 900),
    ("one percent a second", creeping(50, 1.0), [True, True, True, *[False] * 47]),
]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(("socs", "good"), [row[1:] for row in STORIES], ids=[row[0] for row in STORIES])
def test_a_story(profile: str, socs: list[float], good: list[bool]) -> None:
    assert told(profile, [float(soc) for soc in socs]) == good


@pytest.mark.parametrize("poll", [0.5, 2.0, 10.0, 20.0, 60.0])
def test_three_readings_and_a_minute(poll: float) -> None:
    good = told("byd_c130", [50.0, *[0.0] * 400], poll)[1:]
    assert good.index(True) == max(2, LONG / poll)


def test_after_a_silence_it_may_be_wherever_the_power_took_it() -> None:
    one = Judge(load_profile("byd_c130"), POWER, ENERGY)
    assert one.judge({"soc": 90.0}, {"registers": [1]}, 0.0) == {}
    assert one.judge({"soc": 40.0}, {"registers": [2]}, 3600.0) == {}
    assert one.judge({"soc": 90.0}, {"registers": [3]}, 3660.0) == {"soc": Quality.IMPLAUSIBLE}


def test_without_ratings_it_still_does_not_jump() -> None:
    assert told("byd_c130", [50.0, 0.0, 0.0, 0.0, 50.0], rated=False) == [True, False, False, False, True]


@given(
    st.lists(st.floats(-1.25, 1.25), min_size=1, max_size=30),
    st.floats(2, 98),
    st.sampled_from([0.1, 0.5, 1.0]),
    st.sampled_from([1.0, 5.0, 60.0]),
)
def test_no_honest_soc_is_ever_doubted(shares: list[float], soc: float, step: float, update: float) -> None:
    """Any course of powers, also a quarter above the rating, in coarse steps, and told seldom."""
    battery = Battery(ENERGY, POWER, ENERGY * soc / 100)
    one, now, shown = Judge(load_profile("pylontech_powercube_m2"), POWER, ENERGY), 0, 0.0
    for share in shares:
        for _ in range(40):
            if now % update == 0:
                shown = round(battery.soc / step) * step
            assert one.judge({"soc": shown}, {"registers": [now + 1]}, float(now)) == {}
            battery.step(share * POWER, 1.0)
            now += 1
