"""Bad input: a clear sentence, or a repair that is counted. Never a silent zero."""

import gzip
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from joulebus.backtest.site import Flags, of_flags
from schemas.troubles import Trouble
from tests.joulebus.backtest.files import BATTERY, HEADER, QUARTER, START, Change, lines, prepared, rows, write

DAYS = 10
BEGIN = "2025-03-11"
"""Eight days on."""


def cell(number: int, column: int, text: str) -> Change:
    """One cell of a row becomes another; rows are counted from 1, the header is 0."""

    def change(text_lines: list[str]) -> list[str]:
        cells = text_lines[number].split(",")
        cells[column] = text
        return [*text_lines[:number], ",".join(cells), *text_lines[number + 1 :]]

    return change


def without(first: int, last: int) -> Change:
    return lambda text: text[:first] + text[last:]


def hourly_tail(text: list[str]) -> list[str]:
    """Two resolutions: from the second day on only whole hours."""
    return [*text[:97], *text[97::4]]


IN = 8 * 96 + 40
"""A row that is played."""

REPAIRED: list[tuple[str, Change, str, int]] = [
    ("a missing hour", without(IN, IN + 4), "load_missing_filled", 4),
    ("missing days", without(IN - 30, IN + 66), "load_missing_filled", 96),
    ("missing rows of the history", without(200, 248), "load_missing_before_the_begin_left_out", 48),
    ("an empty cell of PV in the history", cell(200, 2, ""), "pv_missing_before_the_begin_left_out", 1),
    ("an empty cell", cell(IN, 1, ""), "load_missing_filled", 1),
    ("a nan", cell(IN, 1, "NaN"), "load_kw_cells_empty", 1),
    ("an empty cell of PV", cell(IN, 2, ""), "pv_missing_filled", 1),
    ("an infinite load", cell(IN, 1, "inf"), "load_kw_infinite_taken_for_missing", 1),
    ("a negative load", cell(IN, 1, "-5"), "negative_load_taken_for_missing", 1),
    ("a PV that draws at night", cell(IN, 2, "-0.04"), "negative_pv_taken_for_zero", 1),
    ("a doubled row", lambda text: [*text[:IN], text[IN - 1], *text[IN:]], "duplicated_rows_first_kept", 1),
    ("rows in no order", lambda text: [text[0], *text[500:], *text[1:500]], "rows_out_of_order_sorted", 1),
    ("two resolutions", hourly_tail, "rows_of_another_resolution_brought_to_15_min", 96),
    ("a flat head of zeros", lambda text: [text[0], *(f"{one.split(',')[0]},0,0" for one in text[1:289]), *text[289:]],
     "load_kw_flat_head_of_zeros_taken_for_missing", 288),
    ("no zone", lambda text: [one.replace("Z,", ",") for one in text], "times_without_zone_taken_for_utc", 960),
    ("times beside the quarter", lambda text: [one.replace(":00Z", ":07Z").replace("T10:15", "T10:16") for one in text],
     "times_moved_to_the_begin_of_their_interval", 10),
    ("a row without a time", lambda text: [*text, ",1,1"], "rows_without_time_left_out", 1),
]  # fmt: skip


@pytest.mark.parametrize(("change", "name", "count"), [one[1:] for one in REPAIRED], ids=[one[0] for one in REPAIRED])
def test_repaired_and_counted(tmp_path: Path, change: Change, name: str, count: int) -> None:
    clean = prepared(write(tmp_path / "clean.csv", lines(rows(DAYS))), BEGIN, 2)
    assert not clean.repairs

    ready = prepared(write(tmp_path / "data.csv", change(lines(rows(DAYS)))), BEGIN, 2)

    assert ready.repairs[name] >= count
    assert len(ready.span.played) == 192
    assert np.isfinite(ready.span.played.load).all()
    assert np.isfinite(ready.span.played.pv).all()
    assert (ready.span.played.load > 0).all()


def test_a_gap_is_filled_from_the_week_before_and_never_from_later(tmp_path: Path) -> None:
    text = without(IN, IN + 40)(lines(rows(DAYS)))
    ready = prepared(write(tmp_path / "data.csv", text), BEGIN, 2)
    played, number = ready.span.played, IN - 1 - 8 * 96

    held = played.load[number - 1]
    assert played.load[number : number + 4].tolist() == [held] * 4
    week_before = [1000 * one[1] for one in rows(DAYS)[IN - 1 + 4 - 672 : IN - 1 + 40 - 672]]
    assert played.load[number + 4 : number + 40].tolist() == pytest.approx(week_before)
    assert ready.span.found.load[8 * 96 :].tolist() == played.load.tolist(), "the meter sees what is played"


