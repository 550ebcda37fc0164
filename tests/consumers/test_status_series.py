"""The curves: one time axis, gaps stay gaps, and the past shows the plan that was believed then."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.status.foreseen import Foreseen
from consumers.status.series import MOST, Column, Span, actual, around, today, total
from schemas.messages import Plan, Step

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def plan(made: float, power: float, minutes: int = 60) -> Plan:
    """A plan made at a minute after noon, with quarter hours from the one it was made in."""
    first = NOON + timedelta(minutes=made // 15 * 15)
    steps = [
        Step(
            at=first + timedelta(minutes=start),
            seconds=900.0,
            power=power,
            soc=min(100.0, 50.0 + start),
            grid=1e3,
            load=2e3,
            pv=0.0,
            price_import=0.3,
            price_export=0.1,
            marginal_value=0.0,
            reason="test",
        )
        for start in range(0, minutes, 15)
    ]
    at = NOON + timedelta(minutes=made)
    return Plan(
        id=f"p{made}", at=at, until=NOON + timedelta(days=1), currency="EUR", steps=steps, cost=0.0, cost_idle=0.0
    )


HOUR = Span(NOON, NOON + timedelta(hours=1), 300)


@pytest.mark.parametrize(
    ("day", "hours"),
    [((2026, 6, 1), 24), ((2026, 3, 29), 23), ((2026, 10, 25), 25)],
    ids=["summer", "spring", "autumn"],
)
def test_a_day_of_the_site_has_the_hours_it_has(day: tuple[int, int, int], hours: int) -> None:
    span = today(datetime(*day, 11, tzinfo=UTC), BERLIN)
    assert (span.end - span.start) == timedelta(hours=hours)
    assert span.start.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M") == f"{datetime(*day, tzinfo=UTC):%Y-%m-%d} 00:00"
    assert len(span.instants) == hours * 12


@given(st.floats(0.01, 168, exclude_min=True))
def test_a_span_never_has_more_points_than_a_chart_can_show(hours: float) -> None:
    span = around(NOON + timedelta(seconds=1.7), hours)
    assert len(span.instants) <= MOST or span.seconds == 3600
    assert span.start <= NOON <= span.end


def test_an_interval_holds_a_value_of_the_slowest_device() -> None:
    assert [around(NOON, 1, poll).seconds for poll in (1.0, 20.0, 60.0, 3600.0)] == [30, 60, 300, 3600]


def test_means_stand_in_their_interval_and_gaps_stay_gaps() -> None:
    grid = [(NOON, 1.0), (NOON + timedelta(minutes=10), 3.0)]
    rest = [(NOON + timedelta(minutes=5 * n), 10.0) for n in range(12)]
    columns = actual({"grid": [grid], "battery": [rest], "pv": [rest, rest], "soc": [[]]}, HOUR)
    assert columns["grid"][:4] == [1.0, None, 3.0, None]
    assert columns["pv"][:2] == [20.0, 20.0]
    assert columns["load"][:4] == [31.0, None, 33.0, None]
    assert columns["soc"] == [None] * 12


def test_a_site_without_pv_has_a_load_all_the_same() -> None:
    columns = actual({"grid": [[(NOON, 5.0)]], "battery": [[(NOON, 1.0)]], "pv": [], "soc": [[]]}, HOUR)
    assert (columns["load"][0], columns["pv"]) == (6.0, [])


def test_the_sum_of_an_unknown_is_unknown() -> None:
    assert total([[1.0, None, 0.0], [2.0, 2.0, -0.0]]) == [3.0, None, 0.0]


def planned(plans: list[Plan], span: Span) -> dict[str, Column]:
    """As the archive tells of them, and the page hears the last."""
    columns = Foreseen(span)
    for at in span.instants:
        if held := [one for one in plans[:-1] if one.at <= at]:
            columns.tell(held[-1], [at])
    columns.tell_newest(plans[-1])
    return columns.columns


def test_the_past_shows_the_plan_of_its_time_and_the_future_the_newest() -> None:
    powers = planned([plan(0, 1.0), plan(30, 2.0, minutes=30)], HOUR)["plan_battery"]
    assert powers == [1.0] * 6 + [2.0] * 6


def test_a_plan_that_is_made_in_an_interval_holds_from_the_next() -> None:
    later = plan(15, 2.0, minutes=45).model_copy(update={"at": NOON + timedelta(minutes=27)})
    assert planned([plan(0, 1.0), later], HOUR)["plan_battery"] == [1.0] * 6 + [2.0] * 6


def test_before_the_first_plan_and_after_the_last_step_there_is_nothing() -> None:
    columns = planned([plan(15, 1.0, minutes=15)], HOUR)
    assert columns["plan_grid"] == [None] * 3 + [1e3] * 3 + [None] * 6
    assert columns["price_import"][3:6] == [0.3] * 3


def test_the_first_plan_holds_for_the_interval_it_is_made_in() -> None:
    assert planned([plan(17, 1.0, minutes=15)], HOUR)["plan_battery"] == [None] * 3 + [1.0] * 3 + [None] * 6


def test_the_planned_soc_stands_at_the_end_of_each_step() -> None:
    soc = planned([plan(0, 1.0)], HOUR)["plan_soc"]
    assert [value for value in soc if value is not None] == [50.0, 65.0, 80.0, 95.0]
    assert [number for number, value in enumerate(soc) if value is not None] == [2, 5, 8, 11]


def test_an_hour_of_a_chart_shows_the_mean_of_its_quarters_and_the_soc_at_its_end() -> None:
    """An hourly chart of plans made each 5 minutes was empty: none of them begins with its hour."""
    coarse = Span(NOON, NOON + timedelta(hours=2), 3600)
    one = plan(0, 1.0, minutes=120)
    steps = [step.model_copy(update={"power": 100.0 * number}) for number, step in enumerate(one.steps)]
    columns = planned([one.model_copy(update={"steps": steps}), plan(55, 7.0, minutes=65)], coarse)
    assert columns["plan_battery"] == [150.0, 7.0]
    assert columns["plan_soc"] == [95.0, 100.0]
