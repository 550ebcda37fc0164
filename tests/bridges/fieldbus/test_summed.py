"""Meters that are added up: what becomes of each point, in which rounds, and what is never made of half a reading."""

from collections.abc import Mapping
from math import hypot

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.fieldbus.summed import ADDED, Rounds, Summed
from schemas.messages import Value
from schemas.profiles import PROFILES, load_profile
from schemas.register import Point
from schemas.site_meters import HOW, MADE_OF, summed_profile
from schemas.units import Kind, Quality

SLOW = {"e_import", "e_export"}
POINTS = {name: Point.model_validate({"register": 0, "rate": "slow" if name in SLOW else "fast"}) for name in HOW}
FROZEN, IMPLAUSIBLE, GOOD = Quality.FROZEN, Quality.IMPLAUSIBLE, Quality.GOOD


def both(north: Mapping[str, Value], south: Mapping[str, Value], **bad: Quality) -> Summed:
    """One round; `bad` is of what south says."""
    rounds = Rounds({"north": 1.0, "south": 1.0}, POINTS)
    rounds.hear("north", north, {}, 10.0)
    rounds.hear("south", south, bad, 10.4)
    assert rounds.complete(10.5)
    return rounds.add_up()


EACH: dict[str, tuple[dict[str, Value], dict[str, Value], dict[str, float]]] = {
    "power": ({"p": 50e3}, {"p": -30e3}, {"p": 20e3}),
    "phases": ({"p_l1": 1.0, "i_l1": 5.0}, {"p_l1": 2.0, "i_l1": 7.0}, {"p_l1": 3.0, "i_l1": 12.0}),
    "each direction for itself": (
        {"e_import": 5e6, "e_export": 1e6},
        {"e_import": 2e6, "e_export": 7e6},
        {"e_import": 7e6, "e_export": 8e6},
    ),
    "the voltage is the mean": ({"u_l1n": 230.0}, {"u_l1n": 234.0}, {"u_l1n": 232.0}),
    "a transformer is switched off": ({"f": 0.0, "p": 0.0}, {"f": 49.99, "p": 1.0}, {"f": 49.99, "p": 1.0}),
    "there is one frequency": ({"f": 50.01}, {"f": 49.99}, {"f": 50.01}),
    "apparent power and factor are of the whole": (
        {"p": 30e3, "q": 20e3, "s": hypot(30e3, 20e3), "pf": 0.832},
        {"p": 10e3, "q": -50e3, "s": hypot(10e3, 50e3), "pf": 0.196},
        {"p": 40e3, "q": -30e3, "s": 50e3, "pf": 0.8},
    ),
    "nothing flows": (
        {"p": 5.0, "q": 0.0, "pf": 1.0},
        {"p": -5.0, "q": 0.0, "pf": -1.0},
        {"p": 0.0, "q": 0.0, "s": 0.0},
    ),
    "what one of them lacks is not known of the whole": ({"p": 1.0, "q": 2.0, "s": 3.0}, {"p": 1.0}, {"p": 2.0}),
    "no power": ({"q": 1.0}, {"p": 7e3, "q": 1.0}, {"q": 2.0}),
}


@pytest.mark.parametrize("case", EACH)
def test_what_becomes_of_each_point(case: str) -> None:
    north, south, whole = EACH[case]
    assert both(north, south).values == pytest.approx(whole)


def test_what_one_doubts_is_doubted_of_the_whole() -> None:
    values: dict[str, Value] = {"p": 1.0, "q": 1.0, "u_l1n": 230.0, "f": 50.0, "e_import": 1e6}
    found = both(values, values, p=FROZEN, q=GOOD, u_l1n=IMPLAUSIBLE, f=FROZEN, e_import=IMPLAUSIBLE)
    assert found.quality == {"p": FROZEN, "q": GOOD, "s": FROZEN, "pf": FROZEN, "u_l1n": IMPLAUSIBLE, "f": GOOD}
    assert "e_import" not in found.values, "a counter that is doubted is added to nothing"


@pytest.mark.parametrize(("south", "quality"), [(234.0, GOOD), (208.0, GOOD), (0.0, IMPLAUSIBLE), (400.0, IMPLAUSIBLE)])
def test_voltages_that_are_not_of_one_line_have_no_mean(south: float, quality: Quality) -> None:
    """The reactive power that follows the voltage would take 115 V for the grid's."""
    assert both({"u_l1n": 230.0}, {"u_l1n": south}).quality == {"u_l1n": quality}


def test_each_point_that_is_added_has_its_way() -> None:
    assert {how for how in HOW.values() if how not in ("apparent", "factor")} == ADDED.keys()
    assert {name for name, how in HOW.items() if how in ("apparent", "factor")} == MADE_OF.keys()


def test_the_profiles_of_meters_know_the_points_of_the_sum() -> None:
    """Whatever two shipped meters stand at a connection, its power is known."""
    meters = [load_profile(one.stem, PROFILES) for one in sorted(PROFILES.glob("*.toml"))]
    meters = [one for one in meters if one.kind is Kind.METER]
    for north in meters:
        for south in meters:
            points = summed_profile([north, south]).points
            assert "p" in points
            assert points.keys() <= north.points.keys() & south.points.keys() & HOW.keys()


# rounds ---------------------------------------------------------------------------------------------------


def rounds_of(*said: tuple[float, str, float], polls: Mapping[str, float] | None = None) -> list[tuple[float, float]]:
    """What is published while the meters say this, one after the other: as old as what, and W."""
    rounds, found = Rounds(polls or {"north": 1.0, "south": 1.0}, POINTS), []
    for at, name, power in said:
        rounds.hear(name, {"p": power}, {}, at)
        if rounds.complete(at):
            one = rounds.add_up()
            found.append((one.began, one.values["p"]))
    return found  # type: ignore[return-value]  # a power is a number


