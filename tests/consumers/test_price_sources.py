"""Where the prices of a plan come from: files, folders, a topic; what goes wrong in one is said while others go on."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.optimize import occasions
from consumers.optimize.market_heard import MarketHeard
from consumers.optimize.price_sources import PriceSources
from consumers.optimize.prices import WRITING, PriceFiles, files_of, read_published
from optimizer.price_documents.wanted import Wanted
from optimizer.shortage import shortages
from runtime.heard import Heard
from runtime.settings import Settings, read_settings
from runtime.signature import signed
from schemas.messages import Cause, MarketPrices, PriceBlock
from schemas.topics import MARKET_PRICES
from schemas.troubles import Trouble
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_dispatch_service import on_the_bus, until
from tests.consumers.test_optimize_service import scene
from tests.optimizer.test_price_documents import RECORDED, mwh

ES = Wanted(area="ES")
HOUR = timedelta(hours=1)
NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)


def old(path: Path, at: float = 1000.0) -> Path:
    os.utime(path, (at, at))
    return path


@pytest.fixture
def omie(tmp_path: Path) -> Path:
    folder = tmp_path / "omie"
    shutil.copytree(RECORDED / "omie", folder)
    for one in folder.iterdir():
        old(one)
    return folder


# files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["", "marginalpdbc_*", "marginalpdbc_2025????.1", "../om*/marginalpdbc_*1"])
def test_a_day_a_file_is_one_series_from_a_folder_or_a_pattern(omie: Path, which: str) -> None:
    for name in (".marginalpdbc_20251002.1", "marginalpdbc_20251002.1.part", "marginalpdbc_20251002.1.tmp"):
        (omie / name).write_text("MARGINALPDBC;\n2025;10;02;1;9;9", encoding="utf-8")
    path = omie / which if which else omie
    assert [one.name for one in files_of(path)][:2] == ["marginalpdbc_20250930.1", "marginalpdbc_20251001.1"]
    if which != "marginalpdbc_*":
        published, form = read_published(path, ES)
        assert (form, len(published.series.starts)) == ("OMIE", 24 + 96)
        assert mwh(published, "2025-09-30T21:00Z", "2025-09-30T22:00Z") == [125.0, -48.25]


def test_a_later_version_of_a_day_replaces_it_whole(omie: Path) -> None:
    first = (omie / "marginalpdbc_20251001.1").read_text(encoding="utf-8")
    (omie / "marginalpdbc_20251001.2").write_text(first.replace(";5;-45.25;-44.25;", ";5;1;2;"), encoding="utf-8")
    published, _ = read_published(omie, ES)
    assert (published.corrected, published.repeated) == (1, 95)
    assert mwh(published, "2025-09-30T23:00Z") == [2.0]


def test_one_wrong_file_of_a_folder_is_said_and_the_others_hold(omie: Path) -> None:
    files = PriceFiles()
    assert len(files.series(omie, 2000.0, ES).starts) == 120
    bad = omie / "marginalpdbc_20251002.1"
    bad.write_text("<html>Servicio no disponible</html>", encoding="utf-8")
    old(bad)
    assert len(files.series(omie, 3000.0, ES).starts) == 120
    why = "a page of HTML, not prices: the download failed, open it in a browser to see why"
    assert files.faults[omie] == [f"{bad}:1: {why}"]
    cut = omie / "marginalpdbc_20251001.1"
    cut.write_text(cut.read_text(encoding="utf-8")[:600], encoding="utf-8")
    old(cut, 1500.0)
    assert len(files.series(omie, 3000.0, ES).starts) == 120, "what it held before goes on"
    assert len(files.faults[omie]) == 2
    bad.unlink()
    cut.write_bytes((RECORDED / "omie" / cut.name).read_bytes())
    old(cut, 1600.0)
    files.series(omie, 3000.0, ES)
    assert files.faults[omie] == []
    cut.write_text("MARGINALPDBC;\n2025;10;01;1;9;9;\n", encoding="utf-8")
    with pytest.raises(Trouble, match=r"marginalpdbc_20251001\.1:2: it does not end with a line \*"):
        read_published(omie, ES)


def test_a_folder_of_two_publishers_is_refused(tmp_path: Path) -> None:
    for name in ("entsoe_long_day.xml", "awattar_long_day.json"):
        shutil.copy(RECORDED / name, tmp_path / name)
    with pytest.raises(Trouble, match="documents of ENTSO-E and aWATTar: keep those of one publisher"):
        PriceFiles().series(tmp_path, 1e12)


def test_a_day_that_is_not_published_yet_is_no_fault(tmp_path: Path) -> None:
    for name in ("entsoe_long_day.xml", "entsoe_no_data.xml"):
        shutil.copy(RECORDED / name, tmp_path / name)
    files = PriceFiles()
    assert len(files.series(tmp_path, 1e12).starts) == 100
    assert files.faults[tmp_path] == []
    with pytest.raises(Trouble, match=r"entsoe_no_data\.xml:2: ENTSO-E answers without prices: No matching data"):
        read_published(tmp_path / "entsoe_no_data.xml")


def test_a_file_that_was_never_read_and_is_just_being_written_is_waited_for(tmp_path: Path) -> None:
    path, files = tmp_path / "prices.csv", PriceFiles()
    assert files.young(path, 1000.0) == 0
    path.write_text("timestamp_utc,price_eur_per_mwh\n2026-06-10T10:00Z,5", encoding="utf-8")
    old(path)
    assert [files.young(path, wall) for wall in (999.0, 1000.0, 1004.0, 1000.0 + WRITING)] == [0, 5, 1, 0]
    files.series(path, 1006.0)
    assert files.young(path, 1001.0) == 0, "what was read before goes on meanwhile"


# the topic --------------------------------------------------------------------------------------------


def told(hours: int = 24, **changed: Any) -> MarketPrices:
    block = PriceBlock(start=NOON, minutes=60, per_mwh=[float(hour) for hour in range(hours)])
    fields: dict[str, Any] = {"id": "a", "at": NOON - HOUR, "currency": "EUR", "prices": [block]}
    return MarketPrices.model_validate({**fields, **changed})


LATE = PriceBlock(start=NOON - 9 * HOUR, minutes=60, per_mwh=[1])


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (told(id="b", at=NOON), ""),
        (told(), ""),
        (None, ""),
        (told(id="b", at=NOON - 2 * HOUR), "later ones were followed already"),
        (told(id="b", hours=3), "they contradict those of the same time or id"),
        (told(at=NOON, hours=3), "they contradict those of the same time or id"),
        (told(id="b", at=NOON + HOUR), "they come from 3600 s ahead: check the clock"),
        (told(id="b", at=NOON - 49 * HOUR), "said at 2026-06-08 09:00Z, more than 48 h ago"),
        (told(id="b", at=NOON, prices=[LATE]), "last price ended"),
        (told(id="b", at=NOON - HOUR / 2, until=NOON - HOUR / 4), "`until` lies in the past"),
        (told(id="b", at=NOON, currency="SEK"), "in SEK and the tariff in EUR"),
    ],
)  # fmt: skip
def test_what_is_said_on_the_topic_is_followed_or_refused_in_words(said: MarketPrices | None, words: str) -> None:
    heard = MarketHeard("EUR")
    assert heard.hear(told(), NOON) == ""
    why = heard.hear(said, NOON)
    assert words in why
    assert bool(why) is bool(words)
    assert len(heard.rows("import", NOON)) == (0 if said is None else 24)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"minutes": 20}, "minutes"),
        ({"start": "2026-06-10T10:01:00Z"}, "quarter of an hour"),
        ({"start": "2026-06-10T10:00:00"}, "zone"),
        ({"per_mwh": []}, "per_mwh"),
        ({"per_mwh": [1e400]}, "finite|per_mwh"),
        ({"per_kwh": [1]}, "per_kwh"),
    ],
)
def test_a_message_that_is_not_whole_is_refused(changed: dict[str, Any], words: str) -> None:
    block = {"start": "2026-06-10T10:00:00Z", "minutes": 60, "per_mwh": [1, 2], **changed}
    given = {"id": "a", "at": "2026-06-10T09:00:00Z", "currency": "EUR", "prices": [block]}
    with pytest.raises(ValueError, match=words):
        MarketPrices.model_validate_json(json.dumps(given))
    again = {**given, "prices": [{"start": "2026-06-10T10:00:00Z", "minutes": 60, "per_mwh": [1, 2]}] * 2}
    with pytest.raises(ValueError, match="two prices hold at 2026-06-10 10:00Z"):
        MarketPrices.model_validate_json(json.dumps(again))


KEY = "k" * 64
BOTH = """
import.day_ahead = { file = "prices.csv", topic = true }
export.day_ahead = { topic = true }
"""


def heard(said: MarketPrices) -> Heard[Any]:
    return Heard(MARKET_PRICES, {"site": "plant"}, said, "", said.model_dump_json().encode(), True, 1)


def sources(tmp_path: Path, tariff: str = BOTH) -> PriceSources:
    site = plant_site(tmp_path, tariff=tariff)
    rows = "".join(f"{NOON + hour * HOUR:%Y-%m-%dT%H:%MZ},{100 + hour}\n" for hour in range(-26, 6))
    (tmp_path / "prices.csv").write_text(f"timestamp_utc,price_eur_per_mwh\n{rows}", encoding="utf-8")
    return PriceSources(site, tmp_path)


OPEN = read_settings("optimize", {})


def test_the_topic_holds_before_the_file_and_the_file_where_the_topic_is_silent(tmp_path: Path) -> None:
    both = sources(tmp_path)
    with pytest.raises(Trouble, match="export: the topic market/prices has no price yet"):
        both.series(NOON, 1e12)
    said = told(prices=[PriceBlock(start=NOON + HOUR, minutes=15, per_mwh=[1, 2, 3, 4])],
                export=[PriceBlock(start=NOON, minutes=60, per_mwh=[-7])])  # fmt: skip
    assert both.hear(heard(said), OPEN, NOON) == ""
    series = both.series(NOON, 1e12)
    found = [series["import"].at(NOON + HOUR * step / 4) for step in (0, 3, 4, 7, 8, 24)]
    assert found == pytest.approx([0.100, 0.100, 0.001, 0.004, 0.102, None])
    assert series["export"].at(NOON) == -0.007
    last = PriceBlock(start=NOON - 24 * HOUR, minutes=60, per_mwh=[-5.0] * 24)
    more = told(id="b", at=NOON, export=[last], prices=said.prices)
    assert both.hear(heard(more), OPEN, NOON) == ""
    series = both.series(NOON, 1e12)
    assert series["export"].at(NOON) == -0.007, "what was said before stays where the later one is silent"
    words = [one.words for one in shortages(both.site.prices, series, NOON, both.site.zone)]
    assert "import prices from 2026-06-10 18:00 on are forecast from the days before" in words[0]
    assert "the topic market/prices and prices.csv end there" in words[0]
    assert both.notes == []
    both.series(NOON + 3 * HOUR, 1e12)
    assert both.notes == [f"{way}: the topic market/prices has no price from now on" for way in ("import", "export")]


@pytest.mark.parametrize(("key", "words"), [(KEY, ""), ("x" * 64, "forged"), (None, "unsigned")])
def test_with_a_key_only_signed_prices_are_followed(tmp_path: Path, key: str | None, words: str) -> None:
    both = sources(tmp_path)
    closed: Settings = read_settings("optimize", {"JOULEBUS_PRICE_KEY": KEY})
    said = told() if key is None else signed(told(), MARKET_PRICES.at(site=both.site.site), key)
    assert words in both.hear(heard(said), closed, NOON)
    assert bool(both.heard and both.heard.said) is not bool(words)


def test_prices_on_a_topic_that_the_tariff_does_not_name_are_refused(tmp_path: Path) -> None:
    plain = sources(tmp_path, 'import.day_ahead = { file = "prices.csv" }')
    assert "write topic = true" in plain.hear(heard(told()), OPEN, NOON)
    assert plain.series(NOON, 1e12)["import"].at(NOON) == pytest.approx(0.1)


async def test_prices_of_the_topic_reach_the_plan_and_a_contradiction_is_said(
    broker: Broker, tmp_path: Path, site_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occasions, "APART", 0.5)
    site = plant_site(tmp_path, site_name, "import.day_ahead = { topic = true, plus = 0.1 }")
    now = utc_now().replace(minute=0, second=0, microsecond=0)
    block = PriceBlock(start=now, minutes=60, per_mwh=[50.0] * 48)
    said = MarketPrices(id="a", at=utc_now(), currency="EUR", prices=[block])
    empty = f"sqlite+aiosqlite:///{tmp_path / 'none.db'}"
    async with on_the_bus(broker, "market") as market, scene(broker, site, empty) as played:
        await until(lambda: "the topic market/prices has no price yet" in played.part.detail, within=30)
        await market.say(MARKET_PRICES, said, site=site_name)
        await until(lambda: played.plans, within=30)
        assert {round(step.price_import, 6) for step in played.plans[-1].steps} == {0.15}
        other = block.model_copy(update={"per_mwh": [90.0] * 48})
        await market.say(MARKET_PRICES, said.model_copy(update={"prices": [other]}), site=site_name)
        await until(lambda: Cause.PRICES in played.part.causes.names)
        assert "not followed: they contradict" in played.part.causes.words
        await market.say(MARKET_PRICES, said.model_copy(update={"id": "b", "at": utc_now(), "prices": [other]}),
                         site=site_name)  # fmt: skip
        await until(lambda: round(played.plans[-1].steps[0].price_import, 6) == 0.19, within=30)
        assert Cause.PRICES not in played.part.causes.names
