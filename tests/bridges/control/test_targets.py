"""What is wanted of each point: its own deadline, its fallback where nobody wants anything, what a start has found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.limits import RAMP, Limit
from bridges.control.power_control import Targets
from bridges.control.targets import Standing, Wishes, found, register

SAFE = {"p_set": 0.0, "q_set": 0.0, "p_limit_pct": 100.0}
GRACE = 10.0

TABLE: dict[str, tuple[list[tuple[dict[str, float], float]], float, Standing, dict[str, float], set[str]]] = {
    # name: commands (values, deadline), now, beside them -> wanted, of these nobody's command
    "nothing yet": ([], 5.0, Standing(SAFE), {}, set()),
    "nobody has come": ([], 10.0, Standing(SAFE), SAFE, set(SAFE)),
    "a command within the grace": ([({"p_set": 5.0}, 15.0)], 5.0, Standing(SAFE), {"p_set": 5.0}, set()),
    "the others go where they are safe": (
        [({"p_set": 5.0}, 15.0)],
        12.0,
        Standing(SAFE),
        {"p_set": 5.0, "q_set": 0.0, "p_limit_pct": 100.0},
        {"q_set", "p_limit_pct"},
    ),
    "q prolongs no p": (
        [({"p_set": 5.0}, 15.0), ({"q_set": 2.0}, 25.0)],
        16.0,
        Standing({"p_set": 0.0, "q_set": 0.0}),
        {"p_set": 0.0, "q_set": 2.0},
        {"p_set"},
    ),
    "q ends no p": (
        [({"p_set": 5.0}, 15.0), ({"q_set": 2.0}, 12.0)],
        13.0,
        Standing({"p_set": 0.0, "q_set": 0.0}),
        {"p_set": 5.0, "q_set": 0.0},
        {"q_set"},
    ),
    "a power factor takes the place of q": (
        [({"p_set": 5.0, "q_set": 2.0}, 15.0), ({"pf_set": 0.9}, 15.0)],
        11.0,
        Standing({"q_set": 0.0}),
        {"p_set": 5.0, "pf_set": 0.9},
        set(),
    ),
    "a power factor that ended leaves q to its fallback": (
        [({"pf_set": 0.9}, 15.0)],
        16.0,
        Standing({"q_set": 0.0}),
        {"q_set": 0.0},
        {"q_set"},
    ),
    "in fallback no command of before counts": (
        [({"p_set": 5.0}, 15.0)],
        11.0,
        Standing({"p_set": 0.0}, fallback=True),
        {"p_set": 0.0},
        {"p_set"},
    ),
    "one that must rest does so also while it is left to its sender": (
        [],
        5.0,
        Standing(SAFE, rests=True),
        {"p_set": 0.0},
        set(),
    ),
    "and keeps what it is told where that is within its limits": (
        [({"p_set": 5.0}, 15.0)],
        5.0,
        Standing(SAFE, rests=True),
        {"p_set": 5.0},
        set(),
    ),
    "the network operator's limit is written where there is a register": (
        [],
        5.0,
        Standing(percent=60.0),
        {"p_limit_pct": 100.0},
        set(),
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_is_wanted(name: str) -> None:
    commands, now, standing, wanted, nobodys = TABLE[name]
    wishes = Wishes(GRACE)
    for values, deadline in commands:
        wishes.take(values, deadline)
    targets = wishes.targets(now, standing)
    assert targets.values == wanted
    assert {point for point in targets.fallen if point in targets.values} == nobodys


def test_a_power_factor_is_a_register_of_its_own_where_the_device_has_one() -> None:
    """Beside its own fallback it is what is asked; elsewhere it moves the reactive power."""
    for commands, fresh in ((["pf_set"], {"pf_set"}), (["p_set", "q_set"], {"q_set"})):
        wishes = Wishes(GRACE, commands)
        wishes.take({"pf_set": 0.9}, 60.0)
        targets = wishes.targets(20.0, Standing(dict.fromkeys(commands[-1:], 1.0)))
        assert targets.values["pf_set"] == 0.9
        assert commands[-1] not in targets.fallen
        assert wishes.fresh == fresh


def test_who_was_taken_over_waits_for_a_new_command() -> None:
    wishes = Wishes(GRACE)
    wishes.take({"p_set": 5.0}, 60.0)
    wishes.forget()
    assert wishes.targets(20.0, Standing({"p_set": 0.0})).values == {"p_set": 0.0}


def test_only_what_is_new_is_fresh() -> None:
    """A cell that wears is written for a new wish alone."""
    wishes = Wishes(GRACE)

    def fresh(now: float) -> set[str]:
        wishes.targets(now, Standing({"p_limit_pct": 100.0}))
        found, wishes.fresh = wishes.fresh, set()
        return found

    wishes.take({"p_limit_pct": 60.0}, 15.0)
    assert [fresh(now) for now in (5.0, 6.0, 14.9)] == [{"p_limit_pct"}, set(), set()]
    assert [fresh(now) for now in (15.0, 16.0)] == [{"p_limit_pct"}, set()], "it ran out: 100 % is a new wish"
    wishes.limited()
    assert [fresh(now) for now in (17.0, 18.0)] == [{"p_limit_pct"}, set()]


@pytest.mark.parametrize(
    ("power", "told", "limit", "wanted"),
    [
        (50.0, {}, 100.0, None),
        (50.0, {}, 49.0, None),  # as near as it is measured
        (50.0, {}, 20.0, 20.0),
        (-50.0, {}, 0.0, 0.0),
        (50.0, {"p_set": 50.0}, 20.0, None),  # our own: the limits of its target see to it
        (None, {}, 0.0, None),
    ],
)
def test_what_is_found_at_a_start_is_left_alone_within_its_limits(
    power: float | None, told: dict[str, float], limit: float, wanted: float | None
) -> None:
    chain = [Limit("bms:current", -limit, limit), Limit(RAMP, 0.0, 0.0)]
    targets = found(Targets({}), power, told, chain, 100.0)
    assert targets.values.get("p_set") == wanted
    assert ("p_set" in targets.fallen) == (wanted is not None)


points = st.sampled_from(["p_set", "q_set", "pf_set", "p_limit_pct"])
wish = st.tuples(st.dictionaries(points, st.floats(-1, 1), min_size=1), st.floats(0.1, 60))


@given(st.lists(st.tuples(st.floats(0, 30), wish), max_size=8), st.floats(0, 100), st.booleans())
def test_no_point_outlives_its_command(
    commands: list[tuple[float, tuple[dict[str, float], float]]], later: float, fallback: bool
) -> None:
    """Whatever came in whatever order: a value that is nobody's fallback was asked, last of its register, and lives."""
    wishes, now, asked = Wishes(0.0), 0.0, dict[str, tuple[str, float, float]]()
    for pause, (values, life) in commands:
        now += pause
        wishes.take(values, now + life)
        asked |= {register(point): (point, value, now + life) for point, value in values.items()}
    now += later
    targets = wishes.targets(now, Standing(SAFE, fallback=fallback))
    for point, value in targets.values.items():
        if point not in targets.fallen:
            _, _, ends = asked[register(point)]
            assert now < ends
            assert not fallback
        else:
            assert SAFE[point] == value
    assert {register(point) for point in targets.values} == set(SAFE), "each is told something"
