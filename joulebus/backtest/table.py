"""A CSV of load, PV and prices as it stands in a file: text made into times and numbers, with all that was mended."""

import csv
import gzip
import warnings
import zlib
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from joulebus.backtest.rows import COLUMNS, NEEDED, Table
from joulebus.backtest.times import EMPTY, TIME, seconds_of
from schemas.troubles import Trouble

THOUSANDS = r"-?[1-9]\d{0,2},\d{3}"
TOO_MANY = 0.05
"""A share of rows: so many negative loads are no slips of a meter. Of the energy of PV: nor what inverters draw."""
OWN_SUPPLY = 0.02
"""Of the highest load: PV that draws more is no own supply of inverters at night."""
MOST = {"kw": 1e7, "per_kwh": 1e6, "percent": 110.0}
"""No site has 10 GW, no currency such a price for a kWh, and no BMS shows more than that."""
LONGEST = 20 * 366 * 24 * 60
"""Minutes from the first to the last row."""


def read(path: Path, zone: ZoneInfo) -> Table:
    """The file, also gzipped, with semicolons or decimal commas. `zone`: of the site, to know local times by their
    doubled hour. Raises Trouble that names the row and the column."""
    text = _text(path)
    header, separator = _header(path, text)
    try:
        _beside_header(path, text, header, separator)
        with warnings.catch_warnings(
            action="ignore", category=pd.errors.ParserWarning
        ):  # empty cells beside the header
            frame = pd.read_csv(
                StringIO(text), sep=separator, dtype=str, keep_default_na=False, skipinitialspace=True, names=header,
                header=0, index_col=False, on_bad_lines="error", engine="c",
            )  # fmt: skip
    except ValueError as wrong:  # pandas names the line
        said = str(wrong).strip().rsplit("C error: ")[-1]
        raise Trouble(
            f"{path}: {said}: give each row the {len(header)} cells of the header, and no open quote"
        ) from None
    if frame.empty:
        raise Trouble(f"{path}: there is a header but no row of data: write one a quarter of an hour below it")
    found = Table(path, np.array([], dtype=np.int64), {})
    if separator != ",":
        found.notes.append(f"{path.name} is separated by {separator!r}, not by commas")
    if unknown := [name for name in header if name not in {TIME, *COLUMNS}]:
        found.notes.append(f"columns that are not used: {', '.join(unknown)}")
    times = seconds_of(path, frame[TIME].str.strip(), zone, found.repairs)
    for name in COLUMNS:
        if name in header:
            found.columns[name] = _numbers(found, name, frame[name].str.strip())
    _in_order(found, times)
    _physical(found)
    return found


def _beside_header(path: Path, text: str, header: list[str], separator: str) -> None:
    """Cells without a name are left out by pandas: of `59,5` between commas it would read 59. Raises Trouble."""
    rows = csv.reader(StringIO(text), delimiter=separator, skipinitialspace=True)
    try:
        wrong = next(
            ((at, len(row)) for at, row in enumerate(rows, 1) if any(map(str.strip, row[len(header) :]))), None
        )
    except csv.Error:  # an open quote, which pandas names
        return
    if wrong:
        right = "write decimals with a point, or semicolons between cells" if separator == "," else "name each"
        raise Trouble(
            f"{path}, row {wrong[0]}: there are {wrong[1]} cells; give each row the {len(header)} cells of the "
            f"header: {right}"
        )


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except FileNotFoundError:
        raise Trouble(f"{path}: there is no such file") from None
    except (OSError, EOFError, zlib.error) as wrong:
        raise Trouble(f"{path}: cannot be read: {wrong}") from wrong
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as wrong:
        raise Trouble(f"{path}: is no text (byte {wrong.start}): give a CSV in UTF-8, gzipped or not") from None
    if not text.strip():
        raise Trouble(f"{path}: is empty: it needs a header such as {TIME},{NEEDED},pv_kw and rows below it")
    return text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")


