"""Outside forecasts: read as they are published, and believed for what they have proven."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from optimizer.forecast.local_days import DAY, quarter
from optimizer.forecast.outside import Issue, Proof, as_pv, blend, gains, prove
from optimizer.forecast.outside_formats import Told, read
from schemas.troubles import Trouble

BERLIN = ZoneInfo("Europe/Berlin")
RECORDINGS = Path(__file__).parents[1] / "recordings/forecasts"
NOON = quarter(datetime(2026, 6, 21, 11, tzinfo=UTC))
"""The sun's, in Berlin."""


def document(name: str) -> str:
    return (RECORDINGS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "unit", "most"),
    [
        ("solcast_rooftop.json", "W", 7400),
        ("forecast_solar_estimate.json", "W", 7380),
        ("open_meteo.json", "W/m2", 860),
    ],
)
def test_each_document_is_power_by_the_quarter(name: str, unit: str, most: float) -> None:
    told = read(document(name), name, BERLIN)
    assert told.unit == unit
    day = told.at(np.arange(NOON - 44, NOON + 52))
    assert np.nanmax(day) == pytest.approx(most, rel=0.01)
    assert abs(int(np.nanargmax(day)) - 44) <= 4, "the sun is highest at 13 h on the clock of Berlin"
    assert np.nan_to_num(told.at(np.array([NOON - 44]))).max() == 0


def test_a_csv_file_has_its_unit_in_the_name_of_its_column() -> None:
    text = "timestamp_utc,pv_kw\n2026-06-21T11:00:00Z,4.5\n2026-06-21T11:30:00Z,\n2026-06-21T12:00:00Z,4\n"
    told = read(text, "sun.csv", BERLIN)
    assert list(told.values[:2]) == [4500.0, 4500.0]
    assert told.first == NOON
    local = read(text.replace("timestamp_utc", "timestamp").replace("Z", ""), "sun.csv", BERLIN)
    assert local.first == NOON - 8


def changed(name: str, change: Callable[[dict[str, object]], object]) -> str:
    found = json.loads(document(name))
    change(found)
    return json.dumps(found)


