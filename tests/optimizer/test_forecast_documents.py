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
        changed(METEO, lambda one: [one[name].pop("shortwave_radiation") for name in ("hourly", "minutely_15")]),  # type: ignore[attr-defined]
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


OPENHAB = (
    "https://github.com/openhab/openhab-addons/tree/main/bundles/org.openhab.binding.solarforecast/src/test/resources"
)
HOME_ASSISTANT = "https://github.com/home-assistant-libs/forecast_solar/tree/main/tests/fixtures"
SOLCAST_HA = "https://github.com/BJReplay/ha-solcast-solar/blob/main/custom_components/solcast_solar/fetcher.py"
SOLCAST_SDK = "https://github.com/Solcast/solcast-api-python-sdk/blob/main/tests/test_forecast.py"
METEO_LIBRARY = "https://github.com/frenck/python-open-meteo/tree/main/tests/fixtures"
EMHASS = "https://github.com/davidusb-geek/emhass/blob/master/data/test_response_solcast_multiday.json"

SHAPES: dict[str, tuple[str, str, dict[str, float]]] = {
    "Solcast in one line, whole numbers among the others": (
        EMHASS,
        (
            '{"forecasts":[{"pv_estimate":0,"pv_estimate10":0,"pv_estimate90":0,"period_end":"2026-06-21T11:30:00.0000000Z",'
            '"period":"PT30M"},{"pv_estimate":1.25,"pv_estimate10":0.4,"pv_estimate90":2,'
            '"period_end":"2026-06-21T12:00:00.0000000Z","period":"PT30M"}]}'
        ),
        {"11:00": 0.0, "11:15": 0.0, "11:30": 1250.0, "11:45": 1250.0},
    ),
    "Solcast backwards: what was, youngest first, beside what will be": (
        f"{OPENHAB}/resources/solcast/NE.json",
        """{"estimated_actuals": [
            {"period_end": "2026-06-21T11:30:00.0000000Z", "period": "PT30M", "pv_estimate": 2.5},
            {"period_end": "2026-06-21T11:00:00.0000000Z", "period": "PT30M", "pv_estimate": 2}],
          "forecasts": [{"period_end": "2026-06-21T12:00:00.0000000Z", "period": "PT30M", "pv_estimate": 3.5}]}""",
        {"10:30": 2000.0, "11:00": 2500.0, "11:30": 3500.0},
    ),
    "Solcast's newer interface, by the hour, with a value that is not told": (
        SOLCAST_SDK,
        """{"forecasts": [
            {"pv_power_rooftop": 0.75, "period_end": "2026-06-21T12:00:00.0000000Z", "period": "PT1H"},
            {"pv_power_rooftop": null, "period_end": "2026-06-21T13:00:00.0000000Z", "period": "PT60M"},
            {"pv_power_rooftop": 0.5, "period_end": "2026-06-21T13:05:00.0000000Z", "period": "PT5M"}]}""",
        {"11:00": 750.0, "11:45": 750.0, "12:00": float("nan"), "13:00": 500.0},
    ),
    "Solcast as Home Assistant keeps it: by the begin, on the local clock": (
        SOLCAST_HA,
        """{"forecasts": [
            {"period_start": "2026-06-21T13:00:00+02:00", "pv_estimate": 4.5},
            {"period_start": "2026-06-21T13:30:00+02:00", "pv_estimate": 5.0}]}""",
        {"11:00": 4500.0, "11:15": 4500.0, "11:30": 5000.0, "11:45": 5000.0},
    ),
    "forecast.solar with its offset, and sunrise to the second": (
        f"{HOME_ASSISTANT}/forecast.json",
        """{"result": {
            "watts": {"2026-06-21T12:40:17+02:00": 0, "2026-06-21T13:00:00+02:00": 400,
              "2026-06-21T14:00:00+02:00": 800},
            "watt_hours_period": {"2026-06-21T12:40:17+02:00": 0, "2026-06-21T13:00:00+02:00": 66},
            "watt_hours": {"2026-06-21T12:40:17+02:00": 0}, "watt_hours_day": {"2026-06-21": 666}},
          "message": {"code": 0, "type": "success", "text": "", "pid": "A1", "info": {"timezone": "Europe/Amsterdam"},
            "ratelimit": {"zone": "IP ADDRESS", "period": 3600, "limit": 12, "remaining": 11}}}""",
        {"11:00": 450.0, "11:15": 550.0, "11:30": 650.0, "11:45": 750.0},
    ),
    "forecast.solar of an account: half hours on the local clock, the night told, one value missing": (
        f"{OPENHAB}/resources/forecastsolar/full_update_commercial.json",
        """{"result": {"watts": {
            "2026-06-21 00:00:00": 0, "2026-06-21 00:30:00": 0, "2026-06-21 13:00:00": 100, "2026-06-21 13:30:00": 300,
            "2026-06-21 14:00:00": null}},
          "message": {"code": 0, "type": "success", "text": "", "info": {"place": null}}}""",
        {"22:00": 0.0, "11:00": 150.0, "11:15": 250.0},
    ),
    "Open-Meteo on the plane of the panels, beside sums of the day": (
        f"{METEO_LIBRARY}/satellite_radiation.json",
        """{"latitude": 52.3, "utc_offset_seconds": 7200, "timezone": "Europe/Amsterdam",
          "hourly_units": {"time": "iso8601"},
          "hourly": {"time": ["2026-06-21T13:00", "2026-06-21T14:00"], "shortwave_radiation": [450.5, 530.5],
            "global_tilted_irradiance": [621.5, null]},
          "daily": {"time": ["2026-06-21"], "shortwave_radiation_sum": [11.7]}}""",
        {"10:00": 621.5, "10:45": 621.5},
    ),
    "Open-Meteo with the radiation in one table and the weather in the other": (
        f"{METEO_LIBRARY}/forecast_minutely_15.json",
        """{"utc_offset_seconds": 0, "timezone": "GMT",
          "hourly": {"time": ["2026-06-21T11:00"], "temperature_2m": [19.5]},
          "minutely_15": {"time": ["2026-06-21T11:15", "2026-06-21T11:30"], "shortwave_radiation": [700.0, 710.0]}}""",
        {"11:00": 700.0, "11:15": 710.0},
    ),
}