def _header(path: Path, text: str) -> tuple[list[str], str]:
    line = text.split("\n", 1)[0].strip()
    separator = max(",;\t", key=line.count)
    header = [name.strip().strip('"').strip().lower() for name in line.split(separator)]
    for name in (TIME, NEEDED):
        if name not in header:
            raise Trouble(f"{path}, row 1: there is no column {name}; there is: {', '.join(header)}. {_right(name)}")
    if twice := [name for name in (TIME, *COLUMNS) if header.count(name) > 1]:
        raise Trouble(f"{path}, row 1: the column {twice[0]} is there twice: leave one of them")
    return header, separator


def _right(name: str) -> str:
    if name == TIME:
        return f"Call the begin of each interval {TIME} and write it as 2019-01-01T00:00:00Z"
    return f"Call the load in kW {NEEDED}; what PV gives is pv_kw beside it"


def _numbers(found: Table, name: str, given: "pd.Series[str]") -> NDArray[np.float64]:
    text = given.str.strip('"')
    commas = text.str.fullmatch(r"-?\d*,\d+")
    if commas.any():
        _refuse_thousands(found, name, text, commas)
        found.notes.append(f"{name} has decimal commas")
        text = text.where(~commas, text.str.replace(",", ".", regex=False))
    empty = text.str.lower().isin(EMPTY)
    values = pd.to_numeric(text.where(~empty), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan).copy()
    if (bad := np.isnan(values) & ~empty.to_numpy()).any():
        row = int(np.argmax(bad))
        raise Trouble(f"{found.path}, row {row + 2}: {name} is {given.iloc[row]!r}: write a number such as 12.5")
    found.repairs[f"{name}_cells_empty"] += int(empty.sum())
    if (endless := np.isinf(values)).any():
        found.repairs[f"{name}_infinite_taken_for_missing"] += int(endless.sum())
        values[endless] = np.nan
    most = next(one for end, one in MOST.items() if name.endswith(end))
    if (beyond := np.abs(np.nan_to_num(values)) > most).any():
        row = int(np.argmax(beyond))
        raise Trouble(f"{found.path}, row {row + 2}: {name} is {given.iloc[row]!r}, and beyond {most:g}: put it right")
    return values


def _refuse_thousands(found: Table, name: str, text: "pd.Series[str]", commas: "pd.Series[bool]") -> None:
    """`1,234` beside `987` or `12.5` separates thousands: read as a decimal comma it would be a thousandth."""
    plain = text[~commas & text.str.contains(r"[1-9]")]
    if len(plain) and (plain.str.contains(".", regex=False).any() or text[commas].str.fullmatch(THOUSANDS).all()):
        row = int(np.argmax(commas.to_numpy()))
        raise Trouble(
            f"{found.path}, row {row + 2}: {name} is {text.iloc[row]!r}, beside {plain.iloc[0]!r}: are the commas "
            f"those of thousands or of decimals? Write numbers without them, such as 1234.5"
        )