def test_a_span_that_begins_in_a_long_gap_is_played_as_what_was_before_the_gap(tmp_path: Path) -> None:
    text = without(1 + 96, 1 + 9 * 96 + 48)(
        lines(rows(DAYS))
    )  # known: the first day, and from noon of the last but one
    span = prepared(write(tmp_path / "data.csv", text), BEGIN, 2).span
    played = span.played
    assert np.isnan(span.found.load).sum() == 7 * 96, "of a gap in the history forecasts are told"
    day = [1000 * one[1] for one in rows(1)]
    assert played.load[: 96 + 48].tolist() == pytest.approx([*day, *day[:48]])


REFUSED: list[tuple[str, Change, str]] = [
    ("empty", lambda _: [""], "is empty"),
    ("a header alone", lambda text: text[:1], "no row of data"),
    ("one row", lambda text: text[:2], "one row only"),
    ("no load", lambda text: [text[0].replace("load_kw", "power"), *text[1:]], "no column load_kw"),
    ("no time", lambda text: [text[0].replace("timestamp_utc", "time"), *text[1:]], "no column timestamp_utc"),
    ("a column twice", lambda text: [text[0] + ",load_kw", *(one + ",1" for one in text[1:])], "is there twice"),
    ("words for a number", cell(7, 1, "much"), "row 8: load_kw is 'much'"),
    ("words for a time", cell(7, 0, "noon"), "row 8: timestamp_utc is 'noon'"),
    ("days apart", lambda text: text[::96], "are 1440 minutes apart"),
    ("nothing known", lambda text: [text[0], *(f"{one.split(',')[0]},,1" for one in text[1:])], "empty in every row"),
    ("a load below 0", lambda text: [text[0], *(one.replace(",20.000,", ",-20,") for one in text[1:])], "is 0 or more"),
    ("a far row", cell(5, 0, "1971-01-01T00:00:00Z"), "many years away"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), [one[1:] for one in REFUSED], ids=[one[0] for one in REFUSED])
def test_refused_in_a_sentence(tmp_path: Path, change: Change, words: str) -> None:
    path = write(tmp_path / "data.csv", change(lines(rows(DAYS))))
    with pytest.raises(Trouble) as trouble:
        prepared(path, BEGIN, 2)
    assert words in str(trouble.value)
    assert "data.csv" in str(trouble.value)


def test_local_times_without_a_zone_are_told_by_their_doubled_hour(tmp_path: Path) -> None:
    berlin = replace(BATTERY, timezone="Europe/Berlin")
    start = START.replace(month=10, day=20)
    text = lines(rows(10, start))
    back = next(i for i, one in enumerate(text) if "2025-10-26T03:00" in one)
    local = [one.replace("Z,", ",") for one in [*text[:back], *text[back - 4 : back], *text[back:]]]
    with pytest.raises(Trouble, match="is there twice, as when the clocks of Europe/Berlin are set back"):
        prepared(write(tmp_path / "data.csv", local), "2025-10-28", 1, berlin)


@pytest.mark.parametrize(
    ("gap", "local"),
    [
        (("03-30T02:00", "03-30T03:00"), True),
        (("03-29T02:00", "03-29T03:00"), False),
        (("03-30T02:00", "03-30T05:00"), False),
    ],
    ids=["the hour of the clocks", "an hour of the day before", "more than the hour"],
)
def test_local_times_without_a_zone_are_told_by_the_hour_that_is_none(
    tmp_path: Path, gap: tuple[str, str], local: bool
) -> None:
    berlin = replace(BATTERY, timezone="Europe/Berlin")
    text = lines(rows(10, START.replace(month=3, day=25)))
    first, after = (next(i for i, one in enumerate(text) if f"2025-{at}" in one) for at in gap)
    path = write(tmp_path / "data.csv", [one.replace("Z,", ",") for one in [*text[:first], *text[after:]]])
    told = "2025-03-30 02:00 is missing, over which the clocks of Europe/Berlin are set ahead"
    with pytest.raises(Trouble, match=told) if local else nullcontext():
        prepared(path, "2025-04-01", 1, berlin)


