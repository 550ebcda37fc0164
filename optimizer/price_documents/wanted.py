"""What a tariff wants of a document of prices, and what is said when it is not there. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Part = Literal["energy", "total"]
LARGEST = 1e9
"""Per MWh, of any currency."""
FIRST_YEAR, LAST_YEAR = 1990, 2199


@dataclass(frozen=True)
class Wanted:
    """One series among those that a document may hold."""

    currency: str = "EUR"
    area: str = ""
    """A bidding zone, or of Tibber a home; empty where the document has only one."""
    auction: int = 1
    """Of ENTSO-E, where a zone has several."""
    part: Part = "energy"
    """Of Tibber: the market price, or the price with its taxes."""
    minutes: int | None = None
    """Of two resolutions that say something of the same time, the one that holds; None: they are refused."""

    def paid_in(self, currency: str, line: int = 0, place: str = "") -> None:
        """Raises Unreadable where the document counts in another currency."""
        other = currency.upper()[:20]
        if other != self.currency:
            right = f"get them in {self.currency}, or write currency and all prices of the tariff in {other}"
            raise Unreadable(f"its prices are in {other} and the tariff is in {self.currency}: {right}", line, place)


class Unreadable(Exception):
    """Why a document gives no prices, and what would be right."""

    def __init__(self, words: str, line: int = 0, place: str = "") -> None:
        super().__init__(words)
        self.line, self.place = line, place

    def of(self, name: object) -> str:
        """The sentence about a document of that name: its line or its element, and why."""
        where = f"{name}:{self.line}" if self.line else f"{name}"
        return f"{where}: {self.place}: {self}" if self.place else f"{where}: {self}"


class NoPrices(Unreadable):
    """A document that is whole and says that there is no price (yet)."""


def number(given: object, place: str) -> float:
    """A price of a JSON document. Raises Unreadable."""
    if isinstance(given, bool) or not isinstance(given, int | float) or not -LARGEST <= given <= LARGEST:
        raise Unreadable(f"{_short(given)} is no price: a number is needed", place=place)
    return float(given)


def instant(given: object, place: str) -> datetime:
    """A moment that says its zone. Raises Unreadable."""
    try:
        found = datetime.fromisoformat(given) if isinstance(given, str) else None
        if found is not None and found.tzinfo is not None:
            return of_our_age(found.astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    right = "is no moment with its zone, such as 2026-10-25T02:00:00+01:00"
    raise Unreadable(f"{_short(given)} {right}", place=place)


def of_our_age(found: datetime) -> datetime:
    """The moment, from 1990 to 2199. Raises ValueError for another: sums and days beyond it would overflow."""
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(f"the year {found.year} has no market")
    return found


def _short(given: object) -> str:
    if isinstance(given, str | float | bool) or given is None:
        return f"{given!r:.40}"
    return "a whole number of many digits" if isinstance(given, int) else f"a {type(given).__name__}"