@pytest.mark.parametrize("what", SHAPES)
def test_documents_are_read_in_the_shapes_that_were_recorded(what: str) -> None:
    """The structure is that of the recording at the address; the numbers are our own."""
    _, text, expected = SHAPES[what]
    told = read(text, "f", BERLIN)
    for clock, power in expected.items():
        hour, minute = map(int, clock.split(":"))
        day = 20 if hour >= 22 else 21  # the night before, in UTC
        at = quarter(datetime(2026, 6, day, hour, minute, tzinfo=UTC))
        assert told.at(np.array([at]))[0] == pytest.approx(power, nan_ok=True), clock


REFUSED = {
    "forecast.solar, asked too often": (
        f"{HOME_ASSISTANT}/ratelimit.json",
        (
            '{"result": "Rate limit for API calls reached.", "message": {"code": 429, "type": "error", '
            '"text": "Rate limit for API calls reached.", "ratelimit": {"zone": "YOUR IP ADDRESS", "limit": 12}}}'
        ),
        "the answer: Rate limit for API calls reached",
    ),
    "Solcast, asked too often": (
        SOLCAST_HA,
        (
            '{"response_status": {"error_code": "TooManyRequests", "message": '
            '"You have exceeded your free daily limit.", "errors": []}}'
        ),
        "the answer: You have exceeded your free daily limit",
    ),
    "Open-Meteo, of a place it does not know": (
        "https://open-meteo.com/en/docs",
        '{"error": true, "reason": "Latitude must be in range of -90 to 90\u00b0."}',
        "the answer: Latitude must be in range",
    ),
    "forecast.solar, only a part of it": (
        f"{HOME_ASSISTANT}/validate_plane.json",
        '{"result": {"latitude": "52", "power": "2.160 kWp"}, "message": {"code": 0, "type": "success", "text": ""}}',
        "result.watts: needs a table of instants and W: ask for /estimate",
    ),
    "Open-Meteo, where its model does not reach": (
        f"{METEO_LIBRARY}/satellite_radiation_not_covered.txt",
        '{"latitude":nan,"longitude":nan,"generationtime_ms":0.02,"utc_offset_seconds":0,"timezone":"GMT"}',
        "f: no JSON",
    ),
    "Open-Meteo, of two places": (
        "https://open-meteo.com/en/docs",
        '[{"hourly": {"time": []}}, {"location_id": 1, "hourly": {"time": []}}]',
        "tells of 2 places: ask Open-Meteo for one",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_answer_that_is_no_forecast_is_said_in_its_own_words(what: str) -> None:
    _, text, words = REFUSED[what]
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
