"""Outside forecasts as they are published: Solcast, forecast.solar, Open-Meteo, and a CSV file. Text in, quarters out.

Each reader gives intervals `(begin, end, value)`; `read` finds out which one it is.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from optimizer.record import Vector
from schemas.forecast_powers import MOST
from schemas.printable import printable
from schemas.site_forecasts import Form
from schemas.troubles import Trouble

Unit = Literal["W", "W/m2"]
Interval = tuple[datetime, datetime, float]

LONGEST = timedelta(hours=3)
"""Of one value."""
FARTHEST = 16 * 96
"""Quarters: no forecast reaches further."""
NIGHT = timedelta(hours=20)
"""From 0 W to 0 W: nothing in between."""
ESTIMATES = ("pv_estimate", "pv_power_rooftop", "pv_power_advanced")
"""Of Solcast, in kW."""
RADIATION = ("global_tilted_irradiance", "shortwave_radiation")
"""Of Open-Meteo, in W/m2; that on the plane of the panels first."""
PERIOD = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?")


@dataclass(frozen=True)
class Told:
    """What a document tells by quarter of an hour; nan where it tells nothing."""

    first: int
    """The quarter of the first value, from 1970-01-01T00:00Z."""
    values: Vector
    unit: Unit = "W"
    """Of PV or load, or of the radiation on a horizontal square metre."""

    def at(self, quarters: np.ndarray[Any, np.dtype[np.int64]]) -> Vector:
        """Its values at quarters; nan where it tells nothing."""
        places = quarters - self.first
        there = (places >= 0) & (places < len(self.values))
        if not len(self.values):
            return np.full(len(quarters), np.nan)
        return np.where(there, self.values[np.where(there, places, 0)], np.nan)


def read(text: str, where: str, zone: ZoneInfo, of: Literal["pv", "load"] = "pv", form: Form | None = None) -> Told:
    """The forecast in a document. `where`: its file, for errors; `form`: how it should be written. Raises Trouble,
    with the field and what would be right."""
    try:
        return _read(text.lstrip("\ufeff \r\n\t"), where, zone, of, form)
    except (OverflowError, RecursionError, csv.Error) as wrong:
        raise Trouble(f"{where}: it is no forecast: {wrong}") from wrong


def _read(text: str, where: str, zone: ZoneInfo, of: str, form: Form | None) -> Told:
    if not text.startswith(("{", "[")):
        _meant(form, "csv", where)
        return _quarters(_csv(text, where, zone, of), where)
    try:
        found = json.loads(text)
    except ValueError as wrong:
        raise Trouble(f"{where}: no JSON: {wrong}") from None
    if words := _refusal(found):
        raise Trouble(f"{where}: it is no forecast, but the answer: {words}")
    for name, knows, reader, unit in FORMATS:
        if isinstance(found, dict) and knows(found):
            _meant(form, name, where)
            return _quarters(reader(found, where, zone), where, unit)
    if isinstance(found, list) and len(found) > 1 and all(isinstance(one, dict) and "hourly" in one for one in found):
        raise Trouble(f"{where}: tells of {len(found)} places: ask Open-Meteo for one")
    raise Trouble(
        f"{where}: no forecast that is known: it needs `forecasts` (Solcast), `result.watts` (forecast.solar), "
        "`hourly` or `minutely_15` (Open-Meteo), or to be a CSV file with timestamp_utc and pv_kw"
    )


def _refusal(found: object) -> str:
    """What a publisher says instead of a forecast, often with the code 200 or saved all the same: too many requests, a
    key or a place it does not know."""
    message, status = _get(found, "message"), _get(found, "response_status")
    said = [
        _get(message, "text") if _get(message, "type") == "error" else None,  # forecast.solar
        _get(status, "message") or _get(status, "error_code"),  # Solcast
        _get(found, "reason") if _get(found, "error") is True else None,  # Open-Meteo
    ]
    return next((printable(one) for one in said if isinstance(one, str) and one), "")


def of_blocks(first: int, minutes: int, values: Sequence[float]) -> Told:
    """W by quarter from the first on, out of means of so many minutes."""
    return Told(first, np.repeat(np.array(values, dtype=float), minutes // 15))


def _meant(form: Form | None, found: Form, where: str) -> None:
    if form not in (None, found):
        raise Trouble(f'{where}: is written as {found}, and the site file says {form}: write format = "{found}"')


def _solcast(found: dict[str, Any], where: str, _: ZoneInfo) -> Iterator[Interval]:
    """`pv_estimate` (or as the newer interface has it, `pv_power_rooftop`) in kW, the mean of the period that ends at
    `period_end`."""
    for name in ("estimated_actuals", "forecasts"):
        for number, row in enumerate(_list(found.get(name, []), where, name)):
            place = f"{name}.{number}"
            if not isinstance(row, dict):
                raise Trouble(f"{where}: {place}: needs a table with period_end, period and pv_estimate")
            length = PERIOD.fullmatch(str(row.get("period", "PT30M")))
            if length is None or not any(length.groups()):
                raise Trouble(f"{where}: {place}.period: {row.get('period')!r} is no period: write it such as PT30M")
            lasts = timedelta(hours=int(length[1] or 0), minutes=int(length[2] or 0))
            column = next((one for one in ESTIMATES if one in row), ESTIMATES[0])
            if row.get(column, 0) is None:  # not told
                continue
            if "period_start" in row and "period_end" not in row:  # as Home Assistant keeps it
                end = _instant(row["period_start"], UTC, where, f"{place}.period_start") + lasts
            else:
                end = _instant(row.get("period_end"), UTC, where, f"{place}.period_end")
            yield end - lasts, end, 1000 * _number(row.get(column), where, f"{place}.{column}")


def _forecast_solar(found: dict[str, Any], where: str, zone: ZoneInfo) -> Iterator[Interval]:
    """`result.watts`: W at instants, on the clock that `message.info.timezone` names where they tell none."""
    name = _get(_get(_get(found, "message"), "info"), "timezone")
    try:
        clock = ZoneInfo(name) if isinstance(name, str) else zone
    except (ZoneInfoNotFoundError, ValueError):
        raise Trouble(f"{where}: message.info.timezone: {name!r} is no time zone, such as Europe/Berlin") from None
    watts = _get(_get(found, "result"), "watts")
    if not isinstance(watts, dict):
        raise Trouble(
            f"{where}: result.watts: needs a table of instants and W: ask for /estimate, not for a part of it"
        )
    known = sorted(
        (_instant(at, clock, where, "result.watts"), _number(power, where, f"result.watts.{at}"))
        for at, power in watts.items()
        if power is not None
    )
    for (begin, before), (end, after) in pairwise(known):
        if end - begin <= LONGEST or (before == after == 0 and end - begin <= NIGHT):
            # from instant to instant in quarters: straight between the two
            steps = max(1, round((end - begin) / timedelta(minutes=15)))
            for step in range(steps):
                share = (step + 0.5) / steps
                yield (
                    begin + (end - begin) * step / steps,
                    begin + (end - begin) * (step + 1) / steps,
                    before + share * (after - before),
                )


def _open_meteo(found: dict[str, Any], where: str, _: ZoneInfo) -> Iterator[Interval]:
    """`global_tilted_irradiance` or `shortwave_radiation` in W/m2, the mean of the time before each instant; the finer
    of two tables holds."""
    ahead = found.get("utc_offset_seconds", 0)
    if not isinstance(ahead, int) or abs(ahead) > 86400:
        raise Trouble(f"{where}: utc_offset_seconds: {ahead!r} is no offset: seconds ahead of UTC are needed")
    tables = [(name, length, found[name]) for name, length in METEO if found.get(name) is not None]
    radiant = [one for one in tables if any(_get(one[2], column) is not None for column in RADIATION)]
    for name, length, table in radiant or tables:  # temperatures stand beside it, or in a table of their own
        column = next((one for one in RADIATION if _get(table, one) is not None), RADIATION[-1])
        times = _list(_get(table, "time"), where, f"{name}.time")
        values = _list(_get(table, column), where, f"{name}.{column}")
        if len(times) != len(values):
            raise Trouble(f"{where}: {name}: {len(times)} times and {len(values)} values of {column}")
        for number, (at, value) in enumerate(zip(times, values, strict=True)):
            if value is not None:  # beyond what the model knows
                end = _open_meteo_instant(at, ahead, where, f"{name}.time.{number}")
                yield end - length, end, _number(value, where, f"{name}.{column}.{number}")


def _open_meteo_instant(at: object, ahead: int, where: str, place: str) -> datetime:
    """By `timeformat=unixtime` seconds since 1970, else a clock without its zone."""
    if isinstance(at, int) and not isinstance(at, bool):
        return datetime.fromtimestamp(at, UTC) if 0 < at < 4e9 else _instant(None, UTC, where, place)
    return _instant(at, UTC, where, place) - timedelta(seconds=ahead)


METEO = (("hourly", timedelta(hours=1)), ("minutely_15", timedelta(minutes=15)))

Reader = Callable[[dict[str, Any], str, ZoneInfo], Iterator[Interval]]
FORMATS: list[tuple[Form, Callable[[dict[str, Any]], bool], Reader, Unit]] = [
    ("solcast", lambda found: "forecasts" in found or "estimated_actuals" in found, _solcast, "W"),
    ("forecast.solar", lambda found: "result" in found, _forecast_solar, "W"),
    ("open-meteo", lambda found: "hourly" in found or "minutely_15" in found, _open_meteo, "W/m2"),
]

COLUMNS = {"pv_kw": 1000.0, "pv_w": 1.0, "load_kw": 1000.0, "load_w": 1.0, "power_kw": 1000.0, "power_w": 1.0}
"""W for one of each."""


def _csv(text: str, where: str, zone: ZoneInfo, of: str) -> Iterator[Interval]:
    """`timestamp_utc` (or `timestamp`, by the clock of the site) and one column with its unit in its name: of PV or
    load, as it is asked for, or `power`."""
    rows = csv.DictReader(io.StringIO(text))
    names = [name.strip() for name in rows.fieldnames or [] if name]
    clock = next((name for name in ("timestamp_utc", "timestamp") if name in names), None)
    column = next((name for name in COLUMNS if name in names and name.startswith((of, "power"))), None)
    if clock is None or column is None:
        meant = ", ".join(name for name in COLUMNS if name.startswith((of, "power")))
        raise Trouble(f"{where}:1: needs the columns timestamp_utc and one of {meant}; there is: {names}")
    known: dict[datetime, float] = {}
    every = set[datetime]()
    for line, raw in enumerate(rows, 2):
        row = {(key or "").strip(): (value or "") for key, value in raw.items() if not isinstance(value, list)}
        at = _instant(row.get(clock, "").strip(), UTC if clock == "timestamp_utc" else zone, where, f"{line}: {clock}")
        every.add(at)
        if written := row.get(column, "").strip():
            known[at] = COLUMNS[column] * _number(_float(written), where, f"{line}: {column}")
    times = sorted(every)  # also of empty cells: they say how long a row lasts
    usual = min((after - before for before, after in pairwise(times)), default=timedelta(minutes=15))
    for begin in sorted(known):
        yield begin, begin + usual, known[begin]


def _quarters(intervals: Iterable[Interval], where: str, unit: Unit = "W") -> Told:
    """The mean of each quarter by how much of it an interval covers; what comes later in a document holds."""
    found: dict[int, tuple[float, float]] = {}
    for begin, end, value in intervals:
        if not timedelta(0) < end - begin <= LONGEST:
            raise Trouble(
                f"{where}: a value for {end - begin} from {begin:%Y-%m-%d %H:%M}Z: at most 3 h are meant by one"
            )
        for number in range(int(begin.timestamp() // 900), -int(-end.timestamp() // 900)):
            share = min(end.timestamp(), 900 * number + 900) - max(begin.timestamp(), 900 * number)
            before, power = found.get(number, (0.0, 0.0))
            # a whole quarter replaces what a coarser table said of it
            found[number] = (
                (share, value)
                if before + share > 900
                else (before + share, (before * power + share * value) / (before + share))
            )
    if not found:
        raise Trouble(f"{where}: tells of no time at all")
    first, last = min(found), max(found)
    if last - first >= FARTHEST:
        raise Trouble(f"{where}: tells of {(last - first) / 96:.0f} days; a forecast has 16 at most")
    values = np.array([found[number][1] if number in found else np.nan for number in range(first, last + 1)])
    return Told(first, values, unit)


def _get(found: object, name: str) -> Any:  # noqa: ANN401  # whatever a document has there
    return found.get(name) if isinstance(found, dict) else None


def _list(found: object, where: str, place: str) -> list[Any]:
    if not isinstance(found, list):
        raise Trouble(f"{where}: {place}: needs a list: [...]")
    return found


def _float(written: str) -> object:
    try:
        return float(written)
    except ValueError:
        return written


def _number(given: object, where: str, place: str) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) <= MOST:
        raise Trouble(f"{where}: {place}: {given!r} is no power: a number is needed")
    return max(float(given), 0.0)


def _instant(given: object, clock: tzinfo, where: str, place: str) -> datetime:
    try:
        found = datetime.fromisoformat(str(given))
        found = found if found.tzinfo else found.replace(tzinfo=clock)
        found.timestamp()
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        right = "write it such as 2026-06-21T12:00:00Z"
        raise Trouble(f"{where}: {place}: {str(given)[:40]!r} is no instant: {right}") from None
