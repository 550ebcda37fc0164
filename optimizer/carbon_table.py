"""A table of CO2 intensities: `timestamp_utc,g_per_kwh`. Each holds until the next, an hour at most. Pure but for the
file it reads."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from optimizer.tariff import Series
from schemas.troubles import Trouble

HEADER = ["timestamp_utc", "g_per_kwh"]
ABSENT = frozenset({"", "nan", "na", "n/a", "null", "-"})
"""What tools write where there is no number."""


@dataclass
class CarbonFile:
    """A file that is read again when it has changed; None: the site has none."""

    path: Path | None
    _stamp: float = 0.0
    _series: Series | None = None

    def now(self) -> Series | None:
        """g of CO2 per kWh; None while there is no file. Raises Trouble that names the file and the line."""
        if self.path is None or not self.path.is_file():
            return None
        if (stamp := self.path.stat().st_mtime) != self._stamp:
            self._series, self._stamp = read_carbon(self.path), stamp
        return self._series


def read_carbon(path: Path) -> Series:
    """g of CO2 per kWh. Raises Trouble that names the file and the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = dict(_rows(path, csv.reader(lines)))
    except FileNotFoundError:
        raise Trouble(f"carbon.file: {path} does not exist") from None
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise Trouble(f"{path} cannot be read: {wrong}") from wrong
    return Series(sorted(rows), [rows[at] for at in sorted(rows)])


def _rows(path: Path, table: Iterator[list[str]]) -> Iterator[tuple[datetime, float]]:
    header = [name.strip().lower() for name in next(table, [])]
    if header != HEADER:
        raise Trouble(f"{path}:1: the header is {','.join(header) or 'empty'}; write {','.join(HEADER)}")
    for line, cells in enumerate(table, 2):
        if not any(cell.strip() for cell in cells) or (len(cells) == 2 and cells[1].strip().lower() in ABSENT):
            continue  # a gap
        try:
            time, number = cells
            yield _utc(datetime.fromisoformat(time.strip())), _grams(number)
        except (ValueError, OverflowError) as wrong:
            raise Trouble(f"{path}:{line}: not {','.join(HEADER)}: {','.join(cells)[:80]!r}: {wrong}") from wrong


def _utc(at: datetime) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _grams(text: str) -> float:
    grams = float(text)
    if not math.isfinite(grams) or grams < 0:
        raise ValueError(f"{text} is no intensity")
    return grams