@pytest.mark.parametrize(
    "raw",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace(".", ",").replace("kw,", "kw;").replace("utc,", "utc;").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: text.replace("load_kw", " Load_kW ").encode(),
    ],
    ids=["byte order mark", "gzip", "CR LF", "semicolons", "tabs", "another case"],
)
def test_other_spellings_of_the_same(tmp_path: Path, raw: object) -> None:
    assert callable(raw)
    text = "\n".join(lines(rows(DAYS))) + "\n"
    if raw(text).count(b";"):
        body = [";".join(one.split(",")).replace(".", ",") for one in text.splitlines()]
        (tmp_path / "data.csv").write_text("\n".join(body))
    else:
        (tmp_path / "data.csv").write_bytes(raw(text))
    clean = prepared(write(tmp_path / "clean.csv", lines(rows(DAYS))), BEGIN, 2)

    ready = prepared(tmp_path / "data.csv", BEGIN, 2)

    assert ready.span.played.load.tolist() == clean.span.played.load.tolist()
    assert ready.span.played.pv.tolist() == clean.span.played.pv.tolist()
    assert not ready.repairs


@pytest.mark.parametrize("minutes", [5, 10, 30, 60])
def test_every_resolution_comes_to_quarters(tmp_path: Path, minutes: int) -> None:
    count = 10 * 1440 // minutes
    times = [START + i * QUARTER * minutes / 15 for i in range(count)]
    text = [HEADER, *(f"{at:%Y-%m-%dT%H:%M:%SZ},{i % 7 + 1},0" for i, at in enumerate(times))]
    ready = prepared(write(tmp_path / "data.csv", text), BEGIN, 2)

    fine = np.repeat([1000.0 * (i % 7 + 1) for i in range(count)], minutes)  # W, by the minute
    assert ready.span.played.load.tolist() == pytest.approx(fine.reshape(-1, 15).mean(axis=1)[8 * 96 :].tolist())
    assert any(f"{minutes} min apart" in one for one in ready.notes)


@pytest.mark.parametrize(
    ("begin", "words"),
    [("2024-01-01", "lies outside of"), ("2026-01-01", "lies outside of"), ("soon", "write a day such as")],
)
def test_a_begin_outside_of_the_file(tmp_path: Path, begin: str, words: str) -> None:
    with pytest.raises(Trouble, match=words):
        prepared(write(tmp_path / "data.csv", lines(rows(DAYS))), begin, 2)


def test_less_than_was_asked_for_is_said(tmp_path: Path) -> None:
    ready = prepared(write(tmp_path / "data.csv", lines(rows(DAYS))), BEGIN, 364)
    assert len(ready.span.played) == 192
    assert any("--days 364: the file has 2.0 days" in one for one in ready.warnings)
    assert any("8.0 days of history" in one for one in ready.notes)


def test_prices_that_stop_go_on_as_the_week_before(tmp_path: Path) -> None:
    head, *body = lines(rows(DAYS))
    priced = [f"{one},{0.1 + i % 96 / 1000 if i < 8 * 96 + 48 else ''}" for i, one in enumerate(body)]
    ready = prepared(write(tmp_path / "data.csv", [f"{head},import_price_eur_per_kwh", *priced]), BEGIN, 2)

    assert ready.repairs["import_prices_missing_taken_from_the_week_or_day_before"] == 96 + 48
    assert ready.span.played.buy[:96].tolist() == pytest.approx(ready.span.played.buy[96:].tolist())
    assert ready.span.played.sell.tolist() == [BATTERY.export_price] * 192


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (Flags(), "which battery"),
        (replace(BATTERY, battery_kw=-1), "--battery-kw -1"),
        (replace(BATTERY, soc_min=90, soc_max=10), "--soc-min 90 --soc-max 10"),
        (replace(BATTERY, efficiency=95), "--efficiency 95"),
        (replace(BATTERY, timezone="Berlin"), "'Berlin' is no time zone"),
        (replace(BATTERY, demand_eur_per_kw=-1), "--demand-eur-per-kw -1"),
        (replace(BATTERY, replan_minutes=7), "--replan-minutes 7"),
        (replace(BATTERY, phase_minutes=60), "--phase-minutes 60"),
        (replace(BATTERY, import_limit_kw=0), "--import-limit-kw 0"),
    ],
)
def test_flags_that_make_no_sense(flags: Flags, words: str) -> None:
    with pytest.raises(Trouble) as trouble:
        of_flags(flags, (False, False))
    assert words in str(trouble.value)
