"""Forecasts from outside at optimize: files and topics, across a restart, into a plan, and what is said of them."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.optimize.forecasts_heard import ForecastsHeard
from consumers.optimize.learning import Learning
from consumers.optimize.outside_files import OutsideFiles
from consumers.optimize.outside_kept import keep
from consumers.optimize.service import Optimize
from consumers.status.skill import skill
from consumers.status.state import Moment, State, fold
from consumers.status.view import view
from optimizer.forecast.local_days import instant, quarter
from optimizer.forecast.outside import Issue
from optimizer.forecast.outside_formats import Told
from optimizer.forecast.outside_source import Source
from optimizer.record import Record
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import read_settings
from runtime.signature import signed
from schemas.forecast_powers import ForecastPowers
from schemas.forecast_skill import ForecastSkill, LeadSkill, Outsider, PriceSkill
from schemas.topics import FORECAST_POWERS, FORECAST_SKILL
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_dispatch_service import Ear, on_the_bus, until
from tests.consumers.test_optimize_pure import NOON, QUARTER
from tests.consumers.test_optimize_service import fill, scene

FILE = 'forecast = [{ name = "works", of = "load", format = "csv", file = "works.csv" }]\n'
TOPIC = 'forecast = [{ name = "works", of = "load", topic = true }]\n'
NOW = quarter(NOON)
DAYS = 20
LOAD = 80e3 + 30e3 * np.sin((np.arange(DAYS * 96 + 192) + NOW) / 96 * 2 * np.pi) * np.cos(
    np.arange(DAYS * 96 + 192) / 40
)
RECORD = Record(instant(NOW - DAYS * 96), LOAD[: DAYS * 96], np.zeros(DAYS * 96))


def write(folder: Path, text: str, old: float = 60.0) -> None:
    path = folder / "works.csv"
    path.write_text(text, encoding="utf-8")
    os.utime(path, (NOON.timestamp() - old,) * 2)


def rows(power: float = 42.0) -> str:
    return "timestamp_utc,load_kw\n" + "".join(
        f"{NOON + number * QUARTER:%Y-%m-%dT%H:%MZ},{power}\n" for number in range(8)
    )


def test_a_file_is_read_when_it_changed_and_one_that_goes_wrong_leaves_the_last(tmp_path: Path) -> None:
    files = OutsideFiles(plant_site(tmp_path, more=FILE))
    assert files.fresh(NOON) == []
    assert files.faults["works"].startswith("works.csv cannot be read: No such file"), "but plans go on"
    write(tmp_path, rows(), old=3 * 3600)
    ((name, issue),) = files.fresh(NOON)
    assert (name, issue.heard, issue.told.values[0]) == ("works", NOW - 12, 42e3)
    assert files.faults == {}
    assert files.fresh(NOON) == [], "it is as it was"
    write(tmp_path, rows()[:-30], old=2)
    assert files.fresh(NOON) == [], "it is being written"
    for broken, words in (
        ('{"forecasts": [{', "no JSON"),
        (json_of_another(), "is written as solcast, and the site file says csv"),
        ("timestamp_utc,load_kw\nsoon,3\n", "2: timestamp_utc: 'soon' is no instant"),
    ):
        write(tmp_path, broken)
        assert files.fresh(NOON) == []
        assert words in files.faults["works"]
        assert files.faults["works"].endswith("what was read before goes on")
    write(tmp_path, rows(43.0), old=2 * 3600)
    ((_, again),) = files.fresh(NOON)
    assert (again.heard, again.told.values[0]) == (NOW, 43e3), "it came while we looked, whatever its date"
    assert files.faults == {}


def json_of_another() -> str:
    return '{"forecasts": [{"pv_estimate": 1.0, "period_end": "2026-06-10T10:30:00Z", "period": "PT30M"}]}'


def powers(minutes: float = 0.0, power: float = 42e3, **more: Any) -> ForecastPowers:
    fields = {
        "at": NOON + timedelta(minutes=minutes),
        "of": "load",
        "start": NOON,
        "minutes": 60,
        "values": [power] * 48,
    }
    return ForecastPowers.model_validate({**fields, **more})


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("works", powers(), ""),
        ("other", powers(), "the site file does not name it: write [[forecast]] with this name and topic = true"),
        ("works", powers(of="pv"), "it is of pv, and the site file says load"),
        ("works", powers(minutes=5), "it comes from 300 s ahead: check the clock"),
        ("works", powers(minutes=-30), "a later one was followed already"),
        ("works", powers(minutes=-1, start=NOON - 8 * QUARTER, values=[1.0, 2.0]), "its last value ended at"),
    ],
)
def test_what_is_said_on_the_topic_is_followed_or_refused_in_words(
    tmp_path: Path, name: str, said: ForecastPowers, words: str
) -> None:
    heard = ForecastsHeard(plant_site(tmp_path, more=TOPIC))
    assert heard.hear("works", powers(minutes=-20), NOON, retained=True) == ""
    got = heard.hear(name, said, NOON, retained=False)
    assert got.startswith(words)
    assert bool(got) is bool(words)
    taken = heard.take()
    assert [at for _, at, _ in taken] == [NOON - timedelta(minutes=20), *([] if words else [NOON])]
    assert heard.take() == []
    assert (name in heard.refused) is (bool(words) and name == "works")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"start": NOON + timedelta(minutes=5)}, "lies on a quarter"),
        ({"values": []}, "values"),
        ({"values": [-1.0]}, "values"),
        ({"values": [float("nan")]}, "values"),
        ({"values": [1.0] * 400}, "beyond 16 days"),
        ({"start": NOON - timedelta(days=3)}, "were over when it was made"),
    ],
)
def test_a_message_that_cannot_be_meant_is_no_forecast(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        powers(**more)


KEY = "k" * 64


@pytest.mark.parametrize(("key", "words"), [(KEY, ""), ("x" * 64, "forged"), (None, "unsigned")])
async def test_with_a_key_only_signed_forecasts_are_followed(tmp_path: Path, key: str | None, words: str) -> None:
    site = plant_site(tmp_path, more=TOPIC)
    env = {"JOULEBUS_FORECAST_KEY": KEY, "JOULEBUS_DATABASE": f"sqlite+aiosqlite:///{tmp_path / 'none.db'}"}
    optimize = Optimize(Part("optimize", site, read_settings("optimize", env)))
    now, place = utc_now(), {"site": "plant", "forecast": "works"}
    said = ForecastPowers(at=now, of="load", start=instant(quarter(now)), minutes=60, values=[1.0] * 4)
    said = said if key is None else signed(said, FORECAST_POWERS.at(**place), key)
    optimize.hearing.hear(Heard(FORECAST_POWERS, place, said, "", said.model_dump_json().encode(), False, 1))
    heard = optimize.past.learning.heard
    assert words in heard.refused.get("works", "")
    assert (len(heard.take()), optimize.part.counts["forecasts_refused"]) == ((0, 1) if words else (1, 0))
    await optimize.history.engine.dispose()


def told_true(learning: Learning) -> None:
    """Each three hours of the last days somebody told what really came."""
    for heard in range(NOW - (DAYS - 1) * 96, NOW, 12):
        place = heard - NOW + DAYS * 96
        values = [float(power) for power in LOAD[place : place + 96]]
        said = ForecastPowers(at=instant(heard), of="load", start=instant(heard), minutes=15, values=values)
        assert learning.heard.hear("works", said, instant(heard), retained=False) == ""


def test_one_that_has_proven_itself_is_planned_with_and_a_restart_forgets_no_proof(tmp_path: Path) -> None:
    site = plant_site(tmp_path, more=TOPIC)
    starts = [NOON + step * QUARTER for step in range(90)]
    learning = Learning(site, state=tmp_path)
    plain = learning.ahead(RECORD, NOON, starts, LOAD[DAYS * 96], 0.0)
    assert learning.notes == ["forecast works has no weight: stale: it was never heard"]
    told_true(learning)
    later = NOON + timedelta(minutes=61)
    assert learning.ahead(RECORD, NOON, starts, LOAD[DAYS * 96], 0.0).load == pytest.approx(plain.load)
    starts = [later + step * QUARTER for step in range(80)]
    assert learning.model is not None
    plain = learning.model.ahead(RECORD, starts, LOAD[DAYS * 96 + 4], 0.0)
    both = learning.ahead(RECORD, later, starts, LOAD[DAYS * 96 + 4], 0.0)
    truth = LOAD[DAYS * 96 + 4 : DAYS * 96 + 84]
    assert learning.notes == []
    wrong, before = (float(np.abs(one.load - truth).mean()) for one in (both, plain))
    assert wrong < before / 2
    assert both.spread == pytest.approx(plain.spread)
    again = Learning(site, state=tmp_path)
    assert again.ahead(RECORD, later, starts, LOAD[DAYS * 96 + 4], 0.0).load == pytest.approx(both.load, rel=1e-3)
    said = again.skill(later)
    assert said is not None
    assert min(said.outside[0].weights.values()) > 0.9
    (tmp_path / "forecasts" / "plant-works.npz").write_bytes(b"PK\x03\x04 no archive")
    lost = Learning(site, state=tmp_path)
    alone = lost.ahead(RECORD, later, starts, LOAD[DAYS * 96 + 4], 0.0)
    assert lost.model is not None
    assert alone.load == pytest.approx(lost.model.ahead(RECORD, starts, LOAD[DAYS * 96 + 4], 0.0).load)
    assert "stale: it was never heard" in lost.notes[0]
    assert "plant-works.npz cannot be read, its proof begins anew" in lost.notes[1]


SKILL = [
    LeadSkill.model_validate(
        {"of": of, "from_hours": 6, "to_hours": 24, "quarters": 900, "bias": 0.0, "rmse": rmse, "covered": 79.4}
    )
    for of, rmse in (("load", 8120.0), ("pv", 5040.0), ("net", 9e3))
]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, None),
        (ForecastSkill(at=NOON), None),
        (
            ForecastSkill(at=NOON, skills=SKILL),
            "Forecast: load ±8.12 kW, PV ±5.04 kW (6 to 24 h ahead); the 80 % band held in 79 %.",
        ),
        (
            ForecastSkill(at=NOON, skills=SKILL[:1], outside=[Outsider(name="roof", weights={"6-24": 0.64})]),
            "Forecast: load ±8.12 kW (6 to 24 h ahead). From outside: roof counts 64 %.",
        ),
        (
            ForecastSkill(at=NOON, prices=[PriceSkill(of="import", days=14, bias=0.0, mae=0.0164, currency="EUR")]),
            "Prices of the next day, before they were published: ±0.016 EUR/kWh.",
        ),
    ],
)
def test_the_page_has_a_line_of_it_and_none_while_nothing_is_known(
    tmp_path: Path, said: ForecastSkill | None, words: str | None
) -> None:
    assert skill(said) == words
    state, now = State(plant_site(tmp_path)), Moment(NOON, 0.0)
    fold(state, FORECAST_SKILL, {"site": "plant"}, said, now)
    assert view(state, now)["skill"] == words


def proven(now: int) -> Source:
    """It told for three days what the archive has."""
    found = Source("works", "load")
    for heard in range(now - 288, now - 8, 24):
        found = found.hearing(Issue(heard, Told(heard, np.full(192, 80e3))))
    return found


async def test_a_forecast_on_the_topic_reaches_the_plan_and_what_it_counts_for_is_said(
    broker: Broker, tmp_path: Path, site_name: str, sqlite_archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    site, now = plant_site(tmp_path, site_name, more=TOPIC), utc_now()
    await fill(sqlite_archive, site_name, now, days=3)
    keep(tmp_path / "forecasts" / f"{site_name}-works.npz", proven(quarter(now)))
    async with on_the_bus(broker, "forecast") as them, on_the_bus(broker, "admin") as admin:
        said = ForecastPowers(at=now, of="load", start=instant(quarter(now)), minutes=60, values=[140e3] * 48)
        await them.say(FORECAST_POWERS, said, site=site_name, forecast="works")
        await them.say(FORECAST_POWERS, said, site=site_name, forecast="other")
        ear = Ear(admin, FORECAST_SKILL.at(site=site_name))
        async with scene(broker, site, sqlite_archive) as played:
            await until(lambda: played.plans and ear.heard, within=30)
            await until(lambda: any(one.outside for one in ear.messages), within=30)
        await ear.stop()
    last = next(one for one in ear.messages if one.outside)
    weight = last.outside[0].weights["6-24"]
    assert (last.outside[0].name, last.outside[0].words) == ("works", "")
    assert 0.4 < weight <= 1
    load = [step.load for step in played.plans[-1].steps]
    assert load[0] == pytest.approx(30e3, rel=0.1), "as it is measured"
    assert load[60] == pytest.approx(80e3 + weight * 60e3, rel=0.05)
    assert played.part.counts["forecasts_refused"] == 1