def test_a_sum_is_made_once_each_has_a_new_reading() -> None:
    """A load of 40 kW comes to each at 2.5 s: 20 kW of a new and an old reading was never there for a whole round."""
    said = rounds_of(
        (1.0, "north", 0.0), (1.6, "south", 0.0), (2.0, "north", 0.0), (2.6, "south", 20e3), (3.0, "north", 20e3),
        (3.6, "south", 20e3), (4.0, "north", 20e3), (4.6, "south", 20e3),
    )  # fmt: skip
    assert said == [(1.0, 0.0), (2.0, 20e3), (3.0, 40e3), (4.0, 40e3)]


def test_the_slower_meter_gives_the_pace_and_the_newest_of_the_other_counts() -> None:
    fast = [(float(second), "north", 1000.0 * second) for second in range(1, 11)]
    slow = [(second + 0.2, "south", 5.0) for second in (4.0, 9.0)]
    assert rounds_of(*sorted(fast + slow), polls={"north": 1.0, "south": 5.0}) == [(4.0, 4005.0), (9.0, 9005.0)]


def test_what_one_said_long_ago_is_no_part_of_a_sum() -> None:
    """South comes back after a minute, and north has just gone: its last word was never added, and is not now."""
    assert rounds_of((0.0, "north", 1.0), (0.1, "south", 1.0), (1.0, "north", 9e4), (60.0, "south", 1.0)) == [
        (0.0, 2.0)
    ]


def test_who_says_nothing_is_named() -> None:
    rounds = Rounds({"north": 1.0, "south": 10.0}, POINTS)
    assert rounds.late(4.9, since=0.0) == []
    assert rounds.late(5.1, since=0.0) == ["north"]
    rounds.hear("north", {"p": 1.0}, {}, 20.0)
    assert rounds.late(25.1, since=0.0) == ["north", "south"]


# counters ---------------------------------------------------------------------------------------------------


def test_points_that_are_read_in_turn_meet() -> None:
    """North tells its counter in even seconds, south in odd ones; and none is published twice."""
    rounds, found = Rounds({"north": 1.0, "south": 1.0}, POINTS), []
    for second in range(1, 9):
        for name, turn in (("north", 0), ("south", 1)):
            slow: dict[str, Value] = {"e_import": 1000.0 * second} if second % 2 == turn else {}
            rounds.hear(name, {"p": 1.0} | slow, {}, float(second))
        found.append(rounds.add_up().values.get("e_import"))
    assert found == [None, 3000.0, None, 7000.0, None, 11e3, None, 15e3]


COURSES: dict[str, tuple[list[float], dict[int, tuple[float, float]], list[float]]] = {
    "it counts": ([100.0, 101.0, 103.0], {}, [1100.0, 1101.0, 1103.0]),
    "its register has ended": ([999.0, 1.0, 3.0], {}, [1999.0, 1999.0, 2001.0]),
    "another meter that says more": ([100.0, 5000.0, 5001.0], {1: (100.0, 4990.0)}, [1100.0, 1110.0, 1111.0]),
    "another meter that says less": ([100.0, 7.0, 8.0], {1: (100.0, 5.0)}, [1100.0, 1102.0, 1103.0]),
}


@pytest.mark.parametrize("case", COURSES)
def test_a_counter_that_begins_anew_moves_the_sum_by_what_it_counts(case: str) -> None:
    course, exchanged, whole = COURSES[case]
    rounds, found = Rounds({"north": 1.0, "south": 1.0}, POINTS), []
    for second, value in enumerate(course):
        fresh = {"e_import": exchanged[second]} if second in exchanged else {}
        rounds.hear("north", {"e_import": value}, {}, float(second), fresh)
        rounds.hear("south", {"e_import": 1000.0}, {}, float(second))
        found.append(rounds.add_up().values["e_import"])
    assert found == whole
    after = Rounds({"north": 1.0, "south": 1.0}, POINTS, rounds.shifts)  # the process begins anew
    for name, value in (("north", course[-1]), ("south", 1000.0)):
        after.hear(name, {"e_import": value}, {}, 0.0)
    assert after.add_up().values["e_import"] == whole[-1]


STEPS = st.lists(
    st.tuples(
        st.floats(0.1, 4.0),
        st.sampled_from(["north", "south", "west"]),
        st.floats(-1e6, 1e6),
        st.sampled_from(list(Quality)),
    ),
    max_size=40,
)


@given(STEPS)
def test_every_sum_is_of_readings_that_belong_together(steps: list[tuple[float, str, float, Quality]]) -> None:
    """Each is of one new reading of each, none older than a meter may be, and good only where all are."""
    rounds = Rounds(dict.fromkeys(("north", "south", "west"), 1.0), POINTS)
    now, last, said, used = 0.0, -1.0, dict[str, tuple[float, float, Quality]](), set[tuple[str, float]]()
    for wait, name, power, quality in steps:
        now += wait
        said[name] = now, power, quality
        rounds.hear(name, {"p": power}, {"p": quality}, now)
        if not rounds.complete(now):
            continue
        one = rounds.add_up()
        assert one.values["p"] == pytest.approx(sum(power for _, power, _ in said.values()), abs=1e-6)
        assert (one.quality["p"] is GOOD) == all(quality is GOOD for _, _, quality in said.values())
        assert one.began == min(at for at, _, _ in said.values()) >= now - 5.0
        assert one.began > last
        last = one.began
        fresh = {(name, at) for name, (at, _, _) in said.items()}
        assert not used & fresh
        used |= fresh
