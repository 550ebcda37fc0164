"""The times of a CSV: begins of intervals in UTC, and how local ones are known that say no offset."""

from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from schemas.troubles import Trouble

TIME = "timestamp_utc"
EMPTY = ("", "nan", "na", "n/a", "null", "none", "-", "nat")
ZONED = r"(?:[zZ]|[+-]\d{2}:?\d{2})$"


def seconds_of(path: Path, given: "pd.Series[str]", zone: ZoneInfo, repairs: Counter[str]) -> NDArray[np.float64]:
    """Seconds since 1970; a row whose time is empty is left out later (nan). Counts what was mended; raises Trouble."""
    empty = given.str.lower().isin(EMPTY)
    read = pd.to_datetime(given.where(~empty), format="ISO8601", utc=True, errors="coerce")
    if (bad := read.isna() & ~empty).any():
        row = int(np.argmax(bad.to_numpy()))
        raise Trouble(
            f"{path}, row {row + 2}: {TIME} is {given.iloc[row]!r}: write the begin of the interval in UTC, "
            f"such as 2019-01-01T00:00:00Z"
        )
    if empty.all():
        raise Trouble(f"{path}: {TIME} is empty in every row: write such as 2019-01-01T00:00:00Z")
    since = (read - pd.Timestamp(0, unit="s", tz="UTC")).dt.total_seconds()
    seconds = np.asarray(since.to_numpy(), dtype=np.float64)
    naive = ~given.str.contains(ZONED, regex=True) & ~empty
    if naive.any():
        _refuse_local(path, (seconds[naive.to_numpy()] // 60).astype(np.int64), zone)
        repairs["times_without_zone_taken_for_utc"] += int(naive.sum())
    repairs["rows_without_time_left_out"] += int(empty.sum())
    return seconds


def _refuse_local(path: Path, minutes: NDArray[np.int64], zone: ZoneInfo) -> None:
    """Times without a zone that are doubled just where the local clock is set back, or leave out just the hour over
    which it is set ahead, are no UTC."""
    values, counts = np.unique(minutes, return_counts=True)
    _refuse_ahead(path, values, zone)
    doubled = pd.DatetimeIndex(pd.to_datetime(values[counts > 1] * 60, unit="s"))
    if len(doubled) == 0:
        return
    back = doubled.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna()
    if back.any():
        at = doubled[int(np.argmax(back))]
        raise Trouble(
            f"{path}: {at:%Y-%m-%d %H:%M} is there twice, as when the clocks of {zone.key} are set back: "
            f"{TIME} holds local times. Write UTC with a Z, or local times with their offset, such as "
            f"{at:%Y-%m-%dT%H:%M:%S}-07:00"
        )


def _refuse_ahead(path: Path, values: NDArray[np.int64], zone: ZoneInfo) -> None:
    """Of minutes since 1970, rising, that leave out just the hour over which the local clock is set ahead."""
    steps = np.diff(values)
    for place in np.flatnonzero(steps == np.median(steps) + 60).tolist() if len(steps) else ():
        between = pd.DatetimeIndex(pd.to_datetime(np.arange(values[place] + 1, values[place + 1]) * 60, unit="s"))
        skipped = between.tz_localize(zone, ambiguous=np.ones(len(between), dtype=bool), nonexistent="NaT").isna()
        if skipped.any():
            at = between[int(np.argmax(skipped))]
            raise Trouble(
                f"{path}: the hour from {at:%Y-%m-%d %H:%M} is missing, over which the clocks of {zone.key} are "
                f"set ahead: {TIME} holds local times. Write local times with their offset, such as "
                f"{at:%Y-%m-%d}T12:00:00+02:00, or UTC with a Z; it is then a gap of the file"
            )
