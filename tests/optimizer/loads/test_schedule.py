"""When one load runs: exact against every schedule there is, within its times and its band, never without an answer."""

from datetime import time, timedelta
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.loads.load import Load, LoadNow
from optimizer.loads.marginal import Marginal, flat
from optimizer.loads.schedule import Schedule, schedule
from optimizer.outlook import Outlook
from schemas.site_loads import FlexibleLoad
from tests.optimizer.outlooks import BERLIN, NOON, outlook

QUARTER = timedelta(minutes=15)
ROOM = {"point": "t", "low": 20.0, "high": 22.0, "time_constant": 10.0, "rest": 5.0, "per_kw": 5.0}


def load(rated: float = 4e3, dims: bool = False, **rule: Any) -> Load:
    given = {"device": "load", "fallback": "off", **rule}
    if "energy" in given:
        given.setdefault("deadline", time(15))
    return Load(FlexibleLoad.model_validate(given), rated, BERLIN, dims)


def priced(out: Outlook, prices: list[float]) -> Marginal:
    each = np.resize(np.array(prices, dtype=float), len(out.starts))
    return Marginal(out.hours, np.full((len(each), 1), np.inf), each[:, np.newaxis])


def switchings(power: np.ndarray[Any, Any], *, was: bool) -> list[tuple[int, bool]]:
    """Steps at which it is switched, and whether on."""
    on = [was, *(power > 0).tolist()]
    return [(step, on[step + 1]) for step in range(len(power)) if on[step] is not on[step + 1]]


def test_energy_is_taken_when_it_is_cheapest() -> None:
    out = outlook(4)  # noon to 16 h
    found = schedule(load(energy=3e3), LoadNow(), out, priced(out, [3, 1, 3, 1, 3, 3, 1, 3, 3, 3, 3, 3, 0.1, 0.1]))
    assert found.power[:12].tolist() == [0, 4e3, 0, 4e3, 0, 0, 4e3, 0, 0, 0, 0, 0], "not after the deadline of 15:00"
    assert found.words == ()


def test_it_is_exact_against_every_schedule_there_is() -> None:
    """Minimum times and starts, against all 2^10 schedules with their own walk."""
    rng = np.random.default_rng(7)
    out = outlook(2.5, now=NOON)
    for rule in ({}, {"minimum_on": 1800.0}, {"minimum_on": 1800.0, "minimum_off": 2700.0}, {"starts_per_hour": 1}):
        prices = rng.uniform(0.05, 0.4, 10)
        one = load(energy=4e3, deadline=time(14, 30), **rule)
        found = schedule(one, LoadNow(), out, priced(out, prices.tolist()))
        on, off = one.rule.minimum_on / 900, one.rule.minimum_off / 900
        costs = []
        for pattern in product((0, 1), repeat=10):
            turns = switchings(np.array(pattern), was=False)
            starts = [step for step, up in turns if up]
            runs = [b - a for (a, up), (b, _) in pairwise(turns) if up]
            rests = [b - a for (a, up), (b, _) in pairwise(turns) if not up]
            apart = [b - a for a, b in pairwise(starts)]
            fits = all(n >= on for n in runs) and all(n >= off for n in rests)
            if fits and (one.rule.starts_per_hour is None or all(n >= 4 for n in apart)) and sum(pattern) == 4:
                costs.append(float(np.array(pattern) @ prices))
        assert found.power @ prices / 4e3 == pytest.approx(min(costs), abs=1e-3), rule


def test_a_room_is_heated_before_it_gets_dear_and_no_more_than_its_band_allows() -> None:
    out, rule = outlook(12), load(comfort=ROOM)
    found = schedule(rule, LoadNow(value=21.0), out, priced(out, [0.1] * 16 + [0.5] * 16 + [0.1] * 16))
    assert 19.99 <= found.value.min() <= found.value.max() <= 22.01
    assert found.value[15] > 21.8, "full before the dear hours"
    assert found.value[31] < 20.3, "and as empty as may be after them"


@pytest.mark.parametrize("value", [15.0, 26.0])
def test_outside_of_its_band_it_is_brought_back_at_once(value: float) -> None:
    out = outlook(12)
    found = schedule(load(comfort=ROOM), LoadNow(value=value), out, priced(out, [9.0] * 4 + [0.1] * 44))
    outside = (found.value < 19.99) | (found.value > 22.01)
    assert outside[0]
    back = int(np.argmin(outside))
    assert not outside[back:].any()
    assert (found.power[:back] > 0).all() == (value < 20), "all the way, whatever it costs"
    assert found.words


def test_a_deadline_that_cannot_be_met_is_met_as_well_as_possible() -> None:
    out = outlook(4)
    found = schedule(load(energy=20e3), LoadNow(), out, priced(out, [5.0]))
    assert (found.power[:12] == 4e3).all()
    assert found.outside == pytest.approx(8.0, abs=0.05)
    assert found.words == ("load: 8.0 of 20.0 kWh will be missing at its deadline of 15:00",)


