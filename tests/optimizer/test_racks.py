"""Racks in parallel, and several PCS on the same cells: what each may have of what they allow together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.racks import NEAR, Neighbour, Rack, left_out, part, together

watts = st.floats(0, 1e6)


@pytest.mark.parametrize(("outs", "found"), [
    ({}, set()),
    ({"a": False, "b": False}, set()),
    ({"a": True, "b": False}, {"a"}),
    ({"a": True, "b": False, "c": True}, {"a", "c"}),
    ({"a": True, "b": True}, set()),
    ({"a": True}, set()),
])  # fmt: skip
def test_who_is_left_out(outs: dict[str, bool], found: set[str]) -> None:
    """Where all stand open the battery does, as a single one: nobody is left out of it."""
    assert left_out(outs) == found


def test_the_weakest_counts_for_each_and_the_soc_is_the_mean() -> None:
    cells = together([Rack((10.0, 2.0), 40.0), Rack((1.0, 20.0), 60.0)], of=3)
    assert (cells.charge, cells.discharge, cells.soc) == (2.0, 4.0, 50.0)
    assert cells.connected == pytest.approx(2 / 3)


def test_the_limits_of_the_site_file_hold_for_the_sum() -> None:
    cells = together([Rack((10.0, 20.0), 40.0)] * 2, 2, charge_limit=15.0, discharge_limit=90.0)
    assert (cells.charge, cells.discharge) == (15.0, 40.0)


@pytest.mark.parametrize(("racks", "known"), [
    ([Rack(None, 50.0), Rack((1.0, 1.0), 50.0)], (None, None, 50.0)),
    ([Rack((1.0, 1.0), None), Rack((1.0, 1.0), 50.0)], (2.0, 2.0, None)),
    ([], (None, None, None)),
])  # fmt: skip
def test_what_one_does_not_say_nobody_knows_of_the_whole(
    racks: list[Rack], known: tuple[float | None, float | None, float | None]
) -> None:
    cells = together(racks, of=2)
    assert (cells.charge, cells.discharge, cells.soc) == known


@given(watts, st.lists(st.floats(1e3, 1e5), min_size=1, max_size=6))
def test_parts_of_all_that_take_part_are_the_whole(allowed: float, ratings: list[float]) -> None:
    parts = [
        part(
            allowed, one, [(Neighbour(each, takes_part=True), 0.0) for each in ratings[:number] + ratings[number + 1 :]]
        )
        for number, one in enumerate(ratings)
    ]
    assert sum(parts) == pytest.approx(allowed)
    assert parts == pytest.approx([allowed * one / sum(ratings) for one in ratings])


@given(watts, st.floats(1e3, 1e5), st.lists(st.tuples(st.floats(1e3, 1e5), st.booleans(), watts), max_size=6))
def test_whatever_the_others_do_the_sum_is_within(
    allowed: float, rated: float, others: list[tuple[float, bool, float]]
) -> None:
    """Unless they alone take more than all: then nothing is left."""
    mine = part(allowed, rated, [(Neighbour(size, takes_part=takes), taken) for size, takes, taken in others])
    noise = sum(NEAR * size for size, _, _ in others)
    taken = sum(power for _, _, power in others)
    assert mine == 0.0 or mine + taken <= allowed + noise + 1e-6 * allowed
    assert 0.0 <= mine <= allowed


def test_one_that_is_out_leaves_its_part() -> None:
    out, there = Neighbour(50e3, takes_part=False), Neighbour(50e3, takes_part=True)
    assert part(90e3, 100e3, [(there, 0.0)]) == pytest.approx(60e3)
    assert part(90e3, 100e3, [(out, 0.0)]) == 90e3
    assert part(90e3, 100e3, [(out, 40e3)]) == 50e3, "what it does at its panel stands before"