def _in_order(found: Table, seconds: NDArray[np.float64]) -> None:
    kept = np.flatnonzero(np.isfinite(seconds))
    if (back := np.diff(seconds[kept]) < 0).any():
        found.repairs["rows_out_of_order_sorted"] += int(back.sum())
    order = kept[np.argsort(seconds[kept], kind="stable")]
    times, first, each = np.unique(seconds[order], return_index=True, return_inverse=True)
    rows = {name: order[_first_known(values[order], first, each)] for name, values in found.columns.items()}
    for name, its in rows.items():
        _refuse_two(found, name, order, its[each])
    found.repairs["duplicated_rows_first_kept"] += len(order) - len(first)
    found.columns = {name: values[rows[name]] for name, values in found.columns.items()}
    if times[-1] - times[0] > LONGEST * 60:
        far = order[0] if np.diff(times[:2])[0] > times[-1] - times[1] else order[-1]
        raise Trouble(f"{found.path}, row {far + 2}: its {TIME} is many years away from the other rows: put it right")
    _by_the_minute(found, (times // 60).astype(np.int64))


def _first_known(values: NDArray[np.float64], first: NDArray[np.int64], each: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of the rows of each time the first that has a value: load and PV may stand in rows of their own. `first`: where
    the rows of a time begin; `each`: which time a row has."""
    known, found = np.flatnonzero(np.isfinite(values))[::-1], first.copy()
    found[each[known]] = known  # the last that is set stays: the first of a time
    return found


def _refuse_two(found: Table, name: str, rows: NDArray[np.int64], kept: NDArray[np.int64]) -> None:
    """Of rows, and those of the same time that are kept for them: many that say otherwise are another meter, whose load
    would be lost. Raises Trouble."""
    values = found.columns[name]
    other = np.flatnonzero(np.abs(np.nan_to_num(values[rows] - values[kept])) > 0)
    if len(other) > TOO_MANY * len(rows):
        row, before = rows[other[0]], kept[other[0]]
        raise Trouble(
            f"{found.path}, row {row + 2}: {name} is {values[row]:g}, and {values[before]:g} in row {before + 2} "
            f"of the same {TIME}, and so on: give one row a time. Are these two meters? Then add what they tell"
        )


def _by_the_minute(found: Table, minutes: NDArray[np.int64]) -> None:
    """Rows of some seconds become the mean of their minute."""
    found.minutes, each, count = np.unique(minutes, return_inverse=True, return_counts=True)
    if len(found.minutes) == len(minutes):
        return
    found.repairs["rows_of_the_same_minute_averaged"] += int(count[count > 1].sum())
    for name, values in found.columns.items():
        known = np.isfinite(values)
        total = np.bincount(each, np.where(known, values, 0.0), len(count))
        number = np.bincount(each, known, len(count))
        found.columns[name] = np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _physical(found: Table) -> None:
    """A load is never negative; PV is, by the own supply of its inverters at night."""
    load = found.columns[NEEDED]
    negative = load < 0
    if negative.sum() > TOO_MANY * len(load):
        row = int(np.argmax(negative))
        at = pd.Timestamp(int(found.minutes[row]) * 60, unit="s")
        raise Trouble(
            f"{found.path}, the row of {at:%Y-%m-%dT%H:%MZ}: {NEEDED} is {load[row]:g}, and {negative.sum()} rows are "
            f"below 0: a load is 0 or more. If PV is taken off in it, add it again and give it as pv_kw"
        )
    load[negative] = np.nan
    found.repairs["negative_load_taken_for_missing"] += int(negative.sum())
    if (pv := found.columns.get("pv_kw")) is not None:
        _right_sign(found, pv, load)
        found.repairs["negative_pv_taken_for_zero"] += int((pv < 0).sum())
        pv[pv < 0] = 0.0
    if np.isnan(load).all():
        raise Trouble(f"{found.path}: {NEEDED} is empty in every row: there is nothing to play")
    found.repairs = +found.repairs


def _right_sign(found: Table, pv: NDArray[np.float64], load: NDArray[np.float64]) -> None:
    """PV that counts negative while it produces would become no PV at all. Raises Trouble."""
    known = np.nan_to_num(pv)
    drawn, lowest = -float(np.minimum(known, 0).sum()), float(known.min())
    if drawn > TOO_MANY * float(np.abs(known).sum()) and -lowest > OWN_SUPPLY * float(np.nanmax(load)):
        at = pd.Timestamp(int(found.minutes[int(np.argmin(known))]) * 60, unit="s")
        raise Trouble(
            f"{found.path}, the row of {at:%Y-%m-%dT%H:%MZ}: pv_kw is {lowest:g}: what PV produces is 0 or more. "
            f"If it is counted negative in this file, turn its sign"
        )
