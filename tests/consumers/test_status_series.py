"""The curves: one time axis, gaps stay gaps, and the past shows the plan that was believed then."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.status.chart_words import spoken
from consumers.status.foreseen import Foreseen
from consumers.status.series import MOST, Asked, Column, Span, actual, around, clock_change, span_of, today, total
from schemas.messages import Plan, Step
from schemas.site_file import load_site
from tests.consumers.test_status_state import page_site

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


NOW = NOON + timedelta(minutes=30)
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


@pytest.mark.parametrize(
    ("asked", "begins", "ends", "seconds"),
    [
        (Asked(), "01 00:00", "02 12:00", 300),
        (Asked(1, 1), "01 11:00", "01 13:00", 30),
        (Asked(24, 24), "31 12:00", "02 12:00", 900),
        (Asked(0, 0), "01 12:00", "01 12:00", 10),
        (Asked(day=date(2026, 5, 30)), "29 22:00", "30 22:00", 300),
    ],
)
def test_the_time_shown_is_the_one_asked_for(asked: Asked, begins: str, ends: str, seconds: int) -> None:
    span = span_of(asked, NOON + timedelta(seconds=7), BERLIN)
    assert (f"{span.start:%d %H:%M}", f"{span.end:%d %H:%M}", span.seconds) == (begins, ends, seconds)
    assert span.instants


@pytest.mark.parametrize(
    ("day", "zone", "words"),
    [
        ((2026, 6, 1), "Europe/Berlin", ""),
        ((2026, 3, 29), "Europe/Berlin", "The clocks go forward by 60 min on Sun 29 Mar."),
        ((2026, 10, 25), "Europe/Berlin", "The clocks go back by 60 min on Sun 25 Oct."),
        ((2026, 10, 4), "Australia/Lord_Howe", "The clocks go forward by 30 min on Sun 4 Oct."),
    ],
)
def test_a_change_of_the_clocks_is_said(day: tuple[int, int, int], zone: str, words: str) -> None:
    at = datetime(*day, 6, tzinfo=ZoneInfo(zone))
    assert clock_change(around(at, 12, 24), ZoneInfo(zone)) == words


@given(st.floats(0.01, 168, exclude_min=True))
def test_a_span_never_has_more_points_than_a_chart_can_show(hours: float) -> None:
    span = around(NOON + timedelta(seconds=1.7), hours, hours)
    assert len(span.instants) <= MOST or span.seconds == 3600
    assert span.start <= NOON <= span.end


def test_an_interval_holds_a_value_of_the_slowest_device() -> None:
    assert [around(NOON, 1, 1, poll).seconds for poll in (1.0, 20.0, 60.0, 3600.0)] == [30, 60, 300, 3600]


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
    columns.tell_newest(plans[-1], plans[-1].at)
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


def test_of_a_quarter_the_plan_is_shown_that_held_when_it_began_as_the_archive_compares_it() -> None:
    columns = Foreseen(HOUR)
    slots = columns.slots(NOON + timedelta(minutes=22))
    assert {f"{slot:%H:%M}": len(instants) for slot, instants in slots.items()} == {"12:00": 3, "12:15": 2}


def test_a_plan_whose_time_is_over_is_not_told_as_if_it_had_held() -> None:
    """The optimizer stood still for hours: dispatch went on without a plan, and the chart drew one."""
    dead = plan(0, 1.0).model_copy(update={"until": NOON + timedelta(minutes=20)})
    held, newest = Foreseen(HOUR), Foreseen(HOUR)
    held.tell_held(dead, HOUR.instants)
    newest.tell_newest(dead, NOW)
    assert held.columns["plan_battery"] == [1.0] * 4 + [None] * 8
    assert newest.columns["plan_battery"] == [1.0] * 4 + [None] * 2 + [1.0] * 6, "what comes is all it knows"


PRICED = {
    "fixed": ("[[import.period]]\nprice = 0.3\n[[export.period]]\nprice = 0.1\n", [0.3, 0.3], [0.1, 0.1]),
    "by the hour": (
        '[[import.period]]\nprice = 0.4\nstart = "14:10"\nend = "15:00"\n[[import.period]]\nprice = 0.2\n',
        [0.2, 0.4],
        [0.0, 0.0],
    ),
    "a market": ("[import.day_ahead]\ntopic = true\n", [None, None], [None, None]),
    "none": ("price = 1", [None, None], [None, None]),
}


@pytest.mark.parametrize(("tariff", "buy", "sell"), PRICED.values(), ids=PRICED)
def test_where_no_plan_tells_a_price_the_tariff_does_as_far_as_it_can(
    tariff: str, buy: Column, sell: Column, tmp_path: Path
) -> None:
    page_site(tmp_path)
    (tmp_path / "tariff.toml").write_text(tariff, encoding="utf-8")
    columns = Foreseen(HOUR)
    columns.tell(plan(0, 1.0).model_copy(update={"steps": plan(0, 1.0).steps[2:3]}), HOUR.instants)
    columns.price(load_site(tmp_path / "site.toml"))
    assert [columns.columns["price_import"][n] for n in (1, 2)] == buy
    assert [columns.columns["price_export"][n] for n in (1, 2)] == sell
    assert columns.columns["price_import"][6] == 0.3, "the plan's own stays"
    assert columns.planned_since() == NOW


def row(*values: float | None) -> Column:
    return [value for value in values for _ in range(3)]


SPOKEN: dict[str, tuple[dict[str, Column], dict[str, str]]] = {
    "nothing": (
        {},
        {
            "power": "From 14:00 to 15:00. Nothing was measured lately. Battery: nothing is planned.",
            "soc": "State of charge not known now; nothing is planned.",
            "price": "The price of now is not known.",
        },
    ),
    "an evening": (
        {
            "grid": row(5e3, 87e3, None, None),
            "pv": row(0.0, 100.0, None, None),
            "battery": row(20e3, 0.0, None, None),
            "load": row(25e3, 87e3, None, None),
            "soc": row(50.0, 44.4, None, None),
            "plan_battery": row(None, None, 0.0, -80e3),
            "plan_soc": [*[None] * 8, 44.0, None, None, 60.0],
            "price_import": row(0.2, 0.191, 0.21, 0.15),
            "price_export": row(0.1, 0.086, 0.1, 0.05),
        },
        {
            "power": "From 14:00 to 15:00. Now the grid connection draws 87.0 kW, PV is at 0 kW, the battery rests, "
            "the load takes 87.0 kW. Battery: rested since 14:15; the plan charges 80 kW at 14:45.",
            "soc": "State of charge 44 % now; planned lowest 44 % at 14:45, highest 60 % at 15:00.",
            "price": "Now import 0.191 per kWh, export 0.086 per kWh. To come, lowest import 0.150 at 14:45, highest "
            "0.210 at 14:30. From 14:45 on prices are forecast.",
        },
    ),
    "it works, and the plan rests": (
        {"battery": row(-20e3, -20e3, None, None), "plan_battery": row(0.0, 0.0, 0.0, 0.0)},
        {
            "power": "From 14:00 to 15:00. Now the battery charges 20.0 kW. Battery: has charged since 14:00; the plan "
            "rests until 15:00.",
        },
    ),
    "feeding in, and silent for long": (
        {"grid": row(-9e3, -9e3, None, None), "battery": [9e3, *[None] * 11], "soc": [70.0, *[None] * 11]},
        {
            "power": "From 14:00 to 15:00. Now the grid connection feeds in 9.0 kW. Battery: nothing is planned.",
            "soc": "State of charge not known now; nothing is planned.",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize(("columns", "words"), SPOKEN.values(), ids=SPOKEN)
def test_each_chart_is_told_in_a_sentence(columns: dict[str, Column], words: dict[str, str]) -> None:
    now, forecast = NOON + timedelta(minutes=29), NOON + timedelta(minutes=45)
    found = spoken(columns, HOUR, now, BERLIN, forecast if "price_import" in columns else None)
    assert {name: found[name] for name in words} == words


def test_of_a_day_of_the_past_it_is_told_what_it_was_and_not_that_nothing_is_planned() -> None:
    """`State of charge not known now; nothing is planned` was said of a chart full of curves."""
    columns = {"grid": row(5e3, -7e3, None, None), "soc": [50.0, None, 44.0], "price_import": row(0.2, 0.1, 0.3, 0.2)}
    assert spoken(columns, HOUR, NOON + timedelta(days=1, minutes=9), BERLIN) == {
        "power": "From Mon 14:00 to Mon 15:00: the grid connection lowest -7.0 kW at Mon 14:15, highest 5.0 kW at "
        "Mon 14:00.",
        "soc": "From Mon 14:00 to Mon 15:00: state of charge lowest 44 % at Mon 14:10, highest 50 % at Mon 14:00.",
        "price": "From Mon 14:00 to Mon 15:00: import lowest 0.100 per kWh at Mon 14:15, highest 0.300 per kWh at "
        "Mon 14:30.",
    }
    late = spoken({}, HOUR, NOON + timedelta(days=100), BERLIN)["soc"]
    assert late == f"From {NOON:%d %b %Y} 14:00 to {NOON:%d %b %Y} 15:00: nothing is known."