SOLCAST, SOLAR, METEO = "solcast_rooftop.json", "forecast_solar_estimate.json", "open_meteo.json"
WRONG = {
    "nothing": ("", r"f: tells of|f:1: needs the columns timestamp_utc"),
    "no JSON": ("{", r"f: no JSON"),
    "another document": ("{}", r"f: no forecast that is known: it needs `forecasts` \(Solcast\)"),
    "an end that is none": (
        '{"forecasts": [{"period_end": "noon", "pv_estimate": 1}]}',
        r"forecasts\.0\.period_end: 'noon'",
    ),
    "a period that is none": (
        '{"forecasts": [{"period_end": "2026-06-21T12:00:00Z", "period": "30", "pv_estimate": 1}]}',
        r"forecasts\.0\.period: '30' is no period: write it such as PT30M",
    ),
    "no number": (
        '{"forecasts": [{"period_end": "2026-06-21T12:00:00Z", "pv_estimate": "much"}]}',
        r"forecasts\.0\.pv_estimate: 'much' is no power",
    ),
    "no number in a number": (
        '{"forecasts": [{"period_end": "2026-06-21T12:00:00Z", "pv_estimate": NaN}]}',
        r"nan is no power",
    ),
    "watts that are none": ('{"result": {"watt_hours": {}}}', r"result\.watts: needs a table"),
    "a zone that is none": (
        changed(SOLAR, lambda one: one["message"]["info"].update(timezone="Nowhere/There")),  # type: ignore[index]
        r"message\.info\.timezone: 'Nowhere/There'",
    ),
    "lists that differ": (
        changed(METEO, lambda one: one["hourly"]["time"].pop()),  # type: ignore[index]
        r"hourly: 47 times and 48 values",
    ),
    "no radiation": (
        changed(METEO, lambda one: one["hourly"].pop("shortwave_radiation")),  # type: ignore[attr-defined]
        r"hourly\.shortwave_radiation: needs a list",
    ),
    "a column without its unit": ("timestamp_utc,pv\n2026-06-21T11:00:00Z,4\n", r"f:1: needs the columns"),
    "a comma for a point": ('timestamp_utc,pv_kw\n2026-06-21T11:00:00Z,"4,5"\n', r"f: 2: pv_kw: '4,5' is no power"),
    "a year for a value": ("timestamp_utc,pv_kw\n2026-06-21T11:00:00Z,4\n2027-06-21T11:00:00Z,4\n", r"at most 3 h"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_at_its_place(what: str) -> None:
    text, words = WRONG[what]
    with pytest.raises(Trouble, match=words):
        read(text, "f", BERLIN)


FIRST = quarter(datetime(2026, 6, 1, tzinfo=UTC))
DAYS = 10
NOW = FIRST + DAYS * DAY


def sun(spread: float = 0.0, seed: int = 3) -> np.ndarray:
    """W of PV of ten days and one more, each as bright as it is, with an error by the day."""
    rng = np.random.default_rng(seed)
    bright = np.repeat(np.random.default_rng(1).uniform(0.3, 1.0, DAYS + 1), DAY)
    off = np.repeat(1 + spread * rng.standard_normal(DAYS + 1), DAY)
    height = np.maximum(0, np.sin((np.arange(DAY) - 18) / 60 * np.pi)) * (np.arange(DAY) < 78)
    return np.asarray(50e3 * bright * off * np.tile(height, DAYS + 1))


def issues(values: np.ndarray, *, last: int = DAYS, unit: float = 1.0, late: int = 0) -> list[Issue]:
    """Told at each midnight for the day that begins, and at each six hours after."""
    return [
        Issue(FIRST + hour * 4, Told(FIRST + hour * 4 + late, unit * values[hour * 4 : hour * 4 + DAY]))
        for hour in range(0, 24 * last, 6)
    ]


OWN = (4e3, 6e3, 8e3)
SOURCES: dict[str, tuple[list[Issue], str]] = {
    "good": (issues(sun(0.05)), ""),
    "one day old": (issues(sun(0.05), last=1), "stale: it was heard 2.. h ago"),
    "in kW": (issues(sun(0.05), unit=1e-3), "it tells 0.00.* times what came: is it in kW where W are meant"),
    "in mW": (issues(sun(0.05), unit=1e3), "times what came"),
    "an hour late": (issues(sun(), late=4), "it is an hour late"),
    "an hour early": (issues(sun(), late=-4), "it is an hour early"),
    "far off": (issues(sun(0.9)), "its error from 0 h ahead is .* times our own"),
    "never heard": ([], "stale: it was never heard"),
}


@pytest.mark.parametrize("what", SOURCES)
def test_a_forecast_counts_for_what_it_has_proven(what: str) -> None:
    heard, words = SOURCES[what]
    proof = prove(heard, NOW, FIRST, sun()[: DAYS * DAY], OWN)
    if not words:
        assert proof.words == ""
        assert 0.6 < proof.weights[2] < 1
    else:
        assert set(proof.weights) == {0.0}
        assert re.search(words, proof.words), proof.words
    assert proof.outsider("roof").weights.keys() == {"0-1", "1-6", "6-24"}


def test_with_two_days_it_is_not_proven_yet() -> None:
    young = [one for one in issues(sun(0.05)) if one.heard >= NOW - 2 * DAY]
    assert prove(young, NOW, FIRST, sun()[: DAYS * DAY], OWN).words.startswith("not proven yet: ")


def test_the_blend_is_better_than_either_where_their_errors_differ() -> None:
    came = sun()[-DAY:]
    rng = np.random.default_rng(5)
    own, told = (np.maximum(came + rng.normal(0, 5e3, DAY), 0) for _ in range(2))
    mixed = blend(own, np.arange(DAY, dtype=float), [(told, Proof((0.5, 0.5, 0.5)))])
    wrong = [float(np.sqrt(np.mean((one - came) ** 2))) for one in (mixed, own, told)]
    assert wrong[0] < 0.85 * min(wrong[1:])
    silent = np.full(DAY, np.nan)
    assert np.array_equal(blend(own, np.arange(DAY, dtype=float), [(silent, Proof((0.5, 0.5, 0.5)))]), own)
    assert np.array_equal(blend(own, np.arange(DAY, dtype=float), [(told, Proof((0.0, 0.0, 0.0), "bad"))]), own)


def test_radiation_becomes_power_by_what_it_gave() -> None:
    """An east roof: in the morning a W/m2 gives twice of what it gives in the evening."""
    radiation = sun() / 60
    gain = np.where(np.arange(len(radiation)) % DAY < 48, 80.0, 40.0)
    heard = [Issue(one.heard, Told(one.told.first, one.told.values, "W/m2")) for one in issues(radiation)]
    known = gains(heard, FIRST, (radiation * gain)[: DAYS * DAY])
    assert known is not None
    found = as_pv(heard[-1], known)
    targets = np.arange(found.told.first, found.told.first + 48)
    expected = (radiation * gain)[targets - FIRST]
    assert np.abs(found.told.at(targets) - expected).max() < 0.1 * expected.max()
    assert gains(heard, FIRST, np.full(DAYS * DAY, np.nan)) is None
