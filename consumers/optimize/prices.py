"""Reads a file of market prices: `timestamp_utc,price_eur_per_mwh`, may be gzipped.

Files come from many hands: a byte order mark, semicolons or tabs, a decimal comma beside them, empty lines and cells
without a number are read; anything else is refused with its line.
"""

import csv
import gzip
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from optimizer.published import Published, Row, TwoSeries, publish
from optimizer.tariff import Series
from schemas.troubles import Trouble

TIME = "timestamp_utc"
UNITS = {"price_eur_per_mwh": 1000.0, "price_eur_per_kwh": 1.0, "price_ct_per_kwh": 100.0}
"""By the name of the column: what makes a price per kWh when it is divided by it."""
WRITE = f"`{TIME},price_eur_per_mwh`"
ABSENT = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
"""What tools write where there is no number."""


WRITING = 5.0
"""Seconds after a change in which a file may still be written: half of it can be read without an error."""

Stamp = tuple[int, int, int]
"""Which file it is, its size and when it was changed, in ns."""


class PriceFiles:
    """Files of market prices, read again when they have changed and are changed no more."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[Stamp, Series]] = {}

    def series(self, path: Path, wall: float) -> Series:
        """What stands in a file; while it is being written, what stood there before. `wall` is in seconds since 1970.

        Raises Trouble that names the file and the line.
        """
        try:
            found = path.stat()
        except OSError as wrong:
            raise Trouble(f"{path} cannot be read: {wrong}") from wrong
        stamp, known = (found.st_ino, found.st_size, found.st_mtime_ns), self._read.get(path)
        if known is not None and (known[0] == stamp or 0 <= wall - found.st_mtime < WRITING):
            return known[1]
        series = read_prices(path)
        self._read[path] = (stamp, series)
        return series


def read_prices(path: Path) -> Series:
    """The series, per kWh. Raises Trouble that names the file and the line."""
    return read_published(path).series


def read_published(path: Path) -> Published:
    """The same with what was repeated and corrected. Raises Trouble."""
    try:
        return publish([*_rows(path)])
    except TwoSeries as wrong:
        raise Trouble(f"{path}:{wrong.line}: {wrong}") from wrong
    except UnicodeDecodeError as wrong:
        raise Trouble(f"{path} cannot be read: it is not UTF-8; save it as CSV UTF-8") from wrong
    except (OSError, EOFError, csv.Error) as wrong:
        raise Trouble(f"{path} cannot be read: {wrong}") from wrong


def _rows(path: Path) -> Iterator[Row]:
    reader = gzip.open if path.suffix == ".gz" else open
    with reader(path, "rt", encoding="utf-8-sig", newline="") as lines:
        above, header = next(((n, line) for n, line in enumerate(lines, 1) if line.strip()), (1, ""))
        between = next((sign for sign in (";", "\t") if sign in header), ",")
        table = csv.reader(lines, delimiter=between)
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=between), [])]
        time, price = _columns(path, above, names)
        for cells in table:
            line = table.line_num + above
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names):
                raise Trouble(f"{path}:{line}: {len(cells)} cells below {len(names)} names: with a decimal comma, "
                              "put ; between the cells")  # fmt: skip
            text = cells[price].strip() if len(cells) > price else ""
            if text.lower() in ABSENT:
                continue  # a gap
            try:
                yield Row(line, _start(cells[time]), _number(text, between) / UNITS[names[price]])
            except (ValueError, OverflowError) as wrong:
                raise Trouble(f"{path}:{line}: not {WRITE}: {between.join(cells)[:80]!r}: {wrong}") from wrong


def _columns(path: Path, line: int, names: Sequence[str]) -> tuple[int, int]:
    """Which cell is the time and which the price."""
    given = [name for name in names if name in UNITS]
    if TIME not in names or len(given) != 1:
        there = ", ".join(names) or "nothing"
        raise Trouble(f"{path}:{line}: not {WRITE}: the header has {there}; one price of {', '.join(UNITS)} is needed")
    return names.index(TIME), names.index(given[0])


def _start(text: str) -> datetime:
    start = datetime.fromisoformat(text.strip())
    return (start if start.tzinfo else start.replace(tzinfo=UTC)).astimezone(UTC)


def _number(text: str, between: str) -> float:
    plain = text.replace(",", ".") if between != "," and "." not in text else text
    price = float(plain)
    if not math.isfinite(price):
        raise ValueError(f"{text} is no price")
    return price
