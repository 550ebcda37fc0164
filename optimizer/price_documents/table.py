"""A CSV of our own shape: `timestamp_utc,price_eur_per_mwh`. Pure.

Files come from many hands: semicolons or tabs, a decimal comma beside them, empty lines and cells without a number are
read; anything else is refused with its line.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from optimizer.price_documents.wanted import LARGEST, Unreadable, Wanted, of_our_age
from optimizer.published import Row

TIME = "timestamp_utc"
PRICE = re.compile(r"price_(?P<currency>[a-z]{3}|ct)_per_(?P<unit>mwh|kwh)")
"""The name of the column says its unit; ct are of any currency."""
DIVISORS = {"mwh": 1000.0, "kwh": 1.0, "ct": 100.0}
"""What makes a price per kWh when it is divided by it."""
ABSENT = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
"""What tools write where there is no number."""


def rows(text: str, wanted: Wanted) -> list[Row]:
    """The priced instants per kWh, in the order of the file. Raises Unreadable with the line."""
    return [*_rows(text, wanted)]


def _rows(text: str, wanted: Wanted) -> Iterator[Row]:
    lines = iter(text.splitlines(keepends=True))
    above, header = next(((n, line) for n, line in enumerate(lines, 1) if line.strip()), (1, ""))
    between = next((sign for sign in (";", "\t") if sign in header), ",")
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=between), [])]
    time, price, divisor = _columns(above, names, wanted)
    table = csv.reader(lines, delimiter=between)
    for cells in table:
        line = table.line_num + above
        if len(cells) > len(names) and any(cell.strip() for cell in cells):
            raise Unreadable(f"{len(cells)} cells below {len(names)} names: with a decimal comma, put ; between the "
                             "cells", line)  # fmt: skip
        written = cells[price].strip() if len(cells) > price else ""
        if written.lower() in ABSENT:
            continue  # a gap, or an empty line
        try:
            yield Row(line, _start(cells[time]), _number(written, between) / divisor)
        except (ValueError, OverflowError) as wrong:
            raise Unreadable(f"not {_right(wanted)}: {between.join(cells)[:80]!r}: {wrong}", line) from wrong


def _right(wanted: Wanted) -> str:
    return f"`{TIME},price_{wanted.currency.lower()}_per_mwh`"


def _columns(line: int, names: Sequence[str], wanted: Wanted) -> tuple[int, int, float]:
    """Which cell is the time, which the price, and what makes it one per kWh."""
    given = [(index, found) for index, name in enumerate(names) if (found := PRICE.fullmatch(name))]
    given = [one for one in given if (one[1]["currency"], one[1]["unit"]) != ("ct", "mwh")]
    if TIME not in names or len(given) != 1:
        there, own = ", ".join(names)[:120] or "nothing", wanted.currency.lower()
        known = ", ".join(f"price_{one}" for one in (f"{own}_per_mwh", f"{own}_per_kwh", "ct_per_kwh"))
        raise Unreadable(f"not {_right(wanted)}: the header has {there}; one price of {known} is needed", line)
    index, found = given[0]
    if found["currency"] == "ct":
        return names.index(TIME), index, DIVISORS["ct"]
    wanted.paid_in(found["currency"], line)
    return names.index(TIME), index, DIVISORS[found["unit"]]


def _start(text: str) -> datetime:
    start = datetime.fromisoformat(text.strip())
    return of_our_age((start if start.tzinfo else start.replace(tzinfo=UTC)).astimezone(UTC))


def _number(text: str, between: str) -> float:
    plain = text.replace(",", ".") if between != "," and "." not in text else text
    price = float(plain)
    if not -LARGEST <= price <= LARGEST:
        raise ValueError(f"{text} is no price")
    return price
