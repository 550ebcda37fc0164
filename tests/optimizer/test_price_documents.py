"""Prices as they are published: each format, the days on which the clock is set, and what must never be half read."""

import gzip
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.price_documents.areas import EIC, eic, genuine
from optimizer.price_documents.formats import read_document
from optimizer.price_documents.wanted import NoPrices, Unreadable, Wanted
from optimizer.published import Published

RECORDED = Path(__file__).parents[1] / "recordings" / "prices"
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
ES, SE3, EUR = Wanted(area="ES"), Wanted(area="SE3"), Wanted()


def recorded(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def mwh(published: Published, *texts: str) -> list[float | None]:
    found = [published.series.at(at(text)) for text in texts]
    return [None if one is None else round(1000 * one, 3) for one in found]


# (file, wanted, format, prices that stand in it, first start, end, how many)
READ: list[tuple[str, Wanted, str, dict[str, float | None], str, str, int]] = [
    ("entsoe_hours_then_quarters.xml", EUR, "ENTSO-E",
     {"2025-09-29T22:00Z": 105.1, "2025-09-29T23:59Z": 105.1, "2025-09-30T00:00Z": 98.4, "2025-09-30T04:00Z": -1.5,
      "2025-09-30T21:59Z": 99.9, "2025-09-30T22:00Z": 88.8, "2025-09-30T22:15Z": 84.2, "2025-09-30T23:00Z": -0.01,
      "2025-10-01T21:59Z": 120.5, "2025-10-01T22:00Z": None},
     "2025-09-29T22:00Z", "2025-10-01T22:00Z", 24 + 96),
    ("entsoe_hours_then_quarters.xml", Wanted(auction=2, area="de"), "ENTSO-E",
     {"2025-09-30T21:00Z": None, "2025-09-30T22:00Z": 77.0, "2025-10-01T21:45Z": 78.0},
     "2025-09-30T22:00Z", "2025-10-01T22:00Z", 96),
    ("entsoe_short_day.xml", Wanted(area="NL"), "ENTSO-E",
     {"2026-03-29T00:59Z": 1.0, "2026-03-29T01:00Z": 9.0, "2026-03-29T02:00Z": 13.0, "2026-03-29T21:45Z": 92.0},
     "2026-03-28T23:00Z", "2026-03-29T22:00Z", 92),
    ("entsoe_long_day.xml", EUR, "ENTSO-E", {"2026-10-25T00:00Z": 9.0, "2026-10-25T01:00Z": 13.0,
     "2026-10-25T22:45Z": 100.0}, "2026-10-24T22:00Z", "2026-10-25T23:00Z", 100),
    ("entsoe_export_long_night.csv", EUR, "ENTSO-E",
     {"2026-10-25T01:45+02:00": 43.5, "2026-10-25T02:00+02:00": 44.5, "2026-10-25T02:00+01:00": 48.5,
      "2026-10-25T03:45+01:00": 55.5}, "2026-10-24T23:00Z", "2026-10-25T03:00Z", 16),
    ("entsoe_export_long_night.csv", Wanted(area="DE", auction=2), "ENTSO-E", {"2026-10-25T02:00+01:00": 90.5},
     "2026-10-24T23:00Z", "2026-10-25T03:00Z", 16),
    ("awattar_long_day.json", EUR, "aWATTar",
     {"2026-10-25T02:00+02:00": 33.0, "2026-10-25T02:00+01:00": 29.5, "2026-10-25T23:30+01:00": -44.0},
     "2026-10-24T22:00Z", "2026-10-25T23:00Z", 25),
    ("tibber_long_day_then_quarters.json", EUR, "Tibber",
     {"2026-10-25T02:30+02:00": 102.0, "2026-10-25T02:00+01:00": 103.0, "2026-10-26T00:14+01:00": 50.0,
      "2026-10-26T00:15+01:00": 49.0, "2026-10-26T02:00+01:00": None},
     "2026-10-24T22:00Z", "2026-10-26T01:00Z", 33),
    ("tibber_long_day_then_quarters.json", Wanted(part="total", area="96a14971-525a-4420-aae9-e5aedaa129ff"), "Tibber",
     {"2026-10-25T02:30+02:00": 252.0}, "2026-10-24T22:00Z", "2026-10-26T01:00Z", 33),
    ("nordpool_quarters.json", SE3, "Nord Pool",
     {"2026-06-09T22:00Z": 25.5, "2026-06-09T23:45Z": -2.5, "2026-06-10T00:00Z": None},
     "2026-06-09T22:00Z", "2026-06-10T00:00Z", 8),
    ("nordpool_quarters.json", Wanted(area="se4"), "Nord Pool", {"2026-06-09T22:15Z": 32.1},
     "2026-06-09T22:00Z", "2026-06-10T00:00Z", 8),
    ("nordpool_long_day.csv", SE3, "Nord Pool",
     {"2026-10-25T00:00+02:00": 50.5, "2026-10-25T02:00+02:00": 48.5, "2026-10-25T02:00+01:00": 47.5,
      "2026-10-25T23:00+01:00": 26.5}, "2026-10-24T22:00Z", "2026-10-25T23:00Z", 25),
    ("marginalpdbc_20250330.1", ES, "OMIE",
     {"2025-03-30T01:00+01:00": 3.0, "2025-03-30T03:00+02:00": 4.0, "2025-03-30T23:00+02:00": 24.0},
     "2025-03-29T23:00Z", "2025-03-30T22:00Z", 23),
    ("marginalpdbc_20251026.1", Wanted(area="PT"), "OMIE",
     {"2025-10-26T02:00+02:00": 9.0, "2025-10-26T02:00+01:00": 13.0, "2025-10-26T23:45+01:00": 100.0},
     "2025-10-25T22:00Z", "2025-10-26T23:00Z", 100),
]  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_a_document_gives_what_its_publisher_means(
    case: tuple[str, Wanted, str, dict[str, float | None], str, str, int],
) -> None:
    name, wanted, form, prices, start, end, count = case
    document = read_document(recorded(name), wanted)
    series = document.published.series
    assert mwh(document.published, *prices) == [*prices.values()]
    assert (document.format, len(series.starts), series.starts[0], series.end) == (form, count, at(start), at(end))


@pytest.mark.parametrize(("name", "wanted"), [(one[0], one[1]) for one in READ])
def test_packing_and_a_byte_order_mark_change_nothing(name: str, wanted: Wanted) -> None:
    plain, zipped = recorded(name), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, plain)
    right = read_document(plain, wanted).published.series
    for other in (gzip.compress(plain), zipped.getvalue(), b"\xef\xbb\xbf" + plain, plain.replace(b"\n", b"\r\n")):
        assert read_document(other, wanted).published.series == right


