"""How much PV may be fed while the export is limited, as a table of moments and as laws."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.curtail import (
    AGAIN,
    AHEAD,
    DEADBAND,
    FINE,
    FIRST,
    LEAST,
    LONGEST_AGAIN,
    MARGIN,
    PATIENCE,
    RAMP,
    STOOD,
    TOLERANCE,
    Curtailment,
    Inverter,
    Site,
)

ONE = Inverter("pv", 100e3, 90e3)


def site(**change: float) -> Site:
    """At noon: the load takes 40 kW, the battery is full, nothing may be fed in."""
    return Site(**({"load": 40e3, "grid": 0.0, "export_limit": 0.0, "takes": 0.0, "room": 0.0} | change))


MOMENTS: dict[str, tuple[Site, float]] = {
    "the site takes all": (site(load=120e3), 1.0),
    "a full battery and export 0": (site(), 0.395),
    "the battery takes first": (site(room=30e3), 0.695),
    "the battery takes all of it": (site(room=80e3), 1.0),
    "some may be fed in": (site(export_limit=20e3), 0.595),
    "all may be fed in": (site(export_limit=100e3), 1.0),
    "no load at all": (site(load=0.0), 0.0),
    "a load below 0 lets nothing pass": (site(load=-10e3), 0.0),
    "a battery that discharges by hand": (site(takes=-20e3, room=-20e3), 0.195),
    "the operator leaves the PV itself 30 %": (site(load=120e3, most=30e3), 0.3),
    "0 %": (site(load=120e3, most=0.0), 0.0),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_level_of_a_moment(moment: str) -> None:
    around, level = MOMENTS[moment]
    one = Curtailment()
    assert one.next([ONE], around, 0.0) == {"pv": pytest.approx(level, abs=1e-9)}
    assert bool(one.reason) == (level < 1.0)


BIG, SMALL, DARK = Inverter("big", 100e3, 80e3), Inverter("small", 50e3, 40e3), Inverter("dark", 50e3, 5e3)
DEAF = Inverter("deaf", 50e3, 45e3, obeys=False)


def test_inverters_give_up_in_proportion_to_their_rating() -> None:
    assert Curtailment().next([BIG, SMALL], site(load=75e3), 0.0) == {
        "big": pytest.approx(0.495),
        "small": pytest.approx(0.495),
    }


def test_what_one_in_the_shade_does_not_use_the_others_give() -> None:
    levels = Curtailment().next([BIG, DARK], site(load=76e3), 0.0)
    dark = 10e3  # it has 5 kW, and may gain 5 more before it is told anew
    assert levels["big"] == pytest.approx((76e3 - MARGIN * 150e3 - dark) / 100e3)


def test_the_others_take_the_part_of_one_that_does_not_obey() -> None:
    levels = Curtailment().next([BIG, DEAF], site(load=76e3), 0.0)
    assert levels["big"] == pytest.approx((76e3 - MARGIN * 150e3 - 45e3) / 100e3)


def test_where_none_obeys_each_is_told_the_least() -> None:
    assert Curtailment().next([DEAF], site(), 0.0) == {"deaf": 1.0}, "nobody is left to share: see its complaint"


def test_down_at_once_and_up_along_the_ramp() -> None:
    one = Curtailment()
    one.next([ONE], site(load=40e3), 0.0)
    levels = [
        one.next([Inverter("pv", 100e3, one.level * 100e3)], site(load=90e3), 2.0 * n)["pv"] for n in range(1, 25)
    ]
    assert all(b - a <= 2 * RAMP + 1e-9 for a, b in pairwise(levels))
    assert levels[-1] == pytest.approx(0.395 + 24 * 2 * RAMP)
    assert one.next([ONE], site(load=40e3), 50.0)["pv"] == pytest.approx(0.395)


def test_after_a_pause_the_ramp_has_not_saved_up_anything() -> None:
    one = Curtailment()
    one.next([ONE], site(), 0.0)
    assert one.next([ONE], site(load=90e3), 3600.0)["pv"] <= 0.395 + 4 * RAMP + 1e-9


@pytest.mark.parametrize("late", [1, 5])
def test_the_batteries_go_ahead_and_pv_follows_what_they_take(late: int) -> None:
    """`late`: commands until the inverter has followed. It never gives more than is taken."""
    one, told = Curtailment(level=0.4), [0.4] * late
    takes, room = 0.0, 40e3
    for n in range(60):
        power = 100e3 * told[-late]
        told.append(one.next([Inverter("pv", 100e3, power)], site(takes=takes, room=room), 2.0 * n)["pv"])
        assert power <= 40e3 + takes
        assert one.spare is not None
        assert one.spare <= AHEAD * 100e3
        takes = min(room, max(0.0, power - 40e3) + one.spare)
    assert told[-1] == pytest.approx(0.8 - MARGIN, abs=DEADBAND)
    assert told[21] >= 0.7 if late == 1 else told[-1] > 0.75


def test_one_that_takes_nothing_of_it_gets_nothing() -> None:
    one = Curtailment(level=0.4)
    levels = {one.next([Inverter("pv", 100e3, 40e3)], site(room=40e3), 2.0 * n)["pv"] for n in range(600)}
    assert max(levels) <= 0.4
    assert one.spare == AHEAD * 100e3, "it may at any time"


@pytest.mark.parametrize("follows", [True, False])
def test_where_the_batteries_may_draw_nothing_pv_goes_first(follows: bool) -> None:
    """A billed peak of 0: a battery takes what is there, and no more. One that is stuck gets it for 4 s, then again
    after a minute, after two, and so on."""
    one, takes, left = Curtailment(level=0.395), 0.0, 0
    for n in range(150):
        power = 100e3 * one.level
        takes = max(0.0, power - 40e3) if follows else 0.0
        one.next([Inverter("pv", 100e3, power)], site(takes=takes, room=40e3, ahead=0.0), 2.0 * n)
        left += power - 40e3 - takes > 0.0
        assert power - 40e3 - takes <= (FIRST + DEADBAND) * 100e3
    assert one.level > 0.75 if follows else one.level <= 0.4
    assert left == 0 if follows else left * 2.0 <= 30.0, "seconds of 300"


SPARE: dict[str, tuple[Site, float, float | None]] = {
    "a full battery rests": (site(), 0.395, 0.0),
    "the last of its room": (site(takes=30e3, room=34e3), 0.7, 3.75e3),
    "the sun is the limit": (site(room=40e3), 0.3, None),
    "no sun at all, and a limit of 1 %: none holds it": (site(load=1e3), 0.0, None),
    "the PV itself is limited: the battery may cover the rest": (site(load=90e3, most=40e3), 0.4, None),
    "a load that came: PV covers it": (site(load=80e3), 0.395, 10e3),
}


@pytest.mark.parametrize("moment", SPARE)
def test_what_the_batteries_may_take_beyond_what_is_there(moment: str) -> None:
    around, gives, spare = SPARE[moment]
    one = Curtailment(level={0.7: 0.7, 0.0: 0.01}.get(gives, 0.395))
    one.next([Inverter("pv", 100e3, 100e3 * gives)], around, 0.0)
    assert one.spare == (None if spare is None else pytest.approx(spare, abs=500.0))


def test_a_level_that_has_stood_is_set_finely() -> None:
    """A load of 3 kW beside 100 kW of PV: a dead band of 1 % imported a third of it for ever."""
    one = Curtailment(level=0.02)
    powers = [Inverter("pv", 100e3, 100e3 * one.level)]
    for now in (0.0, 2.0, STOOD, STOOD + 4.0):
        level = one.next(powers, site(load=3e3), now)["pv"]
    assert level == pytest.approx(0.9 * 0.03)
    assert 0.03 - level <= LEAST * 0.03 + FINE


def test_a_battery_that_leaves_what_it_could_store_is_not_counted_on_for_longer_each_time() -> None:
    one, now, waits = Curtailment(), 0.0, []
    leaves = site(room=50e3, grid=-20e3)
    for _ in range(7):
        one.next([ONE], leaves, now)
        assert one.next([ONE], leaves, now + PATIENCE + 0.1)["pv"] == pytest.approx(0.395), "without it"
        waits.append(one.trusted - now - PATIENCE - 0.1)
        now = one.trusted + 1.0
    assert waits == pytest.approx([min(AGAIN * 2**n, LONGEST_AGAIN) for n in range(7)])


def test_a_battery_that_takes_more_than_it_left_is_counted_on_again() -> None:
    one, leaves = Curtailment(), site(room=50e3)
    one.next([ONE], leaves, 0.0)
    assert one.next([ONE], leaves, PATIENCE + 0.1)["pv"] == pytest.approx(0.4 - MARGIN)
    assert one.trusted > 60.0
    one.next([Inverter("pv", 100e3, 39e3)], site(takes=10e3, room=50e3), 10.0)
    assert one.trusted == 10.0


def test_a_silent_meter_leaves_what_is_safe_without_a_load() -> None:
    one = Curtailment()
    assert one.blind([ONE], 0.2, 0.0) == {"pv": 0.2}
    assert one.reason
    one.level = 0.1
    assert one.blind([ONE], 0.2, 2.0) == {"pv": 0.1}, "never more than before"


watts = st.floats(0, 200e3)
inverters = st.lists(
    st.builds(Inverter, st.uuids().map(str), st.floats(1e3, 200e3), st.floats(0, 1e3), st.booleans()),
    min_size=1,
    max_size=8,
)


sites = st.builds(
    Site, load=watts, grid=st.floats(-2e5, 2e5), export_limit=watts, takes=st.floats(-1e5, 1e5), room=watts
)


@given(inverters, sites)
def test_levels_are_shares_and_all_that_obey_together_give_no_more_than_is_allowed(
    some: list[Inverter], around: Site
) -> None:
    one, load, limit, room, takes = Curtailment(), around.load, around.export_limit, around.room, around.takes
    levels = one.next(some, around, 0.0)
    assert all(0.0 <= level <= 1.0 for level in levels.values())
    rated = sum(each.rated for each in some)
    given_already = sum(each.power for each in some if not each.obeys)
    if one.level < 1.0:
        could = sum(min(levels[each.name] * each.rated, each.power + 0.1 * each.rated) for each in some if each.obeys)
        assert (
            could + min(given_already, load + limit + room) <= load + limit + max(room, takes, 0.0) + TOLERANCE * rated
        )


@given(st.lists(st.floats(-150.0, 150.0), min_size=3, max_size=30))
def test_noise_of_the_meter_moves_nothing(noise: list[float]) -> None:
    """A constant load, measured a little differently each time."""
    one = Curtailment()
    one.next([ONE], site(), 0.0)
    power = Inverter("pv", 100e3, 100e3 * one.level)
    levels = {one.next([power], site(load=40e3 + n, grid=500.0 + n), 2.0 * k)["pv"] for k, n in enumerate(noise, 1)}
    assert len(levels) == 1