def test_a_tank_is_pumped_empty_in_time() -> None:
    out = outlook(8)
    rule = load(comfort={"point": "level", "low": 10.0, "high": 90.0, "per_kwh": -20.0, "drift": 20.0})
    found = schedule(rule, LoadNow(value=80.0), out, priced(out, [0.5] * 8 + [0.1] * 24))
    assert found.value.max() <= 90.01
    assert found.power[:8].sum() < found.power[8:16].sum()


def test_in_hours_in_which_it_may_not_be_touched_it_is_left_to_its_fallback() -> None:
    hours = [{"start": time(13), "end": time(14)}]
    out = outlook(4)
    found = schedule(load(energy=8e3, fallback="on", hours=hours), LoadNow(), out, priced(out, [1.0]))
    assert (found.power[:4] == 4e3).all(), "it is on by itself"
    off = schedule(load(energy=8e3, hours=hours), LoadNow(), out, priced(out, [1.0]))
    assert off.power[:12].tolist() == [0.0] * 4 + [4e3] * 4 + [0.0] * 4
    assert off.words, "half of it is missing"


def test_hours_that_cross_midnight_belong_to_the_day_they_begin_on() -> None:
    rule = load(energy=1e3, hours=[{"start": time(22), "end": time(6), "days": ["fri"]}])
    friday = NOON + timedelta(days=2)
    night = friday.replace(hour=20)  # 22:00 in Berlin
    assert [rule.free(night - QUARTER), rule.free(night), rule.free(night + timedelta(hours=7))] == [False, True, True]
    assert not rule.free(night + timedelta(hours=8))
    assert not rule.free(night + timedelta(days=1))


def test_a_deadline_of_some_days_is_waited_for_until_then() -> None:
    rule = load(energy=1e3, deadline=time(7), days=["mon"])
    found = rule.deadline(NOON)  # a Wednesday
    assert found is not None
    assert found.astimezone(BERLIN).strftime("%a %H:%M") == "Mon 07:00"
    assert rule.deadline(found) == found + timedelta(days=7)


def test_a_dimmable_charger_stays_below_the_peak() -> None:
    out = outlook(4)
    widths, prices = np.tile([2e3, np.inf], (16, 1)), np.tile([0.2, 60.0], (16, 1))
    found = schedule(load(energy=5e3, dims=True, least=25.0), LoadNow(), out, Marginal(out.hours, widths, prices))
    assert found.power.max() == pytest.approx(2e3)
    assert found.power[:12].sum() / 4 == pytest.approx(5e3, abs=20)


@st.composite
def wild(draw: st.DrawFn) -> tuple[Load, LoadNow, Outlook, list[float]]:
    seconds = st.sampled_from([0.0, 300.0, 900.0, 2000.0, 5400.0])
    out = outlook(draw(st.integers(2, 8)), now=NOON + timedelta(minutes=draw(st.sampled_from([0, 1, 7, 14]))))
    rule: dict[str, Any] = {"minimum_on": draw(seconds), "minimum_off": draw(seconds)}
    rule["starts_per_hour"] = draw(st.sampled_from([None, 1, 2, 6]))
    rule |= draw(st.sampled_from([{"comfort": ROOM}, {"energy": 3e3}, {"energy": 90e3}]))
    ages = st.lists(st.floats(0, 3599), max_size=3)
    now = LoadNow(
        draw(st.booleans()), draw(st.floats(0, 7200)), draw(ages), draw(st.floats(-20, 60)), draw(st.floats(0, 5e3))
    )
    prices = draw(st.lists(st.floats(-0.5, 1.0), min_size=4, max_size=4))
    return load(dims=draw(st.booleans()), **rule), now, out, prices


@given(wild())
@settings(max_examples=60, deadline=None)
def test_whatever_the_load_it_has_a_schedule_within_its_times(
    given_: tuple[Load, LoadNow, Outlook, list[float]],
) -> None:
    one, now, out, prices = given_
    found: Schedule = schedule(one, now, out, priced(out, prices))
    assert np.isfinite(found.power).all()
    assert (found.power >= 0).all()
    assert found.power.max() <= one.rated + 1e-6
    if one.rule.comfort is None:
        return  # a charger that is full is on and draws nothing
    begins = np.concatenate([[0.0], np.cumsum(out.hours) * 3600])
    turned, was = -now.seconds, now.on
    starts = [-age for age in now.starts]
    for step, up in switchings(found.power, was=was):
        at = float(begins[step])
        least = one.rule.minimum_off if up else one.rule.minimum_on
        assert at - turned >= least - 2.0
        if up:
            lately = [start for start in starts if at - start < 3599]
            assert one.rule.starts_per_hour is None or len(lately) < one.rule.starts_per_hour
            starts.append(at)
        turned = at


def test_of_equal_hours_it_takes_the_earlier_ones() -> None:
    out = outlook(4)
    found = schedule(load(energy=2e3), LoadNow(), out, flat(out.hours))
    assert found.power[:3].tolist() == [4e3, 4e3, 0.0]