@pytest.mark.parametrize(("name", "wanted"), [(one[0], one[1]) for one in READ if not one[0].endswith(".csv")])
def test_a_document_that_is_cut_off_is_never_half_read(name: str, wanted: Wanted) -> None:
    """At each eighth of it, packed or not."""
    plain = recorded(name).rstrip()
    packed = gzip.compress(plain)
    for cut in range(1, 8):
        with pytest.raises(Unreadable, match=r"cut off|no price|needs|periods|unknown kind|not `timestamp|not year"):
            read_document(plain[: len(plain) * cut // 8], wanted)
        with pytest.raises(Unreadable, match="cut off"):
            read_document(packed[: len(packed) * cut // 8], wanted)


E_XML = recorded("entsoe_short_day.xml").decode()
A_JSON: dict[str, list[dict[str, Any]]] = {
    "data": [{"start_timestamp": 1792879200000, "end_timestamp": 1792882800000, "marketprice": 5, "unit": "Eur/MWh"}]
}


def awattar(**changed: Any) -> str:
    return json.dumps({"data": [{**A_JSON["data"][0], **changed}]})


def tibber(**changed: Any) -> str:
    item = {"startsAt": "2026-10-26T00:00:00+01:00", "energy": 0.1, "total": 0.3, **changed}
    return json.dumps({"data": {"viewer": {"homes": [{"currentSubscription": {"priceInfo": {"today": [item]}}}]}}})


OMIE = recorded("marginalpdbc_20250330.1").decode()
BOMB = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Publication_MarketDocument>&b;</Publication_MarketDocument>'  # noqa: E501
TIBBER = recorded("tibber_long_day_then_quarters.json").decode()
EXPORT = recorded("entsoe_export_long_night.csv").decode()
OLD_EXPORT = """"MTU (UTC)","Day-ahead Price [EUR/MWh]","Currency","BZN|NL"
"29.03.2026 00:00 - 29.03.2026 01:00","41.88","EUR",
"29.03.2026 01:00 - 29.03.2026 02:00","-","EUR",
"29.03.2026 02:00 - 29.03.2026 03:00","-1.5","EUR",
"""
NORD = recorded("nordpool_quarters.json").decode()
PORTAL = recorded("nordpool_long_day.csv").decode()


@pytest.mark.parametrize(
    ("text", "wanted", "line", "words"),
    [
        ("<!DOCTYPE html><html><title>503</title></html>", EUR, 1, "a page of HTML, not prices: the download failed"),
        ("\n<html><body>Sorry</body></html>", EUR, 1, "a page of HTML"),
        (BOMB, EUR, 1, "a document type .* is refused"),
        ("<rss></rss>", EUR, 1, "XML of an unknown kind; as XML prices come from ENTSO-E"),
        ('{"prices": []}', EUR, 1, "JSON of an unknown kind; as JSON prices come from Nord Pool, aWATTar, Tibber"),
        ("[" * 100_000, EUR, 1, "no JSON|cut off"),
        ('{"data": [NaN]}', EUR, 0, "NaN is no price"),
        (E_XML.replace("A44", "A65"), EUR, 5, "type A65, day-ahead prices are A44"),
        (E_XML, Wanted(area="BE"), 15, r"prices of NL \(10YNL----------L\), and area is BE"),
        (E_XML, Wanted(area="Holland"), 0, "'Holland' is no bidding zone"),
        (E_XML, Wanted(auction=2), 15, "auction 2 is not in it; there is: 1"),
        (E_XML.replace(">EUR<", ">PLN<"), EUR, 22, "in PLN and the tariff is in EUR"),
        (E_XML.replace(">MWH<", ">KWH<"), EUR, 23, "per KWH, MWH is needed"),
        (E_XML.replace("PT15M", "PT4H"), EUR, 30, "resolution PT4H; there is: PT15M, PT30M"),
        (E_XML.replace("<position>92<", "<position>93<"), EUR, 43, "position 93 lies outside .* has 92"),
        (E_XML.replace("<position>13<", "<position>9<"), EUR, 39, r"two prices hold at 2026-03-29 01:00Z"),
        (E_XML.replace(">13.0<", ">1,3<"), EUR, 41, "price.amount: '1,3' is no price"),
        (E_XML.replace(">13.0<", ">inf<"), EUR, 41, "price.amount: 'inf' is no price"),
        (E_XML.replace("T22:00Z</end>\n      ", "T22:07Z</end>\n      "), EUR, 25, "no number of steps"),
        (E_XML.replace("T22:00Z</end>\n      ", "T22:00</end>\n      "), EUR, 28, "end: .* is no moment with its zone"),
        (awattar(unit="USD/MWh"), EUR, 0, "in USD and the tariff is in EUR"),
        (awattar(unit="furlong"), EUR, 0, "'furlong' is no unit"),
        (awattar(start_timestamp=1792879200), EUR, 0, "1792879200 is no moment in ms"),
        (awattar(end_timestamp=1792879200000), EUR, 0, "its end is not within an hour"),
        (awattar(marketprice="5"), EUR, 0, "'5' is no price: a number"),
        (awattar(marketprice=True), EUR, 0, "True is no price"),
        (json.dumps({"data": A_JSON["data"] + json.loads(awattar(marketprice=6))["data"]}), EUR, 0, "two prices hold"),
        (tibber(startsAt="2026-10-26T00:00:00"), EUR, 0, "is no moment with its zone"),
        (tibber(energy="dear"), EUR, 0, "'dear' is no price"),
        ('{"errors": [{"message": "invalid token"}]}', EUR, 0, "refuses the query: invalid tok"),
        (TIBBER, Wanted(area="x"), 0, "home that is billed .* 96a14971"),
        (NORD, EUR, 0, "prices of SE3, SE4: write as area which is billed"),
        (NORD, Wanted(area="SE1"), 0, "prices of SE3, SE4, and area is SE1"),
        (NORD, Wanted(area="SE3", currency="SEK"), 0, "in EUR and the tariff is in SEK"),
        (NORD.replace('"SE3": 25.5', '"SE3": "25.5"'), SE3, 0, "'25.5' is no price"),
        (PORTAL, EUR, 1, "prices of SE3, SE4: write as area"),
        (PORTAL.replace("25.10.2026 04:00:00;", "29.03.2026 02:00:00;", 2), SE3, 7, "does not exist: the clock is set"),
        (PORTAL.rstrip()[:-30], SE3, 26, "cells: the line may be cut off|is no time"),
        (EXPORT, Wanted(area="AT"), 2, "prices of DE-LU, and area is AT"),
        (EXPORT.replace("MTU (CET/CEST)", "MTU (EET/EEST)"), EUR, 1, "times in EET/EEST: export it in UTC or CET"),
        (EXPORT.replace("Day-ahead Price (EUR", "Load (EUR"), EUR, 1, "the header needs MTU"),
        (EXPORT.replace("Day-ahead Price (EUR", "Day-ahead Price (PLN"), EUR, 1, "in PLN and the tariff is in EUR"),
        (EXPORT.replace('"43.5"', '"43,5"'), EUR, 8, "'43,5' is no price"),
        (EXPORT.replace("03:15:00 - 25/10/2026 03:30:00", "03:15:00"), EUR, 28, "'' is no time such as"),
        (OMIE, EUR, 1, 'prices of ES and PT: write area = "ES" or "PT"'),
        (OMIE, Wanted(area="FR"), 1, "area is FR: it has prices of ES and PT"),
        (OMIE.replace("2025;03;30;7;7;8;\n", ""), ES, 23, "2025-03-30 has 22 periods; it has 23 hours or 92 q"),
        (OMIE.replace(";7;7;8;", ";7;;;"), ES, 8, "is not year;month;day;period;price"),
        (OMIE.replace(";7;7;8;", ";6;7;8;"), ES, 24, "has 22 periods"),
        ("Zeit;Preis\n1;2\n", EUR, 1, "the header has zeit, preis; one price of price_eur_per_mwh"),
        ("timestamp_utc,price_sek_per_mwh\n", EUR, 1, "in SEK and the tariff is in EUR"),
        ("timestamp_utc,price_ct_per_mwh\n", EUR, 1, "one price of"),
        ("timestamp_utc,price_eur_per_mwh\n2026-01-01T00:00Z,1\n".encode("utf-16"), EUR, 1, "not UTF-8"),
    ],
)  # fmt: skip
def test_what_is_not_right_is_refused_with_its_place(text: str | bytes, wanted: Wanted, line: int, words: str) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(Unreadable, match=words) as refused:
        read_document(content, wanted)
    assert refused.value.line == line, refused.value.of("file")
    assert line or refused.value.place or "area" in words or "bidding" in words or "NaN" in words


@pytest.mark.parametrize(
    "content",
    [recorded("entsoe_no_data.xml"), b'{"object": "list", "data": []}', b"MARGINALPDBC;\n*\n",
     json.dumps({"data": {"viewer": {"homes": []}}}).encode(), b'{"multiAreaEntries": [], "currency": "EUR"}'],
)  # fmt: skip
def test_a_publisher_that_has_no_prices_yet_says_so(content: bytes) -> None:
    with pytest.raises(NoPrices):
        read_document(content, ES)


def test_an_hour_that_is_missing_where_ends_are_said_is_a_hole_and_no_price_that_holds_on() -> None:
    found = json.loads(recorded("awattar_long_day.json"))
    del found["data"][5:7]
    published = read_document(json.dumps(found).encode(), EUR).published
    assert mwh(published, "2026-10-25T02:59Z", "2026-10-25T03:00Z", "2026-10-25T05:00Z") == [26.0, None, 15.5]
    a01 = E_XML.replace(">A03<", ">A01<")
    gaps = read_document(a01.encode(), EUR).published
    assert mwh(gaps, "2026-03-28T23:00Z", "2026-03-28T23:15Z", "2026-03-29T01:00Z") == [1.0, None, 9.0]


def test_a_row_that_comes_twice_alike_counts_once() -> None:
    found = json.loads(recorded("awattar_long_day.json"))
    found["data"] += found["data"][3:6]
    published = read_document(json.dumps(found).encode(), EUR).published
    assert (len(published.series.starts), published.repeated) == (25, 3)


def test_a_zip_of_a_week_is_one_series_and_a_bomb_is_refused() -> None:
    def zipped(files: dict[str, bytes]) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in files.items():
                packed.writestr(name, content)
        return stream.getvalue()

    days = {one.name: one.read_bytes() for one in (RECORDED / "omie").iterdir()}
    week = read_document(zipped(days), ES).published
    assert mwh(week, "2025-09-30T21:00Z", "2025-09-30T22:00Z", "2025-10-01T21:45Z") == [125.0, -48.25, 46.75]
    with pytest.raises(Unreadable) as refused:
        read_document(zipped({**days, "b.1": b"MARGINALPDBC;\n2025;10;02;1;1;1;\n"}), ES)
    assert refused.value.of("week.zip").startswith("week.zip:2: b.1: it does not end with a line *")
    with pytest.raises(Unreadable, match="more than any document"):
        read_document(gzip.compress(b"\0" * (65 * 1024 * 1024)), ES)
    with pytest.raises(Unreadable, match="documents of CSV and OMIE: one publisher"):
        read_document(zipped({**days, "a.csv": b"timestamp_utc,price_eur_per_mwh\n2026-01-01T00:00Z,1\n"}), ES)


def test_each_zone_has_its_genuine_code() -> None:
    assert [name for name, code in EIC.items() if not genuine(code)] == []
    assert (eic("de-lu"), eic("DE"), eic("10YNL----------L"), eic("10YNL----------M"), eic("")) == (
        EIC["DE-LU"], EIC["DE-LU"], EIC["NL"], "", "",
    )  # fmt: skip


@pytest.mark.parametrize(("minutes", "price"), [(60, 5.0), (15, 4.0)])
def test_of_two_resolutions_beside_each_other_the_wanted_one_holds(minutes: int, price: float) -> None:
    """As some zones publish since October 2025: the mean of the hour beside its quarters."""
    hour = {**A_JSON["data"][0], "marketprice": 5}
    begin = hour["start_timestamp"]
    quarters = [{**hour, "start_timestamp": begin + n * 900_000, "end_timestamp": begin + (n + 1) * 900_000,
                 "marketprice": 4 + n} for n in range(4)]  # fmt: skip
    later = {**hour, "start_timestamp": begin + 3_600_000, "end_timestamp": begin + 7_200_000, "marketprice": 9}
    both = json.dumps({"data": [hour, *quarters, later]}).encode()
    with pytest.raises(Unreadable, match=r"two resolutions .* name it: auction, minutes"):
        read_document(both, EUR)
    published = read_document(both, Wanted(minutes=minutes)).published
    assert mwh(published, "2026-10-24T22:00Z", "2026-10-24T23:00Z") == [price, 9.0]


SPOILS = [b"", b"9" * 400, b"\xff", b"-1e400", b"null", b"[", b"9999", b'"', b"<", b"\0"]


@given(st.sampled_from(sorted({one[0] for one in READ})), st.data())
def test_whatever_is_done_to_a_document_it_is_read_or_refused_in_words(name: str, data: st.DataObject) -> None:
    content = bytearray(recorded(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at_ = data.draw(st.integers(0, len(content) - 1))
        put = data.draw(
            st.sampled_from([b"", b"9" * 400, b"\xff", b"-1e400", b"null", b"[", b"9999", b'"', b"<", b"\0"])
        )
        content[at_ : at_ + data.draw(st.integers(0, 6))] = put
    for wanted in (EUR, ES, SE3, Wanted(area="NL", minutes=15)):
        words = "a price or a word"
        try:
            read_document(bytes(content), wanted)
        except Unreadable as wrong:
            words = str(wrong)
        assert 5 < len(words) < 400


@pytest.mark.parametrize(
    "content",
    [b'<?xml version="1.0" encoding="klingon"?><Publication_MarketDocument/>', b"<a/>", b"", b"\x1f\x8b", b"PK\x03\x04",
     b'{"data": [{"start_timestamp": 1e999}]}', b'{"data": 5}', b"null", b"MARGINALPDBC;\n9999;12;31;1;1;1;\n*",
     b"Delivery Start (CET);Delivery End (CET);SE3 Price (EUR)\n31.12.9999 23:00:00;1;1\n",
     b"timestamp_utc,price_eur_per_mwh\n9999-12-31T23:30Z,1\n",
     b"timestamp_utc,price_eur_per_mwh\n2026-01-01T00:00Z,1e300\n",
     b'<Publication_MarketDocument><type>A44</type></Publication_MarketDocument>'],
)  # fmt: skip
def test_no_document_breaks_the_reader(content: bytes) -> None:
    for wanted in (ES, SE3):
        with pytest.raises(Unreadable):
            read_document(content, wanted)


def test_the_older_export_of_entsoe_is_read() -> None:
    published = read_document(OLD_EXPORT.encode(), EUR).published
    assert mwh(published, "2026-03-29T00:59Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z") == [41.88, None, -1.5]


def test_days_that_were_appended_to_one_file_are_read() -> None:
    days = b"".join(one.read_bytes() for one in sorted((RECORDED / "omie").iterdir()))
    assert len(read_document(days, ES).published.series.starts) == 120
    assert read_document(recorded("awattar_long_day.json"), Wanted(area="AT")).format == "aWATTar"
    with pytest.raises(Unreadable, match="prices of AT, and area is DE-LU"):
        read_document(recorded("awattar_long_day.json"), Wanted(area="DE-LU"))
