"""Reads a file of market prices (`timestamp_utc,price_eur_per_mwh`, may be gzipped)."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from optimizer.tariff import Series
from schemas.troubles import Trouble


def read_prices(path: Path) -> Series:
    """The series, per kWh. Raises Trouble that names the file and the line."""
    try:
        rows = sorted(_rows(path))
    except (OSError, EOFError, UnicodeDecodeError) as wrong:
        raise Trouble(f"{path} cannot be read: {wrong}") from wrong
    starts, prices = [start for start, _ in rows], [price for _, price in rows]
    lengths = Counter(later - earlier for earlier, later in pairwise(starts))
    hold = lengths.most_common(1)[0][0] if lengths else timedelta(hours=1)
    return Series(starts, prices, hold)


def _rows(path: Path) -> Iterator[tuple[datetime, float]]:
    reader = gzip.open if path.suffix == ".gz" else open
    with reader(path, "rt", encoding="utf-8") as lines:
        table = csv.DictReader(lines)
        for row in table:
            if not row.get("price_eur_per_mwh"):
                continue  # a gap
            try:
                start = datetime.fromisoformat(row["timestamp_utc"])
                price = float(row["price_eur_per_mwh"]) / 1000
            except (KeyError, TypeError, ValueError) as wrong:
                raise Trouble(f"{path}:{table.line_num}: not `timestamp_utc,price_eur_per_mwh`: {wrong}") from wrong
            yield (start if start.tzinfo else start.replace(tzinfo=UTC)), price
