"""What is planned next, in words: neighbours that say the same are one row, and each row has its reason."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consumers.status.slots import slots
from schemas.messages import LoadStep, Plan, Step, Why

AT = datetime(2026, 11, 27, 16, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
QUARTER = timedelta(minutes=15)
PEAK = ("keeps_for_peak", "holds 44 % for the month's peak of 325.7 kW at Sat 08:00, worth 15.00 EUR/kW")
PRICE = ("charges_for_price", "charges; 0.17 EUR/kWh now, 0.23 at 18:00")
LOAD = ("covers_load", "covers the load; 0.23 EUR/kWh now, it pays from 0.22")

Row = tuple[float, float, float, float, tuple[str, str]]
"""Power and grid in kW, SoC, price, and why."""


def plan(*rows: Row, at: datetime = AT, **more: Any) -> Plan:
    steps = [
        Step(
            at=at + number * QUARTER, seconds=900.0, power=1000 * power, soc=soc, grid=1000 * grid, load=1e3, pv=0.0,
            price_import=price, price_export=0.1, marginal_value=0.0, reason=reason, why=[Why(code=code)],
        )
        for number, (power, grid, soc, price, (code, reason)) in enumerate(rows)
    ]  # fmt: skip
    told: dict[str, Any] = {"until": at + timedelta(hours=1), "currency": "EUR", "cost": 0.0, "cost_idle": 0.0}
    return Plan(id="p", at=at, steps=steps, **told | more)


STORIES: dict[str, tuple[Plan, datetime, list[tuple[str, str, str, str, str, str]]]] = {
    "neighbours that rest for the same": (
        plan((0.0, 40.0, 44.2, 0.19, PEAK), (0.04, 36.4, 44.1, 0.19, PEAK), (-0.04, 41.0, 44.0, 0.18, PEAK)),
        AT + timedelta(minutes=10),
        [("17:10 to 17:45", "rest", "44 %", "36 to 41 kW", "0.18 to 0.19", PEAK[1])],
    ),
    "one after the other": (
        plan(
            (0.0, 40.0, 44.0, 0.19, PEAK),
            (-80.0, 90.0, 50.0, 0.17, PRICE),
            (-0.3, 50.0, 51.0, 0.16, PRICE),
            (30.0, -0.02, 49.0, 0.231, LOAD),
        ),
        AT,
        [
            ("17:00 to 17:15", "rest", "44 %", "40 kW", "0.19", PEAK[1]),
            ("17:15 to 17:45", "charge 0.3 to 80 kW", "51 %", "50 to 90 kW", "0.16 to 0.17",
             "charges; 0.16 to 0.17 EUR/kWh, 0.23 at 18:00"),
            ("17:45 to 18:00", "discharge 30 kW", "49 %", "0 kW", "0.23",
             "covers the load; 0.23 EUR/kWh, it pays from 0.22"),
        ],
    ),
    "a negative price, feeding in, and midnight": (
        plan((-5.0, -60.0, 30.0, -0.02, PRICE), at=AT + timedelta(hours=6, minutes=45)),
        AT,
        [("23:45 to Sat 00:00", "charge 5 kW", "30 %", "\N{MINUS SIGN}60 kW", "\N{MINUS SIGN}0.02",
          "charges; \N{MINUS SIGN}0.02 EUR/kWh, 0.23 at 18:00")],
    ),
    "the day that both ends are on is said once": (
        plan((0.0, 1.0, 44.0, 0.2, PEAK), at=AT + timedelta(hours=9)),
        AT,
        [("Sat 02:00 to 02:15", "rest", "44 %", "1 kW", "0.20", PEAK[1])],
    ),
    "the hour that comes twice": (
        plan(*[(0.0, 1.0, 44.0, 0.2, PEAK)] * 3, at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        [("02:30 CEST to 02:15 CET", "rest", "44 %", "1 kW", "0.20", PEAK[1])],
    ),
    "a price that is forecast begins a row": (
        plan(*[(0.0, 1.0, 44.0, 0.2, PEAK)] * 2, prices_until=AT + QUARTER),
        AT,
        [("17:00 to 17:15", "rest", "44 %", "1 kW", "0.20", PEAK[1]),
         ("17:15 to 17:30", "rest", "44 %", "1 kW", "0.20", PEAK[1])],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("told", "now", "rows"), STORIES.values(), ids=STORIES)
def test_the_rows_say_when_what_and_why(
    told: Plan, now: datetime, rows: list[tuple[str, str, str, str, str, str]]
) -> None:
    found = slots(told, now, BERLIN)["rows"]
    assert [tuple(one[name] for name in ("when", "what", "soc", "grid", "price", "why")) for one in found] == rows
    assert len({one["key"] for one in found}) == len(found)
    assert [one["forecast"] for one in found] == [
        bool(told.prices_until) and number > 0 for number in range(len(found))
    ]


def test_a_row_says_no_moment_that_is_that_of_one_of_its_slots() -> None:
    """`holds the peak at 11:15` stood beside 11:15 to 13:30, and one that kept for 08:00 went on until noon."""
    soon, late = AT + 2 * QUARTER, AT + 3 * QUARTER
    words = "holds the month's peak of 321.7 kW at {:%H:%M}, worth 15.00 EUR/kW"
    moments = [("keeps_for_peak", soon), ("keeps_for_peak", late), ("holds_peak", soon), ("holds_peak", late)]
    told = plan(*[(0.0, 1.0, 44.0, 0.2, (code, words.format(at.astimezone(BERLIN)))) for code, at in moments])
    steps = [
        one.model_copy(update={"why": [Why(code=code, at=at)]})
        for one, (code, at) in zip(told.steps, moments, strict=True)
    ]
    found = slots(told.model_copy(update={"steps": steps}), AT, BERLIN)["rows"]
    assert [(one["when"], one["why"]) for one in found] == [
        ("17:00 to 17:15", words.format(soon.astimezone(BERLIN))),
        ("17:15 to 17:30", words.format(late.astimezone(BERLIN))),
        ("17:30 to 18:00", "holds the month's peak of 321.7 kW, worth 15.00 EUR/kW"),
    ]


@pytest.mark.parametrize(
    ("minutes", "now", "rows"), [(0, True, 2), (14, True, 2), (15, True, 1), (-5, False, 2), (30, None, 0)]
)
def test_the_slot_of_now_is_told_first_and_what_is_over_no_more(minutes: int, now: bool | None, rows: int) -> None:
    told = plan((0.0, 1.0, 44.0, 0.2, PEAK), (9.0, 1.0, 44.0, 0.2, LOAD))
    found = slots(told, AT + timedelta(minutes=minutes), BERLIN)
    assert len(found["rows"]) == rows
    assert bool(found["fault"]) is not bool(now)
    if rows:
        assert found["rows"][0]["now"] is now


@pytest.mark.parametrize(
    ("told", "minutes", "words"),
    [
        (None, 0, "No plan has been heard."),
        (plan((0.0, 1.0, 44.0, 0.2, PEAK)), 5, ""),
        (plan(*[(0.0, 1.0, 44.0, 0.2, PEAK)] * 9), 70, "The plan was valid until 18:00: what it says may not come."),
        (plan((0.0, 1.0, 44.0, 0.2, PEAK)), -120, "The plan begins at 17:00, and tells nothing of now."),
        (plan(), 5, "The last plan was made at 17:00, and tells nothing of the hours to come."),
        (
            plan((0.0, 1.0, 44.0, 0.2, PEAK)),
            1500,
            "The last plan was made at Fri 17:00, and tells nothing of the hours",
        ),
    ],
)
def test_what_is_wrong_with_a_plan_is_said(told: Plan | None, minutes: int, words: str) -> None:
    fault = slots(told, AT + timedelta(minutes=minutes), BERLIN)["fault"]
    assert fault.startswith(words) if words else not fault


def test_no_more_than_a_day_is_told_and_the_loads_beside_it() -> None:
    pump = [
        LoadStep(at=AT + number * QUARTER, seconds=900.0, power=power)
        for number, power in enumerate((11e3, 11e3, 0.0, 11e3, 0.0))
    ]
    often = [LoadStep(at=AT + number * QUARTER, seconds=300.0, power=9e3) for number in range(1, 6)]
    late = [LoadStep(at=AT + timedelta(hours=30), seconds=900.0, power=5e3)]
    told = plan(*[(0.0, 1.0, 44.0, 0.2, PEAK)] * 144, loads={"pump": pump, "coldstore": late, "fan": often})
    found = slots(told, AT + timedelta(minutes=7), BERLIN)
    assert [one["when"] for one in found["rows"]] == ["17:07 to Sat 17:15"]
    assert found["loads"] == [
        {"load": "pump", "words": "17:07 to 17:30, 17:45 to 18:00"},
        {"load": "coldstore", "words": "not in these hours"},
        {"load": "fan", "words": "17:15 to 17:20, 17:30 to 17:35, 17:45 to 17:50 and 2 times more, 0.4 h in all"},
    ]
