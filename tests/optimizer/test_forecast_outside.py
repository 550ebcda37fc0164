"""Forecasts from outside, as stories: how they are written, what they prove, and what they count for."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.forecast.ahead import LEVELS, Ahead, Bands
from optimizer.forecast.local_days import instant, quarter
from optimizer.forecast.outside import Issue, Proof
from optimizer.forecast.outside_formats import Told, read
from optimizer.forecast.outside_source import Source, blended
from optimizer.record import Record, Vector
from schemas.forecast_skill import LeadSkill
from schemas.site_forecasts import Form
from schemas.troubles import Trouble

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 21, 12, tzinfo=UTC)
NOW = quarter(NOON)

SOLCAST = {
    "forecasts": [
        {"pv_estimate": 2.4, "pv_estimate10": 1.1, "period_end": "2026-06-21T12:30:00.0000000Z", "period": "PT30M"},
        {"pv_estimate": 3.0, "period_end": "2026-06-21T13:00:00.0000000Z", "period": "PT30M"},
    ]
}
SOLAR = {
    "result": {
        "watts": {
            "2026-06-21 14:00:00": 2000, "2026-06-21 15:00:00": 4000, "2026-06-21 21:30:00": 0,
            "2026-06-22 05:00:00": 0, "2026-06-22 06:00:00": 800,
        },
        "watt_hours_day": {"2026-06-21": 30000},
    },
    "message": {"code": 0, "type": "success", "info": {"timezone": "Europe/Berlin"}},
}  # fmt: skip
METEO = {
    "utc_offset_seconds": 7200,
    "hourly": {"time": ["2026-06-21T15:00", "2026-06-21T16:00"], "shortwave_radiation": [640.0, None]},
}
CSV = "timestamp_utc,load_kw,pv_kw\n2026-06-21T12:00Z,80,3\n2026-06-21T13:00Z,,4\n"
"""A cell is empty: the row after it still says how long a row lasts."""


@pytest.mark.parametrize(
    ("text", "form", "first", "values"),
    [
        (json.dumps(SOLCAST), "solcast", NOW, [2400, 2400, 3000, 3000]),
        (json.dumps(SOLAR), "forecast.solar", NOW, [2250, 2750, 3250, 3750]),
        (json.dumps(METEO), "open-meteo", NOW, [640] * 4),
        (CSV, "csv", NOW, [3000] * 4 + [4000] * 4),
        ("\ufeff" + CSV, "csv", NOW, [3000] * 4 + [4000] * 4),
    ],
)
def test_each_format_is_read_as_quarters(text: str, form: Form, first: int, values: list[float]) -> None:
    told = read(text, "x", BERLIN, "pv", form)
    assert told.first == first
    assert told.values[: len(values)].tolist() == pytest.approx(values)
    assert told.unit == ("W/m2" if form == "open-meteo" else "W")


def test_a_night_that_forecast_solar_leaves_out_is_dark_and_a_hole_of_the_day_is_unknown() -> None:
    told = read(json.dumps(SOLAR), "x", BERLIN)
    at = np.array([quarter(NOON + timedelta(hours=hours)) for hours in (3, 10, 15.1)])
    assert told.at(at).tolist() == pytest.approx([np.nan, 0.0, 100.0], nan_ok=True)


def test_a_csv_of_both_is_read_for_the_one_that_is_meant() -> None:
    assert read(CSV, "x", BERLIN, "load").values.tolist() == [80e3] * 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"forecasts": [', "x: no JSON"),
        ("{}", "no forecast that is known: it needs `forecasts`"),
        (json.dumps(SOLAR), 'is written as forecast.solar, and the site file says solcast: write format = "forec'),
        (json.dumps(SOLCAST).replace("2.4", '"much"'), "forecasts.0.pv_estimate: 'much' is no power"),
        (json.dumps(SOLCAST).replace("PT30M", "1 h"), "forecasts.0.period: '1 h' is no period"),
        (json.dumps(SOLCAST).replace("2026-06-21T12", "soon"), "forecasts.0.period_end: .* is no instant"),
        ('{"forecasts": []}', "tells of no time at all"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_its_field(text: str, words: str) -> None:
    with pytest.raises(Trouble, match=words):
        read(text, "x", BERLIN, "pv", "solcast")


WILD = (
    json.dumps(SOLCAST).replace("PT30M", "PT999999999999H"),
    json.dumps(SOLCAST).replace("2026-06-21T12:30:00.0000000Z", "0001-01-01T00:00Z"),
    json.dumps(SOLCAST).replace("2.4", "9" * 400),
    json.dumps(SOLCAST).replace("2.4", "NaN"),
    "[" * 100_000,
    f"timestamp_utc,pv_kw\n{'x' * 200_000},1\n",
    json.dumps(METEO).replace("7200", "1e99"),
)


@pytest.mark.parametrize("text", WILD, ids=range(len(WILD)))
def test_what_no_forecast_can_be_is_trouble_and_no_crash(text: str) -> None:
    with pytest.raises(Trouble, match=r"^x: "):
        read(text, "x", BERLIN)


@given(
    st.text()
    | st.recursive(
        st.none() | st.floats() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["forecasts", "pv_estimate", "period_end", "result", "watts", "hourly", "time"]), inner
            )
        ),
    ).map(json.dumps)
)
def test_any_document_is_a_forecast_or_trouble(text: str) -> None:
    with suppress(Trouble):
        read(text, "x", BERLIN)


DAYS = 20
FIRST = NOW - DAYS * 96
HOURS = (np.arange(DAYS * 96 + 200) + FIRST) / 4 % 24
SUN = 50e3 * np.clip(np.sin((HOURS - 4) / 16 * np.pi), 0, None) * (
    1 + 0.3 * np.sin(np.arange(DAYS * 96 + 200) / 96 * 2.1)
)  # fmt: skip
LOAD = 80e3 + 30e3 * np.sin(HOURS / 24 * 2 * np.pi)
RECORD = Record(instant(FIRST), LOAD[: DAYS * 96], SUN[: DAYS * 96])
SKILLS = [
    LeadSkill.model_validate(
        {"of": of, "from_hours": begin, "to_hours": end, "quarters": 1000, "bias": 0.0, "rmse": rmse}
    )
    for of, rmse in (("pv", 6e3), ("load", 5e3))
    for begin, end in ((0, 1), (1, 6), (6, 24))
]


def source(change: Callable[[Vector], Vector], of: str = "pv", until: int = NOW, unit: str = "W") -> Source:
    """Each three hours somebody told what really came of the next two days, but for a change."""
    truth = change(SUN if of == "pv" else LOAD)
    found = Source("roof", "pv" if of == "pv" else "load")
    for heard in range(FIRST, until, 12):
        place = heard - FIRST
        told = Told(heard, truth[place : place + 192], "W" if unit == "W" else "W/m2")
        found = found.hearing(Issue(heard, told))
    return found.proven(NOW, RECORD, SKILLS)


NOISE = np.random.default_rng(1).standard_normal(len(SUN))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda sun: sun / 1000, "tells 0.001 times what came: is it in kW"),
        (lambda sun: np.roll(sun, 4), "an hour late"),
        (lambda sun: np.roll(sun, -4), "an hour early"),
        (lambda sun: np.maximum(sun + 20e3 * NOISE, 0), "times our own"),
        (lambda sun: np.where(np.arange(len(sun)) > 1850, sun, np.nan), "not proven yet"),
    ],
)
def test_a_bad_one_counts_for_nothing_and_says_why(change: Callable[[Vector], Vector], words: str) -> None:
    proof = source(change).proof
    assert proof.weights == (0, 0, 0)
    assert words in proof.words


def test_a_stale_one_counts_for_nothing_and_a_silent_one_tells_nothing_at_once() -> None:
    found = source(lambda sun: sun, until=NOW - 100)
    assert "stale: it was heard" in found.proof.words
    assert np.isnan(found.told(np.arange(NOW, NOW + 20), NOW)).all()


def test_a_weight_is_the_inverse_of_the_mean_square_error() -> None:
    proof = source(lambda sun: sun + np.where(sun > 0, 6e3 * NOISE, 0)).proof
    assert proof.words == ""
    assert all(0.5 < one < 0.75 for one in proof.weights), "by day it is as wrong as ours is by day and night"


def test_before_our_own_errors_are_known_a_bad_one_still_has_no_weight() -> None:
    wild = source(lambda sun: np.maximum(sun + 40e3 * NOISE, 0)).proven(NOW, RECORD, [])
    good = source(lambda sun: sun).proven(NOW, RECORD, [])
    assert wild.proof.weights == (0, 0, 0)
    assert min(good.proof.weights) > 0.9


def test_radiation_becomes_pv_by_what_it_gave_and_no_day_proves_what_it_taught() -> None:
    found = source(lambda sun: sun / 62.0, unit="W/m2")
    assert found.gains is not None
    assert min(found.proof.weights) > 0.9
    targets = np.arange(NOW, NOW + 96)
    assert found.told(targets, NOW) == pytest.approx(SUN[DAYS * 96 :][:96], rel=0.05, abs=500)


def own(steps: int = 192) -> tuple[Ahead, list[datetime]]:
    flat = np.full(steps, 40e3)
    bands = np.tile(flat, (len(LEVELS), 1))
    starts = [NOON + timedelta(minutes=15 * step) for step in range(steps)]
    return Ahead(flat, flat / 2, flat / 10, Bands(bands, bands / 2, bands / 2), np.arange(steps, dtype=float)), starts


def test_the_blend_follows_the_better_one_and_keeps_what_is_measured_and_our_own_spread() -> None:
    ahead, starts = own()
    found = source(lambda load: load, of="load")
    both = blended(ahead, starts, [found])
    assert both.load[0] == ahead.load[0]
    assert both.load[1:150] == pytest.approx(LOAD[DAYS * 96 + 1 :][:149], rel=0.01)
    assert both.pv.tolist() == ahead.pv.tolist(), "it is of load"
    assert both.spread.tolist() == ahead.spread.tolist()
    assert both.quantiles.load[3] == pytest.approx(both.load)
    nothing = blended(ahead, starts, [source(lambda load: load / 1000, of="load")])
    assert nothing.load == pytest.approx(ahead.load)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3), st.lists(st.floats(0, 1e6), min_size=1, max_size=192))
def test_a_blend_lies_between_what_was_told(weights: list[float], powers: list[float]) -> None:
    ahead, starts = own()
    issue = Issue(NOW, Told(NOW, np.array(powers)))
    both = blended(ahead, starts, [Source("x", "load", (issue,), Proof(tuple(weights)))])
    told = np.append(powers, np.full(192 - len(powers), 40e3))
    assert (both.load >= np.minimum(told, ahead.load) - 1).all()
    assert (both.load <= np.maximum(told, ahead.load) + 1).all()
